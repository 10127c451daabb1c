"""Restarts and crashes under load, the short form: hundreds of members of every framing and format, messages half sent and replays half
read. The judge is test/proofs/continuity.cc; the long form is in test/proofs/continuity/README.md.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from roomd_harness import PATIENCE, ROOMCTL, ROOMD, SANITIZED, SANITIZER_REPORT, TOP, Daemon, environment, until

PROOF = pathlib.Path(os.environ.get("CONTINUITY_BIN", TOP / "build" / "proof-continuity")).resolve()
SLOW = 10 if SANITIZED else 2  # others may be using this machine


def prove(directory, *arguments):
    """Runs the judge; its figures and what it printed."""
    figures = pathlib.Path(directory) / "figures.json"
    done = subprocess.run([str(PROOF), "--connections", "300", "--rooms", "12", "--rate", "200", "--verbose", "--json", str(figures),
                           *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=PATIENCE * 6)
    text = done.stdout + done.stderr
    assert figures.exists(), text
    return json.loads(figures.read_text()), text


class Manager:
    """What systemd is to a socket-activated service: keeps its listening sockets, and starts it again whenever it has ended."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.pid_file = self.directory / "pid"
        self.log_file = self.directory / "log"
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.directory / "roomd.sock"))
        self.unix.listen(4096)
        self.doors = (f"tcp://127.0.0.1:{self.tcp.getsockname()[1]}", f"unix:{self.directory / 'roomd.sock'}")
        self.process = None
        self.starts = 0
        self.statuses = []
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        until(lambda: self.log_file.exists() and " ready" in self.log_file.read_text(), "the first daemon is ready")

    def run(self):
        with open(self.log_file, "ab") as log:
            while not self.stopping:
                self.start(log)
                self.statuses.append(self.process.wait())

    def start(self, log):
        def hand_over():
            # Above what they are to become, or the first would take the place of the second.
            high = [os.dup(number) if number < 10 else number for number in (self.tcp.fileno(), self.unix.fileno())]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        # The shell becomes the daemon, so it knows the process number that LISTEN_PID must name.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', str(ROOMD)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "chat:unix"}), pass_fds=(3, 4),
            preexec_fn=hand_over)  # noqa: PLW1509 (only dup and dup2)
        self.starts += 1
        part = self.pid_file.with_suffix(".new")
        part.write_text(str(self.process.pid))
        part.rename(self.pid_file)

    def close(self):
        self.stopping = True
        self.process.send_signal(signal.SIGTERM)
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the last daemon did not stop"
        self.tcp.close()
        self.unix.close()
        return self.log_file.read_text()


class Restarts(unittest.TestCase):
    def test_another_program_in_the_same_process_and_nobody_notices_more_than_a_pause(self):
        restarts = 5
        with tempfile.TemporaryDirectory() as directory:
            unix = f"unix:{directory}/roomd.sock"
            admin = f"{directory}/admin.sock"
            with Daemon("tcp://127.0.0.1:0", unix, options=("--admin", f"unix:{admin}")) as daemon:
                host, port = daemon.address()
                # Which waits for the next program: a signal in the middle of it would be refused.
                figures, text = prove(directory, "--restart", f"{ROOMCTL} --socket {admin} upgrade", "--times", str(restarts),
                                      "--every", "1.5", "--warm-up", "1", "--pause-ms-max", str(500 * SLOW), f"tcp://{host}:{port}", unix)
                daemon.wait_for_line(r"\bcontinued\b", restarts)
            log = "\n".join(daemon.log())
        self.assertTrue(figures["ok"], text + log)
        self.assertEqual(figures["restarts"], restarts, text)
        self.assertEqual(figures["connections_lost"], 0, text)
        self.assertEqual(log.count(" continued "), restarts, log)
        self.assertGreater(figures["half_sent_at_a_restart"], restarts, text)
        self.assertGreater(figures["not_reading_at_a_restart"], restarts, text)
        self.assertGreater(figures["deliveries"], 10000, text)


class Crashes(unittest.TestCase):
    def test_a_crash_refuses_nobody_and_members_resume_without_a_hole(self):
        crashes = 5
        with tempfile.TemporaryDirectory() as directory:
            manager = Manager(directory)
            figures, text = prove(directory, "--crash", "--restart", f"kill -9 $(cat {manager.pid_file})", "--times", str(crashes),
                                  "--every", "1.5", "--warm-up", "1", "--back-ms-max", str(300 * SLOW), *manager.doors)
            log = manager.close()
        self.assertTrue(figures["ok"], text + log)
        self.assertEqual(figures["restarts"], crashes, text)
        self.assertEqual(manager.starts, crashes + 1, log)
        self.assertEqual(manager.statuses, [-signal.SIGKILL] * crashes + [0], log)
        self.assertEqual(figures["back_ms"]["count"], crashes, text)
        self.assertEqual(figures["connections_lost"], crashes * 300, text)
        self.assertGreater(figures["deliveries"], 10000, text)
        self.assertIsNone(SANITIZER_REPORT.search(log), log)


if __name__ == "__main__":
    unittest.main()
