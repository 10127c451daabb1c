#!/bin/sh
# Installs the configuration unless there is one: what an operator has written is never overwritten.
# install_config.sh FILE DIRECTORY, for meson, which sets DESTDIR.
set -eu
file=$1 directory=${DESTDIR:-}$2
mkdir -p "$directory"
[ -e "$directory/roomd.toml" ] || install -m 0644 "$file" "$directory/roomd.toml"
