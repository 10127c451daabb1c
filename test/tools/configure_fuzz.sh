#!/usr/bin/env bash
# The build directory of the fuzz targets: libFuzzer is clang's, and so are the sanitizers it runs under.
set -euo pipefail
cd "$(dirname "$0")/../.."
CXX=clang++ exec test/tools/configure.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
