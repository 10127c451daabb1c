"""No descriptor is left: the refused are told why, nothing spins, and service is back as soon as one is free."""

import os
import pathlib
import re
import resource
import shutil
import signal
import time
import unittest

from roomd_harness import DaemonTest, LineClient, said, unless_sanitized, until


def limit_descriptors(daemon, count):
    hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (count, hard))


@unittest.skipUnless(hasattr(resource, "prlimit"), "only Linux changes another process's limits")
class Descriptors(DaemonTest):
    @unless_sanitized("without a descriptor UBSan cannot look at memory, and takes every object for a wrong one")
    def test_at_the_limit_newcomers_are_told_and_the_others_chat_on(self):
        daemon = self.start()
        ann, bob = self.event(daemon, "ann", join="lobby"), self.event(daemon, "bob", join="lobby")
        before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0]
        limit_descriptors(daemon, daemon.descriptors())
        cpu, begin = daemon.cpu_seconds(), time.monotonic()
        rounds = 0
        while time.monotonic() - begin < 1 or rounds < 30:
            rounds += 1
            with LineClient(daemon.address()) as late:
                answer = late.receive()
                self.assertTrue(answer.startswith("! full"), answer)
                late.expect_end(self)
            ann.send(f"round {rounds}")
            self.assertEqual(said(bob.await_one(said))[3], f"round {rounds}")
        self.assertLess(daemon.cpu_seconds() - cpu, 0.9 * (time.monotonic() - begin))  # it did not spin beside this
        self.assertGreaterEqual(ann.stats()["refused"], rounds)
        held = self.keep(LineClient(daemon.address()))
        self.assertTrue(held.receive().startswith("! full"))
        idle, begin = daemon.cpu_seconds(), time.monotonic()
        until(lambda: time.monotonic() - begin > 1, "a second has passed without a connector")
        self.assertLess(daemon.cpu_seconds() - idle, 0.2)
        limit_descriptors(daemon, before)
        late = self.line(daemon)
        late.send("/ping x")
        late.await_one("* pong x")

    def test_room_for_all_that_may_come_is_made_at_the_start(self):
        daemon = self.start(options=("--connections-max=10",), prefix=(shutil.which("prlimit"), "--nofile=3000:3000"))
        status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text(encoding="utf-8")
        self.assertGreaterEqual(int(re.search(r"^FDSize:\s+(\d+)$", status, re.MULTILINE)[1]), 3000)

    def test_whoever_closes_the_standard_descriptors_gets_a_daemon_all_the_same(self):
        daemon = self.start(prefix=("bash", "-c", 'exec "$@" <&- >&-', "bash"))
        ann = self.event(daemon, "ann", join="lobby")
        for times in range(1, 3):
            daemon.signal(signal.SIGUSR2)
            daemon.wait_for_line(r"\bcontinued\b", times)
            ann.ask("/ping x", "ok ping x")
        null = os.stat(os.devnull)
        for number in (0, 1):
            self.assertTrue(os.path.samestat(os.stat(f"/proc/{daemon.pid}/fd/{number}"), null))

    def test_a_descriptor_that_becomes_free_is_used_at_once(self):
        daemon = self.start(prefix=(shutil.which("prlimit"), "--nofile=100:100"))
        clients = []
        while True:
            late = LineClient(daemon.address())
            self.keep(late)
            late.send("/ping x")
            answers = late.receive()
            if answers.startswith("! full"):
                break
            clients.append(late)
        self.assertEqual(len(clients), 36)  # 64 are kept for everything else
        for _ in range(5):
            clients.pop().close()
            back = time.monotonic()

            def served():
                late = self.line(daemon)
                late.send("/ping x")
                if late.receive().startswith("! full"):
                    return False
                clients.append(late)
                return True

            until(served, "service is back")
            self.assertLess(time.monotonic() - back, 5)  # the figure is test/proofs/descriptor_limit.py's


if __name__ == "__main__":
    unittest.main()
