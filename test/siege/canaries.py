#!/usr/bin/env python3
"""The canaries: members who keep every limit and read what they are sent, in every framing and format, beside an attack.

    canaries.py --address HOST:PORT --unix PATH --control PORT --rooms perch,lobby

Each says something ten times a second and pings forty times a second, on a fixed schedule: a ping that is late does not put off
the next, so a wait of a second counts as forty slow pings. What is said carries its number, so that each canary knows what it
has missed; those who speak events account for every id of the room. Newcomers enter a room twice a second.

One process, one thread, no garbage collection. Pings are timed by the kernel's stamp of the last byte that arrived, so that a
late harness does not count against roomd; how late it was is reported beside it. The control is a process that only sends back
what it gets: what its pings wait is the machine's doing.

Reads commands from stdin (a word a line: mark, finish, resume), answers with one line of JSON each.
"""

import argparse
import gc
import json
import os
import re
import select
import socket
import struct
import sys
import time

SO_TIMESTAMPNS = 35     # socket(7), Linux
PING_NS = 25_000_000
SAY_NS = 100_000_000
NEWCOMER_NS = 500_000_000
PATIENCE_NS = 2_000_000_000
CODES = ("too_large bad_frame bad_utf8 bad_command bad_name name_taken no_room not_in_room no_nick too_many_rooms rate_limited "
         "no_permission slow idle full shutting_down internal busy").split()
REFUSED = re.compile(rb"! (?:" + "|".join(CODES).encode() + rb")\b")
SAID = re.compile(rb"siege (\S+) (\S+) (\d+)$")
SKIPPED = re.compile(rb"\* (\d+) messages? (?:was|were) skipped in ")


def quantile(values, share):
    """In milliseconds; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6


class Peer:
    """A socket of the canaries' epoll, with the moment of the last byte it was given."""

    def __init__(self, address):
        unix = isinstance(address, str)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        if not unix:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.buffer = bytearray()
        self.out = bytearray()
        self.arrived = 0        # monotonic

    def fileno(self):
        return self.socket.fileno()

    def receive(self):
        """True while the stream goes on."""
        try:
            data, ancillary, _, _ = self.socket.recvmsg(1 << 17, 64)
        except BlockingIOError:
            return True
        except OSError:
            return False
        now = time.monotonic_ns()
        self.arrived = now
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(value) >= 16:
                seconds, nanoseconds = struct.unpack_from("qq", value)
                late = time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)
                if 0 <= late < 60_000_000_000:
                    self.arrived = now - late
        self.buffer += data
        return bool(data)

    def send(self, data):
        """False if the connection is gone. What the kernel does not take waits."""
        self.out += data
        try:
            sent = self.socket.send(self.out, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return True
        except OSError:
            return False
        del self.out[:sent]
        return True


class Canary(Peer):
    def __init__(self, flock, address, framing, form, nick, echo):
        super().__init__(address)
        self.flock, self.framing, self.form, self.nick, self.echo = flock, framing, form, nick, echo
        self.hears_itself = form == "plain" or (form == "event" and echo)
        self.closed = ""
        self.last_payload = b""
        self.number = 0                 # of what it said last, in each room by turns
        self.said = {room: 0 for room in flock.rooms}
        self.heard = {}                 # (room, nick) -> number
        self.next_id = {}               # room -> id
        self.gaps = self.lost = self.disorder = self.refused = 0
        self.notes = []
        self.pings = {}                 # token -> when it was sent
        self.ping_number = 0
        self.ready = False
        hello = {"event": f"/hello 1 nick={nick} echo={'on' if echo else 'off'}"}.get(form)
        opening = [hello] if hello else [f"/format {form}", f"/nick {nick}"]
        opening += [f"/join {room}" for room in flock.rooms] + ["/ping ready"]
        self.say_all(opening)

    def encode(self, text):
        data = text.encode()
        return struct.pack(">I", len(data)) + data if self.framing == "frame" else data + b"\n"

    def say_all(self, texts):
        if not self.send(b"".join(map(self.encode, texts))):
            self.close("cannot send")

    def note(self, text):
        if len(self.notes) < 5:
            self.notes.append(f"{self.nick}: {text}")

    def close(self, why):
        if not self.closed:
            self.closed = why + (f", last heard: {self.last_payload[:120].decode('utf-8', 'replace')}")
            self.note("closed: " + self.closed)
            self.flock.forget(self)

    def ping(self, now):
        self.ping_number += 1
        token = b"p%d" % self.ping_number
        self.pings[token] = now
        self.say_all([f"/ping p{self.ping_number}"])

    def say(self, now):
        room = self.flock.rooms[self.number % len(self.flock.rooms)]
        self.number += 1
        self.said[room] += 1
        self.flock.sent_at[(room.encode(), self.nick.encode(), self.said[room])] = now
        self.say_all([f"/say {room} siege {room} {self.nick} {self.said[room]}"])

    def on_readable(self):
        alive = self.receive()
        if self.framing == "line":
            at = self.buffer.rfind(b"\n")
            if at >= 0:
                payloads = bytes(self.buffer[:at]).split(b"\n")
                del self.buffer[:at + 1]
                for payload in payloads:
                    self.take(payload)
        else:
            at, buffer = 0, self.buffer
            while len(buffer) - at >= 4:
                size = int.from_bytes(buffer[at:at + 4], "big")
                if len(buffer) - at < 4 + size:
                    break
                self.take(bytes(buffer[at + 4:at + 4 + size]))
                at += 4 + size
            del buffer[:at]
        if not alive:
            self.close("end of stream")

    def take(self, payload):
        self.last_payload = payload
        if self.form == "event":
            self.take_event(payload)
        elif self.form == "plain":
            if payload.startswith(b"ping "):
                self.pong(payload[5:])
            elif REFUSED.match(payload):
                self.refuse(payload)
            else:
                self.hear(payload)
        elif payload.startswith(b"* pong "):
            self.pong(payload[7:])
        elif payload.startswith(b"["):
            self.hear(payload)
        elif payload.startswith(b"! "):
            self.refuse(payload)
        elif SKIPPED.match(payload):
            self.gaps += 1
            self.lost += int(SKIPPED.match(payload)[1])
            self.note(payload.decode("utf-8", "replace"))

    def take_event(self, payload):
        verb, _, rest = payload.partition(b" ")
        if verb in (b"msg", b"act"):
            fields = rest.split(b" ", 4)
            self.account(fields[0], int(fields[1]))
            if len(fields) > 4:
                self.hear(fields[4])
        elif verb == b"ok":
            fields = rest.split(b" ")
            if fields[0] == b"ping":
                self.pong(fields[1])
            elif fields[0] == b"say" and not self.echo:
                self.account(fields[1], int(fields[2]))
            elif fields[0] == b"join":
                self.next_id[fields[1]] = int(fields[4])
        elif verb == b"gap":
            room, first, last = rest.split(b" ")[:3]
            self.gaps += 1
            self.lost += int(last) - int(first) + 1
            self.next_id[room] = int(last) + 1
            self.note(payload.decode())
        elif verb == b"err":
            self.refuse(payload)
        elif verb == b"stale":
            self.gaps += 1
            self.note(payload.decode())

    def account(self, room, number):
        expected = self.next_id.get(room)
        if expected is not None and number != expected:
            if number > expected:
                self.lost += number - expected
            else:
                self.disorder += 1
            self.note(f"id {number} of {room.decode()} where {expected} was expected")
        self.next_id[room] = number + 1

    def refuse(self, payload):
        self.refused += 1
        self.note(payload[:200].decode("utf-8", "replace"))

    def pong(self, token):
        if token == b"ready":
            self.ready = True
            return
        sent = self.pings.pop(token, None)
        if sent is not None:
            self.flock.waits.append(max(0, self.arrived - sent))

    def hear(self, text):
        said = SAID.search(text)
        if said is None:
            return
        room, nick, number = said[1], said[2], int(said[3])
        key = (room, nick)
        last = self.heard.get(key, 0)
        if number > last + 1:
            self.lost += number - last - 1
            self.note(f"{nick.decode()} said {number} in {room.decode()}, {last} was the last heard")
        elif number <= last:
            self.disorder += 1
            self.note(f"{nick.decode()} said {number} in {room.decode()} after {last}")
        self.heard[key] = number
        sent = self.flock.sent_at.get((room, nick, number))
        if sent is not None:
            self.flock.hearing.append(max(0, self.arrived - sent))

    def missing(self):
        """How many messages of the others it has not heard."""
        total = 0
        for other in self.flock.canaries:
            if other is self and not self.hears_itself:
                continue
            for room, count in other.said.items():
                total += max(0, count - self.heard.get((room.encode(), other.nick.encode()), 0))
        return total


class Control(Peer):
    """The process that only sends back what it gets."""

    def __init__(self, flock, address):
        super().__init__(address)
        self.flock = flock
        self.sent = []

    def ping(self, now):
        self.sent.append(now)
        self.send(b"0123456789abcdef")

    def on_readable(self):
        if not self.receive():
            self.flock.forget(self)
        while len(self.buffer) >= 16 and self.sent:
            del self.buffer[:16]
            self.flock.control.append(max(0, self.arrived - self.sent.pop(0)))


class Newcomer(Peer):
    """Comes, enters a room, and goes."""

    def __init__(self, flock, address, began):
        self.flock, self.began, self.over = flock, began, False
        super().__init__(address)
        self.send(b"/hello 1\n/join %s\n" % flock.rooms[-1].encode())

    def finish(self, problem=""):
        if self.over:
            return
        self.over = True
        if problem:
            self.flock.kept_out.append(problem)
        else:
            self.flock.entering.append(max(0, self.arrived - self.began))
        self.flock.forget(self)

    def on_readable(self):
        alive = self.receive()
        for payload in bytes(self.buffer).split(b"\n"):
            if payload.startswith(b"ok join"):
                return self.finish()
            if payload.startswith((b"err", b"!", b"bye")) and b"\n" in self.buffer:
                return self.finish(payload.decode("utf-8", "replace")[:120])
        if not alive:
            self.finish("closed without a word")


class Flock:
    FORMS = (("frame", "plain"), ("frame", "human"), ("frame", "event"), ("line", "plain"), ("line", "human"), ("line", "event"))

    def __init__(self, address, unix, control, rooms):
        self.address, self.rooms = address, rooms
        self.epoll = select.epoll()
        self.by_descriptor = {}
        self.waits, self.hearing, self.control, self.late, self.entering, self.kept_out = [], [], [], [], [], []
        self.sent_at = {}
        self.newcomers = []
        self.canaries = []
        for index, (framing, form) in enumerate(self.FORMS):
            self.canaries.append(Canary(self, address, framing, form, f"canary{index}", echo=framing == "line"))
        if unix:
            self.canaries.append(Canary(self, unix, "frame", "plain", "canary6", echo=False))
            self.canaries.append(Canary(self, unix, "line", "event", "canary7", echo=False))
        self.mirror = Control(self, ("127.0.0.1", control)) if control else None
        for peer in [*self.canaries, *([self.mirror] if self.mirror else [])]:
            self.watch(peer)
        self.saying = False
        start = time.monotonic_ns()
        step = PING_NS // len(self.canaries)
        self.schedule = []      # [due, period, what]
        for index, canary in enumerate(self.canaries):
            self.schedule.append([start + index * step, PING_NS, canary.ping])
            self.schedule.append([start + index * step * 4 + step // 2, SAY_NS, canary.say])
        if self.mirror:
            self.schedule.append([start, PING_NS // 2, self.mirror.ping])
        self.schedule.append([start, NEWCOMER_NS, self.invite])

    def begin(self):
        for canary in self.canaries:
            canary.gaps = canary.lost = canary.disorder = canary.refused = 0
            canary.notes = []
        now, first = time.monotonic_ns(), self.schedule[0][0]
        for entry in self.schedule:
            entry[0] = now + (entry[0] - first) % entry[1]
        self.saying = True

    def watch(self, peer):
        self.by_descriptor[peer.fileno()] = peer
        self.epoll.register(peer.fileno(), select.EPOLLIN | select.EPOLLRDHUP)

    def forget(self, peer):
        if self.by_descriptor.pop(peer.fileno(), None) is not None:
            self.epoll.unregister(peer.fileno())
        peer.socket.close()

    def invite(self, now):
        try:
            newcomer = Newcomer(self, self.address, now)
        except OSError as error:
            self.kept_out.append(str(error))
            return
        self.newcomers.append(newcomer)
        self.watch(newcomer)

    def turn(self, wait_ns):
        """One look at everybody, at most so long."""
        now = time.monotonic_ns()
        due = min(entry[0] for entry in self.schedule) if self.saying else now + wait_ns
        for descriptor, _ in self.epoll.poll(max(0, min(wait_ns, due - now)) / 1e9):
            peer = self.by_descriptor.get(descriptor)
            if peer is not None:
                peer.on_readable()
        if self.saying:
            self.keep_schedule()
        now = time.monotonic_ns()
        for newcomer in self.newcomers:
            if not newcomer.over and now - newcomer.began > PATIENCE_NS:
                newcomer.finish("not let in within 2 s")
        self.newcomers = [newcomer for newcomer in self.newcomers if not newcomer.over]

    def keep_schedule(self):
        for entry in self.schedule:
            now = time.monotonic_ns()
            if entry[0] > now:
                continue
            self.late.append(now - entry[0])
            # A harness that stood still sends once, not for all it has missed: that would be a burst of its own making.
            entry[0] += entry[1] * max(1, (now - entry[0]) // entry[1])
            what = entry[2]
            owner = what.__self__
            if getattr(owner, "closed", ""):
                continue
            what(now)

    def until(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.turn(20_000_000)
        return True

    def report(self):
        now = time.monotonic_ns()
        # A ping that is still out counts with what it has waited so far.
        for canary in self.canaries:
            if not canary.closed:
                self.waits += [now - sent for sent in canary.pings.values() if now - sent > 50_000_000]
        figures = {
            "pings": len(self.waits),
            "ping_p50": quantile(self.waits, 0.5), "ping_p99": quantile(self.waits, 0.99), "ping_max": quantile(self.waits, 1),
            "hear_p99": quantile(self.hearing, 0.99), "hear_max": quantile(self.hearing, 1),
            "control_p99": quantile(self.control, 0.99), "control_max": quantile(self.control, 1),
            "late_p99": quantile(self.late, 0.99), "late_max": quantile(self.late, 1),
            "entered": len(self.entering), "enter_max": quantile(self.entering, 1),
            "kept_out": len(self.kept_out), "kept_out_why": self.kept_out[0] if self.kept_out else "",
            "closed": sum(bool(canary.closed) for canary in self.canaries),
            "gaps": sum(canary.gaps for canary in self.canaries),
            "lost": sum(canary.lost for canary in self.canaries),
            "disorder": sum(canary.disorder for canary in self.canaries),
            "refused": sum(canary.refused for canary in self.canaries),
            "said": sum(canary.number for canary in self.canaries),
            "notes": [note for canary in self.canaries for note in canary.notes][:6],
        }
        for samples in (self.waits, self.hearing, self.control, self.late, self.entering, self.kept_out):
            samples.clear()
        return figures

    def finish(self):
        """Nobody says more; what is on its way has to arrive."""
        self.saying = False
        self.until(lambda: all(canary.closed or not (canary.missing() or canary.pings) for canary in self.canaries), 6)
        figures = self.report()
        figures["lost"] += sum(canary.missing() for canary in self.canaries if not canary.closed)
        figures["unanswered"] = sum(len(canary.pings) for canary in self.canaries if not canary.closed)
        for canary in self.canaries:
            if canary.missing() and not canary.closed:
                figures["notes"].append(f"{canary.nick} never heard {canary.missing()} messages")
        return figures


def answer(what):
    print(json.dumps(what), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--unix", default="")
    parser.add_argument("--control", type=int, default=0)
    parser.add_argument("--rooms", default="perch,lobby")
    given = parser.parse_args()
    host, _, port = given.address.rpartition(":")
    gc.disable()
    flock = Flock((host, int(port)), given.unix, given.control, given.rooms.split(","))
    if not flock.until(lambda: all(canary.ready or canary.closed for canary in flock.canaries), 15):
        answer({"error": "the canaries do not get in"})
        return 1
    for canary in flock.canaries:
        if canary.closed:
            answer({"error": canary.closed})
            return 1
    flock.report()
    flock.begin()
    answer({"ready": True})
    os.set_blocking(0, False)
    commands = b""
    flock.epoll.register(0, select.EPOLLIN)
    while True:
        flock.turn(50_000_000)
        try:
            data = os.read(0, 4096)
        except BlockingIOError:
            continue
        if not data:
            return 0
        commands += data
        while b"\n" in commands:
            word, _, commands = commands.partition(b"\n")
            if word == b"mark":
                answer(flock.report())
            elif word == b"resume":
                flock.begin()
                answer({"ready": True})
            elif word == b"finish":
                answer(flock.finish())


if __name__ == "__main__":
    sys.exit(main())
