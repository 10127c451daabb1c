#!/usr/bin/env bash
# Finds what this machine lacks for a task and installs it with the machine's own package manager.
#
#   test/tools/setup.sh build|test|count|deb|check ...     build: compile and run   test: also the test suite
#                                                count: also what make bench-check needs (valgrind)
#                                                bench: also what make bench needs (the peers)
#                                                deb: also what make deb needs (debhelper)
#                                                siege: also what make siege needs (python)
#                                                clang: also what make asan needs
#                                                check: also what .ci/run needs (clang, linters, npm, and every tool
#                                                       that a test would be skipped without)
# When nothing is missing it does nothing and takes a few milliseconds' worth of probes. It asks for abilities, not for
# packages, so a meson from pip or a compiler of one's own is as good as the packaged one.
set -euo pipefail

tasks=" ${*:-build} "
wants() { [[ $tasks == *" $1 "* ]]; }
has() { command -v "$1" >/dev/null 2>&1; }
module() { pkg-config --exists "$1" 2>/dev/null; }
header() { echo "#include <$1>" | "$compiler" -E -x c++ - >/dev/null 2>&1; }

compiler=
for candidate in ${CXX:+"${CXX##* }"} c++ g++ clang++; do
    if has "$candidate"; then compiler=$candidate; break; fi
done

manager=none
for candidate in apt-get brew pkg; do
    if has "$candidate"; then manager=$candidate; break; fi
done

packages=()
reasons=()
# need APT BREW PKG WHY: notes one missing thing under the name this machine's manager gives it ("-" = part of the system).
need() {
    local name=$1
    case $manager in brew) name=$2 ;; pkg) name=$3 ;; esac
    [[ $name == - ]] && return 0
    packages+=("$name")
    reasons+=("$(printf '%-20s %s' "$name" "$4")")
}

has "$compiler"             || need g++ gcc - 'compiles the program (C++20)'
has meson                   || need meson meson meson 'describes the build'
has ninja                   || need ninja-build ninja ninja 'runs the build'
has pkg-config              || need pkg-config pkg-config pkgconf 'finds the libraries'
module spdlog               || need libspdlog-dev spdlog spdlog 'log lines'
module CLI11                || need libcli11-dev cli11 cli11 'command line flags'
module tomlplusplus         || need libtomlplusplus-dev tomlplusplus tomlplusplus 'the configuration file'
module libutf8proc          || need libutf8proc-dev utf8proc utf8proc 'folding of names'
if wants test || wants check; then
    header doctest/doctest.h || need doctest-dev doctest doctest 'unit tests'
    module benchmark         || need libbenchmark-dev google-benchmark benchmark 'measures single functions'
    has python3              || need python3 python python3 'black-box tests'
    has nc                   || need netcat-openbsd - - 'tests that talk as people do'
fi
if wants clang || wants check; then
    has clang++              || need clang llvm llvm 'the second compiler, sanitizers, fuzzing'
fi
if wants siege; then
    has python3              || need python3 python python3 'attacks'
fi
if wants test || wants bench || wants deb || wants check; then
    module nlohmann_json     || need nlohmann-json3-dev nlohmann-json nlohmann-json 'results of roombench as JSON'
fi
if wants bench; then
    has redis-server         || need redis-server redis redis 'what roomd is compared with'
    has nats-server          || need nats-server nats-server nats-server 'what roomd is compared with'
    has mosquitto || has /usr/sbin/mosquitto || need mosquitto mosquitto mosquitto 'what roomd is compared with'
fi
if wants count || wants check; then
    has valgrind             || need valgrind - valgrind 'counts instructions'
fi
if wants deb || wants check; then
    has dh                   || need debhelper - - 'builds the packages'
    has dpkg-buildpackage    || need dpkg-dev - - 'builds the packages'
    has xz                   || need xz-utils xz xz 'packs the sources'
fi
if wants check; then
    has lintian      || need lintian - - 'judges the packages'
    has man          || need man-db - - 'shows the manual pages as readers see them'
    has zsh          || need zsh zsh zsh 'reads its completions'
    has ccache       || need ccache ccache ccache 'builds again without compiling again'
    has g++          || need g++ gcc gcc 'the first of the two compilers'
    has clang-tidy   || need clang-tidy llvm llvm 'lint'
    has clang-format || need clang-format clang-format llvm 'format check'
    has npm          || need npm node npm 'fetches zig for the macOS cross-build'
    has chromium || has google-chrome || need chromium - chromium 'opens the page that roombench writes'
    has promtool     || need prometheus prometheus prometheus 'promtool judges metrics and alert rules'
    has git          || need git git git 'lists the files of the tree'
    has ip           || need iproute2 - - 'loopback in the namespace of the systemd test'
    has pgrep        || need procps - - 'the systemd test'
    has systemd-analyze || need systemd - - 'verifies the service unit'
    # The netcats, shells and tracers of the tests: a test that is skipped for the want of one counts as failed in .ci/run.
    has nc.openbsd   || need netcat-openbsd - - 'tests that talk as people do'
    has telnet       || need telnet - - 'tests that talk as people do'
    has ncat         || need ncat - - 'tests that talk as people do'
    has socat        || need socat - - 'tests that talk as people do'
    has node         || need nodejs - - 'tests that talk as people do'
    has fish         || need fish fish fish 'reads its completions'
    has tmux         || need tmux - - 'tests on a terminal'
    has strace       || need strace - - 'system calls that fail'
    has setpriv && has prlimit && has unshare || need util-linux - - 'tests with other rights and limits'
    has readelf && has objcopy || need binutils - - 'looks at what was built'
    has ps           || need procps - - 'tests that look at processes'
fi

[[ ${#packages[@]} -eq 0 ]] && exit 0

echo 'roomd needs a few packages that this machine does not have:' >&2
printf '    %s\n' "${reasons[@]}" >&2

as_root=()
if [[ $manager != brew && $(id -u) -ne 0 ]]; then
    if has sudo; then
        as_root=(sudo)
    else
        echo "They cannot be installed from here: not root, and there is no sudo. As root, please run:" >&2
        echo "    $manager install ${packages[*]}" >&2
        exit 1
    fi
fi

case $manager in
apt-get)
    install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
    update=("${as_root[@]}" apt-get update -q)
    ;;
brew) install=(brew install) update=(brew update) ;;
pkg) install=("${as_root[@]}" pkg install -y) update=("${as_root[@]}" pkg update) ;;
none)
    echo 'They cannot be installed from here: neither apt-get, brew nor pkg was found. Please install them by hand.' >&2
    exit 1
    ;;
esac

echo "Installing them with ${install[*]} ..." >&2
# A fresh image has no package lists; a machine with old ones may ask for files that are gone. One update mends both.
fresh_lists=yes
if [[ $manager == apt-get ]] && ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    "${update[@]}" >&2
    fresh_lists=updated
fi
if ! "${install[@]}" "${packages[@]}" </dev/null >&2; then
    # A mirror that fails once may not fail twice.
    [[ $fresh_lists == updated ]] && sleep 5
    if ! "${update[@]}" >&2 || ! "${install[@]}" "${packages[@]}" </dev/null >&2; then
        echo "Installing failed; nothing was built. The command was: ${install[*]} ${packages[*]}" >&2
        exit 1
    fi
fi
