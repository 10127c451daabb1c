#!/usr/bin/env bash
# Boots a real systemd as process 1 of fresh namespaces, over a copy-on-write view of this machine, and runs a command
# in it: boot.sh COMMAND [ARGUMENT]...
#
# What happens inside stays inside: files go to a tmpfs that dies with the mount namespace, the network has a loopback
# of its own, and every process ends with the first. Exit status: the command's; 77 if this machine cannot do it.
set -euo pipefail

unable() { echo "SKIPPED: no real systemd here: $*" >&2; exit 77; }

# Runs as process 1 of the new namespaces until it becomes systemd.
become_systemd() {
    local stage=$1 root=$1/root
    mount --make-rprivate /
    mount -t tmpfs -o mode=0755 tmpfs "$stage"
    mkdir "$stage/upper" "$stage/work" "$root"
    mount -t overlay -o "lowerdir=/,upperdir=$stage/upper,workdir=$stage/work" overlay "$root"

    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    # /run and /tmp must be new: systemd's own clean-up would otherwise empty those of the machine.
    local directory
    for directory in run tmp; do
        mount -t tmpfs -o mode=1777 tmpfs "$root/$directory"
    done
    chmod 0755 "$root/run"
    mkdir -p "$root/run/lock" "$root/run/outside"
    # A checkout under /tmp is out of sight now: it comes back as a copy-on-write view of its own.
    if [[ ! -d $root$PWD ]]; then
        mkdir -p "$root$PWD" "$stage/tree" "$stage/tree-work"
        mount -t overlay -o "lowerdir=$PWD,upperdir=$stage/tree,workdir=$stage/tree-work" overlay "$root$PWD"
    fi

    # Only what the test needs is started: no unit that the machine has enabled, nothing that sets kernel knobs.
    rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
    local unit
    for unit in systemd-udevd systemd-modules-load systemd-sysctl systemd-binfmt systemd-timesyncd; do
        ln -sfn /dev/null "$root/etc/systemd/system/$unit.service"
    done
    ip link set lo up

    cd "$root"
    pivot_root . run/outside
    umount -l /run/outside
    export container=roomd-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec /lib/systemd/systemd --system --unit=basic.target --show-status=false --log-level=warning --log-target=console
}

if [[ ${1:-} == --become-systemd ]]; then
    become_systemd "$2"
fi

[[ $(uname -s) == Linux ]] || unable 'not Linux'
[[ $(id -u) -eq 0 ]] || unable 'not root'
for tool in unshare nsenter ip pgrep; do
    command -v "$tool" >/dev/null || unable "$tool is not installed"
done
[[ -x /lib/systemd/systemd ]] || unable 'systemd is not installed'
namespaces=(--mount --pid --net --cgroup --uts --ipc)
unshare --fork "${namespaces[@]}" true 2>/dev/null || unable 'namespaces are not permitted'

stage=$(mktemp -d)
unshare --fork --kill-child "${namespaces[@]}" "$(realpath "$0")" --become-systemd "$stage" >"$stage.log" 2>&1 &
outer=$!
init=
# The exit status is the command's: nothing here may take its place (errexit holds in a trap too).
finish() {
    local status=$?
    [[ -n $init ]] && kill -KILL "$init" 2>/dev/null
    wait "$outer" 2>/dev/null || true
    rmdir "$stage" || true
    rm -f "$stage.log"
    exit "$status"
}
trap finish EXIT

enter() { nsenter --target "$init" --all -- "$@"; }

state=starting
for ((try = 0; try < 150; try++)); do
    kill -0 "$outer" 2>/dev/null || break
    init=$(pgrep -P "$outer" || true)
    if [[ -n $init ]]; then
        state=$(enter systemctl is-system-running 2>/dev/null) || true
        [[ $state == running || $state == degraded ]] && break
    fi
    sleep 0.1
done
if [[ $state != running && $state != degraded ]]; then
    cat "$stage.log" >&2
    # A kernel or a container that forbids the mounts is the machine's decision, not a fault of roomd's.
    grep -qiE 'permission denied|operation not permitted' "$stage.log" && unable 'its mounts are not permitted'
    echo "systemd did not come up (${state:-no answer})" >&2
    exit 1
fi
# shellcheck disable=SC2016 # expanded by the inner shell
enter /bin/bash -c 'cd "$1" && shift && exec "$@"' boot "$PWD" "$@"
