"""The netcats that people have, and the debug mode that netcat is for."""

import os
import re
import shutil
import subprocess
import unittest

from roomd_harness import DaemonTest, PATIENCE, needs, said

ROUNDS = int(os.environ.get("ROOMD_TEST_HALF_CLOSE_ROUNDS", "100"))


def pipe(command, text):
    """What `printf TEXT | COMMAND` writes."""
    done = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=PATIENCE, check=False)
    return done.stdout.decode()


def tool(*names):
    return next((path for path in map(shutil.which, names) if path), None)


class HalfClose(DaemonTest):
    """`printf ... | nc -N`: the end of the stream comes behind the commands, and every answer before the close."""

    def check_answers(self, command, rounds=1):
        for turn in range(rounds):
            answer = pipe(command, "/join ops\nhello\n/ping done\n").splitlines()
            self.assertRegex(answer[0], r"^\* you are in ops \(\d+ here\)$", turn)
            self.assertEqual(answer[-1], "* pong done", turn)

    @needs("nc.openbsd", "netcat-openbsd")
    def test_netcat_openbsd_gets_every_answer_every_time(self):
        daemon = self.start()
        host, port = daemon.address()
        self.check_answers([tool("nc.openbsd"), "-N", host, str(port)], ROUNDS)
        ann = self.event(daemon, "ann")
        self.assertEqual(ann.join("ops")[2], ROUNDS + 1)  # each hello was said

    @needs("ncat")
    def test_ncat(self):
        host, port = self.start().address()
        self.check_answers([tool("ncat"), host, str(port)], 3)

    @needs("socat")
    def test_socat_over_tcp_and_unix(self):
        path = self.scratch() / "s"
        daemon = self.start("tcp://127.0.0.1:0", f"unix:{path}")
        host, port = daemon.address()
        self.check_answers([tool("socat"), "-t", "10", "-", f"TCP:{host}:{port}"], 3)
        self.check_answers([tool("socat"), "-t", "10", "-", f"UNIX-CONNECT:{path}"], 3)

    @needs("nc.openbsd", "netcat-openbsd")
    def test_netcat_over_unix_and_ipv6_and_with_crlf(self):
        path = self.scratch() / "s"
        daemon = self.start(f"unix:{path}", "tcp://[::1]:0")
        port = daemon.address(1)[1]
        self.check_answers([tool("nc.openbsd"), "-N", "-U", str(path)])
        self.check_answers([tool("nc.openbsd"), "-N", "-C", "::1", str(port)])

    @needs("telnet")
    def test_telnet(self):
        host, port = self.start().address()
        process = subprocess.Popen([tool("telnet"), host, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        process.stdin.write(b"hello\r\n/ping done\r\n/quit\r\n")
        process.stdin.flush()
        text = process.stdout.read().decode()  # up to roomd's close
        process.stdin.close()
        process.stdout.close()
        process.wait(PATIENCE)
        self.assertIn("* pong done", text)

    def test_the_last_line_needs_no_line_end(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="lobby")
        for last, answer in (("hello", None), ("/ping x", b"* pong x\n")):
            peer = self.line(daemon)
            peer.send_bytes(last.encode())
            peer.finish_sending()
            heard = peer.rest()
            if answer:
                self.assertTrue(heard.endswith(answer), heard)
        self.assertEqual(said(ann.await_one(said))[3], "hello")

    def test_an_event_program_that_ends_its_stream_gets_every_answer_and_a_bye(self):
        daemon = self.start()
        program = self.event(daemon, "ann", join="ops")
        for number in range(1, 301):
            program.send(f"message {number}")
        program.finish_sending()
        heard = program.collect(lambda payload: payload.startswith("bye "))
        self.assertEqual(heard[:-1], [f"ok say ops {number}" for number in range(1, 301)])
        self.assertEqual(heard[-1], "bye end")
        program.expect_end(self)

    def test_a_large_history_is_replayed_whole_after_the_end_of_the_stream(self):
        daemon = self.start(options=("--history-messages-max", "5000", "--history-bytes-max", "8MiB"))
        ann = self.event(daemon, "ann", options="ack=off", join="ops")
        for number in range(1, 2001):
            ann.send(f"{number} " + "x" * 800)
        ann.ask("/ping x", "ok ping")
        reader = self.line(daemon, receive_buffer_bytes=4096)
        reader.send_bytes(b"/hello 1\n/join ops last=2000\n/ping end")
        reader.finish_sending()
        lines = reader.rest().decode().splitlines()
        ids = [said(line)[1] for line in lines if line.startswith("old ")]
        self.assertEqual(ids, list(range(1, 2001)))
        self.assertTrue(lines[-3].startswith("ok join ops "), lines[-3:])
        self.assertEqual(lines[-2:], ["ok ping end", "bye end"])


class DebugMode(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line&debug=on")

    def test_the_debug_listener_greets_at_once(self):
        person = self.line(self.start(), 1)
        self.assertRegex(person.receive(), r"^\* welcome to roomd \S+; you are guest-1; /help ")
        self.assertEqual(person.receive(), "* you are in lobby (1 here)")

    def test_trace_shows_payloads_as_they_were_framed_and_cut(self):
        daemon = self.start()
        developer = self.line(daemon, 1)
        developer.send("/trace on")
        developer.await_one("* trace is on")
        program = self.frame(daemon)
        program.send_bytes(b"\0\0\0\5he")
        developer.await_one(lambda line: re.search(r"#\d+ > read 6 bytes$", line))
        program.send_bytes(b"llo\0\0\0\7/ping x")
        heard = developer.collect(lambda line: "< frame" in line and '"ping x"' in line)
        text = "\n".join(heard)
        self.assertRegex(text, r'> frame \[00 00 00 05\] 5 bytes "hello"')
        self.assertRegex(text, r'> frame \[00 00 00 07\] 7 bytes "/ping x"')
        self.assertRegex(text, r'< frame \[00 00 00 05\] 5 bytes "hello"')
        self.assertRegex(text, r'< frame \[00 00 00 06\] 6 bytes "ping x"')
        self.assertLess(text.index("[00 00 00 05]"), text.index("[00 00 00 07]"))
        developer.send("/trace off")
        developer.await_one("* trace is off")
        program.send("quiet")
        self.assertEqual(developer.await_one(lambda line: line.endswith("quiet")), "[lobby] guest-2: quiet")

    def test_conns_lists_every_connection(self):
        daemon = self.start()
        developer = self.line(daemon, 1)
        program = self.event(daemon, "tick", join="ops")
        program.join("lobby")
        developer.send("/conns")
        heard = developer.collect("* 2 connections")
        line = next(line for line in heard if "nick=tick" in line)
        port = program.socket.getsockname()[1]
        self.assertRegex(line, rf"^#\d+ 127\.0\.0\.1:{port} nick=tick framing=frame format=event rooms=ops,lobby "
                               r"queued_bytes=\d+ unsent_ms=\d+$")

    def test_netcat_sees_with_format_event_what_a_program_would(self):
        daemon = self.start()
        developer = self.line(daemon, 1)
        developer.send("/format event")
        developer.await_one("ok format event")
        program = self.event(daemon, "tick", join="lobby")
        program.send("21.5")
        self.assertRegex(developer.await_one(lambda line: line.startswith("msg")), r"^msg lobby 1 \d+ tick 21\.5$")

    def test_debug_commands_are_refused_elsewhere(self):
        program = self.event(self.start(), "tick")
        self.assertTrue(program.ask("/trace on", "err").startswith("err trace no_permission"))
        self.assertTrue(program.ask("/conns", "err").startswith("err conns no_permission"))
        self.assertNotIn("trace", program.ask("/help", "ok help"))

    def test_a_tracer_that_does_not_read_harms_nobody(self):
        daemon = self.start()
        developer = self.line(daemon, 1, receive_buffer_bytes=4096)
        developer.send("/trace on")
        developer.await_one("* trace is on")
        program = self.event(daemon, "tick", join="ops", options="ack=off")
        for _ in range(50):
            program.send_bytes((b"\0\0\1\0" + b"x" * 256) * 200)
            program.ask("/ping x", "ok ping")
        self.assertLess(daemon.resident_bytes(), 128 << 20)


if __name__ == "__main__":
    unittest.main()
