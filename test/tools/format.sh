#!/usr/bin/env bash
# Runs clang-format over every source file of the tree: format.sh -i | --dry-run --Werror
set -euo pipefail
cd "$(dirname "$0")/../.."
find reactor protocol daemon client bench test -name '*.h' -o -name '*.cc' | sort | xargs -r clang-format --style=file "$@"
