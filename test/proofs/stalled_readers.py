#!/usr/bin/env python3
"""Readers that never read must not hurt those who do.

Starts a daemon with 100 live readers and 100 that stall, half of each in event format and half plain, and one speaker at a steady
rate; beside it, alternating, the same without the stalled ones. At last a run in which a quarter of the stalled, all of them
in event format, wake up. Shows and judges:

  * no live reader loses, repeats or reorders a message
  * p99 of the live latency, stalled beside not stalled (median over the rounds): at most a fifth more. Not counted are the first
    seconds, in which the kernel's buffers of the stalled fill: until then they are readers like others
  * resident memory of the daemon: below 64 MiB at its highest
  * stalled event readers that wake up again account for every id, by message or by gap
  * the others are closed with `slow`

The load program is crowd.cc (build/proof-crowd, or $CROWD_BIN): in C++ because Python cannot take 100,000 deliveries a second. Speaker
and readers are on this machine too, so use a quiet one; the lateness of the speaker is shown to judge the figures by.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

from instruments import instrument  # noqa: E402 (the path has to be known first)
from roomd_harness import Daemon  # noqa: E402


def peak_memory(daemon):
    text = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text).group(1)) / 1024


def run(program, arguments, stalled, seconds, wake=0):
    with Daemon("tcp://127.0.0.1:0", options=("--log-lines-per-second-max", "1000000", "--presence-members-max", "0")) as daemon:
        numbers = (daemon.address()[1], arguments.live, stalled, arguments.rate, seconds, arguments.bytes, wake, arguments.warm_up)
        cpu = daemon.cpu_seconds()
        done = subprocess.run([str(program), *map(str, numbers)], stdout=subprocess.PIPE, text=True, check=True)
        figures = json.loads(done.stdout)
        figures["cpu"] = daemon.cpu_seconds() - cpu
        figures["memory_mib"] = peak_memory(daemon)
        figures["closed_slow"] = sum(" closed " in line and "reason=slow" in line for line in daemon.log())
    figures["stalled"] = stalled
    return figures


def show(figures):
    print(f"{figures['stalled']:>8} {figures['p50_ms']:>8.2f} {figures['p99_ms']:>8.2f} {figures['p999_ms']:>8.2f} "
          f"{figures['max_ms']:>9.2f} {figures['memory_mib']:>8.1f} {figures['cpu']:>7.1f} {figures['live_complete']:>5} "
          f"{figures['woke_complete']:>5} {figures['woke_missed']:>8} {figures['closed_slow']:>6} "
          f"{figures['speaker_latest_ms']:>8.1f}", flush=True)


def judge(words, good):
    print(("holds   " if good else "FAILS   ") + words)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="of each run (60)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs, alternating (3)")
    parser.add_argument("--live", type=int, default=100)
    parser.add_argument("--stalled", type=int, default=100)
    parser.add_argument("--rate", type=int, default=1000, help="messages a second (1000)")
    parser.add_argument("--bytes", type=int, default=1000, help="of each text, about (1000; the kernel holds some MB a reader)")
    parser.add_argument("--wake", type=int, default=20, help="in the last run, when the stalled wake up, in seconds (20)")
    parser.add_argument("--warm-up", type=int, default=10, help="seconds not counted in the latencies (10)")
    arguments = parser.parse_args()
    runs = []
    program = instrument("crowd")
    print(f"{arguments.live} live readers, {arguments.rate} messages/s of {arguments.bytes} bytes for {arguments.seconds} s\n")
    print(" stalled   p50 ms   p99 ms p99.9 ms    max ms  RSS MiB   CPU s  live  woke   missed   slow  late ms")
    for turn in range(arguments.rounds):
        for stalled in ((0, arguments.stalled) if turn % 2 == 0 else (arguments.stalled, 0)):
            runs.append(run(program, arguments, stalled, arguments.seconds))
            show(runs[-1])
    woken = run(program, arguments, arguments.stalled, arguments.wake + 10, arguments.wake)
    show(woken)
    calm = [figures for figures in runs if figures["stalled"] == 0]
    rough = [figures for figures in runs if figures["stalled"] > 0]
    ratio = statistics.median(one["p99_ms"] for one in rough) / statistics.median(one["p99_ms"] for one in calm)
    waking = (arguments.stalled + 3) // 4
    print()
    good = [
        judge(f"no live reader lost, repeated or reordered a message ({len(runs) + 1} runs)",
              all(one["live_complete"] == arguments.live and one["wrong"] == 0 for one in (*runs, woken))),
        judge(f"live p99 beside stalled readers is {ratio:.2f} of that without (at most 1.20)", ratio <= 1.2),
        judge(f"memory is {max(one['memory_mib'] for one in rough):.1f} MiB at its highest (below 64)",
              max(one["memory_mib"] for one in rough) < 64),
        judge(f"all {waking} that woke account for every id: {woken['woke_missed']} missed, in {woken['woke_gaps']} gaps",
              woken["woke_complete"] == waking and woken["woke_missed"] > 0),
        judge("every reader that stayed stalled was closed with `slow`",
              all(one["closed_slow"] == arguments.stalled for one in rough)),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
