#!/bin/sh
# run.sh [OPTION]... — `make run`: serves what was just built. Where no option says where to listen,
# there is a debug listener too, and the first line says so: roomd by itself has none, because it
# shows what others send.
set -eu
for option; do
    case $option in
    -l* | --listen* | -c* | --config* | -h | --help | -V | --version | --*-config | --*-example)
        exec build/roomd "$@"
        ;;
    esac
done
echo "make run: with a debug listener; nc 127.0.0.1 8889, then /trace on or /conns" >&2
exec build/roomd --listen tcp://127.0.0.1:8888 \
    --listen 'tcp://127.0.0.1:8889?framing=line&debug=on' "$@"
