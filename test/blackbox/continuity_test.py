"""The judge of restarts (test/proofs/continuity.cc), judged: beside an honest daemon it finds nothing, and behind a proxy that does
one single thing wrong it says which.

The proxy stands between the members and a daemon that is not restarted. It understands payloads, so that it can lose, repeat,
swap, damage or invent exactly one.
"""

import asyncio
import json
import logging
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest
import warnings

from roomd_harness import PATIENCE, SANITIZED, TOP, Daemon

PROOF = pathlib.Path(os.environ.get("CONTINUITY_BIN", TOP / "build" / "proof-continuity")).resolve()

logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # which complains of members that are gone

CONNECTIONS, RATE = (60, 100) if SANITIZED else (90, 150)  # the proxies have to keep up
LOAD = ("--connections", str(CONNECTIONS), "--rooms", "5", "--rate", str(RATE), "--speakers", "300", "--warm-up", "0.5",
        "--every", "1", "--patience", "10")


def payloads(buffer):
    """Takes whole payloads, with their framing, from the front of a bytearray."""
    while buffer:
        if buffer[0] == 0:
            size = 4 + int.from_bytes(buffer[:4], "big") if len(buffer) >= 4 else len(buffer) + 1
        else:
            size = buffer.find(b"\n") + 1 or len(buffer) + 1
        if size > len(buffer):
            return
        payload = bytes(buffer[:size])
        del buffer[:size]
        yield payload


def framed_like(payload, text):
    return len(text).to_bytes(4, "big") + text if payload[0] == 0 else text + b"\n"


def text_of(payload):
    return payload[4:] if payload[0] == 0 else payload


def is_message(payload):
    """Said live, in any format: plain, event, human; or on its way to be said."""
    text = text_of(payload)
    return text.startswith((b"k ", b"msg ", b"[", b"/say ")) and (b" k " in text or text.startswith(b"k "))


def room_of(message):
    return text_of(message).partition(b"k ")[2].partition(b" ")[0]


class Proxy:
    """Passes everything on, until the `patience`-th payload for which `wanted` holds: that one goes through `spoil`."""

    def __init__(self, upstream, wanted=None, spoil=None, from_client=False, patience=40):
        self.upstream = upstream
        self.wanted = wanted
        self.spoil = spoil  # (payload, pump) -> the bytes to send instead, or None: pass nothing on any more
        self.from_client = from_client
        self.left = patience
        self.spoilt = 0
        self.server = None
        self.halted = None  # an asyncio.Event: nothing is passed on before it is set
        self.tasks = set()
        self.clients = set()
        self.cuts = 0

    async def start(self):
        self.halted = asyncio.Event()
        self.halted.set()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        if self.cuts:
            await asyncio.sleep(0.2)
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        self.clients.add(writer)
        try:
            await asyncio.gather(self.pump(reader, up_writer, True), self.pump(up_reader, writer, False))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.clients.discard(writer)
            writer.close()
            up_writer.close()

    async def pump(self, reader, writer, from_client):
        buffer = bytearray()
        late = b""  # what was held back goes behind the next one of its room
        while data := await reader.read(65536):
            await self.halted.wait()
            buffer += data
            for payload in payloads(buffer):
                out = payload
                if late and is_message(payload) and room_of(payload) == room_of(late):
                    out, late = payload + late, b""
                if from_client == self.from_client and self.wanted is not None and self.wanted(payload):
                    self.left -= 1
                    if self.left == 0:
                        self.spoilt += 1
                        out = self.spoil(payload, self)
                        if out is None:
                            writer.close()
                            return
                        if isinstance(out, tuple):
                            out, late = out
                writer.write(out)
            await writer.drain()
        writer.write(bytes(buffer))
        writer.close()

    def cut_when(self, path):
        """Breaks every second connection when the file is there. Who comes back has to wait a little, so that it misses something."""

        async def watch():
            while not path.exists():
                await asyncio.sleep(0.01)
            for writer in list(self.clients)[::2]:
                self.cuts += 1
                writer.transport.abort()
            path.unlink()

        self.run(watch())

    def run(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def halt(self, seconds):
        self.halted.clear()
        asyncio.get_running_loop().call_later(seconds, self.halted.set)

    def refuse(self, seconds):
        port = self.server.sockets[0].getsockname()[1]
        self.server.close()

        async def again():
            await asyncio.sleep(seconds)
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", port, reuse_address=True)

        self.run(again())


def damaged(payload, _):
    """The last letter of the text is another one; and a text of one letter less is none of ours either."""
    end = len(payload) if payload[0] == 0 else len(payload) - 1
    return payload[:end - 1] + (b"A" if payload[end - 1:end] != b"A" else b"B") + payload[end:]


def is_event(payload):
    return text_of(payload).startswith(b"msg ")


# What is done wrong, once, and by which names the judge may call it.
FAULTS = {
    "nothing": ({}, set()),
    "a message to one member is lost": ({"wanted": is_message, "spoil": lambda payload, _: b""}, {"hole"}),
    "an event to one member is lost": ({"wanted": is_event, "spoil": lambda payload, _: b""}, {"hole"}),
    "a message comes twice": ({"wanted": is_message, "spoil": lambda payload, _: payload * 2}, {"repeat"}),
    "a message comes behind the next": (
        {"wanted": is_message, "spoil": lambda payload, _: (b"", payload)}, {"hole", "repeat", "disorder"}),
    "a message is damaged": ({"wanted": is_message, "spoil": damaged}, {"foreign"}),
    "half a message, and the end": (
        {"wanted": is_message, "spoil": lambda payload, _: None}, {"lost"}),
    "an acknowledgement is lost": (
        {"wanted": lambda payload: b"ok say " in payload, "spoil": lambda payload, _: b"", "patience": 10},
        {"unacknowledged", "hole"}),
    "an acknowledgement comes twice": (
        {"wanted": lambda payload: b"ok say " in payload, "spoil": lambda payload, _: payload * 2, "patience": 10},
        {"unacknowledged", "repeat", "disorder"}),
    "what was said does not arrive": (
        {"wanted": is_message, "spoil": lambda payload, _: b"", "from_client": True}, {"hole", "unacknowledged"}),
    "what was said arrives twice": (
        {"wanted": is_message, "spoil": lambda payload, _: payload * 2, "from_client": True},
        {"repeat", "disorder", "unacknowledged"}),
    "somebody is said to have left": (
        {"wanted": is_event, "spoil": lambda payload, _: payload + framed_like(payload, b"part cont-1 c77 reset")},
        {"identity"}),
    "somebody has another name": (
        {"wanted": is_event,
         "spoil": lambda payload, _: framed_like(payload, b" ".join(
             word if index != 4 else b"mallory" for index, word in enumerate(text_of(payload).rstrip(b"\n").split(b" "))))},
        {"identity"}),
    "a gap is told": (
        {"wanted": is_event, "spoil": lambda payload, _: framed_like(
            payload, b"gap %s %s %s" % (text_of(payload).split(b" ")[1], *[text_of(payload).split(b" ")[2]] * 2))},
        {"gap"}),
    "nothing moves for 1.2 s": (
        {"wanted": is_message, "spoil": lambda payload, proxy: (proxy.halt(1.2), payload)[1],
         "patience": CONNECTIONS * RATE // 11}, {"pause"}),
    "connects are refused for 0.3 s": (
        {"wanted": is_message, "spoil": lambda payload, proxy: (proxy.refuse(0.3), payload)[1]}, {"refused"}),
}


class Judge(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # sockets of connections that the proxy broke
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def tearDown(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()

    def start(self, directory, number, upstream, fault, *options):
        """A proxy with this fault, and the judge behind it."""
        proxy = Proxy(upstream, **fault)
        port = asyncio.run_coroutine_threadsafe(proxy.start(), self.loop).result(PATIENCE)
        figures = pathlib.Path(directory) / f"{number}.json"
        process = subprocess.Popen([str(PROOF), *LOAD, *options, "--json", str(figures), f"tcp://127.0.0.1:{port}"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return proxy, process, figures

    def check(self, name, expected, proxy, process, figures):
        output, _ = process.communicate(timeout=PATIENCE * 4)
        found = json.loads(figures.read_text()) if figures.exists() else {}
        kinds = {kind for kind, count in found.get("faults", {}).items() if count}
        with self.subTest(name):
            self.assertIn(process.returncode, (0, 1), output)
            self.assertGreater(found["deliveries"], 1000, output)
            if not expected:
                self.assertEqual((process.returncode, kinds), (0, set()), output)
                return
            self.assertEqual(proxy.spoilt, 1, "the proxy never did its worst:\n" + output)
            self.assertEqual(process.returncode, 1, f"{name}: not noticed:\n{output}")
            self.assertTrue(kinds & expected, f"{name}: called {kinds}, not one of {expected}:\n{output}")

    def test_one_fault_of_each_kind_is_found_and_none_where_there_is_none(self):
        names = list(FAULTS)
        # "nothing" by itself, the others some at a time: the proxies are in Python. Time is judged where it is the fault.
        groups = [names[:1]] + [names[begin:begin + 4] for begin in range(1, len(names), 4)]
        with tempfile.TemporaryDirectory() as directory:
            for group in groups:
                started = []
                for name in group:
                    daemon = Daemon("tcp://127.0.0.1:0")  # one room is one room: each load has a daemon of its own
                    self.addCleanup(daemon.close)
                    fault, expected = FAULTS[name]
                    patient = () if "pause" in expected else ("--pause-ms-max", "0")
                    started.append((name, daemon, self.start(directory, names.index(name), daemon.address(), fault, *patient)))
                for name, daemon, running in started:
                    self.check(name, FAULTS[name][1], *running)
                    daemon.close()

    def resume(self, spoil, expected):
        """Connections are cut while the daemon lives on, so that who comes back has something to be replayed."""
        fault = {"wanted": lambda payload: text_of(payload).startswith(b"old "), "spoil": spoil, "patience": 1} if spoil else {}
        with tempfile.TemporaryDirectory() as directory, Daemon("tcp://127.0.0.1:0") as daemon:
            cut = pathlib.Path(directory) / "cut"
            running = self.start(directory, 0, daemon.address(), fault, "--crash", "--sluggards", "0", "--back-ms-max", "0",
                                 "--restart", f": > {cut}")
            self.loop.call_soon_threadsafe(running[0].cut_when, cut)
            self.check(f"resumed, {expected or 'honestly'}", expected, *running)
            self.assertGreaterEqual(running[0].cuts, CONNECTIONS * 4 // 9)

    def test_members_whose_connection_is_cut_resume_without_a_hole(self):
        self.resume(None, set())

    def test_a_hole_in_what_is_replayed_is_found(self):
        self.resume(lambda payload, _: b"", {"hole"})

    def test_a_repeat_in_what_is_replayed_is_found(self):
        self.resume(lambda payload, _: payload * 2, {"repeat"})

    def test_wrong_usage_is_told(self):
        for arguments in ((), ("--rate",), ("--rate", "many", "tcp://127.0.0.1:1"), ("--nonsense", "1", "tcp://127.0.0.1:1")):
            done = subprocess.run([str(PROOF), *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE)
            self.assertEqual(done.returncode, 64, arguments)
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main()
