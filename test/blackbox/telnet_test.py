"""Programs that put something between the characters of what people type: telnet, editors, proxies; and people who type slowly."""

import os
import pty
import select
import shutil
import signal
import socket
import struct
import time
import unittest

from roomd_harness import PATIENCE, DaemonTest, connect, said

MARK = b"\xef\xbb\xbf"  # U+FEFF, as PowerShell and Notepad write it
IAC, IP, DO, DONT, WILL, WONT = b"\xff", b"\xf4", b"\xfd", b"\xfe", b"\xfb", b"\xfc"
TIMING_MARK, NAWS, ECHO = b"\x06", b"\x1f", b"\x01"


class Commands(DaemonTest):
    """RFC 854: what stands behind an IAC is no text, whatever the listener's framing."""

    listen = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line")

    def check_answer(self, sent, *heard):
        for index in range(2):
            with self.subTest(sent=sent, listener=self.listen[index]):
                peer = self.raw(self.daemon, index)
                for at in range(len(sent)):
                    peer.send_bytes(sent[at:at + 1])
                peer.finish_sending()
                answer = peer.rest()
                for each in heard:
                    self.assertIn(each, answer)
                self.assertNotIn(b"UTF-8", answer)

    def test_options_are_refused_and_the_first_command_is_run(self):
        self.daemon = self.start()
        self.check_answer(IAC + WILL + NAWS + IAC + DO + ECHO + b"/ping first\r\n", IAC + DONT + NAWS, IAC + WONT + ECHO, b"pong first")
        self.check_answer(IAC + b"\xfa\x1f\0\x0a\0\x18" + IAC + b"\xf0/ping behind\r\n", b"pong behind")

    def test_a_ctrl_c_is_answered_with_its_timing_mark(self):
        self.daemon = self.start()
        self.check_answer(b"/ping before\r\n" + IAC + IP + IAC + DO + TIMING_MARK + b"/ping after\r\n",
                          b"pong before", IAC + WILL + TIMING_MARK, b"pong after")

    def test_are_you_there(self):
        self.daemon = self.start()
        self.check_answer(IAC + b"\xf6/ping x\r\n", b"* roomd is here\n", b"pong x")

    def test_who_asks_again_after_each_refusal_is_not_refused_for_ever(self):
        peer = self.raw(self.start())
        peer.send_bytes(IAC + DO + ECHO)
        refusals = 0
        peer.socket.settimeout(PATIENCE)
        while refusals < 64:
            self.assertEqual(peer.socket.recv(3, socket.MSG_WAITALL), IAC + WONT + ECHO)
            refusals += 1
            peer.send_bytes(IAC + DO + ECHO)
        peer.send_bytes(b"/ping over\n")
        peer.finish_sending()
        self.assertNotIn(IAC, peer.rest())

    def test_a_flood_of_commands_waits_for_its_own_answers_and_for_nobody_else(self):
        daemon = self.start(options=("--reply-bytes-max", "64KiB"))
        ann = self.event(daemon, "ann")
        flood = connect(daemon.address(), receive_buffer_bytes=4096)
        self.addCleanup(flood.close)
        flood.setblocking(False)
        sent, end = 0, time.monotonic() + PATIENCE
        while sent < 8 << 20 and time.monotonic() < end:
            if not select.select([], [flood], [], 0.5)[1]:
                break  # it is not read any more
            sent += flood.send((IAC + DO + TIMING_MARK) * 20_000)
        self.assertEqual(ann.ask("/ping x", "ok ping"), "ok ping x")
        self.assertLess(daemon.resident_bytes(), 128 << 20)


class Enter(DaemonTest):
    def test_cr_nul_ends_a_line(self):
        peer = self.raw(self.start())
        peer.send_bytes(b"/ping one\r\0/ping two\r\0\r\n")
        peer.finish_sending()
        answer = peer.rest()
        self.assertIn(b"pong one\n", answer)
        self.assertIn(b"pong two\n", answer)

    def test_who_types_key_by_key_is_not_idle_but_who_stops_is(self):
        daemon = self.start(options=("--partial-ms-max", "1s"))
        ann = self.event(daemon, "ann", join="lobby")
        slow, program = self.raw(daemon), self.raw(daemon)
        frame = struct.pack(">I", 40) + b"x" * 40
        begin = time.monotonic()
        for place in range(8):  # 2.4 s, of which no second passes without a key
            slow.send_bytes(b"I type.\n"[place:place + 1])
            try:
                program.send_bytes(frame[place:place + 1])
            except OSError:
                pass  # closed already
            time.sleep(max(0.0, begin + 0.3 * (place + 1) - time.monotonic()))
        self.assertEqual(said(ann.await_one(said))[3], "I type.")
        self.assertIn(b"idle", program.rest())  # a program has its frame whole
        slow.send_bytes(b"and")
        self.assertIn(b"did not end in time", slow.rest())

    def test_a_line_is_not_waited_for_for_ever(self):
        daemon = self.start(options=("--partial-ms-max", "100ms"))
        peer = self.raw(daemon)
        begin = time.monotonic()
        with self.assertRaises(OSError):  # 20 times as long in all
            while time.monotonic() < begin + PATIENCE:
                peer.send_bytes(b"x")
                if select.select([peer.socket], [], [], 0.02)[0] and not peer.fill():
                    raise ConnectionResetError
        self.assertGreater(time.monotonic() - begin, 1)
        self.assertIn(b"did not end in time", bytes(peer.pending))


class Marks(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line", "tcp://127.0.0.1:0?framing=frame")

    def test_a_byte_order_mark_before_a_command_leaves_it_a_command(self):
        daemon = self.start()
        ear = self.event(daemon, "ear", join="lobby")
        for index in range(2):
            peer = self.raw(daemon, index)
            peer.send_bytes(MARK + b"/ping marked\r\n")
            peer.finish_sending()
            self.assertIn(b"pong marked", peer.rest())
        text = MARK + b"/hello 1"
        for index in (0, 2):
            for sent in (struct.pack(">I", len(text)) + text, MARK + struct.pack(">I", 8) + b"/hello 1"):
                peer = self.raw(daemon, index)
                peer.send_bytes(sent)
                peer.finish_sending()
                self.assertIn(b"welcome 1 ", peer.rest())
        self.assertEqual(ear.ask("/history last=100", "ok history"), "ok history lobby 1 0")


class Proxies(DaemonTest):
    def test_the_header_of_a_proxy_is_refused_and_nothing_of_it_said(self):
        daemon = self.start("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line")
        ear = self.event(daemon, "ear", join="lobby")
        for index in range(2):
            for header in (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n",
                           b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(range(12))):
                peer = self.raw(daemon, index)
                peer.send_bytes(header + b"hello\r\n")
                self.assertIn(b"a PROXY header is not expected here", peer.rest())
        self.assertEqual(ear.ask("/history last=100", "ok history"), "ok history lobby 1 0")

    def test_a_request_cut_by_flush_runs_none_of_its_headers(self):
        daemon = self.start("tcp://127.0.0.1:0?framing=line&flush=20ms", "tcp://127.0.0.1:0")
        ear = self.event(daemon, "ear", 1, join="lobby")
        for target in (b"upload", b"A" * 5000):
            peer = self.raw(daemon)
            peer.send_bytes(b"POST /" + target)
            time.sleep(0.2)  # ten times as long as flush: this is what must pass
            peer.send_bytes(b" HTTP/1.1\r\nHost: x\r\n\r\n/nick evil\r\n/say lobby driven\r\n")
            self.assertIn(b"HTTP/1.1 400 ", peer.rest())
        self.assertEqual(ear.ask("/history last=100", "ok history"), "ok history lobby 1 0")


class Urgent(DaemonTest):
    def test_urgent_data_is_no_text_and_no_end(self):
        peer = self.raw(self.start())
        peer.send_bytes(b"/pi")
        peer.socket.send(b"!", socket.MSG_OOB)
        peer.send_bytes(b"ng x\n")
        peer.finish_sending()
        self.assertIn(b"pong x", peer.rest())


@unittest.skipUnless(shutil.which("telnet"), "telnet is not installed")
class Telnet(DaemonTest):
    def hear(self, terminal, wanted):
        heard, end = b"", time.monotonic() + PATIENCE
        while wanted not in heard and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    heard += os.read(terminal, 65536)
                except OSError:
                    break
        self.assertIn(wanted, heard)

    def test_after_a_ctrl_c_answers_are_seen_again(self):
        host, port = self.start().address()
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(shutil.which("telnet"), ["telnet", host, str(port)])
        try:
            self.hear(terminal, b"Connected")
            os.write(terminal, b"/ping before\n")
            self.hear(terminal, b"pong before")
            os.write(terminal, b"\x03")
            os.write(terminal, b"\n/ping after\n")
            self.hear(terminal, b"pong after")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)


if __name__ == "__main__":
    unittest.main()
