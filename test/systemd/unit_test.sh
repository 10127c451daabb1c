#!/usr/bin/env bash
# The unit file itself: systemd accepts it without a word, and its exposure is at most 1.5. unit_test.sh [BUILD DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
sed "s#@bindir@#$build#g" systemd/roomd.service >"$directory/roomd.service"

complaints=$(systemd-analyze verify --man=no "$directory/roomd.service" 2>&1) || true
if [[ -n $complaints ]]; then
    printf 'systemd-analyze verify says:\n%s\n' "$complaints" >&2
    exit 1
fi
systemd-analyze security --offline=true --threshold=15 --no-pager "$directory/roomd.service" | tail -n 1
