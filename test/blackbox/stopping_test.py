"""SIGTERM: everybody hears why, what waits is sent, and it ends in time."""

import signal
import socket
import time
import unittest

from roomd_harness import DaemonTest, connect, said


class Stopping(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line", "tcp://127.0.0.1:0?framing=echo")

    def test_everybody_hears_a_goodbye_in_their_format(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = self.start()
            event = self.event(daemon, "ann", join="lobby")
            plain, human, silent = self.frame(daemon), self.line(daemon, 1), self.line(daemon)
            plain.send("hi")
            plain.await_one("hi")
            human.await_one(lambda line: line.endswith("hi"))
            half = self.raw(daemon)
            half.send_bytes(b"\0\0\0\5he")
            stats = event.stats()
            self.assertEqual(stats["connections"], 5)
            daemon.signal(number)
            self.assertTrue(event.await_one(lambda payload: payload.startswith("bye ")).startswith("bye shutting_down "))
            self.assertTrue(plain.receive().startswith("! shutting_down "))
            human.await_one(lambda line: line.startswith("! bye: "))
            self.assertIn(b"! shutting_down ", half.rest())
            for client in (event, plain, human, silent):
                client.expect_end(self)
                client.close()
            half.close()
            self.assertEqual(daemon.wait(), 0)
            daemon.wait_for_line("info stopping connections=5")
            daemon.wait_for_line("info stopped")

    def test_what_was_said_before_the_signal_still_arrives(self):
        daemon = self.start()
        ear = self.event(daemon, "ear", join="lobby", receive_buffer_bytes=8192)
        mouth = self.event(daemon, "mouth", join="lobby")
        for number in range(1, 401):
            mouth.send(f"{number} " + "x" * 1000)
        mouth.ask("/ping x", "ok ping")
        daemon.signal(signal.SIGTERM)
        mouth.await_one(lambda payload: payload.startswith("bye shutting_down"))
        mouth.close()
        heard = ear.collect(lambda payload: payload.startswith("bye "))
        self.assertEqual([said(payload)[1] for payload in heard if said(payload)], list(range(1, 401)))
        ear.expect_end(self)
        ear.close()
        self.assertEqual(daemon.wait(), 0)

    def test_nobody_new_is_let_in_while_it_drains(self):
        daemon = self.start(options=("--drain-ms-max", "30s", "--linger-ms-max", "30s"))
        stuck = self.event(daemon, "stuck", join="lobby")
        daemon.signal(signal.SIGTERM)
        stuck.await_one(lambda payload: payload.startswith("bye "))
        with self.assertRaises(OSError):
            connect(daemon.address()).close()
        self.assertIsNone(daemon.process.poll())  # it waits for stuck to close
        stuck.close()
        self.assertEqual(daemon.wait(), 0)

    def test_who_never_reads_does_not_hold_it_up_for_ever(self):
        daemon = self.start(options=("--drain-ms-max", "500"))
        peer = connect(daemon.address(2), receive_buffer_bytes=4096)  # echo: its queue fills
        self.addCleanup(peer.close)
        peer.setblocking(False)
        try:
            while True:
                peer.send(b"x" * 65536)
        except BlockingIOError:
            pass
        begin = time.monotonic()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)
        self.assertGreater(time.monotonic() - begin, 0.4)

    def test_a_second_signal_ends_it_at_once(self):
        daemon = self.start(options=("--drain-ms-max", "600s", "--linger-ms-max", "600s"))
        stuck = self.event(daemon, "stuck", join="lobby")
        daemon.signal(signal.SIGTERM)
        stuck.await_one(lambda payload: payload.startswith("bye "))
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)

    def test_signals_that_come_too_late_do_not_make_its_end_a_death_by_signal(self):
        daemon = self.start()
        for _ in range(200):
            self.event(daemon, join="lobby")
        while daemon.process.poll() is None:  # until it is gone, its last moments included
            daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)

    def test_who_has_said_nothing_where_the_first_byte_decides_hears_the_end_and_no_word(self):
        daemon = self.start()
        silent = self.raw(daemon)
        self.event(daemon, "ann").stats()
        daemon.signal(signal.SIGTERM)
        silent.expect_end(self)  # any word would be in a framing that may not be its own

    def test_the_goodbye_reaches_who_is_still_sending(self):
        """Unread input must not turn the close into a reset that destroys the goodbye."""
        daemon = self.start()
        writers = []
        for _ in range(20):
            writer = self.event(daemon, options="ack=off", join="lobby")
            writer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            writers.append(writer)
        for writer in writers:
            writer.send_bytes((b"\0\0\4\0/ping " + b"\n" + b"y" * 1017) * 200)
        daemon.signal(signal.SIGTERM)
        for writer in writers:
            last = writer.collect(lambda payload: payload.startswith("bye "))[-1]
            self.assertTrue(last.startswith("bye shutting_down"), last)
            writer.expect_end(self)
            writer.close()
        self.assertEqual(daemon.wait(), 0)


if __name__ == "__main__":
    unittest.main()
