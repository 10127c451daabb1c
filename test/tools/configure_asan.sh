#!/usr/bin/env bash
# The build directory under ASan and UBSan: clang's, because libFuzzer is, and the fuzz targets are built there too.
set -euo pipefail
cd "$(dirname "$0")/../.."
CXX=clang++ exec test/tools/configure.sh build-asan \
    -Doptimization=1 -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
