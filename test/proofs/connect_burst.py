#!/usr/bin/env python3
"""Thousands connect at once: no SYN is lost, everybody is answered, and nobody else is held up.

Begins 10,000 connects as fast as one thread can; each then says /hello and asks one /ping. Meanwhile two connections that were there
before ask a /ping every 2 ms each, in open loop. Shows and judges:

  * every one of the new is welcomed and answered
  * no SYN was lost and nothing was sent twice: the kernel's ListenDrops, ListenOverflows, TCPTimeouts, TCPReqQFullDrop and
    RetransSegs do not move
  * the longest that a quiet connection waited for its answer, counted from when it meant to ask, is below 50 ms

All of it is in a network namespace of its own (unshare -n, so root; or -r where the machine lets users have namespaces): the counters
are nobody else's, and net.core.somaxconn, which cuts the daemon's listen_backlog, is what is written here. The daemon has one
processor and the load (burst.cc: build/proof-burst, or $BURST_BIN) another. Daemon and load need RLIMIT_NOFILE above the connects.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

import network_namespace  # noqa: E402 (the path has to be known first)
from instruments import instrument  # noqa: E402
from roomd_harness import Daemon  # noqa: E402

LOST = ("ListenDrops", "ListenOverflows", "TCPTimeouts", "TCPReqQFullDrop", "RetransSegs")
SOMAXCONN = pathlib.Path("/proc/sys/net/core/somaxconn")


def measure(program, arguments, processors):
    with Daemon("tcp://127.0.0.1:0") as daemon:
        os.sched_setaffinity(daemon.pid, {processors[0]})
        before = network_namespace.kernel_counters(*LOST)
        done = subprocess.run([str(program), str(daemon.address()[1]), str(arguments.connects), str(arguments.quiet)],
                              stdout=subprocess.PIPE, text=True, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {processors[-1]}))
        after = network_namespace.kernel_counters(*LOST)
    return json.loads(done.stdout), {name: after[name] - before[name] for name in LOST}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connects", type=int, default=10_000, help="how many at once (10000)")
    parser.add_argument("--quiet", type=int, default=2, help="who ask meanwhile (2)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stall-ms-max", type=float, default=50)
    parser.add_argument("--somaxconn", type=int, default=4096, help="the kernel's own default (4096)")
    arguments = parser.parse_args()
    program = instrument("burst")
    network_namespace.enter()
    SOMAXCONN.write_text(str(arguments.somaxconn))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    processors = sorted(os.sched_getaffinity(0))
    met = True
    for _ in range(arguments.rounds):
        figures, lost = measure(program, arguments, processors)
        print(f"{figures['answered']} of {arguments.connects} answered in {figures['answered_ms']:.0f} ms; "
              f"all connects were begun after {figures['begun_ms']:.0f} ms")
        print("lost: " + "  ".join(f"{name} {count}" for name, count in lost.items()))
        for name in ("idle", "burst"):
            pings = figures[name]
            print(f"ping {name:5}  p50 {pings['p50_ms']:6.2f} ms   p99 {pings['p99_ms']:6.2f} ms   "
                  f"max {pings['max_ms']:6.2f} ms   ({pings['pings']} pings)")
        print(f"the asking itself was late by {figures['sender_late_ms_max']:.2f} ms at most")
        met = (met and figures["answered"] == arguments.connects and not any(lost.values())
               and figures["burst"]["max_ms"] < arguments.stall_ms_max)
    print("met" if met else f"NOT MET: all answered, nothing lost, no stall of {arguments.stall_ms_max:g} ms")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
