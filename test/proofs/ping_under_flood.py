#!/usr/bin/env python3
"""A quiet connection pings while a publisher floods a room at line rate; how long its answers take.

The flood is roombench's (closed loop, so as fast as the members read), on the other processor; the pings come from here.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from roomd_harness import Daemon, EventClient, until  # noqa: E402 (the path has to be known first)


def pings(client, seconds):
    """Round trips in milliseconds, some 2 ms apart, sorted."""
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        token = f"t{len(took)}"
        begin = time.perf_counter()
        client.ask(f"/ping {token}", f"ok ping {token}")
        took.append((time.perf_counter() - begin) * 1e3)
        time.sleep(0.002)  # between two pings, not for one
    return sorted(took)


def quantile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1000, help="who hear the flood (1000)")
    parser.add_argument("--publishers", type=int, default=1, help="who flood (1)")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--p99-ms-max", type=float, default=20)
    arguments = parser.parse_args()
    roombench = os.environ.get("ROOMBENCH_BIN", "build/roombench")

    with Daemon("tcp://127.0.0.1:0") as daemon, EventClient(daemon.address(), "quiet", join="elsewhere") as quiet:
        host, port = daemon.address()
        idle = pings(quiet, 2)
        flood = subprocess.Popen(
            [roombench, "fanout", "--connect", f"tcp://{host}:{port}", "--pid", str(daemon.pid),
             "--members", str(arguments.members), "--publishers", str(arguments.publishers), "--rounds", "1",
             "--seconds", str(arguments.seconds + 2)],
            stdout=subprocess.PIPE, text=True)
        try:
            said = quiet.stats()["messages_said"]
            until(lambda: quiet.stats()["messages_said"] > said, "the flood begins")
            flooded = pings(quiet, arguments.seconds)
            report, _ = flood.communicate(timeout=60)
        finally:
            flood.kill()
            flood.wait()
    print(report)
    for name, took in (("idle", idle), ("flooded", flooded)):
        print(f"ping {name:8} p50 {quantile(took, 0.5):7.2f} ms   p99 {quantile(took, 0.99):7.2f} ms   "
              f"max {took[-1]:7.2f} ms   ({len(took)} pings)")
    met = flood.returncode == 0 and quantile(flooded, 0.99) <= arguments.p99_ms_max
    print("met" if met else f"NOT MET: p99 at most {arguments.p99_ms_max} ms, and a flood that was complete")
    sys.exit(0 if met else 1)


main()
