"""Where a payload ends: frames and lines however they are cut, what is too long, what is no text, and who knocked by mistake."""

import socket
import struct
import unittest

from roomd_harness import Client, DaemonTest, EventClient, FrameClient, LineClient, connect, reset, said, until


def frame(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(data)) + data


class Cuts(DaemonTest):
    """The same bytes in one segment, in many, one at a time: the same answers."""

    script = ("/hello 1 nick=cutter", "/join ops", "/say ops one", "two", "", "/me waves", "//slash",
              "\u00e9\u4e16\U0001f600", "/topic ops new", "/nonsense", "/ping end")

    def replies(self, address, data, sizes, cls):
        with cls(address) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            at = 0
            for size in sizes:
                client.send_bytes(data[at:at + size])
                at += size
            client.send_bytes(data[at:])
            return client.collect("ok ping end")

    def check_cuts(self, cls, data):
        seen = []
        for sizes in ([], [1] * len(data), [3] * (len(data) // 3), [len(data) - 1], [5, 1, 40, 2]):
            with self.subTest(cuts=sizes[:4]):
                daemon = self.start()
                heard = self.replies(daemon.address(), data, sizes, cls)
                heard[1] = heard[1].split(" ")[:3]  # the epoch is another one in each daemon
                seen.append(heard)
                self.assertEqual(len(heard), 10)
                self.assertEqual(heard, seen[0])

    def test_frames_mean_the_same_however_they_are_cut(self):
        self.check_cuts(FrameClient, b"".join(frame(text) for text in self.script))

    def test_lines_mean_the_same_however_they_are_cut(self):
        self.check_cuts(LineClient, "".join(text + "\n" for text in self.script).encode())

    def test_lines_may_end_in_lf_or_crlf_mixed(self):
        self.check_cuts(LineClient, "".join(text + ("\r\n" if number % 2 else "\n")
                                            for number, text in enumerate(self.script)).encode())

    def test_a_thousand_frames_in_one_segment_are_all_answered_in_order(self):
        daemon = self.start()
        client = self.event(daemon, "ann", join="ops")
        client.send_bytes(b"".join(frame(f"/ping {number}") for number in range(1000)))
        heard = client.collect("ok ping 999")
        self.assertEqual(heard, [f"ok ping {number}" for number in range(1000)])

    def test_a_cr_without_lf_is_data_and_shown_so(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="lobby")
        bob = self.line(daemon)
        bob.send_bytes(b"one\rtwo\r\n")
        self.assertEqual(said(ann.await_one(said))[3], "one\rtwo")

    def test_keep_alives_are_ignored_and_bring_nobody_in(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="lobby")
        quiet = self.frame(daemon)
        quiet.send_bytes(frame("") * 3)
        blank = self.line(daemon)
        blank.send_bytes(b"\n\r\n\n")
        self.assertEqual(ann.ask("/who", "ok who"), "ok who lobby 1 ann")
        quiet.send("/ping x")
        self.assertEqual(quiet.receive(), "ping x")
        self.assertEqual(ann.await_one("join lobby guest-2"), "join lobby guest-2")


class TooLarge(DaemonTest):
    options = ("--frame-bytes-max", "1000", "--line-bytes-max", "100")

    def test_frames_at_and_around_the_limit(self):
        daemon = self.start()
        client = self.event(daemon, "ann", options="echo=on", join="lobby")
        for size in (999, 1000):
            text = "x" * size
            client.send(text)
            self.assertEqual(said(client.await_one(said))[3], text)
        before = client.stats()["frame_bytes_max_hits"]
        client.send("x" * 1001)
        self.assertEqual(client.await_one(lambda payload: payload.startswith("err"))[:17], "err say too_large")
        self.assertEqual(client.stats()["frame_bytes_max_hits"], before + 1)
        self.assertEqual(client.ask("after", "ok say"), "ok say lobby 3")

    def test_lines_at_and_around_the_limit(self):
        daemon = self.start()
        client = self.line(daemon)
        client.send("/hello 1 nick=ann")
        client.send("/join lobby")
        client.await_one(lambda payload: payload.startswith("ok join"))
        for size, answer in ((99, "ok say lobby 1"), (100, "ok say lobby 2"), (101, "err say too_large")):
            client.send("x" * size)
            self.assertTrue(client.receive().startswith(answer), size)
        client.send("after")
        self.assertEqual(client.receive(), "ok say lobby 3")
        client.send_bytes(b"x" * 100 + b"\r\n")  # the line end does not count
        self.assertEqual(client.receive(), "ok say lobby 4")

    def test_what_is_too_long_is_skipped_and_never_kept(self):
        daemon = self.start()
        client = self.line(daemon)
        client.send("/hello 1")
        client.receive()
        before = daemon.resident_bytes()
        for _ in range(64):
            client.send_bytes(b"y" * (1 << 20))
        client.send_bytes(b"\n/ping x\n")
        self.assertTrue(client.receive().startswith("err say too_large"))
        self.assertEqual(client.receive(), "ok ping x")  # one error, and on it goes
        self.assertLess(daemon.resident_bytes() - before, 2 << 20)

    def test_the_declared_length_allocates_nothing(self):
        daemon = self.start("tcp://127.0.0.1:0?framing=frame&room=")
        before = daemon.resident_bytes()
        count = 500
        peers = [self.raw(daemon) for _ in range(count)]
        for peer in peers:
            peer.send_bytes(struct.pack(">I", 1000) + b"x")
        probe = self.event(daemon, "probe")
        until(lambda: probe.stats()["connections"] == count + 1, "all are in")
        self.assertLess((daemon.resident_bytes() - before) / count, 16 * 1024)

    def test_a_declared_length_of_16_mib_or_more_is_no_frame(self):
        daemon = self.start("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=frame")
        for length in (0x01000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            with self.subTest(length=hex(length)):
                client = self.frame(daemon)
                client.send("/ping x")
                self.assertEqual(client.receive(), "ping x")
                client.send_bytes(struct.pack(">I", length) + b"junk")
                self.assertTrue(client.receive().startswith("! bad_frame"))
                client.expect_end(self)
                first = self.frame(daemon, 1)
                first.send_bytes(struct.pack(">I", length))
                self.assertTrue(first.receive().startswith("! bad_frame"))
                first.expect_end(self)

    def test_the_longest_length_that_can_be_is_skipped_to_its_end(self):
        daemon = self.start()
        client = self.event(daemon, "ann")
        client.send_bytes(struct.pack(">I", (1 << 24) - 1))
        self.assertTrue(client.receive().startswith("err say too_large"))  # at once: the header says it all
        block = b"/say lobby no\n" * 4096
        left = (1 << 24) - 1
        while left > 0:
            client.send_bytes(block[:left])
            left -= min(left, len(block))
        self.assertEqual(client.ask("/ping x", ""), "ok ping x")


class Unfinished(DaemonTest):
    def test_half_a_frame_then_the_end_or_a_reset_says_nothing(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="lobby")
        for ending in (Client.finish_sending, lambda peer: reset(peer.socket)):
            for part in (b"\0", b"\0\0\0\5", b"\0\0\0\5hell"):
                peer = self.raw(daemon)
                peer.send_bytes(part)
                ending(peer)
        until(lambda: ann.stats()["connections"] == 1, "they are gone")
        self.assertEqual(ann.ask("me", "ok say"), "ok say lobby 1")

    def test_what_does_not_end_in_time_is_closed_and_told_so(self):
        daemon = self.start(options=("--partial-ms-max", "1s"))
        for half in (b"\0\0\0\5hel", b"no line end"):
            peer = self.raw(daemon)
            peer.send_bytes(half)
            answer = peer.rest()
            self.assertIn(b"did not end in time", answer)
            self.assertEqual(answer.startswith(b"! "), half[0] != 0)  # to a program, in a frame
        probe = self.event(daemon, "probe")
        self.assertEqual(probe.stats()["partial_ms_max_hits"], 2)

    def test_a_raw_client_without_newline_is_a_member_where_flush_is_set(self):
        daemon = self.start("tcp://127.0.0.1:0?flush=50ms")
        ann = self.event(daemon, "ann", join="lobby")
        raw = connect(daemon.address())  # the tutorial's BasicTCPClient: send() what was typed, without a line end
        self.addCleanup(raw.close)
        raw.sendall("Hello, World!".encode())
        self.assertEqual(said(ann.await_one(said))[3], "Hello, World!")
        raw.sendall("second".encode())
        self.assertEqual(said(ann.await_one(said))[3], "second")
        ann.send("welcome, raw one")
        heard = b""
        while b"[lobby] ann: welcome, raw one\n" not in heard:
            data = raw.recv(1024)
            self.assertTrue(data)
            heard += data

    def test_with_flush_a_cut_character_waits_for_its_rest(self):
        daemon = self.start("tcp://127.0.0.1:0?flush=100ms")
        ann = self.event(daemon, "ann", join="lobby")
        bob = self.line(daemon)
        bob.send_bytes(b"one\ntwo")
        self.assertEqual(said(ann.await_one(said))[3], "one")
        self.assertEqual(said(ann.await_one(said))[3], "two")


class NotText(DaemonTest):
    bad = (b"\xff", b"\xc0\xaf", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80",
           b"\xf5\x80\x80\x80", b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3(", b"nul \x00 inside")

    def check_refused(self, cls):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="lobby")
        client = self.keep(cls(daemon.address()))
        client.send("/hello 1 nick=bob")
        client.receive()
        client.send("/join lobby")
        client.receive()
        for bad in self.bad:
            for prefix in (b"", b"text ", b"/say lobby ", b"/topic lobby ", b"/nick ", b"/msg ann "):
                with self.subTest(bytes=prefix + bad):
                    client.send(prefix + bad)
                    self.assertIn(" bad_utf8", client.receive())
        client.send("good")
        self.assertEqual(client.receive(), "ok say lobby 1")
        heard = ann.collect(lambda payload: payload.endswith("good"))
        self.assertEqual(len(heard), 2, heard)  # join, msg: nothing of all that was relayed
        self.assertEqual(ann.ask("/topic", "ok topic"), "ok topic lobby")

    def test_invalid_utf8_in_a_frame_is_refused_and_the_connection_goes_on(self):
        self.check_refused(FrameClient)

    def test_invalid_utf8_in_a_line_is_refused_and_the_connection_goes_on(self):
        self.check_refused(LineClient)

    def test_nobody_can_drive_another_ones_terminal(self):
        daemon = self.start()
        person = self.line(daemon)
        person.send("here")
        person.await_one(lambda line: "you are in lobby" in line)
        program = self.frame(daemon)
        controls = "".join(chr(code) for code in (*range(1, 32), 127, *range(128, 160)))
        text = f"evil {controls} \u202e\u2066\u2028 done"
        program.send(text)
        self.assertEqual(program.receive(), text)  # in frames: verbatim
        shown = person.await_one(lambda line: line.endswith("done"))
        self.assertIn("^[", shown)
        self.assertIn("\\x9b", shown)
        self.assertIn("\\u202e", shown)
        raw = set(shown) & (set(controls) - {"\t"} | set("\u202e\u2066\u2028"))
        self.assertEqual(raw, set())
        self.assertEqual(person.pending, b"")  # one line


class WrongDoor(DaemonTest):
    """Who speaks another protocol is told so and closed; nothing that follows is run."""

    def setUp(self):
        self.daemon = self.start("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line")
        self.ear = self.event(self.daemon, "ear", join="lobby")

    def nothing_was_said(self):
        self.assertEqual(self.ear.ask("/history last=100", "ok history"), "ok history lobby 1 0")

    def test_http_gets_a_400_and_no_line_behind_it_is_run(self):
        for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE", "BREW"):
            for index in (0, 1):
                with self.subTest(method=method, listener=index):
                    peer = self.raw(self.daemon, index)
                    peer.send_bytes(f"{method} /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60\r\n\r\n"
                                    "/join lobby\n/say lobby from the web\nfrom the web\n".encode())
                    answer = peer.rest()
                    self.assertIn(b"HTTP/1.1 400 ", answer)
                    if index == 0:
                        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "))
                    self.assertNotIn(b"in the lobby", answer)
        self.nothing_was_said()

    def test_http_in_pieces_and_after_empty_lines_and_unfinished(self):
        for pieces in ((b"G", b"ET / HT", b"TP/1.1\r", b"\nfrom the web\n"), (b"\r\n\r\nGET / HTTP/1.0\n/say lobby x\n",),
                       (b"GET / HTTP/1.1",), (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n/say lobby x\n",)):
            with self.subTest(pieces=pieces):
                peer = self.raw(self.daemon)
                for piece in pieces:
                    peer.send_bytes(piece)
                if len(pieces[0]) > 10 and b"\n" not in pieces[0]:
                    peer.finish_sending()
                self.assertIn(b"HTTP/1.1 400 ", peer.rest())
        self.nothing_was_said()

    def test_a_tls_hello_gets_one_clear_line(self):
        peer = self.raw(self.daemon)
        peer.send_bytes(bytes.fromhex("160301010001000000fc0303") + bytes(range(200)))
        answer = peer.rest()
        self.assertIn(b"TLS", answer)
        self.assertEqual(answer.count(b"\n"), 1)

    def test_binary_junk_and_the_first_words_of_others_are_refused_politely(self):
        for first in (b"SSH-2.0-x\r", b"OPTIONS rtsp://a RTSP/1.0\r", b"\xff\0\0\0\1\x7f", b"\x01\x02", b"\x7f", b"\x80", b"\xc1", b"\xf5", b"\xfe"):
            with self.subTest(first=first):
                peer = self.raw(self.daemon)
                peer.send_bytes(first + b"\n/say lobby x\n")
                answer = peer.rest()
                self.assertTrue(answer.startswith(b"! unknown_protocol"), answer)
                self.assertEqual(answer.count(b"\n"), 1)
        self.nothing_was_said()


class Resets(DaemonTest):
    def test_resets_in_the_middle_of_a_broadcast_harm_nobody(self):
        daemon = self.start()
        ear = self.event(daemon, "ear", join="lobby")
        mouth = self.event(daemon, "mouth", join="lobby")
        for turn in range(10):
            victims = [EventClient(daemon.address(), join="lobby") for _ in range(20)]
            mouth.send_bytes(b"".join(frame(f"turn {turn} {number} " + "x" * 1000) for number in range(200)))
            for victim in victims:
                reset(victim.socket)
            ear.await_one(lambda payload, turn=turn: f" turn {turn} 199 " in payload)
        until(lambda: ear.stats()["connections"] == 2, "the victims are gone")
        self.assertEqual(ear.ask("/who lobby", "ok who"), "ok who lobby 2 ear mouth")


if __name__ == "__main__":
    unittest.main()
