#!/usr/bin/env bash
# The units under a real systemd: installed, started by a connection, spoken to, reloaded, stalled, killed, stopped.
# service_test.sh [BUILD DIRECTORY]. Exit status 77 and a line that begins with SKIPPED where the machine does not allow it.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
    build=${1:-build}
    [[ -x $build/roomctl ]] || { echo "$build/roomctl is missing: make first" >&2; exit 1; }
    exec test/systemd/boot.sh "$PWD/test/systemd/service_test.sh" --inside "$(realpath "$build")"
fi

build=$2
# shellcheck source=test/systemd/checks.sh
source test/systemd/checks.sh

install_tree "$build"

# --- started by who connects
check 'the sockets are opened without the daemon' systemctl start roomd.socket
check 'and it is not started yet' property ActiveState inactive
answer=$(printf '/hello 1 nick=ann\n/join ops\n/say ops hello from the unit\n' | says) || fail 'nc could not talk to roomd'
check 'a connection starts it, and is welcomed' grep -q '^welcome 1 ' <<<"$answer"
check 'enters a room' grep -q '^ok join ops ' <<<"$answer"
check 'and is heard' grep -q '^ok say ops 1$' <<<"$answer"
check 'systemctl start returns when roomd is ready' systemctl start "$unit"
check 'it is active' property ActiveState active
check 'nobody else speaks the notify protocol for it' property NotifyAccess main
check 'the same over IPv6' bash -c "printf '/ping six\n' | timeout 10 nc -N ::1 8888 | grep -q six"
check 'and over the Unix socket' bash -c "printf '/ping file\n' | timeout 10 nc -N -U /run/roomd/roomd.sock | grep -q file"
check 'which belongs to its group' test "$(stat -c '%a %G' /run/roomd/roomd.sock)" = '660 roomd'
check 'the socket for commands is for nobody else' test "$(stat -c '%a %U' /run/roomd/admin.sock)" = '600 roomd'
check 'a stranger cannot connect to the Unix socket' \
    bash -c '! setpriv --reuid=65534 --regid=65534 --clear-groups timeout 5 nc -N -U /run/roomd/roomd.sock </dev/null'

# --- what it is, seen from outside
source test/systemd/privileges.sh

# --- two people: what one says, the other hears, through the sandboxed service
coproc bob { timeout 120 nc 127.0.0.1 8888; }
bob_in=${bob[1]} bob_out=${bob[0]}
printf '/hello 1 nick=bob\n/join pub\n' >&"$bob_in"
check 'a second person enters' hears "$bob_out" 'ok join pub'
printf '/hello 1 nick=cat\n/join pub\n/say pub across the sandbox\n' | says >/dev/null
check 'and hears what the first one says' hears "$bob_out" 'across the sandbox'
check 'systemctl status shows how many there are' eventually status_has '1 connection in'

# --- the journal: fields of its own, not one line of text
check 'the journal has the events with their fields' \
    eventually bash -c "journalctl --no-pager -u $unit ROOMD_EVENT=listening -o json | grep -q '\"ROOMD_ADDRESS\":\"127.0.0.1:8888\"'"

# --- reload
main=$(systemctl show --property MainPID --value "$unit")
check 'systemctl reload is accepted' systemctl reload "$unit"
check 'a reload keeps the process' property MainPID "$main"
printf '/ping again\n' >&"$bob_in"
check 'and who is connected' hears "$bob_out" 'again'

# --- stop
check 'systemctl stop returns' systemctl stop roomd.socket roomd-unix.socket roomd-admin.socket "$unit"
check 'whoever was still there is told goodbye' hears "$bob_out" 'bye shutting_down'
check 'it has stopped' property ActiveState inactive
check 'by itself, with success' property Result success
check 'with exit status 0' property ExecMainStatus 0
check 'nothing answers on its port any more' bash -c '! exec 3<>/dev/tcp/127.0.0.1/8888'
check 'the file of its Unix socket is gone' test ! -e /run/roomd/roomd.sock
check 'the journal has its lines' journal_has 'fd:chat'

# --- operators
systemctl start roomd-metrics.socket
health() { printf 'GET /healthz HTTP/1.0\r\n\r\n' | timeout 10 nc 127.0.0.1 9888; }
answer=$(health) || fail 'nc could not ask for its health'
check 'asked for its health it starts, and says how it is' grep -q '^HTTP/1.. 200' <<<"$answer"
check 'stopped again' systemctl stop roomd-metrics.socket roomd.socket roomd-unix.socket roomd-admin.socket "$unit"

# --- the watchdog
# shellcheck disable=SC2016 # expanded by the shell that systemd starts
dropin watchdog.conf 'WatchdogSec=500ms' \
    'ExecStopPost=+/bin/sh -c "echo $$SERVICE_RESULT $$EXIT_STATUS >>/run/how_it_ended"'
check 'with a short watchdog' systemctl start "$unit"
main=$(systemctl show --property MainPID --value "$unit")
sleep 2 # four times what the manager waits for: if the loop did not feed it, it would have bitten by now
check 'a daemon at rest is left alone' property MainPID "$main"
kill -STOP "$main"
check 'one that has stopped answering is ended and started again' eventually another_main "$main"
check 'because of the watchdog' test "$(cat /run/how_it_ended)" = 'watchdog ABRT'
answer=$(printf '/ping alive\n' | says) || fail 'nc could not talk to roomd after the watchdog'
check 'and serves again' grep -q 'alive' <<<"$answer"

# --- it ends by itself
main=$(systemctl show --property MainPID --value "$unit")
check 'drained by an operator' /usr/local/bin/roomctl --socket /run/roomd/admin.sock drain --over 0
check 'it is started again' eventually another_main "$main"
journalctl --sync
# shellcheck disable=SC2016 # what the command to stop would have to say without anybody to stop
check 'and nobody was asked to stop who is gone' bash -c '! journalctl --no-pager --output cat | grep -E "invalid PID|Usage"'

# --- a crash
rm /etc/systemd/system/roomd.service.d/watchdog.conf
systemctl daemon-reload
check 'as it is shipped' systemctl restart "$unit"
source test/systemd/crash.sh

# --- profile B
systemctl stop roomd.socket roomd-unix.socket "$unit"
systemctl mask roomd.socket roomd-unix.socket 2>/dev/null
install -D -t /etc/systemd/system/roomd.service.d /usr/local/share/doc/roomd/examples/own-listeners.conf
systemctl daemon-reload
check 'with the drop-in of profile B it binds its own listeners' systemctl start "$unit"
answer=$(printf '/ping own\n' | says) || fail 'nc could not talk to roomd in profile B'
check 'and serves there' grep -q 'own' <<<"$answer"
check 'stopped again' systemctl stop "$unit"

no_trace_of_a_bug
echo "the units under a real systemd: $checks checks passed"
