# shellcheck shell=bash disable=SC2154 # work: package_test.sh
# Installs the next version while somebody is connected, who is to notice nothing. Sourced by package_test.sh.
coproc eve { timeout 120 nc 127.0.0.1 8888; }
eve_in=${eve[1]} eve_out=${eve[0]}
printf '/hello 1 nick=eve\n/join upgraded\n' >&"$eve_in"
check 'somebody is connected' hears "$eve_out" 'ok join upgraded'
check 'the upgrade installs' dpkg --install "$work/next.deb"
printf '/hello 1 nick=fay\n/join upgraded\n/say upgraded from the next version\n' | says >/dev/null
check 'who was connected before hears what is said behind it' hears "$eve_out" 'from the next version'
printf '/ping still-here\n' >&"$eve_in"
check 'and is answered over the same connection' hears "$eve_out" 'still-here'
