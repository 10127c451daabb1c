"""The log: one line an event, what clients say quoted and escaped, JSON that parses, and a reader of it that may stop reading."""

import json
import os
import re
import resource
import signal
import subprocess
import unittest

from roomd_harness import Client, DaemonTest, EventClient, PATIENCE, ROOMD, environment, split_address, until

TEXT_LINE = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:debug|info|warning|error) [a-z_]+'
                       r'(?: [a-z_]+=(?:[A-Za-z0-9._:/@+,\[\]%-]+|"(?:[^"\\\x00-\x1f\x7f]|\\.)*"))*$')

# What could be tried through what clients and operators choose: each must stay one field of one line.
INJECTIONS = ("x\n2026-01-01T00:00:00.000Z info stopped", 'x" level="error', "x\\", "x\r\nfake", "\x1b[31mred", "\u2028next")


def provoke(daemon, index=0):
    """Everything that is logged about connections."""
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"\xfe\xff", b"\0\0\0\1a\x01\x00\x00\x00", b"/quit\n", b"hello\n"):
        peer = Client(daemon.address(index))
        peer.send_bytes(data)
        peer.finish_sending()
        peer.rest()
        peer.close()
    for text in INJECTIONS:
        with Client(daemon.address(index)) as peer:
            for command in ("/nick ", "/join ", "/quit ", "/say lobby ", "/nonsense "):
                data = (command + text).encode()
                peer.send_bytes(len(data).to_bytes(4, "big") + data)
            peer.finish_sending()
            peer.rest()


class Lines(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line&debug=on", "unix:*")

    def test_text_is_one_parsable_line_an_event(self):
        daemon = self.start(options=("--log-level", "debug", "--log-lines-per-second-max", "10000"))
        provoke(daemon)
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for_line(" info stats ")
        daemon.close()
        lines = daemon.log()
        self.assertGreater(len(lines), 10)
        for line in lines:
            self.assertRegex(line, TEXT_LINE)
        for reason in ("http", "tls", "unknown_protocol", "bad_frame", "quit"):
            daemon.wait_for_line(rf" closed .*\breason={reason}\b")
        self.assertEqual(sum(" stopped" in line for line in lines), 1)

    def test_json_parses_line_by_line_and_holds_the_same(self):
        daemon = self.start(options=("--log-level", "debug", "--log-format", "json", "--log-lines-per-second-max", "10000"))
        provoke(daemon)
        daemon.close()
        events = [json.loads(line) for line in daemon.log()]
        for event in events:
            self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(event["level"], ("debug", "info", "warning", "error"))
        names = [event["event"] for event in events]
        for name in ("listening", "ready", "connected", "closed", "stopping", "stopped"):
            self.assertIn(name, names)
        self.assertIn("http", [event.get("reason") for event in events])

    def test_what_people_say_is_not_in_the_log(self):
        daemon = self.start(options=("--log-level", "debug"))
        ann = self.event(daemon, "ann", join="lobby")
        ann.ask("the password is xyzzy", "ok say")
        ann.ask("/msg ann xyzzy", "ok msg")
        ann.ask("/topic lobby xyzzy", "ok topic")
        ann.close()
        daemon.close()
        self.assertNotIn("xyzzy", "\n".join(daemon.log()))

    def test_at_the_default_level_usual_comings_and_goings_are_not_logged(self):
        daemon = self.start()
        for _ in range(5):
            EventClient(daemon.address()).close()
        probe = self.event(daemon, "probe")
        until(lambda: probe.stats()["connections"] == 1, "they have gone")
        probe.close()
        daemon.close()
        events = [line.split(" ")[2] for line in daemon.log()]
        self.assertEqual(events, ["listening"] * 3 + ["ready", "stopping", "stopped"])

    def test_a_flood_of_one_kind_is_held_back_and_counted(self):
        daemon = self.start(options=("--log-lines-per-second-max", "5"))
        def told():
            for _ in range(50):
                with Client(daemon.address()) as peer:
                    peer.send_bytes(b"\xfe")
                    peer.rest()
            return any(" suppressed kind=closed " in line for line in daemon.log())

        until(told, "it is told what was held back")
        self.assertLess(sum(" closed " in line for line in daemon.log()), 60)

    def test_options_from_the_outside_stay_one_line_too(self):
        for text in INJECTIONS:
            done = subprocess.run([str(ROOMD), "--listen", text], capture_output=True, env=environment(), timeout=PATIENCE,
                                  check=False)
            self.assertEqual(done.returncode, 64)
            self.assertEqual(len(done.stderr.decode().splitlines()), 2 if b"try:" in done.stderr else 1, done.stderr)
            self.assertNotIn(b"\x1b", done.stderr)


class FullPipe(DaemonTest):
    def test_nobody_reading_the_log_holds_nobody_up(self):
        """stderr is a pipe that is full: chat goes on, lines are counted as lost, and it still stops."""
        ready, write = os.pipe()
        process = subprocess.Popen([str(ROOMD), "--listen", "tcp://127.0.0.1:0", "--log-level", "debug",
                                    "--log-lines-per-second-max", "1000000"], stdin=subprocess.DEVNULL, stderr=write,
                                   env=environment())
        os.close(write)
        self.addCleanup(os.close, ready)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        text = b""
        while b" ready " not in text:
            text += os.read(ready, 65536)
        address = split_address(re.search(r"listening address=(\S+)", text.decode()).group(1))
        probe = self.keep(EventClient(address, "probe", join="lobby"))
        for _ in range(3000):  # about 300 kB of lines; a pipe holds 64
            Client(address).close()
        until(lambda: probe.stats()["connections"] == 1, "they have gone")
        for number in range(1, 101):
            self.assertEqual(probe.ask("hello", ""), f"ok say lobby {number}")
        process.send_signal(signal.SIGTERM)
        probe.await_one(lambda payload: payload.startswith("bye shutting_down"))
        probe.close()
        self.assertEqual(process.wait(PATIENCE), 0)


    def test_an_upgrade_does_not_wait_for_whoever_reads_the_log(self):
        """The process changes although its log is full, and nobody waits a second for it."""
        ready, write = os.pipe()
        process = subprocess.Popen([str(ROOMD), "--listen", "tcp://127.0.0.1:0", "--log-level", "debug",
                                    "--log-lines-per-second-max", "1000000"], stdin=subprocess.DEVNULL, stderr=write,
                                   env=environment())
        os.close(write)
        self.addCleanup(os.close, ready)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        text = b""
        while b" ready " not in text:
            text += os.read(ready, 65536)
        address = split_address(re.search(r"listening address=(\S+)", text.decode()).group(1))
        member = self.keep(EventClient(address, "ann", join="lobby"))
        for _ in range(2500):
            Client(address).close()
        until(lambda: member.stats()["log_lines_dropped"] > 0, "the log is full")
        dropped = member.stats()["log_lines_dropped"]
        process.send_signal(signal.SIGUSR2)
        # A process counts its own lines only.
        until(lambda: member.stats()["log_lines_dropped"] < dropped, "another program is in its place")
        for number in range(1, 51):
            self.assertEqual(member.ask("hello", ""), f"ok say lobby {number}")
        process.send_signal(signal.SIGTERM)
        member.await_one(lambda payload: payload.startswith("bye shutting_down"))
        member.close()
        self.assertEqual(process.wait(PATIENCE), 0)


class Unwritable(DaemonTest):
    """stderr is a file on a disk that is full, or a journal that is not there."""

    def test_lines_are_whole_when_the_disk_was_full_and_is_free_again(self):
        path = self.scratch() / "log"
        with open(path, "ab") as file:
            process = subprocess.Popen([str(ROOMD), "--listen", "tcp://127.0.0.1:0", "--log-level", "debug"],
                                       stdin=subprocess.DEVNULL, stderr=file, env=environment(), restore_signals=False,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                             (1500, resource.RLIM_INFINITY)))
        self.addCleanup(lambda: process.poll() is None and process.kill())
        until(lambda: b" ready " in path.read_bytes(), "it is ready")
        address = split_address(re.search(r"listening address=(\S+)", path.read_text()).group(1))
        member = self.keep(EventClient(address, "ann", join="lobby"))

        def come_and_go():
            Client(address).close()
            return True

        until(lambda: come_and_go() and member.stats()["log_lines_dropped"] > 3, "lines are lost")
        self.assertEqual(path.stat().st_size, 1500)  # the last line of it is half
        self.assertFalse(path.read_bytes().endswith(b"\n"))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: come_and_go() and " log_lines_lost lines=" in path.read_text(), "it says what was lost")
        process.send_signal(signal.SIGTERM)
        member.await_one(lambda payload: payload.startswith("bye shutting_down"))
        member.close()
        self.assertEqual(process.wait(PATIENCE), 0)
        for line in path.read_text().splitlines():
            self.assertRegex(line, TEXT_LINE)

    @unittest.skipIf(os.path.exists("/run/systemd/journal/socket"), "there is a journal")
    def test_a_journal_out_of_reach_leaves_stderr(self):
        path = self.scratch() / "log"
        with open(path, "wb") as file:
            status = os.fstat(file.fileno())
            stream = f"{status.st_dev}:{status.st_ino}"
            result = subprocess.run([str(ROOMD), "--listen", "unix:/nonexistent/s"], stderr=file, timeout=PATIENCE, check=False,
                                    env=environment({"JOURNAL_STREAM": stream}))
        self.assertNotEqual(result.returncode, 0)
        lines = path.read_text().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], TEXT_LINE)
        self.assertIn(" error cannot_start error=", lines[0])


if __name__ == "__main__":
    unittest.main()
