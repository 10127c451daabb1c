# shellcheck shell=bash disable=SC2154 # unit: checks.sh
# What the running daemon may do, read from the kernel and not from the unit. Sourced behind checks.sh.
main=$(systemctl show --property MainPID --value "$unit")
of_process() { awk -v key="$1:" '$1 == key { $1 = ""; print substr($0, 2) }' "/proc/$main/status"; }
user=$(id -u roomd) group=$(id -g roomd)
check 'all four user ids are its own' test "$(of_process Uid)" = "$user $user $user $user"
check 'and all four group ids' test "$(of_process Gid)" = "$group $group $group $group"
check 'it is in no other group' test "$(of_process Groups)" = "$group"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
    check "it has no capability ($set)" test "$(of_process $set)" = 0000000000000000
done
check 'it can gain no privilege' test "$(of_process NoNewPrivs)" = 1
check 'its system calls are filtered' test "$(of_process Seccomp)" = 2
for namespace in net mnt ipc uts; do
    check "it has a namespace of its own ($namespace)" \
        test "$(readlink "/proc/$main/ns/$namespace")" != "$(readlink "/proc/1/ns/$namespace")"
done
check 'but not of users, so that peers have names' test "$(readlink "/proc/$main/ns/user")" = "$(readlink /proc/1/ns/user)"
check 'its network is empty but for a loopback that is down' \
    test "$(nsenter --target "$main" --net ip -brief link | awk '{ print $1 }')" = lo
check 'it sees no write access to the system' \
    bash -c "! nsenter --target $main --mount touch /etc/roomd/x 2>/dev/null && ! nsenter --target $main --mount touch /usr/x 2>/dev/null"
check 'it dumps no core' test "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$main/limits")" = '0 0'
