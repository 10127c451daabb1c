#!/usr/bin/env bash
# Proves the simulator, not the daemon: each NAME.patch here puts one known bug into a copy of the tree, and roomd-sim
# built from it must fail. run.sh [NAME...]; SEEDS (default 2500) is how many seeds a bug may survive before it counts as
# missed. A patch that no longer applies is an error: bring it up to date. Exit 0 when every bug is caught.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
seeds=${SEEDS:-2500}
work=$(mktemp -d "${TMPDIR:-/tmp}/roomd-bugs.XXXXXX")
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-g++}
if command -v ccache >/dev/null; then compiler="ccache $compiler"; fi # most files are the same in every copy

if [[ $# -gt 0 ]]; then names=("$@"); else
    names=()
    for patch in "$here"/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

copy() { # of all that roomd-sim is made of
    mkdir -p "$work/$1/test"
    cp -r "$top/protocol" "$top/reactor" "$top/daemon" "$work/$1/"
    cp -r "$top/test/sim" "$work/$1/test/"
    # Nobody looks at the page for operators here.
    sed 's/@[a-z_]*@//' "$top/daemon/status_page_parts.cc.in" >"$work/$1/daemon/status_page_parts.cc"
}

# Without debug information the objects do not depend on where the copy lies, so ccache finds them again.
build() {
    local tree=$work/$1
    (
        cd "$tree"
        find protocol reactor daemon test/sim -name '*.cc' ! -name '*_test.cc' ! -name poller_epoll.cc \
            ! -name poller_kqueue.cc ! -path 'reactor/sys*.cc' ! -path daemon/main.cc ! -path daemon/log.cc \
            ! -path daemon/parcel_none.cc |
            sort >sources
        xargs -P "$(nproc)" -I{} sh -c \
            "$compiler -std=c++20 -O1 -I. -D_GLIBCXX_ASSERTIONS '-DROOMD_VERSION=\"0\"' -c {} -o \$(echo {} | tr / _).o" <sources
        # As in the real build: what the simulator does not ask for is not linked.
        ar rcs libroomd.a daemon_*.o protocol_*.o reactor_*.o
        $compiler test_sim_*.o libroomd.a -o roomd-sim -lutf8proc -lpthread
    )
}

missed=0
copy sound
build sound
if ! "$work/sound/roomd-sim" --seeds "1-$seeds" --jobs "$(nproc)" >"$work/sound.log" 2>&1; then
    echo 'without any bug the simulator fails already:'
    tail -n 5 "$work/sound.log"
    exit 1
fi
for name in "${names[@]}"; do
    copy "$name"
    if ! patch -s -p1 -d "$work/$name" <"$here/$name.patch"; then
        echo "$name: the patch no longer applies"
        exit 2
    fi
    build "$name"
    if "$work/$name/roomd-sim" --until-failure --seeds "1-$seeds" >"$work/$name.log" 2>&1; then
        echo "$name: MISSED by $seeds seeds"
        missed=$((missed + 1))
    else
        echo "$name: caught, $(grep -a -m1 -oE 'seed [0-9]+.*' "$work/$name.log" | cut -c1-140)"
    fi
    rm -rf "${work:?}/$name"
done
echo "${#names[@]} bugs, $missed missed"
[[ $missed -eq 0 ]]
