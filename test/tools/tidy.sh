#!/usr/bin/env bash
# Runs clang-tidy over every source file of the tree, or over those named: tidy.sh [FILE.cc]...
# It reads the flags of a clang build, so that it sees what clang sees; nothing is compiled for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
CXX=clang++ test/tools/configure.sh build-clang
if [[ $# -gt 0 ]]; then
    files=("$@")
else
    mapfile -t files < <(find reactor protocol daemon client bench test -name '*.cc' ! -path 'test/fuzz/*' | sort)
fi
printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "${JOBS:-2}" clang-tidy --quiet -p build-clang --extra-arg=-Wno-unknown-warning-option
