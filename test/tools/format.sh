#!/usr/bin/env bash
# Runs clang-format over every source file of the tree: format.sh -i | --dry-run --Werror
set -euo pipefail
cd "$(dirname "$0")/../.."
find . -name .git -prune -o -path './build*' -prune -o \( -name '*.h' -o -name '*.cc' \) -print | sort |
    xargs -r clang-format --style=file "$@"
