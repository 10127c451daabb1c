#!/usr/bin/env bash
# What is given away: package.sh dist|deb [BUILD DIRECTORY]
#
#   dist   BUILD/dist/roomd-VERSION.tar.xz: the sources, which build and test themselves
#   deb    BUILD/deb/*.deb: from an unpacked `dist`, with debhelper
#
# Both are the same bytes whenever and wherever they are made: names in order, nobody's user, and one time for everything,
# that of the latest entry in systemd/debian/changelog.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${2:-build}
mkdir -p "$build"
build=$(realpath "$build")

version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
changelog=systemd/debian/changelog
[[ $(head -n 1 $changelog) == "roomd ($version) "* ]] || {
    echo "$changelog does not begin with version $version, which meson.build has" >&2
    exit 1
}
SOURCE_DATE_EPOCH=$(date --date="$(sed -n 's/^ -- .*>  //p' $changelog | head -n 1)" +%s)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
name=roomd-$version

# Every file that belongs to the tree, with a NUL behind each: what git knows, or everything in an unpacked archive.
files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z
    else
        find . -type f -not -path './build*' -not -path '*/__pycache__/*' -printf '%P\0'
    fi | sort -z
}

make_dist() {
    mkdir -p "$build/dist"
    files | tar --create --no-recursion --null --files-from=- --transform="s#^#$name/#S" --format=ustar \
        --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' |
        xz --threads=1 >"$build/dist/$name.tar.xz"
    echo "$build/dist/$name.tar.xz"
}

make_deb() {
    make_dist >/dev/null
    rm -rf "$build/deb"
    mkdir -p "$build/deb"
    tar --extract --file="$build/dist/$name.tar.xz" --directory="$build/deb"
    cp -R "$build/deb/$name/systemd/debian" "$build/deb/$name/debian"
    # debhelper gives the build another home; what was compiled before is worth finding again.
    export CCACHE_DIR=${CCACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ccache}
    export CCACHE_BASEDIR=$build/deb/$name CCACHE_NOHASHDIR=1
    (
        cd "$build/deb/$name"
        # No packages of debugging symbols: what is shipped is what is tested.
        DEB_BUILD_OPTIONS="noautodbgsym parallel=$(nproc)" dpkg-buildpackage --build=binary --no-sign
    ) >"$build/deb/log" 2>&1 || { tail -n 40 "$build/deb/log" >&2; exit 1; }
    rm -rf "${build:?}/deb/$name"
    ls "$build"/deb/*.deb
}

case ${1:-} in
dist) make_dist ;;
deb) make_deb ;;
*) echo 'package.sh dist|deb [BUILD DIRECTORY]' >&2; exit 64 ;;
esac
