#!/usr/bin/env bash
# The packages are the same bytes wherever and whenever they are built, and the archive of the sources builds and tests
# itself: what is unpacked somewhere else, under another umask, in another zone, has to give what BUILD/deb has.
# reproducible_test.sh [BUILD DIRECTORY], behind `make deb`.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export CCACHE_BASEDIR=$directory CCACHE_NOHASHDIR=1

archive=$(systemd/package.sh dist "$build")
umask 077
export TZ=Asia/Kathmandu LANG=C
mkdir -p "$directory/somewhere/else"
tar --extract --file="$archive" --directory="$directory/somewhere/else"
umask 022
cd "$directory/somewhere/else/"*/

make dist >/dev/null
cmp "$archive" build/dist/*.tar.xz
echo 'the sources unpacked give the same archive'

systemd/package.sh deb build >/dev/null
for package in "$build"/deb/*.deb; do
    cmp "$package" "build/deb/${package##*/}"
    sha256sum "$package"
done
echo 'and the same packages'

test/tools/configure.sh build/own >/dev/null
ninja -C build/own roomd roomd-unit >/dev/null
build/own/roomd-unit --minimal
build/own/roomd --version
echo 'and roomd, whose unit tests pass there'
