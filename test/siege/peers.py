"""The attackers' hands: a client that waits with a deadline, and a crowd of sockets driven by one epoll."""

import errno
import os
import select
import socket
import struct
import time

PATIENCE = 10.0


def frame(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(data)) + data


def line(text):
    return (text.encode() if isinstance(text, str) else text) + b"\n"


ENCODE = {"frame": frame, "line": line}


def connect(address, receive_buffer=0, source=None, patience=PATIENCE):
    """A connected socket. A path is a Unix socket."""
    peer = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
    try:
        peer.settimeout(patience)
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if not isinstance(address, str):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source:
                peer.bind((source, 0))
        peer.connect(address)
    except OSError:
        peer.close()
        raise
    return peer


def reset(peer):
    """Closes with a reset instead of an end of stream."""
    try:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    peer.close()


class Client:
    """One connection. Every wait has a deadline; get() returns None when it has run out, END when the stream has ended."""

    END = "<end of stream>"

    def __init__(self, address, framing="line", **options):
        self.socket = connect(address, **options)
        self.framing = framing
        self._buffer = bytearray()
        self._ended = False

    def send(self, *texts, patience=PATIENCE):
        self.raw(b"".join(ENCODE[self.framing](text) for text in texts), patience)

    def raw(self, data, patience=PATIENCE):
        self.socket.settimeout(patience)
        self.socket.sendall(data)

    def _take(self):
        if self.framing == "frame":
            if len(self._buffer) < 4:
                return None
            size = struct.unpack_from(">I", self._buffer)[0]
            if len(self._buffer) < 4 + size:
                return None
            payload = bytes(self._buffer[4:4 + size])
            del self._buffer[:4 + size]
            return payload
        at = self._buffer.find(b"\n")
        if at < 0:
            return None
        payload = bytes(self._buffer[:at])
        del self._buffer[:at + 1]
        return payload

    def get(self, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while True:
            payload = self._take()
            if payload is not None:
                return payload.decode("utf-8", "replace")
            if self._ended:
                return self.END
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except TimeoutError:
                return None
            except OSError:
                data = b""
            if not data:
                self._ended = True
            self._buffer += data

    def until(self, accepts, patience=PATIENCE):
        """The first payload that begins with the text (or that the function accepts); None if there is none in time."""
        test = accepts if callable(accepts) else lambda payload: payload.startswith(accepts)
        deadline = time.monotonic() + patience
        while True:
            payload = self.get(max(0.0, deadline - time.monotonic()))
            if payload is None or payload is self.END:
                return None
            if test(payload):
                return payload

    def rest(self, patience=PATIENCE):
        """Everything up to the end of the stream, or up to the deadline (then the last is None)."""
        heard = []
        deadline = time.monotonic() + patience
        while True:
            payload = self.get(max(0.0, deadline - time.monotonic()))
            if payload is self.END:
                return heard
            heard.append(payload)
            if payload is None:
                return heard

    def ask(self, command, answer, patience=PATIENCE):
        self.send(command)
        return self.until(answer, patience)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def events(address, nick=None, room=None, framing="line", **options):
    """A client that speaks events, in a room if one is named. Raises if roomd does not answer."""
    client = Client(address, framing, **options)
    if client.ask("/hello 1" + (f" nick={nick}" if nick else ""), "welcome") is None:
        raise OSError("no welcome")
    if room and client.ask(f"/join {room}", "ok join") is None:
        raise OSError(f"no way into {room}")
    return client


def stats(address, patience=PATIENCE):
    with events(address) as client:
        answer = client.ask("/stats", "ok stats ", patience)
    if answer is None:
        raise OSError("no answer to /stats")
    return {name: int(value) for name, value in (word.split("=", 1) for word in answer.split(" ")[2:])}


class Crowd:
    """Many connections, each of which sends `prelude` once and then `blob`, once or for ever.

    `read`: all it can, never, or so many bytes a second (a number). Edge-triggered, one process, no thread.
    """

    EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP

    def __init__(self, address, count, blob=b"", prelude=b"", repeat=True, read="all", receive_buffer=0, sources=None):
        self.address, self.count = address, count
        self.blob, self.prelude = memoryview(blob), memoryview(prelude)
        self.repeat, self.read = repeat, read
        self.receive_buffer, self.sources = receive_buffer, sources
        self.epoll = select.epoll()
        self.peers = {}         # descriptor -> [socket, what is being sent, offset, prelude still to come]
        self.sent = self.received = self.ended = self.refused = 0
        self.on_data = None     # called with (descriptor, bytes)
        self._next_read = 0.0

    def open(self, patience=PATIENCE):
        deadline = time.monotonic() + patience
        for index in range(self.count):
            if time.monotonic() > deadline:
                break
            self.add(index)
        return self

    def add(self, index=0):
        source = self.sources[index % len(self.sources)] if self.sources else None
        try:
            peer = connect(self.address, self.receive_buffer, source, 5.0)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            self.refused += 1
            return None
        peer.setblocking(False)
        first = self.prelude if len(self.prelude) else self.blob
        self.peers[peer.fileno()] = [peer, first, 0, bool(len(self.prelude))]
        self.epoll.register(peer.fileno(), self.EVENTS)
        return peer

    def drive(self, seconds, until=None):
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if now >= deadline or (until is not None and until()):
                return self
            if isinstance(self.read, (int, float)) and now >= self._next_read:
                self._read_a_little()
                self._next_read = max(self._next_read + 0.1, now)
            for descriptor, happened in self.epoll.poll(0.02, 256):
                state = self.peers.get(descriptor)
                if state is None:
                    continue
                if self.read == "all" and happened & ~select.EPOLLOUT:
                    self._receive(descriptor, state[0])
                if self.read != "all" and happened & (select.EPOLLHUP | select.EPOLLERR):
                    self._forget(descriptor)
                if descriptor in self.peers:
                    self._send(descriptor, state)

    def drive_quiet(self, seconds_max, quiet=0.7):
        """Until nothing more can be sent, so that a busy machine makes an attack longer and not weaker."""
        end = time.monotonic() + seconds_max
        sent, since = self.sent, time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < quiet:
            self.drive(0.1)
            if self.sent != sent:
                sent, since = self.sent, time.monotonic()
        return self

    def _read_a_little(self):
        for descriptor, state in list(self.peers.items()):
            try:
                data = state[0].recv(max(1, int(self.read / 10)))
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            self._took(descriptor, data)

    def _receive(self, descriptor, peer):
        for _ in range(4):
            try:
                data = peer.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not self._took(descriptor, data):
                return
        # More may be there, and no edge will tell.
        self.epoll.modify(descriptor, self.EVENTS)

    def _took(self, descriptor, data):
        self.received += len(data)
        if not data:
            self._forget(descriptor)
        elif self.on_data:
            self.on_data(descriptor, data)
        return bool(data)

    def _send(self, descriptor, state):
        for _ in range(4):
            if state[2] >= len(state[1]):
                if state[3]:
                    state[1], state[3] = self.blob, False
                elif not self.repeat:
                    return
                state[2] = 0
                if not len(state[1]):
                    return
            try:
                sent = state[0].send(state[1][state[2]:state[2] + 65536], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self._forget(descriptor)
                return
            self.sent += sent
            state[2] += sent
        self.epoll.modify(descriptor, self.EVENTS)

    def _forget(self, descriptor):
        state = self.peers.pop(descriptor, None)
        if state is not None:
            self.ended += 1
            state[0].close()

    def close(self, how=socket.socket.close):
        for state in self.peers.values():
            how(state[0])
        self.peers.clear()
        self.epoll.close()


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
