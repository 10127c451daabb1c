#!/usr/bin/env bash
# The life of the packages under a real systemd, from install to purge. package_test.sh [BUILD DIRECTORY], behind
# `make deb`. Exit status 77 and a line that begins with SKIPPED where the machine does not allow it.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
    build=${1:-build}
    compgen -G "$build/deb/roomd_*.deb" >/dev/null || { echo "$build/deb has no packages: make deb first" >&2; exit 1; }
    exec test/systemd/boot.sh "$PWD/test/systemd/package_test.sh" --inside "$(realpath "$build")"
fi

build=$2
# shellcheck source=test/systemd/checks.sh
source test/systemd/checks.sh
# Configuration questions are not asked, and nothing is fetched: what roomd depends on, the build has installed.
export DEBIAN_FRONTEND=noninteractive
roomd_deb=$(echo "$build"/deb/roomd_*.deb)
room_deb=$(echo "$build"/deb/room_*.deb)
# A machine may forbid packages to start services (policy-rc.d, in containers); this one is ours.
rm -f /usr/sbin/policy-rc.d
before=$(mktemp)
files_of_machine() {
    find /etc /usr /lib/systemd /var/lib /opt /run -xdev \( -path /var/lib/dpkg -o -path /var/lib/systemd \
        -o -path /run/systemd -o -path /run/user -o -path /run/log -o -path /usr/share/man \) -prune -o -print | sort
}
files_of_machine >"$before"

# --- install
check 'the packages install' dpkg --install "$roomd_deb" "$room_deb"
check 'the service runs' property ActiveState active
check 'and will after the next start of the machine' systemctl is-enabled roomd.service roomd.socket roomd-unix.socket
check 'what shows everybody'"'"'s bytes is not there unasked' bash -c '! systemctl is-enabled roomd-debug.socket'
check 'its user exists, without a shell' bash -c "getent passwd roomd | grep -q nologin"
check 'the configuration is right' roomd --config /etc/roomd/roomd.toml --check-config
check 'and is a conffile' bash -c "dpkg-query --show --showformat '\${Conffiles}' roomd | grep -q /etc/roomd/roomd.toml"
check 'the manual has roomd(8), roomctl(8), roomd.toml(5), room(1) and roombench(1)' \
    eval 'man --where 8 roomd && man --where 8 roomctl && man --where 5 roomd.toml && man --where 1 room && man --where 1 roombench'

# --- chat
answer=$(printf '/hello 1 nick=ann\n/join ops\n/say ops hello\n' | says) || fail 'nc could not talk to roomd'
check 'a person on netcat is heard' grep -q '^ok say ops 1$' <<<"$answer"
check 'room has its line acknowledged' bash -c 'echo hello | timeout 10 room --room ops --nick bob'
check 'over the Unix socket too' bash -c 'echo hello | timeout 10 room --room ops --nick bob /run/roomd/roomd.sock'
check 'the status tells of rooms' eventually status_has 'connections in'
check 'roomctl commands it' roomctl status
check 'but not for anybody' bash -c '! setpriv --reuid=65534 --regid=65534 --clear-groups roomctl status'
# shellcheck source=test/systemd/privileges.sh
source test/systemd/privileges.sh
check 'roombench puts a load on it without a loss' \
    timeout 60 roombench fanout --members 20 --seconds 0.2 --warmup 0.1 --connect 127.0.0.1:8888 --no-pin

# --- reload
main=$(systemctl show --property MainPID --value "$unit")
echo 'name = "chatter"' >/etc/roomd/roomd.toml
check 'a good configuration is taken over' systemctl reload "$unit"
check 'by the same process' property MainPID "$main"
name_is() { printf '/hello 1 nick=dan\n' | says | grep -q "^welcome 1 $1/"; }
check 'and is in force when systemctl returns' name_is chatter
echo 'nmae = "typo"' >/etc/roomd/roomd.toml
check 'a wrong configuration makes systemctl reload fail' bash -c '! systemctl reload roomd'
check 'roomctl says why' bash -c 'roomctl reload 2>&1 | grep -q nmae'
check 'and nothing has changed' name_is chatter
check 'the journal has the reason' journal_has 'nmae'
check 'and the process is the same' property MainPID "$main"
echo 'name = "kept"' >/etc/roomd/roomd.toml

# --- kill -9
# shellcheck source=test/systemd/crash.sh
source test/systemd/crash.sh

# --- upgrade: the same files under the next version, so that what differs is what the upgrade does
work=$(mktemp -d)
dpkg-deb --raw-extract "$roomd_deb" "$work/next"
version=$(dpkg-deb --field "$roomd_deb" Version)
sed -i "s/^Version: .*/Version: $version+next/" "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group --build "$work/next" "$work/next.deb" >/dev/null
main=$(systemctl show --property MainPID --value "$unit")
socket_since=$(systemctl show --property ActiveEnterTimestampMonotonic --value roomd.socket)
# shellcheck source=test/systemd/upgrade.sh
source test/systemd/upgrade.sh
check 'the version is the next' test "$(dpkg-query --show --showformat '${Version}' roomd)" = "$version+next"
check 'the service was restarted' another_main "$main"
check 'its sockets were not: who connects meanwhile waits' \
    test "$(systemctl show --property ActiveEnterTimestampMonotonic --value roomd.socket)" = "$socket_since"
check 'what the operator wrote is kept' grep -q kept /etc/roomd/roomd.toml
check 'and in force' name_is kept

# --- remove and purge
check 'the packages go' dpkg --remove roomd room
check 'the service is down' bash -c '! systemctl is-active roomd.service'
check 'nothing answers on its port any more' bash -c '! exec 3<>/dev/tcp/127.0.0.1/8888'
check 'no process of it is left' bash -c '! pgrep -u roomd'
check 'the configuration is kept' test -e /etc/roomd/roomd.toml
check 'until it is purged' dpkg --purge roomd room
left=$(files_of_machine | comm -13 "$before" - | grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$' || true)
[[ -z $left ]] || { echo "$left" >&2; fail 'nothing is left on the machine'; }
check 'nothing is left on the machine' true
check 'but the user, whose number nobody else is to get' getent passwd roomd
echo "the packages under a real systemd: $checks checks passed"
