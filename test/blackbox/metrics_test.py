"""What operators are told over HTTP: figures that are right, health that is true, and no way in for anybody else."""

import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import prometheus_text
from roomd_harness import PATIENCE, Daemon, DaemonTest, connect, needs, run_roomd, split_address, until

PROMTOOL = shutil.which("promtool")
ON = ("--metrics", "127.0.0.1:0")

# What a service manager does with a socket unit whose FileDescriptorName= is metrics.
HAND_OVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="metrics")
os.execv(sys.argv[1], sys.argv[1:])
"""


def metrics_address(daemon, count=1):
    line = daemon.wait_for_line(r"\bmetrics address=", count)
    return split_address(re.search(r"\bmetrics address=(\S+)", line).group(1))


def exchange(address, request):
    """All that is answered to these bytes."""
    with connect(address) as peer:
        peer.sendall(request)
        answer = b""
        while True:
            data = peer.recv(65536)
            if not data:
                return answer
            answer += data


def parse_answer(answer):
    """(status, {name: value}, body)"""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    names = [field.partition(":")[0].lower() for field in fields]
    assert len(set(names)) == len(names), head
    return int(first.split(" ")[1]), {field.partition(":")[0].lower(): field.partition(":")[2].strip() for field in fields}, body


def get(address, path, method="GET", fields="Host: localhost\r\n"):
    return parse_answer(exchange(address, f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode()))


def scrape(address):
    status, fields, body = get(address, "/metrics")
    assert status == 200 and fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8", (status, fields)
    return prometheus_text.parse(body.decode())


def total(address, name, **labels):
    return scrape(address)[name].value(**labels)


class MetricsTest(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0?framing=line", "tcp://127.0.0.1:0?framing=echo")
    options = ON

    def test_the_text_is_what_prometheus_reads(self):
        daemon = self.start()
        families = scrape(metrics_address(daemon))  # the reader is strict
        self.assertEqual(families["roomd_build_info"].value(), 1)
        self.assertEqual(families["roomd_ready"].value(), 1)
        for name in families:
            self.assertRegex(name, r"\A(roomd|process)_")

    @needs("promtool", "prometheus")
    def test_promtool_has_nothing_to_say(self):
        daemon = self.start()
        _, _, body = get(metrics_address(daemon), "/metrics")
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=body, capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_figures_follow_what_happens(self):
        daemon = self.start()
        address = metrics_address(daemon)
        ann = self.event(daemon, "ann", join="lobby")
        people = [self.line(daemon, 1) for _ in range(2)]
        echo = self.raw(daemon, 2)
        echo.send_bytes(b"xyz")
        silent = self.raw(daemon)
        for text in ("one", "two", "three"):
            ann.ask(f"/say lobby {text}", "ok say")
        for person in people:
            person.await_one(lambda line: line.endswith("three"))
        ann.ask("/say nowhere x", "err say")

        def connected():  # looked at now and then
            seen = scrape(address)["roomd_connections"]
            return (seen.value(framing="frame", format="event"), seen.value(framing="line", format="human"),
                    seen.value(framing="auto", format="none"), seen.value(framing="echo"), seen.value())

        until(lambda: connected() == (1, 2, 1, 1, 5), "all are seen, as what they are")
        now = scrape(address)
        self.assertEqual(now["roomd_connections_accepted_total"].value(), 5)
        self.assertEqual(now["roomd_members"].value(), 3)
        self.assertEqual(now["roomd_rooms"].value(), 1)
        self.assertEqual(now["roomd_messages_received_total"].value(), 3)
        self.assertEqual(now["roomd_messages_delivered_total"].value(), 6)  # ann does not hear herself
        self.assertEqual(now["roomd_commands_refused_total"].value(), 1)
        self.assertEqual(now["roomd_delivery_latency_seconds"].value("_count"), 3)
        self.assertGreater(now["roomd_delivery_latency_seconds"].value("_sum"), 0)
        self.assertGreater(now["roomd_tick_duration_seconds"].value("_count"), 0)
        self.assertGreater(now["roomd_read_bytes_total"].value(), 30)
        self.assertGreater(now["roomd_written_bytes_total"].value(), 60)
        self.assertGreater(now["roomd_history_bytes"].value(), 0)
        people[0].send("/quit")
        people[0].rest()
        people[0].close()
        silent.send_bytes(b"\xff\xff\xff\xff")
        silent.rest()
        silent.close()
        until(lambda: total(address, "roomd_closes_total", reason="quit") == 1, "a quit is counted")
        until(lambda: total(address, "roomd_closes_total") == 2, "both are counted")
        until(lambda: total(address, "roomd_connections") == 3, "they are seen to be gone")
        stats = ann.stats()
        self.assertEqual(total(address, "roomd_limit_hits_total"),
                         sum(value for name, value in stats.items() if name.endswith("_hits")))

    def test_operators_are_not_counted_as_members(self):
        daemon = self.start()
        address = metrics_address(daemon)
        for _ in range(3):
            now = scrape(address)
        for name in ("roomd_connections_accepted_total", "roomd_read_bytes_total", "roomd_written_bytes_total",
                     "roomd_connections", "roomd_closes_total"):
            self.assertEqual(now[name].value(), 0, name)

    def test_a_reader_that_does_not_read_shows(self):
        daemon = self.start(options=ON + ("--queue-bytes-max", "64KiB", "--queue-soft-bytes", "64KiB"))
        address = metrics_address(daemon)
        ear = self.event(daemon, "ear", join="lobby", receive_buffer_bytes=4096)
        mouth = self.event(daemon, "mouth", join="lobby")
        text = "x" * 16000

        def said_until_lost():
            mouth.ask("/say lobby " + text, "ok say")
            return total(address, "roomd_messages_lost_total") > 0

        until(said_until_lost, "messages are lost")

        def one_queue_seen():  # looked at now and then
            now = scrape(address)
            queued = now["roomd_queue_bytes"].value()
            return (queued > 16000 and now["roomd_queue_largest_bytes"].value() == queued
                    and now["roomd_queue_connections"].value() == 1 and now["roomd_pinned_bytes"].value() >= queued)

        until(one_queue_seen, "one queue is seen, and held")
        now = scrape(address)
        self.assertGreater(now["roomd_limit_hits_total"].value(limit="queue_bytes_max"), 0)
        until(lambda: total(address, "roomd_oldest_unsent_seconds") > 0.05, "what waits grows older")
        lost = now["roomd_messages_lost_total"].value()
        ear.await_one(lambda payload: payload.startswith("gap "))
        until(lambda: total(address, "roomd_gaps_total") == 1, "the gap is counted")
        ear.ask("/ping all", "ok ping all")
        until(lambda: total(address, "roomd_queue_bytes") == 0, "the queue empties")
        until(lambda: total(address, "roomd_oldest_unsent_seconds") == 0, "nothing waits")
        self.assertEqual(total(address, "roomd_messages_lost_total"), lost)

    @unittest.skipUnless(sys.platform == "linux", "from /proc")
    def test_the_process_is_described_as_everywhere(self):
        begin = time.time()
        daemon = self.start()
        address = metrics_address(daemon)
        now = scrape(address)
        # Counted while the scrape's own connection is open.
        until(lambda: now["process_open_fds"].value() == daemon.descriptors() + 1, "its descriptors are those that are open")
        self.assertEqual(now["process_max_fds"].value(), resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0])
        self.assertAlmostEqual(now["process_resident_memory_bytes"].value(), daemon.resident_bytes(), delta=4 << 20)
        self.assertGreater(now["process_virtual_memory_bytes"].value(), now["process_resident_memory_bytes"].value())
        self.assertTrue(begin - 1 <= now["process_start_time_seconds"].value() <= time.time())
        self.assertLess(now["process_cpu_seconds_total"].value(), PATIENCE)
        self.assertAlmostEqual(total(address, "process_cpu_seconds_total"), daemon.cpu_seconds(), delta=0.5)


class HealthTest(DaemonTest):
    def test_it_is_not_ready_while_it_waits_for_an_address(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            daemon = self.start(f"tcp://127.0.0.1:{port}", options=ON + ("--bind-retry", "60"), wait=False)
            address = metrics_address(daemon)
            self.assertEqual(get(address, "/healthz")[0], 200)
            status, _, body = get(address, "/readyz")
            self.assertEqual((status, body), (503, b"starting\n"))
            self.assertEqual(total(address, "roomd_ready"), 0)
        daemon.wait_for_line(r"\bready\b")
        self.assertEqual(get(address, "/readyz")[::2], (200, b"ready\n"))

    def test_it_is_not_ready_while_it_says_goodbye_but_well(self):
        daemon = self.start(options=ON + ("--drain-ms-max", "30s", "--linger-ms-max", "30s"))
        address = metrics_address(daemon)
        last = self.event(daemon, "last", join="lobby")
        self.assertEqual(get(address, "/readyz")[0], 200)
        daemon.signal(signal.SIGTERM)
        last.await_one(lambda payload: payload.startswith("bye "))
        self.assertEqual(get(address, "/readyz")[::2], (503, b"stopping\n"))
        self.assertEqual(get(address, "/healthz")[::2], (200, b"ok\n"))
        self.assertEqual(total(address, "roomd_ready"), 0)
        last.close()
        self.assertEqual(daemon.wait(), 0)

    def test_it_answers_when_there_is_no_room_for_another_connection(self):
        daemon = self.start(options=ON + ("--connections-max", "2"))
        address = metrics_address(daemon)
        for name in ("ann", "bob"):
            self.event(daemon, name)
        self.raw(daemon).rest()
        until(lambda: total(address, "roomd_connections") == 2, "two are seen")
        now = scrape(address)
        self.assertEqual(now["roomd_connections_max"].value(), 2)
        self.assertEqual(now["roomd_connections_refused_total"].value(), 1)
        self.assertEqual(now["roomd_limit_hits_total"].value(limit="connections_max"), 1)


class HttpTest(DaemonTest):
    options = ON

    def test_requests_are_answered_as_rfc_9110_says(self):
        address = metrics_address(self.start())
        for path, method, fields, status in (
            ("/", "GET", "Host: localhost\r\n", 200),
            ("/nothing", "GET", "Host: localhost\r\n", 404),
            ("/metrics/", "GET", "Host: localhost\r\n", 404),
            ("/metrics", "POST", "Host: localhost\r\n", 405),
            ("/metrics", "OPTIONS", "Host: localhost\r\n", 405),
            ("/metrics", "GET", "", 400),
            ("/metrics", "GET", "Host: localhost\r\nHost: localhost\r\n", 400),
            ("/metrics", "GET", "Host: rooms.example\r\n", 421),
            ("/metrics", "GET", "Host: localhost\r\nContent-Length: 5\r\n", 413),
            ("/metrics", "GET", "Host: localhost\r\nTransfer-Encoding: chunked\r\n", 413),
            ("/metrics", "GET", "Host: localhost\r\nX: " + "x" * 9000 + "\r\n", 431),
        ):
            with self.subTest(path=path, method=method, status=status):
                got, answer, body = get(address, path, method, fields)
                self.assertEqual(got, status)
                self.assertEqual(answer["connection"], "close")
                self.assertEqual(answer["cache-control"], "no-store")
                self.assertEqual(answer["x-content-type-options"], "nosniff")
                self.assertEqual(int(answer["content-length"]), len(body))
                self.assertIn("date", answer)
                self.assertEqual("allow" in answer, status == 405)
        self.assertEqual(parse_answer(exchange(address, b"GET / HTTP/2.0\r\n"))[0], 505)

    def test_head_is_get_without_the_body(self):
        address = metrics_address(self.start())
        for path, status in (("/healthz", 200), ("/nothing", 404)):
            _, fields, body = get(address, path)
            head = exchange(address, f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
            got, head_fields, nothing = parse_answer(head)
            self.assertEqual((got, nothing), (status, b""))
            self.assertEqual(head_fields["content-length"], str(len(body)))
            self.assertEqual(set(head_fields), set(fields))

    def test_only_the_first_request_is_answered(self):
        address = metrics_address(self.start())
        answer = exchange(address, b"GET /healthz HTTP/1.1\r\nHost: [::1]\r\n\r\n" * 20)
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertTrue(answer.endswith(b"\r\n\r\nok\n"))

    def test_a_byte_at_a_time_is_as_good(self):
        address = metrics_address(self.start())
        with connect(address) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":
                peer.sendall(bytes([byte]))
            self.assertEqual(parse_answer(peer.makefile("rb").read())[0], 200)

    def test_half_a_request_is_not_answered(self):
        address = metrics_address(self.start())
        with connect(address) as peer:
            peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127")
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(peer.recv(100), b"")

    def test_seventeen_who_say_nothing_cost_the_first_of_them_its_place(self):
        address = metrics_address(self.start())
        idle = []
        for _ in range(17):
            idle.append(connect(address))
            self.addCleanup(idle[-1].close)
        self.assertEqual(idle[0].recv(1), b"")
        idle[16].sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertTrue(idle[16].recv(100).startswith(b"HTTP/1.1 200 "))
        idle[1].sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertTrue(idle[1].recv(100).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(get(address, "/healthz")[0], 200)

    def test_who_dawdles_is_closed_after_ten_seconds(self):
        daemon = self.start()
        address = metrics_address(daemon)
        before = daemon.descriptors()
        begin = time.monotonic()
        with connect(address) as silent, connect(address, receive_buffer_bytes=2048) as deaf:
            silent.sendall(b"GET /metr")
            deaf.sendall(b"GET / HTTP/1.0\r\n\r\n")
            until(lambda: daemon.descriptors() == before + 2, "both are accepted")
            self.assertEqual(silent.recv(1), b"")
            self.assertGreater(time.monotonic() - begin, 9)
            until(lambda: daemon.descriptors() == before, "both are closed")


class WhereTest(DaemonTest):
    def test_off_unless_asked_for(self):
        daemon = self.start()
        self.assertFalse([line for line in daemon.log() if "metrics" in line])

    def test_on_a_unix_socket_that_nobody_else_may_open(self):
        path = self.scratch() / "m"
        daemon = self.start(options=("--metrics", str(path)))
        self.assertEqual(metrics_address(daemon), str(path))
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        self.assertEqual(get(str(path), "/readyz")[0], 200)
        daemon.close()
        self.assertFalse(path.exists())

    def test_on_a_socket_that_is_handed_over(self):
        daemon = self.start(prefix=(sys.executable, "-c", HAND_OVER))
        self.assertEqual(get(metrics_address(daemon), "/readyz")[0], 200)
        self.assertNotIn("inherited_unused", "".join(daemon.log()))

    @unittest.skipUnless(sys.platform == "linux", "from one program to the next")
    def test_another_program_goes_on_where_it_was(self):
        path = self.scratch() / "m"
        for daemon in (self.start(options=("--metrics", str(path))), self.start(options=ON),
                       self.start(prefix=(sys.executable, "-c", HAND_OVER))):
            address = metrics_address(daemon)
            ann = self.event(daemon, "ann", join="lobby")
            bob = self.event(daemon, "bob", join="lobby")
            ann.ask("/say lobby one", "ok say")
            bob.await_one(lambda payload: payload.endswith(" one"))
            before = scrape(address)
            daemon.signal(signal.SIGUSR2)
            self.assertEqual(metrics_address(daemon, 2), address)
            until(lambda: get(address, "/readyz")[0] == 200, "it is ready")
            ann.ask("/say lobby two", "ok say")
            bob.await_one(lambda payload: payload.endswith(" two"))
            now = scrape(address)
            self.assertEqual(now["roomd_messages_received_total"].value(), 2)
            self.assertEqual(now["roomd_messages_delivered_total"].value(), 2)
            self.assertEqual(now["roomd_delivery_latency_seconds"].value("_count"), 1)  # times begin anew
            self.assertGreater(now["process_start_time_seconds"].value(), before["process_start_time_seconds"].value())

    def test_not_where_other_machines_could_reach_it(self):
        done = run_roomd("--metrics", "0.0.0.0:0")
        self.assertEqual(done.returncode, 78)
        self.assertIn("--insecure-public", done.stderr)
        for wrong in ("udp://127.0.0.1:9888", "nonsense address", "127.0.0.1:99999"):
            self.assertEqual(run_roomd("--metrics", wrong, "--check-config").returncode, 64, wrong)

    def test_an_address_in_use_is_said_so(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = run_roomd("--listen", "tcp://127.0.0.1:0", "--metrics", f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(done.returncode, 69)
        self.assertIn("another --metrics URI", done.stderr)

    def test_a_reload_moves_it_and_turns_it_off(self):
        directory = self.scratch()
        file = directory / "roomd.toml"
        paths = [str(directory / name) for name in "ab"]
        file.write_text(f'listen = ["tcp://127.0.0.1:0"]\nmetrics = "{paths[0]}"\n')
        daemon = Daemon(options=("--config", str(file)))
        self.addCleanup(daemon.close)
        self.assertEqual(get(paths[0], "/readyz")[0], 200)
        file.write_text(f'listen = ["tcp://127.0.0.1:0"]\nmetrics = "{paths[1]}"\n')
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line(r"\breloaded\b")
        self.assertEqual(get(paths[1], "/readyz")[0], 200)
        self.assertFalse(pathlib.Path(paths[0]).exists())
        file.write_text(f'listen = ["tcp://127.0.0.1:0"]\nmetrics = "{directory}"\n')  # a directory: nothing changes
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line(r"\breload_refused\b")
        self.assertEqual(get(paths[1], "/readyz")[0], 200)
        file.write_text('listen = ["tcp://127.0.0.1:0"]\nmetrics = "off"\n')
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line(r"\breloaded\b", 2)
        self.assertFalse(pathlib.Path(paths[1]).exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
