#!/usr/bin/env bash
# Runs clang-tidy over every source file that this system compiles, or over those named, or over all but the tests:
# tidy.sh [FILE.cc... | --shipped]
# It reads the flags of two clang builds, so that it sees what clang sees; nothing is compiled for it. (The backend of
# the other system has no headers here: the macOS cross-build is what reads it.)
set -euo pipefail
cd "$(dirname "$0")/../.."
CXX=clang++ test/tools/configure.sh build-clang
test/tools/configure_fuzz.sh
ninja -C build-clang build.ninja >/dev/null
ninja -C build-fuzz build.ninja >/dev/null

sources_of() {
    python3 -c 'import json, os, sys
for entry in json.load(open(sys.argv[1] + "/compile_commands.json")):
    print(os.path.relpath(os.path.join(entry["directory"], entry["file"])))' "$1" | sort -u
}

{
    sources_of build-clang | sed 's/^/build-clang /'
    sources_of build-fuzz | grep '^test/fuzz/' | sed 's/^/build-fuzz /'
} | if [[ ${1:-} == --shipped ]]; then grep -v ' test/'; elif [[ $# -gt 0 ]]; then grep -F "$(printf ' %s\n' "$@")"; else cat; fi |
    xargs -n 2 -P "${JOBS:-2}" clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p
