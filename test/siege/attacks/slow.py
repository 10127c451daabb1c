"""Readers that are slow, each in its own way. Who reads steadily is not stalled, however slowly; who does not read hurts only itself."""

import os
import re
import signal
import socket
import time

from attack import Attack, must, register
from peers import Client, Crowd, events, line, reset

RATES = (2_000, 5_000, 20_000, 40_000, 80_000)


class SteadyReader:
    """A member by events that reads `rate` bytes a second, and accounts for every id."""

    def __init__(self, address, room, rate, receive_buffer):
        self.rate, self.room = rate, room
        self.client = events(address, f"steady{rate}", framing="line", receive_buffer=receive_buffer)
        answer = self.client.ask(f"/join {room}", "ok join")
        must(answer, "a reader does not get in")
        self.expected = int(answer.split(" ")[4])
        self.buffer = bytearray()
        self.next_read = time.monotonic()
        self.messages = self.gaps = self.holes = self.bytes = 0
        self.closed = ""
        self.client.socket.setblocking(False)

    def turn(self, now):
        if now >= self.next_read:
            self.next_read = now + 0.1
            self.read(int(self.rate / 10))

    def drain(self):
        """As fast as it can, once."""
        self.read(1 << 20)

    def read(self, size):
        if self.closed:
            return
        try:
            data = self.client.socket.recv(size)
        except BlockingIOError:
            return
        except OSError as error:
            data, self.closed = b"", repr(error)
        if not data:
            self.closed = self.closed or f"end of stream, last: {bytes(self.buffer[-80:])!r}"
            return
        self.bytes += len(data)
        self.buffer += data
        *payloads, self.buffer = self.buffer.split(b"\n")
        for payload in payloads:
            fields = payload.split(b" ", 4)
            if fields[0] == b"msg":
                number = int(fields[2])
                self.holes += number != self.expected
                self.expected = number + 1
                self.messages += 1
            elif fields[0] == b"gap":
                self.holes += int(fields[2]) != self.expected
                self.expected = int(fields[3]) + 1
                self.gaps += 1


class SteadySlow(Attack):
    name = "steady_slow"
    rule = "readers at 20, 40 and 80 kB/s in a busy room are not closed, and hear every message or its gap"
    # A patience shorter than the attack. On loopback a window opens in leaps of 16 KiB: slower readers than these would look
    # stalled within it, so 2 and 5 kB/s belong to the default limits and the long form.
    rates = RATES[2:]
    options = ("--stalled-ms-max", "3000", "--queue-soft-ms", "1000")
    canaries_in = ("perch", "nest")
    receive_buffer = 4096
    short = 9.0
    long = 90.0

    def run(self, field):
        readers = [SteadyReader(field.address, "busy", rate, self.receive_buffer) for rate in self.rates]
        with events(field.address, "pub", "busy", framing="frame") as speaker:
            speaker.send("/hello 1 ack=off")
            said, end, next_say = 0, field.deadline(), time.monotonic()
            while time.monotonic() < end:
                now = time.monotonic()
                if now >= next_say:     # 600 kB/s
                    next_say = now + 0.1
                    speaker.send(*["/say busy " + "y" * 1000] * 60)
                    said += 60
                for reader in readers:
                    reader.turn(now)
                time.sleep(0.005)
            speaker.send("/say busy last")
            # All that still waits for them, as fast as they can.
            end = time.monotonic() + 15
            while time.monotonic() < end and any(not reader.closed and reader.expected <= said + 1 for reader in readers):
                for reader in readers:
                    reader.drain()
                time.sleep(0.001)
        for reader in readers:
            must(not reader.closed, f"the reader at {reader.rate / 1000:g} kB/s was closed: {reader.closed}")
            must(reader.holes == 0, f"the reader at {reader.rate / 1000:g} kB/s has {reader.holes} holes without a gap")
            must(reader.expected > said + 1, f"the reader at {reader.rate / 1000:g} kB/s heard up to {reader.expected - 1} of {said + 1}")
        return ", ".join(f"{reader.messages}+{reader.gaps} gaps" for reader in readers)


class SteadySlowLong(SteadySlow):
    name = "steady_slow_default"
    rule = "readers at 2, 5, 20, 40 and 80 kB/s, with the limits that roomd comes with, for longer than any patience of it"
    rates = RATES
    options = ()
    only_long = True


class WaitRoom(Attack):
    name = "steady_slow_wait_room"
    rule = "in a room of policy `wait` steady readers lose nothing"
    config = '[[room]]\nname = "pipe"\nslow = "wait"\n'
    options = ("--stalled-ms-max", "3000")
    canaries_in = ("perch", "nest")
    short = 6.0
    long = 60.0

    def run(self, field):
        readers = [SteadyReader(field.address, "pipe", rate, 4096) for rate in RATES[2:]]
        speaker = events(field.address, "pub", "pipe", framing="frame")
        speaker.send("/hello 1 ack=off")
        speaker.socket.setblocking(False)
        blob = b"".join(len(text).to_bytes(4, "big") + text for text in [b"/say pipe " + b"w" * 1000] * 10)
        pending, said, end = b"", 0, field.deadline()
        while time.monotonic() < end or pending:
            if not pending and time.monotonic() < end:
                pending, said = blob, said + 10
            try:
                pending = pending[speaker.socket.send(pending):]
            except BlockingIOError:
                pass
            late = time.monotonic() > end
            must(time.monotonic() < end + 15, "what is said does not get through")
            for reader in readers:
                reader.drain() if late else reader.turn(time.monotonic())
            time.sleep(0.001)
        end = time.monotonic() + 15
        while time.monotonic() < end and any(not reader.closed and reader.expected <= said for reader in readers):
            for reader in readers:
                reader.drain()
            time.sleep(0.001)
        for reader in readers:
            must(not reader.closed, f"the reader at {reader.rate / 1000:g} kB/s was closed: {reader.closed}")
            must(reader.gaps == reader.holes == 0, f"the reader at {reader.rate / 1000:g} kB/s lost messages")
            must(reader.messages == said, f"the reader at {reader.rate / 1000:g} kB/s heard {reader.messages} of {said}")
        return f"{said} messages"


class WaitRoomSilent(Attack):
    name = "wait_room_stopped"
    rule = "who stops reading in a `wait` room is closed in its time, and holds up nobody elsewhere"
    config = '[[room]]\nname = "pipe"\nslow = "wait"\n'
    options = ("--stalled-ms-max", "2000")
    short = 5.0

    def run(self, field):
        deaf = events(field.address, "deaf", "pipe", receive_buffer=4096)
        speaker = Crowd(field.address, 3, blob=line("w" * 1000) * 30, prelude=b"/format human\n/join pipe\n").open()
        speaker.drive(field.seconds)
        must(speaker.ended == 0, "a speaker was closed")
        speaker.close()
        return f"{speaker.sent / 1e6:.0f} MB said; the deaf one has {len(deaf.rest(5))} lines"


class Stalled(Attack):
    name = "stalled_readers"
    rule = "300 who never read, in the room where the canaries talk, cost those nothing (F18)"
    short = 3.0

    def run(self, field):
        crowd = Crowd(field.address, 300, blob=b"/hello 1\n/join lobby\n", repeat=False, read="never", receive_buffer=4096).open()
        crowd.drive(0.5)
        end = field.deadline()
        with events(field.address, "pub", "lobby") as speaker:
            while time.monotonic() < end:
                speaker.send(*["/say lobby " + "s" * 2000] * 20)
                speaker.send("/ping s")
                must(speaker.until("ok ping s", 10), "the speaker is not answered")
                crowd.drive(0.05)
        crowd.close()


class SlowInLobby(Attack):
    name = "slow_reader_in_lobby"
    rule = "a reader at 1 kB/s loses what is its own, in gaps, and is not closed (F19)"
    options = ("--stalled-ms-max", "3000", "--queue-soft-ms", "1000")
    short = 4.0

    def run(self, field):
        reader = SteadyReader(field.address, "lobby", 1000, 4096)
        end = field.deadline()
        with events(field.address, "pub", "lobby") as speaker:
            while time.monotonic() < end:
                speaker.send(*["/say lobby " + "s" * 2000] * 20)
                speaker.send("/ping s")
                must(speaker.until("ok ping s", 10), "the speaker is not answered")
                for _ in range(10):
                    reader.turn(time.monotonic())
                    time.sleep(0.01)
        must(not reader.closed, f"it was closed: {reader.closed}")
        reader.client.close()


class OnAndOff(Attack):
    name = "reads_now_and_then"
    rule = "a reader that pauses for just less than a limit, again and again, stays and misses nothing (F20)"
    options = ("--stalled-ms-max", "2000", "--queue-soft-ms", "1500")
    canaries_in = ("perch", "nest")
    short = 6.0

    def run(self, field):
        reader = SteadyReader(field.address, "busy", 1, 0)
        end, said, phase = field.deadline(), 0, time.monotonic()
        with events(field.address, "pub", "busy", framing="frame") as speaker:
            speaker.send("/hello 1 ack=off")
            while time.monotonic() < end:
                speaker.send(*["/say busy " + "o" * 1000] * 20)
                said += 20
                time.sleep(0.05)
                if time.monotonic() - phase > 1.2:
                    phase = time.monotonic()
                    for _ in range(40):
                        reader.drain()
            end = time.monotonic() + 10
            while time.monotonic() < end and not reader.closed and reader.expected <= said:
                reader.drain()
                time.sleep(0.001)
        must(not reader.closed, f"it was closed: {reader.closed}")
        must(reader.holes == 0 and reader.messages == said, f"it heard {reader.messages} of {said} messages, {reader.gaps} gaps")


class ClosedWindow(Attack):
    name = "window_closed_then_reset"
    rule = "readers with a closed window that reset are gone without a word to anybody else (F21, F22)"
    short = 4.0

    def run(self, field):
        end, rounds = field.deadline(), 0
        with events(field.address, "pub", "lobby") as speaker:
            while time.monotonic() < end:
                crowd = Crowd(field.address, 150, blob=b"/hello 1\n/join lobby\n", repeat=False, read="never", receive_buffer=4096).open()
                crowd.drive(0.1)
                speaker.send(*["/say lobby " + "s" * 2000] * 30)
                speaker.send("/ping s")
                must(speaker.until("ok ping s", 10), "the speaker is not answered")
                crowd.close(reset)
                rounds += 1
        return f"{rounds} times 150"


class LeaveCascade(Attack):
    name = "leave_cascade"
    rule = "members of 49 shared rooms that all end at once are told once each, in bounded steps (F23)"
    short = 2.0

    def run(self, field):
        rooms = "".join(f"/join shared{index}\n" for index in range(49)).encode()
        end, rounds = field.deadline(), 0
        while time.monotonic() < end:
            crowd = Crowd(field.address, 60, blob=b"/hello 1\n" + rooms, repeat=False).open()
            crowd.drive(0.4)
            crowd.close(reset if rounds % 2 else socket.socket.close)
            rounds += 1
        return f"{rounds} times 60"


class ReadOnly(Attack):
    name = "reader_shut_for_reading"
    rule = "clients that have shut their reading side are no trouble to anybody (F32)"
    short = 2.0

    def run(self, field):
        lurkers = [Client(field.address) for _ in range(50)]
        for lurker in lurkers:
            lurker.send("/nick l%d" % lurker.socket.getsockname()[1], "/join lobby")
            lurker.socket.shutdown(socket.SHUT_RD)
        end = field.deadline()
        with events(field.address, "pub", "lobby") as speaker:
            while time.monotonic() < end:
                speaker.send(*["/say lobby " + "s" * 2000] * 20, "/ping s")
                must(speaker.until("ok ping s", 10), "the speaker is not answered")
                time.sleep(0.05)
        for lurker in lurkers:
            lurker.close()


class StoppedClient(Attack):
    name = "client_stopped"
    rule = "a client process that is stopped and goes on later costs nobody anything (F33)"
    short = 2.0

    def run(self, field):
        pid = os.fork()
        if pid == 0:
            client = events(field.address, "frozen", "lobby")
            while client.get(30) is not Client.END:
                pass
            os._exit(0)
        time.sleep(0.5)
        os.kill(pid, signal.SIGSTOP)
        end = field.deadline()
        with events(field.address, "pub", "lobby") as speaker:
            while time.monotonic() < end:
                speaker.send(*["/say lobby " + "s" * 2000] * 20, "/ping s")
                must(speaker.until("ok ping s", 10), "the speaker is not answered")
                time.sleep(0.05)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


register(SteadySlow(), SteadySlowLong(), WaitRoom(), WaitRoomSilent(), Stalled(), SlowInLobby(), OnAndOff(), ClosedWindow(),
         LeaveCascade(), ReadOnly(), StoppedClient())
