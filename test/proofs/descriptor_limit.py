#!/usr/bin/env python3
"""No descriptor is left for ten seconds while 200 connectors try: CPU, what the refused hear, the chat beside it, and the return.

Two runs. First the limit is lowered to what the daemon has open (prlimit), so that accept itself fails, and raised again after
ten seconds: service must be back within 150 ms. Then a daemon with a small limit is filled, and one connection closed, again and
again: the next must be served within 150 ms.
"""

import argparse
import multiprocessing
import pathlib
import resource
import shutil
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from roomd_harness import Daemon, EventClient, LineClient, said  # noqa: E402 (the path has to be known first)


class Connectors:
    """Each tries, hears why not, and tries again a second later. In a process of their own, away from the chat that is timed."""

    def __init__(self, address, count):
        self.stop = multiprocessing.Event()
        self.counts = {name: multiprocessing.Value("i", 0) for name in ("told", "untold", "served")}
        self.process = multiprocessing.Process(target=self.crowd, args=(address, count))
        self.process.start()

    def crowd(self, address, count):
        threads = [threading.Thread(target=self.run, args=(address, number / count)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run(self, address, delay):
        self.stop.wait(delay)
        while not self.stop.is_set():
            answer = ask(address)
            name = "told" if answer.startswith(b"! full") else "served" if answer.startswith(b"* ") else "untold"
            with self.counts[name].get_lock():
                self.counts[name].value += 1
            self.stop.wait(1)

    def count(self, name):
        return self.counts[name].value

    def finish(self):
        self.stop.set()
        self.process.join()


def ask(address):
    """What somebody hears who connects and asks; b"" if nothing."""
    try:
        with socket.create_connection(address, 10) as peer:
            peer.settimeout(10)
            try:
                peer.sendall(b"/ping x\n")
            except OSError:
                pass  # refused before; the reason is there to be read
            return peer.recv(4096)
    except OSError:
        return b""


def back_after(address):
    """Seconds until somebody is served."""
    begin = time.monotonic()
    while not ask(address).startswith(b"* "):
        if time.monotonic() - begin > 10:
            break
    return time.monotonic() - begin


def chat(ann, bob, seconds):
    """Says ten messages a second; returns the 99th percentile of how long each took, in milliseconds."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        ann.send(f"at {begin}")
        bob.await_one(said)
        took.append(time.monotonic() - begin)
        threading.Event().wait(0.1)
    took.sort()
    return took[int(0.99 * (len(took) - 1))] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connectors", type=int, default=200)
    parser.add_argument("--closes", type=int, default=20)
    arguments = parser.parse_args()
    with Daemon("tcp://127.0.0.1:0") as daemon:
        with EventClient(daemon.address(), "ann", join="lobby") as ann, EventClient(daemon.address(), "bob", join="lobby") as bob:
            calm = chat(ann, bob, min(3, arguments.seconds))
            soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (daemon.descriptors(), hard))
            connectors = Connectors(daemon.address(), arguments.connectors)
            cpu, begin = daemon.cpu_seconds(), time.monotonic()
            rough = chat(ann, bob, arguments.seconds)
            part = (daemon.cpu_seconds() - cpu) / (time.monotonic() - begin)
            told, untold, served = map(connectors.count, ("told", "untold", "served"))
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
            raised = back_after(daemon.address())
            connectors.finish()
            refused = ann.stats()["refused"]
            open_now = daemon.descriptors()
    print(f"limit lowered for {arguments.seconds:g} s, {arguments.connectors} connectors")
    print(f"  CPU of the daemon          {part * 100:.1f} % (below 5)")
    print(f"  refused and told why       {told}; not told {untold}; served {served}")
    print(f"  refusals counted           {refused}, descriptors afterwards {open_now}")
    print(f"  chat beside it, p99        {rough:.1f} ms; before {calm:.1f} ms")
    print(f"  limit raised, served in    {raised * 1000:.0f} ms (at most 150)")

    worst = 0.0
    with Daemon("tcp://127.0.0.1:0", prefix=(shutil.which("prlimit"), "--nofile=164:164")) as daemon:
        inside = []
        while True:
            peer = LineClient(daemon.address())
            peer.send("/ping x")
            if peer.receive().startswith("! full"):
                peer.close()
                break
            inside.append(peer)
        for _ in range(arguments.closes):
            inside.pop().close()
            worst = max(worst, back_after(daemon.address()))
            peer = LineClient(daemon.address())
            peer.send("/ping x")
            while peer.receive().startswith("! full"):  # the one who measured has not quite gone
                peer.close()
                peer = LineClient(daemon.address())
                peer.send("/ping x")
            inside.append(peer)
        count = len(inside)
        for peer in inside:
            peer.close()
    print(f"filled with {count} connections, one closed {arguments.closes} times")
    print(f"  the next is served in      {worst * 1000:.0f} ms at worst (at most 150)")
    good = part < 0.05 and untold == 0 and served == 0 and told > 0 and raised <= 0.15 and worst <= 0.15
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
