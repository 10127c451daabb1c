#!/usr/bin/env bash
# Configures a build directory once: configure.sh DIRECTORY [--having TARGET]... [MESON OPTION]...
# MESON_FLAGS adds options to every one. A directory whose configuration was interrupted has no build.ninja and is
# configured again; so is one that cannot build a TARGET, because a library came after it.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=$1
shift
targets=()
while [[ ${1:-} == --having ]]; do
    targets+=("$2")
    shift 2
done
if [[ -f $directory/build.ninja ]]; then
    for target in "${targets[@]}"; do
        if ! grep -q "^build $target:" "$directory/build.ninja"; then
            echo "$directory is configured again: it was without $target"
            exec meson setup --wipe "$directory"
        fi
    done
    exit 0
fi
rm -rf "$directory"
# meson finds ccache by itself only where nobody has named a compiler.
if [[ -n ${CXX:-} && $CXX != *ccache* ]] && command -v ccache >/dev/null; then
    export CXX="ccache $CXX"
fi
# shellcheck disable=SC2086 # several options in one variable
exec meson setup "$directory" "$@" ${MESON_FLAGS:-}
