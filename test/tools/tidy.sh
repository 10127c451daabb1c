#!/usr/bin/env bash
# Runs clang-tidy over every source file that this system compiles, or over those named, or over all but the tests:
# tidy.sh [FILE.cc... | --shipped]
# It reads the flags of the build under sanitizers, which is clang's; nothing is compiled for it. (The backend of the other
# system has no headers here: the macOS cross-build is what reads it.)
set -euo pipefail
cd "$(dirname "$0")/../.."
test/tools/configure_asan.sh
ninja -C build-asan build.ninja >/dev/null

sources() {
    python3 -c 'import json, os
for entry in json.load(open("build-asan/compile_commands.json")):
    print(os.path.relpath(os.path.join(entry["directory"], entry["file"])))' | sort -u
}

chosen() {
    case ${1:-} in
    '') cat ;;
    --shipped) grep -v '^test/' ;;
    *) grep -xF "$(printf '%s\n' "$@")" ;;
    esac
}

sources | chosen "$@" |
    xargs -n 1 -P "${JOBS:-2}" clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p build-asan
