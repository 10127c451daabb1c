"""A real roomd for tests, and clients to talk to it.

Daemon starts the program in $ROOMD_BIN (build/roomd) on ports that the kernel chooses and learns the bound addresses from its
log. The clients wait for conditions, never for time to pass: every wait has a deadline, and one that runs out fails the test
with what was heard instead. Nothing but the standard library of Python 3.9.
"""

import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test" / "tools"))

import deadlines  # noqa: E402 (the path has to be known first)
from deadlines import needs  # noqa: E402, F401 (the tests take it from here)

ROOMD = pathlib.Path(os.environ.get("ROOMD_BIN", TOP / "build" / "roomd")).resolve()
ROOM = pathlib.Path(os.environ.get("ROOM_BIN", TOP / "build" / "room")).resolve()
ROOMCTL = pathlib.Path(os.environ.get("ROOMCTL_BIN", TOP / "build" / "roomctl")).resolve()

# How long anything may take before the test gives up. Generous: sanitizers and a busy machine are slow, and nobody waits it out
# unless something is wrong.
PATIENCE = float(os.environ.get("ROOMD_TEST_PATIENCE_S", "20"))

# Built with AddressSanitizer? It keeps memory longer, and its checks need descriptors of their own.
SANITIZED = ROOMD.exists() and b"__asan_init" in ROOMD.read_bytes()

if SANITIZED:
    deadlines.DEADLINE_S *= 3


def unless_sanitized(_):
    """For a test that means nothing under sanitizers; the reason stands beside it. It is not skipped there: it is not there."""
    return deadlines.not_here(SANITIZED)


# A test run under nohup(1), or behind a shell's `&`, would hand its ignored signals on to every program under test.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|Assertion .* failed")


def peak_resident_bytes(pid):
    """Its own high-water mark: ru_maxrss would begin with that of this process, from which it was made."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024


def until(condition, what, patience=PATIENCE):
    """Waits until `condition()` is true and returns what it returned. For things nobody sends a word about."""
    deadline = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s in vain: {what}")
        select.select([], [], [], 0.005)


class Meanwhile(threading.Thread):
    """Runs beside the test; over() waits for its end and fails if it has failed."""

    def __init__(self, what, *arguments):
        super().__init__(daemon=True)
        self._what, self._arguments, self._failure = what, arguments, None
        self.start()

    def run(self):
        try:
            self._what(*self._arguments)
        except Exception as failure:
            self._failure = failure

    def over(self):
        self.join(PATIENCE)
        if self._failure is not None:
            raise self._failure
        assert not self.is_alive(), "what ran beside the test does not end"


def environment(extra=None):
    """The environment for a program under test: without this machine's ROOMD_* settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROOMD_")}
    clean.update(extra or {})
    return clean


def run_roomd(*arguments, env=None, patience=PATIENCE):
    """Runs roomd to its end; for starts that are to fail and for questions that it answers."""
    return subprocess.run([str(ROOMD), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=environment(env), timeout=patience, check=False)


def split_address(text):
    """'127.0.0.1:8888', '[::1]:8888' or a path, as what socket.connect() takes."""
    if text.startswith("/"):
        return text
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port))


def connect(address, receive_buffer_bytes=0):
    """A connected blocking socket with the deadline set."""
    if isinstance(address, str):
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_STREAM)
    if receive_buffer_bytes:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    peer.settimeout(PATIENCE)
    if family != socket.AF_UNIX:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # many small writes are not to wait for each other
    peer.connect(address)
    return peer


def reset(peer):
    """Closes with a reset instead of an end."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


class Daemon:
    """A running roomd. Leaves by close(), which asks it politely and insists on exit status 0 and a clean stderr."""

    def __init__(self, *listen, options=(), env=None, wait=True, prefix=(), pass_fds=(), program=ROOMD):
        arguments = [str(program)]
        for uri in listen:
            arguments += ["--listen", uri]
        arguments += options
        self.lines = []  # of its stderr
        self._heard = threading.Condition()
        self.process = subprocess.Popen([*prefix, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment(env), pass_fds=pass_fds)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._closed = False
        self._asked = False  # to stop; asked twice it would not drain
        if wait:
            self.wait_for_line(r"\bready\b|\"event\":\"ready\"")

    def _read(self):
        for line in self.process.stderr:
            with self._heard:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self.lines.append(None)  # the end
            self._heard.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.kill()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with self._heard:
            return [line for line in self.lines if line is not None]

    def wait_for_line(self, pattern, count=1, patience=PATIENCE):
        """The count-th line of its log that the pattern is found in."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + patience
        with self._heard:
            while True:
                found = [line for line in self.lines if line is not None and expression.search(line)]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or (self.lines and self.lines[-1] is None):
                    text = "\n".join(str(line) for line in self.lines)
                    raise AssertionError(f"roomd never logged {pattern!r} ({count}):\n{text}")
                self._heard.wait(left)

    def addresses(self):
        """Bound addresses, in the order of the listeners, as of the last (re)load."""
        found = []
        for line in self.log():
            text = re.search(r'\blistening address=(?:"([^"]*)"|(\S+))|"event":"listening","address":"([^"]*)"', line)
            if text:
                found.append(split_address(next(group for group in text.groups() if group is not None)))
        return found

    def address(self, index=0):
        return self.addresses()[index]

    def signal(self, number):
        self._asked = self._asked or number in (signal.SIGTERM, signal.SIGINT)
        self.process.send_signal(number)

    def wait(self, patience=PATIENCE):
        """Its exit status, once it has ended by itself."""
        return self.process.wait(patience)

    def close(self, status=0):
        if self._closed:
            return
        self._closed = True
        if self.process.poll() is None and not self._asked:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("roomd did not stop in time:\n" + "\n".join(self.log())) from None
        self._reader.join(PATIENCE)
        self._close_pipes()
        text = "\n".join(self.log())
        assert not SANITIZER_REPORT.search(text), text
        assert code == status, f"roomd ended with {code}, not {status}:\n{text}"

    def kill(self):
        self._closed = True
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        self._close_pipes()

    def _close_pipes(self):
        self.process.stdout.close()
        self.process.stderr.close()

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client:
    """What all clients share: a socket, bytes that were read and not yet asked for, a deadline."""

    def __init__(self, address, receive_buffer_bytes=0):
        self.socket = address if isinstance(address, socket.socket) else connect(address, receive_buffer_bytes)
        self.pending = bytearray()
        self.collected = 0  # payloads, by collect() and what stands on it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def finish_sending(self):
        """The end of the stream, as `nc -N` does: answers still come."""
        self.socket.shutdown(socket.SHUT_WR)

    def send_bytes(self, data):
        self.socket.sendall(data)

    def fill(self):
        """Reads some more; False at the end of the stream."""
        data = self.socket.recv(65536)
        self.pending += data
        return bool(data)

    def take(self, size):
        data = bytes(self.pending[:size])
        del self.pending[:size]
        return data

    def rest(self):
        """Everything up to the end of the stream."""
        while self.fill():
            pass
        return self.take(len(self.pending))

    def expect_end(self, test):
        test.assertEqual(self.rest(), b"")

    def collect(self, last):
        """Payloads up to and including the first that `last` (a function, or text) accepts."""
        accepts = last if callable(last) else lambda payload: payload == last
        heard = []
        while True:
            try:
                payload = self.receive()
            except TimeoutError:
                raise AssertionError(f"nothing more came after {heard[-20:]}") from None
            if payload is None:
                raise AssertionError(f"the stream ended, having said {heard[-20:]}")
            heard.append(payload)
            self.collected += 1
            if accepts(payload):
                return heard

    def await_one(self, last):
        return self.collect(last)[-1]

    def await_each(self, *ends):
        """Payloads that end so, in any order: what several connections send has no order among them."""
        missing = set(ends)

        def last(payload):
            missing.difference_update([end for end in missing if payload.endswith(end)])
            return not missing

        return self.collect(last)

    def ask(self, command, answer):
        """Sends, and skips what comes until something that begins with `answer`."""
        self.send(command)
        return self.await_one(lambda payload: payload.startswith(answer))


class FrameClient(Client):
    """A program: 4 bytes of length, then so many bytes, each way."""

    def send(self, text):
        data = text.encode() if isinstance(text, str) else text
        self.send_bytes(struct.pack(">I", len(data)) + data)

    def send_at_once(self, *texts):
        """As one piece: no time passes between them."""
        self.send_bytes(b"".join(struct.pack(">I", len(text.encode())) + text.encode() for text in texts))

    def receive_bytes(self):
        while len(self.pending) < 4:
            if not self.fill():
                return None
        size = struct.unpack(">I", self.pending[:4])[0]
        while len(self.pending) < 4 + size:
            if not self.fill():
                raise AssertionError(f"the stream ended inside a frame: {bytes(self.pending[:200])!r}")
        return self.take(4 + size)[4:]

    def receive(self):
        data = self.receive_bytes()
        return None if data is None else data.decode()


class LineClient(Client):
    """A person on netcat, or a program that reads lines."""

    def send(self, text):
        data = text.encode() if isinstance(text, str) else text
        self.send_bytes(data + b"\n")

    def receive(self):
        while b"\n" not in self.pending:
            if not self.fill():
                if self.pending:
                    raise AssertionError(f"the stream ended inside a line: {bytes(self.pending[:200])!r}")
                return None
        return self.take(self.pending.index(b"\n") + 1)[:-1].decode()


class EventClient(FrameClient):
    """A program that speaks events; over lines too, with `EventClient.over_lines`."""

    def __init__(self, address, nick=None, options="", join=None, receive_buffer_bytes=0):
        super().__init__(address, receive_buffer_bytes)
        words = ["/hello 1"] + ([f"nick={nick}"] if nick else []) + ([options] if options else [])
        self.welcome = self.ask(" ".join(words), "welcome 1 ")
        self.nick = self.welcome.split(" ")[3]
        if join:
            self.join(join)

    def join(self, room):
        """Enters; returns (epoch, first, next, members)."""
        reply = self.ask(f"/join {room}", "ok join ").split(" ")
        return reply[3], int(reply[4]), int(reply[5]), int(reply[6])

    def stats(self):
        pairs = self.ask("/stats", "ok stats ").split(" ")[2:]
        return {name: int(value) for name, value in (pair.split("=", 1) for pair in pairs)}


def said(payload):
    """(room, id, nick, text) of a msg, act, old or oldact; None of anything else."""
    fields = payload.split(" ", 5)
    if fields[0] not in ("msg", "act", "old", "oldact"):
        return None
    return fields[1], int(fields[2]), fields[4], fields[5] if len(fields) > 5 else ""


class DaemonTest(unittest.TestCase):
    """A test with a daemon of its own: `listen` and `options` of the class, or start() with others. `unix:*` is a socket in a
    directory of the test's own."""

    listen = ("tcp://127.0.0.1:0",)
    options = ()

    def start(self, *listen, options=None, **more):
        listen = [uri.replace("unix:*", f"unix:{self.scratch()}/s") for uri in listen or self.listen]
        daemon = Daemon(*listen, options=self.options if options is None else options, **more)
        self.addCleanup(self._stop, daemon)
        return daemon

    @staticmethod
    def _stop(daemon):
        daemon.close()

    def keep(self, client):
        """Closes the client when the test is over (before the daemon stops)."""
        self.addCleanup(client.close)
        return client

    def frame(self, daemon, index=0, **more):
        return self.keep(FrameClient(daemon.address(index), **more))

    def line(self, daemon, index=0, **more):
        return self.keep(LineClient(daemon.address(index), **more))

    def event(self, daemon, nick=None, index=0, **more):
        return self.keep(EventClient(daemon.address(index), nick, **more))

    def raw(self, daemon, index=0, **more):
        return self.keep(Client(daemon.address(index), **more))

    def scratch(self):
        """A directory that goes with the test. Short: a Unix socket's path has 107 bytes."""
        directory = tempfile.TemporaryDirectory(prefix="roomd-", dir="/tmp")
        self.addCleanup(directory.cleanup)
        return pathlib.Path(directory.name)
