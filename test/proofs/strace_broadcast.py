#!/usr/bin/env python3
"""What the daemon asks of the kernel under steady broadcast, by `strace -c`: no epoll_ctl, and one send per member and tick.

One speaker, N members. First one message at a time: each is a tick, so there is one send per message and member. Then ten
messages in one segment at a time: still one send per member and segment, not ten.
"""

import argparse
import pathlib
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from roomd_harness import Daemon, EventClient, FrameClient, PATIENCE  # noqa: E402 (the path has to be known first)


def trace(daemon, work):
    """Does `work` under strace; returns {system call: count}."""
    strace = subprocess.Popen([shutil.which("strace"), "-c", "-f", "-p", str(daemon.pid)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    line = strace.stderr.readline()
    assert "attached" in line, line
    work()
    strace.send_signal(signal.SIGINT)
    text = strace.stderr.read()
    strace.stderr.close()
    strace.wait(PATIENCE)
    counts = {}
    for row in text.splitlines():
        fields = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", row)
        if fields and fields[2] != "total":
            counts[fields[2]] = int(fields[1])
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--messages", type=int, default=200)
    arguments = parser.parse_args()
    if not shutil.which("strace"):
        print("strace is not installed")
        return 2
    good = True
    with Daemon("tcp://127.0.0.1:0") as daemon:
        mouth = EventClient(daemon.address(), "mouth", options="ack=off", join="lobby")
        members = [EventClient(daemon.address(), join="lobby") if number % 2 else FrameClient(daemon.address())
                   for number in range(arguments.members)]
        for number, member in enumerate(members):
            if number % 2 == 0:
                member.send("/join lobby")
                member.send("/ping in")
                member.await_one("ping in")
        next_number = 0

        def speak(together):
            nonlocal next_number
            for _ in range(arguments.messages):
                texts = [f"message {next_number + offset} ." for offset in range(together)]
                next_number += together
                mouth.send_bytes(b"".join(len(text).to_bytes(4, "big") + text.encode() for text in texts))
                for member in members:
                    member.await_one(lambda payload, last=texts[-1]: payload.endswith(last))

        for together in (1, 10):
            counts = trace(daemon, lambda together=together: speak(together))
            sends = counts.get("sendmsg", 0) + counts.get("writev", 0) + counts.get("sendto", 0) + counts.get("write", 0)
            expected = arguments.messages * arguments.members
            print(f"{arguments.messages} segments of {together} message(s) to {arguments.members} members")
            for name, count in sorted(counts.items(), key=lambda item: -item[1]):
                print(f"  {name:<16} {count}")
            print(f"  epoll_ctl        {counts.get('epoll_ctl', 0)} (none)")
            print(f"  sends            {sends / expected:.3f} per member and tick (one)\n")
            good = good and counts.get("epoll_ctl", 0) == 0 and sends == expected
        for client in (mouth, *members):
            client.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
