#!/usr/bin/env bash
# Configures a build directory once: configure.sh DIRECTORY [MESON OPTION]...   MESON_FLAGS adds options to every one.
# A directory whose configuration was interrupted has no build.ninja and is configured again.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=$1
shift
[[ -f $directory/build.ninja ]] && exit 0
rm -rf "$directory"
# meson finds ccache by itself only where nobody has named a compiler.
if [[ -n ${CXX:-} && $CXX != *ccache* ]] && command -v ccache >/dev/null; then
    export CXX="ccache $CXX"
fi
# shellcheck disable=SC2086 # several options in one variable
exec meson setup "$directory" "$@" ${MESON_FLAGS:-}
