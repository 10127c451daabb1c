# shellcheck shell=bash
# What the tests under a real systemd have in common. Sourced inside; nothing here runs by itself.
unit=roomd.service
checks=0

fail() {
    echo "FAILED: $*" >&2
    systemctl status --no-pager --full "$unit" roomd.socket >&2 || true
    journalctl --no-pager --unit "$unit" | tail -n 60 >&2 || true
    exit 1
}
# check DESCRIPTION COMMAND...
check() {
    local description=$1
    shift
    "$@" >/dev/null 2>&1 || fail "$description"
    checks=$((checks + 1))
    echo "ok: $description"
}
# eventually COMMAND...: it holds within ten seconds.
eventually() {
    local deadline=$((SECONDS + 10))
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}
property() { [[ $(systemctl show --property "$1" --value "$unit") == "$2" ]]; }
status_has() { [[ $(systemctl show --property StatusText --value "$unit") == *"$1"* ]]; }
journal_has() { journalctl --sync; journalctl --no-pager --output cat --unit "$unit" | grep -qi -- "$1"; }
# A process is the main one, is ready, and is not the one given.
another_main() {
    local main
    main=$(systemctl show --property MainPID --value "$unit")
    [[ $main != 0 && $main != "$1" ]] && property ActiveState active
}
# What roomd answers to stdin.
says() { timeout 10 nc -N 127.0.0.1 8888; }
# hears DESCRIPTOR TEXT: who is connected there is told it, with no more than ten seconds between two lines.
hears() {
    local line
    while read -r -t 10 line <&"$1"; do
        [[ $line == *"$2"* ]] && return 0
    done
    return 1
}
# install_tree BUILD_DIRECTORY: as `make install` does.
install_tree() {
    DESTDIR='' meson install -C "$1" --no-rebuild >/dev/null
    systemd-sysusers
    systemctl daemon-reload
}
no_trace_of_a_bug() {
    if journalctl --no-pager --unit "$unit" | grep -E 'assert|Sanitizer'; then
        fail 'the journal has no trace of a bug'
    fi
}
# dropin NAME LINE...: of the service's section.
dropin() {
    local name=$1
    shift
    mkdir -p "/etc/systemd/system/$unit.d"
    printf '%s\n' '[Service]' "$@" >"/etc/systemd/system/$unit.d/$name"
    systemctl daemon-reload
}
