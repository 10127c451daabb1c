#!/usr/bin/env bash
# Configures a build directory once: configure.sh DIRECTORY [MESON OPTION]...
# A directory whose configuration was interrupted has no build.ninja and is configured again.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=$1
shift
[[ -f $directory/build.ninja ]] && exit 0
rm -rf "$directory"
exec meson setup "$directory" "$@"
