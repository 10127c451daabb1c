#!/usr/bin/env python3
"""Another program takes over with every connection: in place (SIGUSR2), by way of the service manager (SIGTERM with
--keep-connections), across versions of the state, and when it cannot be done."""

import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
import unittest

import roomd_harness as harness
from roomd_harness import DaemonTest, said, until

BEFORE = pathlib.Path(os.environ.get("ROOMD_BEFORE_BIN", harness.TOP / "build" / "roomd-before")).resolve()
AFTER = pathlib.Path(os.environ.get("ROOMD_AFTER_BIN", harness.TOP / "build" / "roomd-after")).resolve()

LISTEN = ("tcp://127.0.0.1:0", "unix:*", "udp://127.0.0.1:0?room=lobby")

# As in daemon/parcel.h; a form that never changes.
PARCEL_MAGIC = b"roomd parcel 1\n"


class Installed(DaemonTest):
    """A roomd at a path of its own, which another program can take."""

    listen = LISTEN

    def install(self, program=harness.ROOMD):
        self.directory = self.scratch()
        self.path = self.directory / "roomd"
        shutil.copy(program, self.path)

    def replace(self, program):
        """What is at the path now is `program` (a file, or a script's text), in one step."""
        new = self.directory / "new"
        if isinstance(program, pathlib.Path):
            shutil.copy(program, new)
        else:
            new.write_text(program)
            new.chmod(0o755)
        new.rename(self.path)

    def begin(self, options=(), listen_at=(), **more):
        return self.start(*listen_at, options=options, program=self.path, **more)

    def upgrade(self, daemon):
        """Once more, and over."""
        before = len([line for line in daemon.log() if " continued " in line])
        daemon.signal(signal.SIGUSR2)
        line = daemon.wait_for_line(r"\bcontinued\b", before + 1)
        self.assertIn("lost=0", line)
        daemon.wait_for_line(r"\bready\b", before + 2)
        return line

    def refused(self, daemon, count=1):
        daemon.signal(signal.SIGUSR2)
        return daemon.wait_for_line("upgrade_refused", count)


class Company:
    """One client of each kind, all in the lobby; says and hears so that nothing lost goes unnoticed."""

    def __init__(self, test, daemon):
        self.test = test
        self.event = test.event(daemon, "eve", join="lobby")
        self.unix = test.event(daemon, "uma", index=1, join="lobby")
        self.human = test.line(daemon)
        self.human.send("/nick hal")
        self.plain = test.frame(daemon, index=1)
        self.plain.send("/nick pia")
        self.event.await_one(lambda payload: payload.startswith("nick ") and payload.endswith(" pia"))
        self.number = 0

    def everybody(self):
        return {"eve": self.event, "uma": self.unix, "hal": self.human, "pia": self.plain}

    def talk(self, without=None):
        """Each says something, and all the others hear it, in order."""
        everybody = {name: client for name, client in self.everybody().items() if name != without}
        for name, speaker in everybody.items():
            self.number += 1
            text = f"{name} says {self.number}"
            speaker.send(text)
            for other, listener in everybody.items():
                if other != name:
                    listener.await_one(lambda payload, text=text: payload.endswith(text))

    def next_id(self):
        """The id that the lobby's next message gets."""
        return int(self.event.ask("/join lobby", "ok join lobby").split(" ")[5])


class InPlace(Installed):
    def test_everybody_talks_on_and_nothing_is_forgotten(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        company.talk()
        company.event.ask("/topic lobby all is well", "ok topic")
        pid, addresses, path = daemon.pid, daemon.addresses(), daemon.address(1)
        inode = os.stat(path).st_ino
        next_id, before = company.next_id(), company.event.stats()
        who = sorted(company.event.ask("/who lobby", "ok who").split(" ")[3:])
        self.upgrade(daemon)
        self.assertEqual(daemon.pid, pid)
        self.assertEqual(daemon.addresses()[-3:], addresses)  # the ports that the kernel chose, and the file
        self.assertEqual(os.stat(path).st_ino, inode)
        self.assertEqual(company.next_id(), next_id)
        self.assertEqual(sorted(company.event.ask("/who lobby", "ok who").split(" ")[3:]), who)
        self.assertIn("all is well", company.event.ask("/topic lobby", "ok topic"))
        after = company.event.stats()
        for name in ("accepted", "messages_said", "payloads", "bytes_read"):
            self.assertGreaterEqual(after[name], before[name], name)
        company.talk()
        company.event.send("/history lobby last=100")
        told = company.event.collect(lambda payload: payload.startswith("ok history"))
        ids = [said(payload)[1] for payload in told if payload.startswith("old ")]
        self.assertEqual(ids, list(range(1, len(ids) + 1)))
        self.assertGreaterEqual(len(ids), 8)
        for index in (0, 1):  # new ones come by the old sockets
            self.event(daemon, index=index, join="lobby")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"by datagram", daemon.address(2))
        company.human.await_one(lambda payload: payload.endswith("by datagram"))

    def test_half_a_payload_before_and_the_rest_after_are_one(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        frame = b"a frame in two halves"
        for cut in (1, 4, 9):
            data = struct.pack(">I", len(frame)) + frame
            company.event.send_bytes(data[:cut])
            company.human.send_bytes(b"a line in t")
            silent = self.raw(daemon)  # nobody knows yet what it speaks
            begun = self.raw(daemon)
            begun.send_bytes(b"\x00\x00")
            company.unix.ask("/ping 1", "ok ping")
            self.upgrade(daemon)
            company.event.send_bytes(data[cut:])
            company.human.send_bytes(b"wo halves\n")
            company.unix.await_each("a frame in two halves", "a line in two halves")
            silent.send_bytes(b"now a line\n")
            begun.send_bytes(b"\x00\x09and frame")
            company.unix.await_each("now a line", "and frame")
            silent.close()
            begun.close()

    def test_what_a_reader_has_read_half_of_goes_on(self):
        self.install()
        daemon = self.begin(options=("--queue-soft-bytes", "8388608", "--queue-bytes-max", "16777216"))
        company = Company(self, daemon)
        slow = self.event(daemon, "slow", index=1, receive_buffer_bytes=4096)
        slow.join("lobby")
        texts = [f"{number} " + "x" * 8000 for number in range(200)]
        for text in texts:
            company.event.send(text)
        company.unix.await_one(lambda payload: payload.endswith(texts[-1]))
        heard = [said(payload) for payload in slow.collect(lambda payload: said(payload) is not None)]
        heard = [entry for entry in heard if entry]
        self.upgrade(daemon)
        while heard[-1][3] != texts[-1]:
            payload = slow.receive()
            self.assertIsNotNone(payload)
            self.assertFalse(payload.startswith("gap "), payload)
            if said(payload):
                heard.append(said(payload))
        self.assertEqual([entry[3] for entry in heard], texts)

    def test_ten_times_in_a_row_under_talk(self):
        self.install()
        daemon = self.begin()
        listeners = [self.event(daemon, f"ear{index}", index=index % 2, join="lobby") for index in range(8)]
        speaker = self.event(daemon, "mouth", options="ack=off", join="lobby")
        talk = Talk(speaker, listeners)
        descriptors = []
        try:
            for _ in range(10):
                self.upgrade(daemon)
                descriptors.append(daemon.descriptors())
        finally:
            talk.finish()
        self.assertGreater(talk.said, 0)
        self.assertEqual(talk.wrong, [])
        self.assertEqual(talk.heard, [talk.said] * len(listeners))
        self.assertLessEqual(max(descriptors) - min(descriptors), 1, descriptors)  # none is left behind
        self.assertEqual(children_of(daemon.pid), [])


class Talk:
    """One speaks, others listen, each in a thread of its own, until finish(). The speaker never runs far ahead of who
    hears least: then what nobody hears was lost, and not skipped because somebody was slow."""

    AHEAD_MAX = 500

    def __init__(self, speaker, listeners):
        self.said = 0
        self.heard = [0] * len(listeners)  # each so many, from the first on, in order
        self.wrong = []
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._ears = [threading.Thread(target=self._hear, args=(index, listener), daemon=True)
                      for index, listener in enumerate(listeners)]
        self._mouth = threading.Thread(target=self._speak, args=(speaker,), daemon=True)
        for thread in (*self._ears, self._mouth):
            thread.start()

    def finish(self):
        self._over.set()
        for thread in (self._mouth, *self._ears):
            thread.join(harness.PATIENCE)

    def _speak(self, speaker):
        def wanted():
            return self.wrong or self.said - min(self.heard) < self.AHEAD_MAX

        while not self._over.is_set():
            with self._changed:
                if not self._changed.wait_for(wanted, harness.PATIENCE):
                    self.wrong.append(f"{self.said} said, and heard {self.heard}")
                if self.wrong:
                    break
            speaker.send(f"n {self.said}")
            self.said += 1
        speaker.send("the end")

    def _hear(self, index, listener):
        while True:
            payload = listener.receive()
            message = said(payload) if payload is not None else None
            if message and message[3] == "the end":
                return
            with self._changed:
                self._changed.notify()
                if message and message[3] == f"n {self.heard[index]}":
                    self.heard[index] += 1
                elif message or payload is None or payload.startswith("gap "):
                    self.wrong.append(f"ear{index} after {self.heard[index]}: {payload}")
                    return


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class Versions(Installed):
    def test_the_version_before_and_back_keep_all_but_the_counters(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        company.talk()
        next_id, before = company.next_id(), company.event.stats()
        self.assertGreater(before["messages_said"], 0)
        for program in (BEFORE, harness.ROOMD, BEFORE, BEFORE, harness.ROOMD):
            self.replace(program)
            self.upgrade(daemon)
            self.assertEqual(company.next_id(), next_id)
            company.talk()
            next_id = company.next_id()
        self.assertLess(company.event.stats()["accepted"], before["accepted"])  # version 1 does not know them

    def test_what_cannot_read_it_is_refused_and_everybody_stays(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        programs = [
            (AFTER, "reads from 3 on"),
            ("#!/bin/sh\nexit 1\n", "ended without a word"),
            ("#!/bin/sh\necho not today >&2\nexit 3\n", "not today"),
            ("#!/bin/sh\nexec >&- 2>&-\nkill -9 $$\n", "ended without a word"),
            ("no program at all", "cannot be run|ended without a word|not found|no: "),
        ]
        for count, (program, why) in enumerate(programs, 1):
            self.replace(program)
            self.assertRegex(self.refused(daemon, count), why)
            company.talk()
        self.path.chmod(0o644)
        self.replace(harness.ROOMD)
        self.path.chmod(0o644)
        self.assertRegex(self.refused(daemon, len(programs) + 1), "cannot be run")
        self.path.unlink()
        self.assertRegex(self.refused(daemon, len(programs) + 2), "cannot be run")
        company.talk()
        self.assertEqual(children_of(daemon.pid), [])
        self.replace(harness.ROOMD)
        self.upgrade(daemon)
        company.talk()

    def test_the_present_one_does_not_read_what_comes_after(self):
        self.install(AFTER)
        daemon = self.begin()
        company = Company(self, daemon)
        self.replace(harness.ROOMD)
        self.assertRegex(self.refused(daemon), "reads up to 2")
        company.talk()

    def test_a_program_that_hangs_is_ended(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        for count, script in enumerate(("#!/bin/sh\nexec sleep 1000\n", "#!/bin/sh\nexec >&- 2>&- sleep 1000\n"), 1):
            self.replace(script)
            daemon.signal(signal.SIGUSR2)
            until(lambda: children_of(daemon.pid), "it is asked")
            company.talk()  # meanwhile
            self.assertIn("has not answered in time", daemon.wait_for_line("upgrade_refused", count))
            self.assertEqual(children_of(daemon.pid), [])
            company.talk()


    def test_signals_around_it_lose_nobody(self):
        self.install()
        daemon = self.begin()
        company = Company(self, daemon)
        chance = random.Random(4)
        for _ in range(30):
            for _ in range(chance.randrange(1, 6)):
                daemon.signal(chance.choice((signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2)))
                threading.Event().wait(chance.random() * 0.01)
            company.talk()
        until(lambda: not children_of(daemon.pid), "nobody is asked any more")
        self.upgrade(daemon)
        company.talk()

    def test_whoever_is_told_to_end_meanwhile_ends_with_a_goodbye(self):
        self.install()
        chance = random.Random(5)
        for _ in range(12):
            daemon = self.begin()
            client = self.event(daemon, "eve", join="lobby")
            daemon.signal(signal.SIGUSR2)
            threading.Event().wait(chance.random() * 0.06)
            daemon.signal(signal.SIGTERM)
            client.await_one(lambda payload: payload.startswith("bye shutting_down"))
            client.close()
            self.assertEqual(daemon.wait(), 0)


class OtherWords(Installed):
    """The next program finds another configuration."""

    listen = ()

    def configure(self, *listen, rest=""):
        uris = ", ".join(f'"{uri}"' for uri in listen)
        (self.directory / "roomd.toml").write_text(f'admin = "{self.directory}/admin"\nlisten = [{uris}]\n{rest}')

    def begin(self, options=(), **more):
        return super().begin(options=("--config", str(self.directory / "roomd.toml"), *options), **more)

    def taken(self):
        """An address that somebody else has, as a URI."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        return f"tcp://127.0.0.1:{server.getsockname()[1]}"

    def waiting(self, **more):
        """A daemon that has taken over and waits for an address, and two who are connected."""
        self.configure("tcp://127.0.0.1:0", rest="bind_retry = 60\n")
        daemon = self.begin(**more)
        clients = [self.event(daemon, f"c{index}", join="lobby") for index in range(2)]
        self.configure(self.taken(), rest="bind_retry = 60\n")
        # An address that is taken before the upgrade refuses it: this one is so only after the question.
        self.replace('#!/bin/sh\nfor word; do case $word in --probe-word=*) echo "roomd-goes-on ${word#*=} 9.9.9 2"; exit 0;; esac;'
                     f' done\nexec {harness.ROOMD} "$@"\n')
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_line("bind_retry")
        return daemon, clients

    def test_whoever_ends_it_while_it_waits_for_an_address_ends_it_with_a_goodbye(self):
        def drain(_):
            with harness.LineClient(str(self.directory / "admin")) as hand:
                hand.ask("drain 0", "- nobody new")

        manager = Manager(self.scratch() / "notify")
        self.addCleanup(manager.close)
        keeping = {"options": ("--keep-connections",), "env": manager.environment()}
        ways = ((lambda daemon: daemon.signal(signal.SIGTERM), {}), (lambda daemon: daemon.signal(signal.SIGINT), {}),
                (lambda daemon: daemon.signal(signal.SIGTERM), keeping), (drain, {}))
        for end, more in ways:
            self.install()
            daemon, clients = self.waiting(**more)
            end(daemon)
            for client in clients:
                client.await_one(lambda payload: payload.startswith("bye shutting_down"))
                client.expect_end(self)
                client.close()
            self.assertEqual(daemon.wait(), 0)

    def test_an_upgrade_while_it_waits_for_an_address_is_refused(self):
        self.install()
        daemon, clients = self.waiting()
        self.assertIn("waits for an address", self.refused(daemon))
        self.configure("tcp://127.0.0.1:0")
        with harness.LineClient(str(self.directory / "admin")) as hand:
            hand.send("reload")
            self.assertIn("- nothing is open yet: the next attempt goes by this", hand.collect("ok reload"))
        daemon.wait_for_line(r"\bready\b", 2)
        clients[0].send("still here")
        clients[1].await_one(lambda payload: payload.endswith("still here"))
        self.upgrade(daemon)

    def held(self, daemon, path):
        """How many the kernel holds for the daemon while it does not look."""
        daemon.signal(signal.SIGSTOP)
        until(lambda: " T " in pathlib.Path(f"/proc/{daemon.pid}/stat").read_text(), "it stands still")
        callers = []
        try:
            while True:
                callers.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
                callers[-1].connect(str(path))
        except BlockingIOError:
            return len(callers) - 1
        finally:
            for caller in callers:
                caller.close()
            daemon.signal(signal.SIGCONT)

    def test_a_socket_file_gets_the_mode_and_the_backlog_that_are_configured_now(self):
        self.install()
        path = self.directory / "chat"
        before = None
        for mode, backlog in (("0600", 3), ("0666", 9), ("0660", 1)):
            self.configure(f"unix:{path}?mode={mode}", rest=f"[limits]\nlisten_backlog = {backlog}\n")
            if before is None:
                daemon = self.begin()
                eve = self.event(daemon, "eve", join="lobby")
                before = os.stat(path).st_ino
            else:
                self.upgrade(daemon)
            self.assertEqual(os.stat(path).st_mode & 0o777, int(mode, 8))
            self.assertEqual(os.stat(path).st_ino, before)
            self.assertEqual(self.held(daemon, path), backlog + 1)
            eve.ask("/ping x", "ok ping x")

    def given(self, name):
        """A daemon that is handed a listening socket which nobody else keeps, and where that listens."""
        server = socket.create_server(("127.0.0.1", 0))
        address, fd = server.getsockname(), server.fileno()
        script = f'exec 3<&{fd}; [ {fd} = 3 ] || exec {fd}<&-; LISTEN_PID=$$ exec "$@"'
        with server:
            daemon = self.begin(env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": name}, pass_fds=(fd,),
                                prefix=("bash", "-c", script, "bash"))
        return daemon, address

    def test_a_socket_that_nobody_wanted_is_there_for_the_next_configuration(self):
        self.install()
        self.configure("tcp://127.0.0.1:0")
        daemon, address = self.given("spare")
        self.assertIn("kept for an upgrade", daemon.wait_for_line("inherited_unused"))
        self.configure("fd:spare")
        self.upgrade(daemon)
        self.keep(harness.EventClient(address, "ann", join="lobby")).ask("hello", "ok say lobby 1")

    def test_whoever_comes_to_a_socket_that_was_handed_over_is_refused_once_it_drains(self):
        self.install()
        for name, listen in (("chat", "fd:chat"), ("spare", "tcp://127.0.0.1:0")):
            self.configure(listen)
            daemon, address = self.given(name)
            client = self.event(daemon, "eve", join="lobby")
            with harness.LineClient(str(self.directory / "admin")) as hand:
                hand.ask("drain 30m", "- left 1")
            with socket.socket() as late, self.assertRaises(ConnectionRefusedError):
                late.connect(address)
            client.ask("/ping x", "ok ping x")
            daemon.signal(signal.SIGINT)
            client.await_one(lambda payload: payload.startswith("bye "))
            client.close()
            self.assertEqual(daemon.wait(), 0)


class Manager:
    """A service manager's end of sd_notify(3): keeps descriptors, does not (`full`), does not even answer (`deaf`), or
    does when answer() is called (`late`)."""

    def __init__(self, path, kind="keeps"):
        self.path, self.kind = str(path), kind
        self.kept, self.messages = {}, []
        self.unanswered = []
        self.settled = threading.Semaphore(0)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            data, passed, _, _ = socket.recv_fds(self.socket, 4096, 4)
            fields = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
            if "OVER" in fields:
                return
            if "SETTLE" in fields:
                self.settled.release()
                continue
            self.messages.append(fields)
            if fields.get("FDSTORE") == "1" and self.kind != "full":
                self.kept[fields["FDNAME"]] = passed.pop()
            if fields.get("FDSTOREREMOVE") == "1" and fields["FDNAME"] in self.kept:
                os.close(self.kept.pop(fields["FDNAME"]))
            if "BARRIER" in fields and self.kind in ("deaf", "late"):
                self.unanswered += passed
                continue
            for fd in passed:
                os.close(fd)

    def say(self, data):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(data, self.path)

    def settle(self):
        """Returns itself once it has heard whatever was sent to it before: datagrams stay in order."""
        self.say(b"SETTLE=1")
        if not self.settled.acquire(timeout=harness.PATIENCE):
            raise AssertionError("the manager has stopped listening")
        return self

    def answer(self):
        while self.unanswered:
            os.close(self.unanswered.pop())

    def environment(self):
        return {"NOTIFY_SOCKET": self.path}

    def take(self, name="roomd-parcel"):
        return self.kept.pop(name)

    def close(self):
        self.say(b"OVER=1")
        self.thread.join(harness.PATIENCE)
        for fd in (*self.kept.values(), *self.unanswered):
            os.close(fd)
        self.socket.close()


class Parcel:
    """What is in a parcel, taken out of one that a real roomd has packed."""

    def __init__(self, receiver):
        with socket.socket(fileno=receiver) as end:
            header, (state,), _, _ = socket.recv_fds(end, 4096, 253)
            assert header.startswith(PARCEL_MAGIC), header
            size = os.fstat(state).st_size
            self.state = os.pread(state, size, 0)
            os.close(state)
            (wanted,) = struct.unpack("<I", header[len(PARCEL_MAGIC):])
            self.farewells, self.sockets = b"", []
            while len(self.sockets) < wanted:
                words, passed, _, _ = socket.recv_fds(end, 4096, 253)
                self.farewells += words
                self.sockets += passed

    def pack(self, state, count=None):
        """Once more, with another state and only the first `count` of the sockets. Returns the receiving end."""
        memory = os.memfd_create("state")
        os.write(memory, state)
        sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(sender, [PARCEL_MAGIC + struct.pack("<I", len(self.sockets))], [memory])
        for start in range(0, len(self.sockets) if count is None else count, 253):
            end = min(start + 253, len(self.sockets) if count is None else count)
            socket.send_fds(sender, [self.farewells[start:end]], self.sockets[start:end])
        os.close(memory)
        for fd in self.sockets:
            os.close(fd)
        sender.close()
        return receiver


class ByStore(Installed):
    options = ("--keep-connections",)

    def manager(self, kind="keeps"):
        manager = Manager(self.scratch() / "notify", kind)
        self.addCleanup(manager.close)
        return manager

    def first(self, manager, *more):
        self.install()
        self.uris = tuple(uri.replace("unix:*", f"unix:{self.directory}/s") for uri in LISTEN)
        return self.begin(options=(*self.options, *more), env=manager.environment(), listen_at=self.uris)

    def next_one(self, manager, receiver):
        """As systemd starts it: the descriptor is number 3, and named."""
        high = os.dup(receiver) if isinstance(receiver, int) else os.dup(receiver.fileno())
        os.close(receiver) if isinstance(receiver, int) else receiver.close()
        script = f'exec 3<&{high}; [ {high} = 3 ] || exec {high}<&-; LISTEN_PID=$$ exec "$@"'
        env = {**manager.environment(), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "roomd-parcel"}
        try:
            return self.begin(options=self.options, listen_at=self.uris, env=env, pass_fds=(high,),
                              prefix=("bash", "-c", script, "bash"))
        finally:
            os.close(high)

    def hand_over(self, daemon, manager, told=False):
        if not told:
            daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)
        self.assertIn("roomd-parcel", manager.settle().kept, "\n".join(daemon.log()))
        return manager.take()

    def test_the_next_process_goes_on_with_everybody(self):
        manager = self.manager()
        daemon = self.first(manager)
        company = Company(self, daemon)
        company.event.send_bytes(struct.pack(">I", 9) + b"half")
        addresses = daemon.addresses()
        for times in range(1, 4):
            company.human.send("before")
            company.unix.await_one(lambda payload: payload.endswith(" before"))
            daemon = self.next_one(manager, self.hand_over(daemon, manager))
            self.assertIn("lost=0", daemon.wait_for_line(r"\bcontinued\b"))
            self.assertEqual(daemon.addresses(), addresses)
            removed = {"FDSTOREREMOVE": "1", "FDNAME": "roomd-parcel"}
            self.assertEqual(manager.settle().messages.count(removed), times)
            company.human.send("after")
            company.unix.await_one(lambda payload: payload.endswith(" after"))
        company.event.send_bytes(b" said")
        company.human.await_one(lambda payload: payload.endswith("half said"))
        company.talk()
        self.event(daemon, join="lobby")
        self.event(daemon, index=1, join="lobby")

    def expect_goodbyes(self, company, text):
        self.assertRegex(company.event.await_one(lambda payload: payload.startswith("bye ")), text)
        self.assertRegex(company.unix.await_one(lambda payload: payload.startswith("bye ")), text)
        for client in company.everybody().values():
            self.assertRegex(client.rest().decode(errors="replace"), text if client in (company.human, company.plain) else "^$")

    def test_a_manager_that_keeps_nothing_means_a_goodbye(self):
        manager = self.manager("full")
        daemon = self.first(manager)
        company = Company(self, daemon)
        daemon.signal(signal.SIGTERM)
        self.expect_goodbyes(company, "going down")
        self.close_all(company)
        self.assertEqual(daemon.wait(), 0)
        daemon.wait_for_line("FileDescriptorStoreMax=")

    def test_a_manager_that_does_not_answer_means_a_goodbye(self):
        manager = self.manager("deaf")
        daemon = self.first(manager)
        company = Company(self, daemon)
        daemon.signal(signal.SIGTERM)
        until(lambda: any("BARRIER" in message for message in manager.messages), "it waits for the manager")
        daemon.signal(signal.SIGHUP)  # is no answer
        daemon.signal(signal.SIGUSR1)
        self.expect_goodbyes(company, "going down")
        self.close_all(company)
        self.assertEqual(daemon.wait(), 0)
        daemon.wait_for_line("does not answer")
        self.assertEqual(manager.settle().kept, {})

    def test_a_signal_while_the_manager_thinks_is_no_answer(self):
        manager = self.manager("late")
        daemon = self.first(manager)
        company = Company(self, daemon)
        daemon.signal(signal.SIGTERM)
        until(lambda: manager.unanswered, "it waits for the manager")
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
            daemon.signal(number)
        with self.assertRaises(subprocess.TimeoutExpired):
            daemon.wait(0.2)
        manager.kind = "keeps"
        manager.answer()
        self.assertEqual(daemon.wait(), 0)
        self.next_one(manager, manager.take())
        company.talk()

    @harness.unless_sanitized("memory under AddressSanitizer says nothing of roomd's")
    def test_a_large_state_is_written_in_pieces(self):
        rooms, messages, size = 40, 16, 60_000
        manager = self.manager("late")
        daemon = self.first(manager)
        speaker = self.event(daemon, "eve", index=1)
        for room in range(rooms):
            speaker.ask(f"/join r{room}", f"ok join r{room}")
            for message in range(messages):
                speaker.send(f"/say r{room} {message} {'x' * size}")
            speaker.ask("/ping said", "ok ping said")
        pathlib.Path(f"/proc/{daemon.pid}/clear_refs").write_text("5", encoding="ascii")  # the mark begins at what is there
        before = harness.peak_resident_bytes(daemon.pid)
        daemon.signal(signal.SIGTERM)
        until(lambda: manager.unanswered, "it waits for the manager")
        grown = harness.peak_resident_bytes(daemon.pid) - before
        self.assertLess(grown, rooms * messages * size // 4)
        manager.kind = "keeps"
        manager.answer()
        self.assertEqual(daemon.wait(), 0)
        parcel = Parcel(manager.take())
        self.assertGreater(len(parcel.state), rooms * messages * size)
        daemon = self.next_one(manager, parcel.pack(parcel.state))
        daemon.wait_for_line(r"\bcontinued\b")
        speaker.send(f"/history r{rooms - 1} last=1")
        self.assertEqual(len(speaker.await_one(lambda payload: payload.startswith("old "))) // size, 1)

    @staticmethod
    def close_all(company):
        for client in company.everybody().values():
            client.close()

    def test_whoever_asks_twice_or_interrupts_gets_an_end(self):
        manager = self.manager()
        for signals in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)):
            daemon = self.first(manager)
            company = Company(self, daemon)
            self.replace("#!/bin/sh\nexec sleep 1000\n")
            for number in signals:
                daemon.signal(number)
                if number is not signals[-1]:
                    until(lambda daemon=daemon: children_of(daemon.pid), "the next one is asked")
            self.expect_goodbyes(company, "going down")
            self.close_all(company)
            self.assertEqual(daemon.wait(), 0)
            self.assertEqual(manager.settle().kept, {})

    def test_an_upgrade_that_is_asked_becomes_a_restart_if_that_is_wanted(self):
        manager = self.manager()
        daemon = self.first(manager)
        company = Company(self, daemon)
        go_on = self.directory / "go on"
        self.replace(f"#!/bin/sh\nwhile ! [ -e '{go_on}' ]; do sleep 0.01; done\nexec {harness.ROOMD} \"$@\"\n")
        daemon.signal(signal.SIGUSR2)
        until(lambda: children_of(daemon.pid), "the next one is asked")
        daemon.signal(signal.SIGTERM)
        go_on.touch()
        daemon = self.next_one(manager, self.hand_over(daemon, manager, told=True))
        daemon.wait_for_line(r"\bcontinued\b")
        company.talk()

    def test_when_some_sockets_are_missing_the_others_go_on(self):
        for last in (None, "pia"):  # a listener's, which is opened anew; and all behind the third connection's
            manager = self.manager()
            daemon = self.first(manager)
            company = Company(self, daemon)
            parcel = Parcel(self.hand_over(daemon, manager))
            wanted = len(parcel.sockets)
            count = 3 if last else wanted - 1
            daemon = self.next_one(manager, parcel.pack(parcel.state, count))
            self.assertIn(f"{count} of {wanted}", daemon.wait_for_line("not_all_continued"))
            self.assertIn("connections=3 lost=1" if last else "connections=4 lost=0", daemon.wait_for_line(r"\bcontinued\b"))
            if last:
                company.plain.expect_end(self)
                self.assertNotIn(last, company.event.ask("/who lobby", "ok who"))
            company.talk(without=last)
            for index in (0, 1):
                self.event(daemon, index=index, join="lobby")

    def damaged(self, damage, why):
        manager = self.manager()
        daemon = self.first(manager)
        company = Company(self, daemon)
        parcel = Parcel(self.hand_over(daemon, manager))
        daemon = self.next_one(manager, parcel.pack(damage(parcel.state)))
        self.assertRegex(daemon.wait_for_line("not_continued"), why)
        self.expect_goodbyes(company, "could not keep your connection")
        self.assertNotIn(" continued ", "\n".join(daemon.log()))
        stats = self.event(daemon, "new", index=1, join="lobby").stats()
        self.assertEqual(stats["connections"], 1)
        self.assertEqual(stats["rooms"], 1)

    def test_a_state_that_was_cut_loads_nothing_and_everybody_is_told(self):
        self.damaged(lambda state: state[:len(state) // 2], "checksum")

    def test_a_state_that_was_damaged_loads_nothing_and_everybody_is_told(self):
        middle = lambda state: len(state) // 2
        self.damaged(lambda state: state[:middle(state)] + bytes([state[middle(state)] ^ 1]) + state[middle(state) + 1:],
                     "checksum")

    def test_what_is_no_state_loads_nothing_and_everybody_is_told(self):
        self.damaged(lambda _: b"#!/bin/sh", "no state of a roomd")

    def test_what_is_no_parcel_is_no_reason_not_to_start(self):
        manager = self.manager()
        self.install()
        self.uris = ("tcp://127.0.0.1:0",)
        sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sender.send(b"something else")
        daemon = self.next_one(manager, receiver)
        sender.close()
        self.assertIn("no parcel", daemon.wait_for_line("not_continued"))
        self.event(daemon, join="lobby")

    def test_an_empty_parcel_is_silence(self):
        manager = self.manager()
        self.install()
        self.uris = ("tcp://127.0.0.1:0",)
        sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sender.close()
        daemon = self.next_one(manager, receiver)
        self.assertNotIn("continued", "\n".join(daemon.log()))
        self.event(daemon, join="lobby")


if __name__ == "__main__":
    unittest.main()
