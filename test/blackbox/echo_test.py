"""The echo exercise: every byte comes back as it came, to several clients at once, however slowly they read."""

import hashlib
import random
import socket
import threading
import unittest

from roomd_harness import DaemonTest, PATIENCE, connect, until


class Echo(DaemonTest):
    listen = ("tcp://127.0.0.1:0?framing=echo", "tcp://127.0.0.1:0")

    def test_the_echo_exercise_with_several_clients_at_once(self):
        daemon = self.start()
        failures = []

        def converse(number):
            peer = connect(daemon.address())
            generator = random.Random(number)
            try:
                for size in (1, 2, 7, 1000, 65536, 300_000, 1_000_000):
                    data = generator.randbytes(size)
                    sender = threading.Thread(target=peer.sendall, args=(data,))
                    sender.start()
                    heard = bytearray()
                    while len(heard) < size:
                        heard += peer.recv(65536) or b"the end, too early"
                    sender.join(PATIENCE)
                    if bytes(heard) != data:
                        failures.append((number, size))
                peer.shutdown(socket.SHUT_WR)
                if peer.recv(1) != b"":
                    failures.append((number, "something behind the end"))
            except (OSError, AssertionError) as error:
                failures.append((number, error))
            finally:
                peer.close()

        threads = [threading.Thread(target=converse, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE * 2)
        self.assertEqual(failures, [])

    def test_a_client_that_does_not_read_is_read_no_more_and_memory_stays_small(self):
        daemon = self.start()
        before = daemon.resident_bytes()
        peer = connect(daemon.address(), receive_buffer_bytes=4096)
        self.addCleanup(peer.close)
        size = 32 << 20
        block = random.Random(1).randbytes(1 << 20)
        sent, heard = hashlib.sha256(), hashlib.sha256()

        def send():
            for _ in range(size // len(block)):
                peer.sendall(block)
                sent.update(block)
            peer.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        probe = self.event(daemon, "probe", index=1)

        def stands_still():
            first = probe.stats()
            return first["reply_bytes_max_hits"] > 0 and probe.stats()["bytes_read"] - first["bytes_read"] < 100

        until(stands_still, "roomd has stopped reading")
        self.assertTrue(sender.is_alive())
        self.assertLess(daemon.resident_bytes() - before, 4 << 20)
        total = 0
        while True:
            data = peer.recv(1 << 20)
            if not data:
                break
            heard.update(data)
            total += len(data)
        sender.join(PATIENCE)
        self.assertEqual(total, size)
        self.assertEqual(heard.digest(), sent.digest())
        self.assertLess(daemon.resident_bytes() - before, 8 << 20)

    def test_whatever_the_bytes_mean_elsewhere_they_are_only_echoed(self):
        daemon = self.start()
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfd\x18", b"/quit\n", b"\x16\x03\x01", bytes(range(256))):
            peer = self.raw(daemon)
            peer.send_bytes(data)
            peer.finish_sending()
            self.assertEqual(peer.rest(), data)


if __name__ == "__main__":
    unittest.main()
