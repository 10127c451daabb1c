#!/usr/bin/env bash
# Runs clang-tidy over every source file that this system compiles, or over those named, or over all but the tests:
# tidy.sh [FILE.cc... | --shipped]
# It reads the flags of the two clang builds (`make asan`, `make fuzz`); nothing is compiled for it. (The backend of
# the other system has no headers here: the macOS cross-build is what reads it.)
set -euo pipefail
cd "$(dirname "$0")/../.."
CXX=clang++ test/tools/configure.sh build-asan -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false
test/tools/configure_fuzz.sh
ninja -C build-asan build.ninja >/dev/null
ninja -C build-fuzz build.ninja >/dev/null

sources_of() {
    python3 -c 'import json, os, sys
for entry in json.load(open(sys.argv[1] + "/compile_commands.json")):
    print(os.path.relpath(os.path.join(entry["directory"], entry["file"])))' "$1" | sort -u
}

{
    sources_of build-asan | sed 's/^/build-asan /'
    sources_of build-fuzz | grep '^test/fuzz/' | sed 's/^/build-fuzz /'
} | if [[ ${1:-} == --shipped ]]; then grep -v ' test/'; elif [[ $# -gt 0 ]]; then grep -F "$(printf ' %s\n' "$@")"; else cat; fi |
    xargs -n 2 -P "${JOBS:-2}" clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p
