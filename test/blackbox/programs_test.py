"""What every good Unix program does: roomd, room, roomctl and roombench with ignored signals, closed terminals, full disks, empty
values of options, and readers that have gone."""

import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import time
import unittest

from roomd_harness import (DaemonTest, PATIENCE, ROOM, ROOMCTL, ROOMD, SANITIZED, EventClient, Client, environment, split_address,
                           until)

ROOMBENCH = pathlib.Path(os.environ.get("ROOMBENCH_BIN") or ROOMD.parent / "roombench")
PROGRAMS = [program for program in (ROOMD, ROOM, ROOMCTL, ROOMBENCH) if program.exists()]


def run(program, *arguments, **more):
    return subprocess.run([str(program), *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=PATIENCE, **{"env": environment(), "stdout": subprocess.PIPE, **more})


def ignoring(*signals):
    """For Popen(preexec_fn=...): what nohup(1) and a shell's `cmd &` do."""
    return lambda: [signal.signal(number, signal.SIG_IGN) for number in signals]


class Output(DaemonTest):
    """Output that cannot be written is an error."""

    def assert_fails(self, program, *arguments, status):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = run(program, *arguments, stdout=full)
        name = program.name
        self.assertEqual(result.returncode, status, (name, arguments, result.stderr))
        self.assertRegex(result.stderr, rf"^{name}: cannot write to stdout: No space left on device\n$")

    def test_help_and_version_of_every_program(self):
        for program in PROGRAMS:
            for question in ("--help", "--version"):
                self.assertEqual(run(program, question).returncode, 0)
                self.assert_fails(program, question, status=73 if program.name == "roombench" else 74)

    def test_questions_to_roomd(self):
        for question in ("--print-example", "--print-config", "--check-config"):
            self.assert_fails(ROOMD, question, status=74)
        with open("/dev/full", "w", encoding="utf-8") as full:  # a warning that nobody could read
            result = subprocess.run([str(ROOMD), "--check-config"], env=environment({"ROOMD_NONSENSE": "1"}), stderr=full,
                                    stdout=subprocess.DEVNULL, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 74)

    def test_answers_of_roomctl(self):
        admin = str(self.scratch() / "admin.sock")
        self.start(options=("--admin", admin))
        for command in (("status",), ("status", "--json"), ("reload",), ("lockdown", "on")):
            self.assert_fails(ROOMCTL, "--socket", admin, *command, status=74)

    def test_what_room_shows(self):
        daemon = self.start()
        host, port = daemon.address()
        talker = self.event(daemon, "ann", join="lobby")
        with open("/dev/full", "w", encoding="utf-8") as full:
            room = subprocess.Popen([str(ROOM), f"{host}:{port}"], stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE,
                                    env=environment())
        talker.await_one(lambda payload: payload.startswith("join lobby guest-"))
        talker.ask("hello", "ok say")
        self.assertEqual(room.wait(PATIENCE), 74)
        self.assertEqual(room.stderr.read(), b"room: cannot write to stdout: No space left on device\n")
        room.stdin.close()
        room.stderr.close()

    @unittest.skipUnless(ROOMBENCH.exists(), "roombench is not built")
    def test_the_table_of_roombench(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = run(ROOMBENCH, "fanout", "--members", "2", "--seconds", "0.05", "--warmup", "0", "--no-pin", stdout=full)
        self.assertEqual(result.returncode, 73, result.stderr)
        self.assertIn("roombench: cannot write to stdout: No space left on device\n", result.stderr)

    def test_a_reader_that_has_gone_ends_it_as_it_ends_cat(self):
        for ignored, status in ((False, -signal.SIGPIPE), (True, 74)):
            reading, writing = os.pipe()
            os.close(reading)
            set_up = signal.SIG_IGN if ignored else signal.SIG_DFL
            result = run(ROOMD, "--help", stdout=writing, restore_signals=False,
                         preexec_fn=lambda action=set_up: signal.signal(signal.SIGPIPE, action))
            os.close(writing)
            self.assertEqual(result.returncode, status)
            self.assertEqual(result.stderr, "roomd: cannot write to stdout: Broken pipe\n" if ignored else "")

    def test_a_file_that_may_not_grow_is_an_error_and_no_signal(self):
        path = self.scratch() / "out"
        for program in PROGRAMS:
            with open(path, "w", encoding="utf-8") as file:
                result = run(program, "--help", stdout=file, restore_signals=False,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
            self.assertEqual(result.returncode, 73 if program.name == "roombench" else 74, program)
            self.assertIn("cannot write to stdout: File too large", result.stderr)


class EmptyValues(unittest.TestCase):
    """`--option=$UNSET` is the mistake of a script."""

    def assert_refused(self, name, program, *arguments):
        result = run(program, *arguments)
        self.assertEqual((result.returncode, result.stdout), (64, ""), (program, arguments, result.stderr))
        self.assertIn(name, result.stderr.splitlines()[0])
        self.assertRegex(result.stderr.splitlines()[0], "has nothing behind its '='|is followed by an empty argument")

    def test_switches_and_options_of_every_program(self):
        cases = {
            ROOMD: [("--insecure-public=", "--listen", "tcp://0.0.0.0:0"), ("--name=", "--keep-connections"),
                    ("--config=", "--print-config"), ("--check-config=",), ("--help=",), ("--config", ""), ("-c", ""),
                    ("-l", "")],
            ROOM: [("--nick=",), ("--room=", "--nick", "ann"), ("-r", ""), ("--version=",)],
            ROOMCTL: [("--socket=", "status"), ("status", "--json="), ("drain", "--over="), ("drain", "--over", "")],
            ROOMBENCH: [("fanout", "--members="), ("fanout", "--no-pin="), ("suite", "--out", "")],
        }
        for program, lines in cases.items():
            for line in lines if program.exists() else ():
                name = next(word for word in line if word.startswith("-") and ("=" in word or "" in line))
                self.assert_refused(name.rstrip("="), program, *line)

    def test_an_empty_variable_is_as_one_that_is_not_set(self):
        result = run(ROOMD, "--print-config", env=environment({"ROOMD_NAME": "", "ROOMD_CONFIG": ""}))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('name = "roomd"  # default\n', result.stdout)


class Signals(DaemonTest):

    def test_what_was_ignored_at_the_start_stays_ignored(self):
        daemon = self.start()
        host, port = daemon.address()
        witness = self.event(daemon, "ann", join="lobby")
        for number in (signal.SIGHUP, signal.SIGINT):
            room = subprocess.Popen([str(ROOM), f"{host}:{port}"], stdin=subprocess.PIPE, env=environment(),
                                    preexec_fn=ignoring(number))
            witness.await_one(lambda payload: payload.startswith("join lobby"))
            room.send_signal(number)
            room.stdin.write(b"still here\n")  # behind the signal
            room.stdin.close()
            witness.await_one(lambda payload: payload.endswith(" still here"))
            self.assertEqual(room.wait(PATIENCE), 0)

    def test_a_daemon_under_nohup_says_what_it_does_not_hear(self):
        daemon = self.start(prefix=("sh", "-c", "trap '' HUP; exec \"$@\"", "sh"))
        daemon.wait_for_line(" signal_ignored signal=SIGHUP ")
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for_line(" stats ")
        self.assertFalse([line for line in daemon.log() if " reloaded" in line])


class Terminals(DaemonTest):

    def foreground(self, *more):
        """roomd in a terminal window: its pid and the window."""
        pid, window = pty.fork()
        if pid == 0:
            os.execve(str(ROOMD), [str(ROOMD), "--listen", "tcp://127.0.0.1:0", *more], environment())
        text = b""
        while b" ready " not in text or b"nc 127.0.0.1" not in text:
            text += os.read(window, 65536)
        return pid, window, split_address(re.search(r"listening address=(\S+)", text.decode())[1])

    def await_end(self, pid):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError("roomd runs on although its terminal was closed")

    def test_a_closed_terminal_ends_what_runs_in_it(self):
        pid, window, address = self.foreground()
        member = self.keep(EventClient(address, "ann", join="lobby"))
        os.close(window)
        self.assertRegex(member.await_one(lambda payload: payload.startswith("bye ")), "^bye shutting_down")
        member.close()
        self.assertEqual(self.await_end(pid), 0)

    def test_sighup_by_hand_reloads_in_a_terminal_too(self):
        pid, window, _ = self.foreground()
        os.kill(pid, signal.SIGHUP)
        text = b""
        while b" reloaded" not in text:
            text += os.read(window, 65536)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.await_end(pid), 0)
        os.close(window)

    def test_a_daemon_that_outlives_its_terminal_reloads_at_sighup(self):
        """`roomd & disown`, and the window closed: a later kill -HUP is an operator's."""
        log = self.scratch() / "log"
        pid, window = pty.fork()
        if pid == 0:
            with open(log, "wb") as file:
                daemon = subprocess.Popen([str(ROOMD), "--listen", "tcp://127.0.0.1:0"], stdin=subprocess.DEVNULL, stderr=file,
                                          stdout=file, env=environment(), preexec_fn=os.setpgrp)
            os.write(1, b"pid %d.\n" % daemon.pid)
            time.sleep(PATIENCE)
            os._exit(0)
        text = b""
        while b".\r\n" not in text:
            text += os.read(window, 1000)
        daemon = int(re.search(rb"pid (\d+)\.", text)[1])
        self.addCleanup(lambda: os.path.exists(f"/proc/{daemon}") and os.kill(daemon, signal.SIGKILL))
        until(lambda: b" ready " in log.read_bytes(), "roomd is ready")
        os.kill(pid, signal.SIGKILL)  # the shell
        os.waitpid(pid, 0)
        os.close(window)
        os.kill(daemon, signal.SIGHUP)
        until(lambda: b" reloaded" in log.read_bytes(), "it reloads")
        os.kill(daemon, signal.SIGTERM)
        until(lambda: b" stopped" in log.read_bytes(), "it stops")


@unittest.skipUnless(ROOMBENCH.exists(), "roombench is not built")
class Roombench(unittest.TestCase):

    def test_a_server_that_is_not_there(self):
        result = run(ROOMBENCH, "fanout", "--connect", "127.0.0.1:1", "--seconds", "0.05")
        self.assertEqual(result.returncode, 69, result.stderr)
        self.assertEqual(result.stderr, "roombench: no server answers at 127.0.0.1:1: Connection refused\n")


if __name__ == "__main__":
    unittest.main()
