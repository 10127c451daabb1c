#!/usr/bin/env python3
"""`printf '/join ops\\nhello\\n' | nc -N 127.0.0.1 PORT` gets every answer, 1,000 times out of 1,000.

Each run must print the answer to /join and nothing else (people do not hear themselves), and its hello must have been said:
a member that watches the room must see ids 1, 2, 3 ... without a hole.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from roomd_harness import Daemon, EventClient, PATIENCE, said  # noqa: E402 (the path has to be known first)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    arguments = parser.parse_args()
    netcat = shutil.which("nc.openbsd") or shutil.which("nc")
    if netcat is None:
        print("nc is not installed (netcat-openbsd)")
        return 2
    complete, heard = 0, 0
    with Daemon("tcp://127.0.0.1:0") as daemon:
        host, port = daemon.address()
        with EventClient(daemon.address(), "watcher", join="ops") as watcher:
            begin = time.monotonic()
            for turn in range(1, arguments.rounds + 1):
                done = subprocess.run([netcat, "-N", host, str(port)], input=b"/join ops\nhello\n",
                                      stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
                complete += bool(re.fullmatch(rb"\* you are in ops \(\d+ here\)\n", done.stdout))
                message = said(watcher.await_one(said))
                heard += message is not None and message[1] == turn and message[3] == "hello"
            took = time.monotonic() - begin
    print(f"answers complete  {complete} of {arguments.rounds}")
    print(f"hellos said       {heard} of {arguments.rounds}, ids without a hole")
    print(f"each              {took / arguments.rounds * 1000:.1f} ms, nc's own start included")
    return 0 if complete == heard == arguments.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
