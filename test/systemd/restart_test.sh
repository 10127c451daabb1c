#!/usr/bin/env bash
# Restarts and crashes under load, under a real systemd, as shipped: thousands of members of every framing and format.
# restart_test.sh [BUILD DIRECTORY] [RESTARTS] [CRASHES] [CONNECTIONS] [MESSAGES A SECOND]; without figures the short form.
# The long form: restart_test.sh build 100 50 5000 1000. Exit status 77 and a line that begins with SKIPPED where the machine
# does not allow it.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} != --inside ]]; then
    build=${1:-build}
    for program in roomd proof-continuity; do
        [[ -x $build/$program ]] || { echo "$build/$program is missing: make test first" >&2; exit 1; }
    done
    exec test/systemd/boot.sh "$PWD/test/systemd/restart_test.sh" --inside "$(realpath "$build")" "${@:2}"
fi

build=$2 restarts=${3:-5} crashes=${4:-5} connections=${5:-500} rate=${6:-200}
# The short form runs beside others, who may be using this machine: twice what is promised will do.
slow=2
[[ -n ${3:-} ]] && slow=1
# shellcheck source=test/systemd/checks.sh
source test/systemd/checks.sh

install_tree "$build"
# Whoever restarts it so often means it.
mkdir -p /etc/systemd/system/roomd.service.d
printf '[Unit]\nStartLimitIntervalSec=0\n' >/etc/systemd/system/roomd.service.d/often.conf
systemctl daemon-reload
check 'the sockets are open' systemctl start roomd.socket roomd-unix.socket
check 'the daemon runs' systemctl start "$unit"

# prove ARGUMENT...: beside what the machine allows and every run has in common.
prove() {
    "$build/proof-continuity" --connections "$connections" --rate "$rate" --verbose \
        --pause-ms-max $((500 * slow)) --back-ms-max $((300 * slow)) "$@" \
        tcp://127.0.0.1:8888 unix:/run/roomd/roomd.sock
}

failed=0
if ((crashes > 0)); then
    # What is told to die is the process that is there now, not the service: nobody has asked systemd for anything.
    # shellcheck disable=SC2016 # expanded by the shell of each crash
    prove --crash --times "$crashes" --every 2 \
        --restart 'kill -KILL "$(systemctl show --property MainPID --value roomd.service)"' || failed=1
fi
# Rooms that remember what others have said would be shown it: the next run begins with none.
check 'it stops' systemctl stop "$unit"
check 'and starts anew' systemctl start "$unit"
if ((restarts > 0)); then
    prove --times "$restarts" --every 2 --restart 'systemctl restart roomd.service' || failed=1
fi
((failed == 0)) || fail 'members noticed more than a pause'
check 'it still runs' property ActiveState active
no_trace_of_a_bug
echo "restarts under a real systemd: $restarts restarts and $crashes crashes passed"
