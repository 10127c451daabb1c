#!/usr/bin/env bash
# Proves the siege, not the daemon: each NAME.patch here switches one rule off in a copy of the tree, and the line of the
# siege that its first line names (`Siege: LINE`) must be broken by the roomd built from it, while it holds without the patch.
# run.sh [NAME...]. A patch that no longer applies is an error: bring it up to date. Exit 0 when every bug is caught.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/roomd-siege-bugs.XXXXXX")
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-g++}
if command -v ccache >/dev/null; then compiler="ccache $compiler"; fi # most files are the same in every copy

if [[ $# -gt 0 ]]; then names=("$@"); else
    names=()
    for patch in "$here"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

copy() { # of all that roomd is made of
    mkdir -p "$work/$1"
    cp -r "$top/protocol" "$top/reactor" "$top/daemon" "$work/$1/"
    # Nobody looks at the page for operators here.
    sed 's/@[a-z_]*@//' "$top/daemon/status_page_parts.cc.in" >"$work/$1/daemon/status_page_parts.cc"
}

# The command lines are those of test/sim/bugs: without debug information the objects do not depend on where the copy lies,
# so what was compiled there is found again.
build() {
    (
        cd "$work/$1"
        find protocol reactor daemon -name '*.cc' ! -name poller_kqueue.cc ! -path daemon/parcel_none.cc ! -path daemon/log.cc | sort >sources
        xargs -P "$(nproc)" -I{} sh -c \
            "$compiler -std=c++20 -O1 -I. -D_GLIBCXX_ASSERTIONS '-DROOMD_VERSION=\"0\"' -c {} -o \$(echo {} | tr / _).o" <sources
        # shellcheck disable=SC2046 # several flags
        $compiler -std=c++20 -O1 -I. -D_GLIBCXX_ASSERTIONS '-DROOMD_VERSION="0"' $(pkg-config --cflags spdlog) -c daemon/log.cc -o daemon_log.cc.o
        rm -f libroomd.a
        ar rcs libroomd.a $(find . -maxdepth 1 -name '*.o' ! -name daemon_main.cc.o)
        # shellcheck disable=SC2046
        $compiler daemon_main.cc.o libroomd.a -o roomd $(pkg-config --libs spdlog) -lutf8proc -lpthread
    )
}

line_of() { sed -n '1s/^Siege: //p' "$here/$1.patch"; }

siege() { # NAME LINE TRIES
    "$top/test/siege/siege.py" --build "$work/$1" --only "$2" --tries "$3" --json "$work/$1.json" >"$work/$1.log" 2>&1
}

# Of the line as the JSON has it: why it is broken; nothing if what broke is the harness or an option that roomd lacks.
why() {
    python3 - "$work/$1.json" <<'PYTHON'
import json, sys
for line in json.load(open(sys.argv[1]))["lines"]:
    found = [why for why in line["why"] if "does not start" not in why and "the harness" not in why and "attacker failed" not in why]
    if found:
        print(line["attack"] + ": " + found[0][:150])
PYTHON
}

copy sound
build sound
lines=$(for name in "${names[@]}"; do line_of "$name"; done | sort -u | paste -sd,)
siege sound "$lines" 3 || true
[[ -s $work/sound.json ]] || { cat "$work/sound.log"; exit 1; }
sound=$(why sound)
missed=0
for name in "${names[@]}"; do
    if grep "^$(line_of "$name"): " <<<"$sound"; then
        echo "$name: NOT JUDGED, its line is broken without it"
        missed=$((missed + 1))
        continue
    fi
    copy "$name"
    if ! patch -s -p1 -d "$work/$name" <"$here/$name.patch"; then
        echo "$name: the patch no longer applies"
        exit 2
    fi
    build "$name"
    siege "$name" "$(line_of "$name")" 1 || true
    found=$(why "$name")
    if [[ -n $found ]]; then
        echo "$name: caught, $found"
    else
        echo "$name: MISSED"
        tail -n 3 "$work/$name.log"
        missed=$((missed + 1))
    fi
    rm -rf "${work:?}/$name"
done
echo "${#names[@]} bugs, $missed missed"
[[ $missed -eq 0 ]]
