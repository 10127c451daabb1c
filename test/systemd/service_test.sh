#!/usr/bin/env bash
# The service under a real systemd: installed, started, spoken to, reloaded, stopped. service_test.sh [BUILD DIRECTORY]
# Exit status 77 and a line that begins with SKIPPED where the machine does not allow it.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
    build=${1:-build}
    [[ -x $build/roomd ]] || { echo "$build/roomd is missing: make first" >&2; exit 1; }
    exec test/systemd/boot.sh "$PWD/test/systemd/service_test.sh" --inside "$(realpath "$build")"
fi

build=$2
unit=roomd.service
checks=0

fail() {
    echo "FAILED: $*" >&2
    systemctl status --no-pager --full "$unit" >&2 || true
    journalctl --no-pager --unit "$unit" >&2 || true
    exit 1
}
# check DESCRIPTION COMMAND...
check() {
    local description=$1
    shift
    "$@" >/dev/null 2>&1 || fail "$description"
    checks=$((checks + 1))
    echo "ok: $description"
}
property() { [[ $(systemctl show --property "$1" --value "$unit") == "$2" ]]; }
journal_has() { journalctl --sync; journalctl --no-pager --output cat --unit "$unit" | grep -q -- "$1"; }
says() { timeout 10 nc -N 127.0.0.1 8888; }

DESTDIR='' meson install -C "$build" --no-rebuild >/dev/null
systemctl daemon-reload

check 'systemctl start returns when roomd is ready' systemctl start "$unit"
check 'it is active' property ActiveState active
check 'it stays within the notify protocol' property NotifyAccess main
check 'it runs as nobody of this machine' property DynamicUser yes

answer=$(printf '/hello 1 nick=ann\n/join ops\n/say ops hello from the unit\n' | says) || fail 'nc could not talk to roomd'
check 'a person on netcat is welcomed' grep -q '^welcome 1 ' <<<"$answer"
check 'enters a room' grep -q '^ok join ops ' <<<"$answer"
check 'and is heard' grep -q '^ok say ops 1$' <<<"$answer"

# Two people: what one says, the other hears, through the sandboxed service.
coproc bob { timeout 20 nc 127.0.0.1 8888; }
bob_in=${bob[1]} bob_out=${bob[0]}
bob_hears() {
    local line
    while read -r -t 10 line <&"$bob_out"; do
        [[ $line == *"$1"* ]] && return 0
    done
    return 1
}
printf '/hello 1 nick=bob\n/join pub\n' >&"$bob_in"
check 'a second person enters' bob_hears 'ok join pub'
printf '/hello 1 nick=cat\n/join pub\n/say pub across the sandbox\n' | says >/dev/null
check 'and hears what the first one says' bob_hears 'across the sandbox'

main=$(systemctl show --property MainPID --value "$unit")
check 'systemctl reload is accepted' systemctl reload "$unit"
check 'a reload keeps the process' property MainPID "$main"
answer=$(printf '/ping after-reload\n' | says) || fail 'nc could not talk to roomd after a reload'
check 'and it still answers' grep -q 'after-reload' <<<"$answer"

check 'systemctl stop returns' systemctl stop "$unit"
check 'whoever was still there is told goodbye' bob_hears 'bye shutting_down'
check 'it has stopped' property ActiveState inactive
check 'by itself, with success' property Result success
check 'with exit status 0' property ExecMainStatus 0
check 'nothing answers on its port any more' bash -c '! exec 3<>/dev/tcp/127.0.0.1/8888'
check 'the journal has its lines' journal_has 8888
if journalctl --no-pager --unit "$unit" | grep -qE 'assert|Sanitizer|core-dump'; then
    fail 'the journal has no trace of a bug'
fi
echo "service under a real systemd: $checks checks passed"
