#!/usr/bin/env bash
# The unit files themselves: systemd accepts them without a word, and the exposure of the service is 0.5 or below.
# unit_test.sh [BUILD DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# What each drop-in makes of the service; none is accepted without having been looked at.
exposure() { # THRESHOLD [DROP-IN]
    local threshold=$1 dropin=${2:-}
    rm -rf "$directory/units"
    mkdir -p "$directory/units/roomd.service.d"
    local unit
    for unit in systemd/roomd*.service systemd/roomd*.socket systemd/examples/*.socket; do
        sed "s#@bindir@#$build#g; s#@programdir@#$build#g; s#@[a-z]*dir@#/etc#g" "$unit" >"$directory/units/${unit##*/}"
    done
    [[ -z $dropin ]] || cp "$dropin" "$directory/units/roomd.service.d/"
    local complaints
    complaints=$(systemd-analyze verify --man=no "$directory"/units/roomd*.service "$directory"/units/roomd*.socket 2>&1) || true
    if [[ -n $complaints ]]; then
        printf 'systemd-analyze verify says of %s:\n%s\n' "${dropin:-the units}" "$complaints" >&2
        return 1
    fi
    printf '%s: ' "${dropin:-roomd.service}"
    SYSTEMD_UNIT_PATH=$directory/units systemd-analyze security --offline=true --threshold="$threshold" --no-pager \
        "$directory/units/roomd.service" | tail -n 1
}

# Each group of settings of the service has its reason above it.
awk '/^$/ { told = 0 } /^#/ { told = 1 } /^\[/ { told = 0; section = $0 }
    /^[A-Z][A-Za-z]*=/ && !told && section != "[Install]" && !/^(Description|ExecStart|Documentation)=/ {
        print FILENAME ": no reason for " $0; bad = 1
    }
    END { exit bad }' systemd/roomd.service

exposure 5
exposure 5 systemd/examples/memory.conf
exposure 12 systemd/examples/own-listeners.conf
