# shellcheck shell=bash disable=SC2154 # unit: checks.sh
# kill -9: no connection is refused, and the next daemon is there in less than 300 ms. Sourced behind checks.sh.
milliseconds() { local now=${EPOCHREALTIME/./}; echo $((now / 1000)); }
took=()
for round in 1 2 3 4 5 6 7 8 9; do
    systemctl reset-failed "$unit"
    check "kill -9, round $round: it runs" eventually property ActiveState active
    main=$(systemctl show --property MainPID --value "$unit")
    begin=$(milliseconds)
    kill -KILL "$main"
    # Connects at once, while nobody is there, and waits in the kernel's queue for its answer.
    answer=$(printf '/ping queued\n' | says) || fail 'a connection was refused while the daemon was down'
    took+=($(($(milliseconds) - begin)))
    check 'a connection made at once is answered' grep -q queued <<<"$answer"
    check 'by another process' another_main "$main"
done
mapfile -t took < <(printf '%s\n' "${took[@]}" | sort -n)
echo "kill -9: answered again after ${took[*]} ms"
check 'back in less than 300 ms (the middle one: others may be using this machine)' test "${took[4]}" -lt 300
