"""`room` as people run it: at the end of a pipe, before a file, at a terminal."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
import unittest

from roomd_harness import DaemonTest, PATIENCE, ROOM, SANITIZER_REPORT, environment, peak_resident_bytes, said


def address_text(address):
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


def run_room(address, *arguments, stdin=b"", **more):
    """Runs room to its end with `stdin` (bytes, or an open file)."""
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    result = subprocess.run([str(ROOM), address_text(address), *arguments], capture_output=True, env=environment(),
                            timeout=PATIENCE, check=False, **given, **more)
    assert not SANITIZER_REPORT.search(result.stderr.decode("utf-8", "replace")), result.stderr
    return result


class Terminal:
    """room at a terminal of its own, with somebody typing."""

    def __init__(self, address, *arguments):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [str(ROOM), address_text(address), *arguments], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=environment(), start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.screen = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def await_text(self, text):
        """Waits until the terminal shows `text` behind what was awaited before; returns all up to it."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.screen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"never showed {text!r}: {self.screen!r}")
            self.screen += os.read(self.master, 65536).decode("utf-8", "replace")
        end = self.screen.index(text) + len(text)
        seen, self.screen = self.screen[:end], self.screen[end:]
        return seen

    def wait(self):
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def one_answer(answer):
    """A server that is not roomd: says `answer` to whoever comes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            peer = listener.accept()[0]
            peer.recv(100)
            peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(1000):
                pass
            peer.close()
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield listener.getsockname()
        server.join(PATIENCE)


class PipeTest(DaemonTest):

    def test_every_line_is_said_as_it_is_and_then_it_leaves(self):
        daemon = self.start()
        listener = self.event(daemon, "ear", join="lobby")
        result = run_room(daemon.address(), stdin=b"one\n\n/etc/passwd\r\nquit\n//x\nlast")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        heard = [said(payload)[3] for payload in listener.collect(lambda payload: payload.endswith(" last"))
                 if said(payload)]
        self.assertEqual(heard, ["one", "/etc/passwd", "quit", "//x", "last"])
        self.assertRegex(listener.receive(), "^part lobby guest-")

    def test_a_large_file_is_said_whole_and_in_order(self):
        daemon = self.start()
        listener = self.event(daemon, "ear", join="big")
        count = 20_000
        with tempfile.TemporaryFile() as file:
            file.write(b"".join(b"line %d\n" % number for number in range(count)))
            file.seek(0)
            heard = []

            def listen():
                heard.extend(listener.collect(lambda payload: payload.endswith(f" line {count - 1}")))

            ear = threading.Thread(target=listen, daemon=True)
            ear.start()
            result = run_room(daemon.address(), "-r", "big", stdin=file)
            ear.join(PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual([said(payload)[3] for payload in heard if said(payload)],
                         [f"line {number}" for number in range(count)])

    def test_a_large_input_is_never_held_whole(self):
        daemon = self.start()
        megabytes = 64
        process = subprocess.Popen([str(ROOM), address_text(daemon.address())], stdin=subprocess.PIPE,
                                   env=environment())
        megabyte = (b"x" * 1023 + b"\n") * 1024
        for _ in range(megabytes):
            process.stdin.write(megabyte)
        process.stdin.flush()
        resident = peak_resident_bytes(process.pid)  # all but what a pipe holds has gone through it
        process.stdin.close()
        self.assertEqual(process.wait(PATIENCE), 0)
        if b"__asan_init" not in ROOM.read_bytes():  # which keeps what was freed
            self.assertLess(resident, megabytes * 1024 * 1024 // 2)

    def test_an_empty_input_is_no_failure(self):
        daemon = self.start()
        with open(os.devnull, "rb") as nothing:
            self.assertEqual(run_room(daemon.address(), stdin=nothing).returncode, 0)
        self.assertEqual(run_room(daemon.address(), stdin=b"").returncode, 0)
        closed = subprocess.run(f"'{ROOM}' {address_text(daemon.address())} <&- >&-", shell=True, timeout=PATIENCE,
                                env=environment(), check=False)
        self.assertEqual(closed.returncode, 0)

    def test_refused_lines_are_named_and_the_others_said(self):
        daemon = self.start(options=("--frame-bytes-max", "1024"))
        listener = self.event(daemon, "ear", join="lobby")
        result = run_room(daemon.address(), stdin=b"good\n" + b"x" * 2000 + b"\n\n\xff\xfe\nlast\n")
        self.assertEqual(result.returncode, 1)
        complaints = result.stderr.decode().splitlines()
        self.assertEqual(len(complaints), 2, complaints)
        self.assertRegex(complaints[0], r"^room: line 2 was refused: too_large: ")
        self.assertRegex(complaints[1], r"^room: line 4 was refused: bad_utf8: ")
        heard = listener.collect(lambda payload: payload.endswith(" last"))
        self.assertEqual([said(payload)[3] for payload in heard if said(payload)], ["good", "last"])

    def test_a_line_that_no_frame_holds_is_refused_at_home(self):
        daemon = self.start()
        result = run_room(daemon.address(), stdin=b"x" * (1 << 24) + b"\nfine\n")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), r"^room: line 1 was refused: too_large: [^\n]*\n$")

    def test_lines_over_the_rate_are_sent_again_in_order_and_told_once(self):
        daemon = self.start("tcp://127.0.0.1:0?limits=on", "unix:*", options=(
            "--messages-per-second-max", "40", "--messages-burst-max", "5", "--commands-per-second-max", "1000",
            "--commands-burst-max", "1000"))
        listener = self.event(daemon, "ear", index=1, join="lobby")
        lines = [f"line {number}" for number in range(1, 31)]
        result = run_room(daemon.address(), stdin="\n".join(lines).encode())
        self.assertEqual(result.returncode, 0, result.stderr)
        heard = listener.collect(lambda payload: payload.endswith(" line 30"))
        self.assertEqual([said(payload)[3] for payload in heard if said(payload)], lines)
        told = result.stderr.decode().splitlines()
        self.assertGreaterEqual(len(told), 1)
        for line in told:
            self.assertRegex(line, r"^room: roomd takes nothing more for now \(.*\); from line \d+ on, lines are sent again, in order")

    def test_what_others_say_comes_out(self):
        daemon = self.start()
        talker = self.event(daemon, "ann", join="lobby")
        process = subprocess.Popen([str(ROOM), address_text(daemon.address())], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=environment())
        talker.await_one(lambda payload: payload.startswith("join lobby guest-"))
        talker.ask("hi \x1b[2J there", "ok say")
        self.assertEqual(process.stdout.readline(), b"[lobby] ann: hi ^[[2J there\n")
        process.stdin.write(b"bye all\n")
        process.stdin.close()
        talker.await_one(lambda payload: payload.endswith(" bye all"))
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(process.stdout.read(), b"")
        process.stdout.close()

    def test_names(self):
        daemon = self.start()
        holder = self.event(daemon, "ann", join="lobby")
        free = run_room(daemon.address(), "--nick", "bob", stdin=b"as bob\n")
        self.assertEqual((free.returncode, free.stderr), (0, b""))
        self.assertEqual(said(holder.await_one(lambda payload: payload.endswith(" as bob")))[2], "bob")
        taken = run_room(daemon.address(), "--nick", "ann", stdin=b"as guest\n")
        self.assertEqual(taken.returncode, 1)
        self.assertRegex(taken.stderr.decode(), r"^room: cannot be ann \(name_taken: [^\n]*\); going on as a guest\n$")
        self.assertRegex(said(holder.await_one(lambda payload: payload.endswith(" as guest")))[2], "^guest-")

    def test_wrong_usage_is_told_before_anybody_is_asked(self):
        for arguments in (["--room", "a b"], ["--nick", "server"], ["--nick", ""], ["--bogus"], ["one", "two"]):
            result = run_room("127.0.0.1:1", *arguments)
            self.assertEqual(result.returncode, 64, arguments)
            self.assertTrue(result.stderr or result.stdout, arguments)
        self.assertEqual(run_room("udp://127.0.0.1:1").returncode, 64)
        self.assertEqual(run_room("tcp://127.0.0.1:notaport").returncode, 64)
        self.assertEqual(run_room("127.0.0.1:1", "--help").returncode, 0)
        self.assertRegex(run_room("127.0.0.1:1", "--version").stdout, rb"^room \d+\.\d+\.\d+\n$")

    def test_over_a_unix_socket_and_a_frame_listener(self):
        path = str(self.scratch() / "s")
        daemon = self.start(f"unix:{path}", "tcp://127.0.0.1:0?framing=frame&room=lobby")
        for address in (path, daemon.address(1)):
            result = run_room(address, stdin=b"hello\n")
            self.assertEqual((result.returncode, result.stderr), (0, b""), address)


class TroubleTest(DaemonTest):

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
        result = run_room(address, stdin=b"hello\n")
        self.assertEqual(result.returncode, 69)
        self.assertIn(b"Connection refused", result.stderr)
        self.assertIn(b"Is roomd running? Start it with: roomd", result.stderr)
        missing = run_room("/nowhere/roomd.sock", stdin=b"hello\n")
        self.assertEqual(missing.returncode, 69)
        self.assertIn(b"No such file or directory", missing.stderr)

    def test_somebody_else_there(self):
        for answer in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x00\x00\x02\xff\xfe", b"\x7f\x00\x00\x00"):
            with one_answer(answer) as address:
                result = run_room(address, stdin=b"hello\n")
            self.assertEqual(result.returncode, 76, answer)
            self.assertIn(b"does not speak as roomd does", result.stderr)

    def test_listeners_of_another_framing(self):
        daemon = self.start("tcp://127.0.0.1:0?framing=line", "tcp://127.0.0.1:0?framing=echo")
        for index in (0, 1):
            result = run_room(daemon.address(index), stdin=b"hello\n")
            self.assertEqual(result.returncode, 76, result.stderr)

    def test_a_full_server_says_so(self):
        daemon = self.start(options=("--connections-max", "1"))
        self.event(daemon, "ann")
        result = run_room(daemon.address(), stdin=b"hello\n")
        self.assertEqual(result.returncode, 69, result.stderr)
        self.assertIn(b"full", result.stderr)

    def begin(self, daemon, witness):
        """A room whose first line was acknowledged and whose stdin is open."""
        process = subprocess.Popen([str(ROOM), address_text(daemon.address())], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.addCleanup(lambda: [pipe.close() for pipe in (process.stdin, process.stdout, process.stderr)])
        process.stdin.write(b"first\n")
        process.stdin.flush()
        witness.await_one(lambda payload: payload.endswith(" first"))
        return process

    def test_a_server_that_is_killed_or_stops_is_a_lost_connection(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            daemon = self.start()
            witness = self.event(daemon, "ann", join="lobby")
            process = self.begin(daemon, witness)
            if number == signal.SIGKILL:
                daemon.kill()
            else:
                witness.close()
                daemon.close()
            self.assertEqual(process.wait(PATIENCE), 75)
            complaint = process.stderr.read().decode()
            self.assertIn("was lost", complaint)
            if number == signal.SIGTERM:
                self.assertIn("shutting_down", complaint)

    def test_a_signal_says_goodbye_and_is_reported(self):
        daemon = self.start()
        witness = self.event(daemon, "ann", join="lobby")
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.begin(daemon, witness)
            process.send_signal(number)
            self.assertEqual(process.wait(PATIENCE), 128 + number)
            witness.await_one(lambda payload: payload.startswith("part lobby guest-") and payload.endswith(" quit"))

    def test_when_stdout_is_closed_it_ends_as_cat_does(self):
        daemon = self.start()
        witness = self.event(daemon, "ann", join="lobby")
        process = self.begin(daemon, witness)
        process.stdout.close()
        witness.ask("hello", "ok say")
        self.assertEqual(process.wait(PATIENCE), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")

    def test_a_reader_that_has_gone_is_noticed_although_nobody_speaks(self):
        daemon = self.start()
        witness = self.event(daemon, "ann", join="lobby")
        process = self.begin(daemon, witness)
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")

    def test_a_stdout_that_nobody_reads_costs_nothing_and_loses_nothing(self):
        daemon = self.start()
        witness = self.event(daemon, "ann", join="lobby")
        process = self.begin(daemon, witness)
        text = "x" * 1000
        for number in range(1000):  # 1 MB: the pipe and room's own memory for it are full
            witness.ask(f"{number} {text}", "ok say")
        process.stdin.write(b"still here\n")
        process.stdin.close()
        for number in range(1000):
            self.assertEqual(process.stdout.readline().decode(), f"[lobby] ann: {number} {text}\n")
        self.assertEqual(process.wait(PATIENCE), 0)
        witness.await_one(lambda payload: payload.endswith(" still here"))

    def test_who_is_in_a_hurry_does_not_wait_for_stdout(self):
        daemon = self.start()
        witness = self.event(daemon, "ann", join="lobby")
        process = self.begin(daemon, witness)
        for number in range(1000):
            witness.ask("x" * 1000, "ok say")
        process.send_signal(signal.SIGINT)
        witness.ask("/ping", "ok ping")  # time for the first to be taken, or the two are one
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        self.assertEqual(process.returncode, 128 + signal.SIGINT)


class TerminalTest(DaemonTest):

    def begin(self, *arguments):
        daemon = self.start()
        witness = self.event(daemon, "bob", join="lobby")
        terminal = Terminal(daemon.address(), *arguments)
        self.addCleanup(terminal.close)
        terminal.await_text("* you are in lobby (2 here)")
        terminal.await_text("quit leaves")
        return daemon, witness, terminal

    def test_people_talk(self):
        _, witness, terminal = self.begin("--nick", "ann")
        terminal.type("hello there\n")
        self.assertEqual(said(witness.await_one(lambda payload: said(payload)))[2:], ("ann", "hello there"))
        witness.send("hi \x1b]0;gotcha\x07")
        terminal.await_text("[lobby] bob: hi ^[]0;gotcha^G\r\n")
        terminal.type("/me waves\n")
        witness.await_one(lambda payload: payload.startswith("act lobby ") and payload.endswith(" ann waves"))
        terminal.type("/nick eve\n")
        terminal.await_text("* you are now eve")
        terminal.type("/who\n")
        terminal.await_text("* in lobby (2): ")
        terminal.type("/j ops\n")
        terminal.await_text("* you are in ops (1 here)")
        terminal.type("/nonsense\n")
        terminal.await_text("! ")
        terminal.type("/help\n")
        terminal.await_text("* /join ROOM")
        terminal.type("quit\n")
        terminal.await_text("* bye")
        self.assertEqual(terminal.wait(), 0)

    def test_a_line_that_the_terminal_has_cut_is_not_said_and_told(self):
        _, witness, terminal = self.begin("--nick", "ann")
        pasted = "x" * 5000  # of which the terminal keeps 4,095 bytes
        for at in range(0, len(pasted), 500):
            terminal.type(pasted[at:at + 500])
        terminal.type("\n")
        terminal.await_text("! a terminal keeps 4095 bytes of a line")
        terminal.type("short\n")
        self.assertEqual(said(witness.await_one(lambda payload: said(payload)))[3], "short")

    def test_every_way_to_leave_is_a_good_one(self):
        for typed in ("quit\n", "/quit so long\n", "\x04", "\x03"):
            with self.subTest(typed=typed):
                _, witness, terminal = self.begin()
                terminal.type(typed)
                self.assertEqual(terminal.wait(), 0)
                witness.await_one(lambda payload: payload.startswith("part lobby guest-"))

    def test_the_terminal_stays_as_it_was(self):
        _, _, terminal = self.begin()
        self.assertTrue(os.get_blocking(terminal.slave))
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(os.get_blocking(terminal.slave))
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_a_taken_name_is_said_and_one_goes_on(self):
        daemon = self.start()
        self.event(daemon, "ann", join="lobby")
        terminal = Terminal(daemon.address(), "--nick", "ann")
        self.addCleanup(terminal.close)
        terminal.await_text("cannot be ann (name_taken")
        terminal.await_text("* you are guest-")
        terminal.await_text("* you are in lobby")
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)

    def test_a_server_that_goes_is_seen(self):
        daemon, witness, terminal = self.begin()
        witness.close()
        daemon.close()
        terminal.await_text("! bye")
        self.assertEqual(terminal.wait(), 75)


if __name__ == "__main__":
    unittest.main()
