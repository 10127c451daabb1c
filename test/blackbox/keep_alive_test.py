#!/usr/bin/env python3
"""Keep-alive: who is gone is noticed, and one lost probe ends nobody. In a network of its own, whose loopback is taken down."""

import sys
import unittest

import network_namespace
from roomd_harness import DaemonTest, until

PROBING = ("--keepalive-idle-s", "1", "--keepalive-interval-s", "1", "--keepalive-probes", "3")


def probes():
    return network_namespace.kernel_counters("TCPKeepAlive")["TCPKeepAlive"]


class KeepAlive(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "unix:*")

    def setUp(self):
        super().setUp()
        self.addCleanup(network_namespace.set_loopback, True)

    def boot(self, *options):
        daemon = self.start(options=(*PROBING, *options))
        self.watcher = self.event(daemon, "watcher", index=1, join="lobby")
        sent = probes()
        quiet = self.event(daemon, "quiet", join="lobby")
        # A probe: everything that was sent before it has been acknowledged, and nothing is sent again.
        until(lambda: probes() > sent, "it is probed")
        return quiet

    def lose_a_probe(self):
        sent = probes()
        network_namespace.set_loopback(False)
        until(lambda: probes() > sent, "a probe is lost")
        network_namespace.set_loopback(True)

    def test_one_lost_probe_ends_nobody(self):
        quiet = self.boot("--user-timeout-ms", "4s")
        self.lose_a_probe()
        sent = probes()
        until(lambda: probes() > sent + 1, "probes are sent again, after an answered one")
        quiet.ask("/ping 1", "ok ping")

    def test_it_would_with_a_user_timeout_that_cuts_the_probes_short(self):
        """What the warning is about, and that the test above could fail."""
        self.boot("--user-timeout-ms", "1s")
        self.lose_a_probe()
        self.watcher.await_one("part lobby quiet reset")

    def test_who_is_gone_is_noticed_and_was_not_slow(self):
        """All at once: what the rooms are told of the first ones still waits for the others when they turn out to be gone."""
        daemon = self.start(options=(*PROBING, "--user-timeout-ms", "4s"))
        watcher = self.event(daemon, "watcher", index=1, join="lobby")
        gone = [self.event(daemon, f"gone{number}", join="lobby") for number in range(20)]
        sent = probes()
        until(lambda: probes() >= sent + len(gone), "all are probed")
        network_namespace.set_loopback(False)
        parts = [watcher.await_one(lambda payload: payload.startswith("part lobby gone")) for _ in gone]
        self.assertEqual(sorted(parts), sorted(f"part lobby {client.nick} reset" for client in gone))


if __name__ == "__main__":
    if not network_namespace.inside() and not network_namespace.allowed():
        print("SKIPPED: network namespaces are not permitted here")
        sys.exit(77)
    network_namespace.enter()
    unittest.main(argv=sys.argv)
