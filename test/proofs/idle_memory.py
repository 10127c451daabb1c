#!/usr/bin/env python3
"""10,000 connections in one room, each with a name; what each costs in resident memory; and one message reaches all.

The clients are in processes of their own, because a process may have only so many descriptors. Resident memory is read from
/proc before the first and after the last of them has joined and all is quiet.
"""

import argparse
import pathlib
import resource
import selectors
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

from roomd_harness import Daemon, EventClient, until  # noqa: E402 (the path has to be known first)

PATIENCE_S = 120


def framed(text):
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


def join_all(port, first, count):
    """Connects and joins one after the other, a few hundred in flight; returns the sockets."""
    peers = []
    waiting = selectors.DefaultSelector()
    for number in range(first, first + count):
        peer = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        peer.sendall(framed(f"/hello 1 nick=member-{number}") + framed("/join lobby"))
        peer.setblocking(False)
        peers.append(peer)
    left = {}
    for peer in peers:
        left[peer] = b""
        waiting.register(peer, selectors.EVENT_READ)
    while left:
        for key, _ in waiting.select(PATIENCE_S):
            peer = key.fileobj
            left[peer] += peer.recv(65536)
            if b"ok join lobby" in left[peer]:
                waiting.unregister(peer)
                del left[peer]
    return peers


def work(port, first, count):
    """A process full of clients: says `joined`, then waits for the message and says how many had it."""
    peers = join_all(port, first, count)
    print("joined", flush=True)
    heard, waiting, seen = 0, selectors.DefaultSelector(), {}
    for peer in peers:
        seen[peer] = b""
        waiting.register(peer, selectors.EVENT_READ)
    deadline = time.monotonic() + PATIENCE_S
    while heard < count and time.monotonic() < deadline:
        for key, _ in waiting.select(1):
            peer = key.fileobj
            seen[peer] = seen[peer][-4096:] + peer.recv(65536)
            if b" speaker one message to all" in seen[peer]:
                heard += 1
                waiting.unregister(peer)
    print(f"heard {heard}", flush=True)
    sys.stdin.read()  # until the parent has measured
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--bytes-max", type=int, default=430, help="of resident memory a connection (430)")
    parser.add_argument("--work", nargs=3, type=int, metavar=("PORT", "FIRST", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments.work:
        return work(*arguments.work)
    each = arguments.connections // arguments.processes
    with Daemon("tcp://127.0.0.1:0", options=("--linger-ms-max", "500")) as daemon:
        port = daemon.address()[1]
        with EventClient(daemon.address(), "speaker", join="lobby") as speaker:
            speaker.stats()
            before = daemon.resident_bytes()
            begin = time.monotonic()
            workers = [subprocess.Popen([sys.executable, __file__, "--work", str(port), str(number * each), str(each)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                       for number in range(arguments.processes)]
            for worker in workers:
                assert worker.stdout.readline() == "joined\n", "a process of clients failed"
            joined = time.monotonic() - begin
            count = each * arguments.processes
            speaker.await_one(lambda payload: payload.startswith("crowd ") and payload.endswith(f" {count + 1}"))

            def quiet():
                stats = speaker.stats()
                return stats["members"] == count + 1 and stats["pinned_bytes"] < 100_000

            until(quiet, "all is quiet")
            after = daemon.resident_bytes()
            said_at = time.monotonic()
            speaker.ask("one message to all", "ok say")
            heard = sum(int(worker.stdout.readline().split()[1]) for worker in workers)
            took = time.monotonic() - said_at
            later = daemon.resident_bytes()
            for worker in workers:
                worker.stdin.close()
                worker.wait()
                worker.stdout.close()
            until(lambda: speaker.stats()["connections"] == 1, "all have gone")
            gone = daemon.resident_bytes()
    growth = (after - before) / count
    print(f"connections        {count}, each in the room with a name, joined in {joined:.1f} s")
    print(f"resident before    {before / 1024:.0f} KiB")
    print(f"resident with all  {after / 1024:.0f} KiB: {growth:.0f} bytes a connection (at most {arguments.bytes_max})")
    print(f"after one message  {later / 1024:.0f} KiB; it reached {heard} of {count} within {took * 1000:.0f} ms")
    print(f"when all had gone  {gone / 1024:.0f} KiB")
    return 0 if growth <= arguments.bytes_max and heard == count else 1


if __name__ == "__main__":
    sys.exit(main())
