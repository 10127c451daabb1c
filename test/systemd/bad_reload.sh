# shellcheck shell=bash disable=SC2154 # unit: checks.sh
# A reload that cannot be. Sourced behind checks.sh, with a wrong configuration in place.
systemctl reload "$unit" 2>/dev/null || true
check 'a wrong configuration is told in the journal' eventually journal_has 'reload_refused'
