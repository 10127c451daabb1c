# shellcheck shell=bash disable=SC2154 # work: package_test.sh
# Installs the next version while the service runs. Sourced by package_test.sh.
check 'the upgrade installs' dpkg --install "$work/next.deb"
