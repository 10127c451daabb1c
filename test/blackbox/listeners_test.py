"""Where roomd listens: TCP over IPv4 and IPv6, Unix sockets, UDP; and what it says when it cannot."""

import os
import re
import signal
import socket
import stat
import unittest

from roomd_harness import Daemon, DaemonTest, FrameClient, LineClient, connect, run_roomd, said, until


class Tcp(DaemonTest):
    def test_ipv6_and_ipv4_share_a_room(self):
        daemon = self.start("tcp://127.0.0.1:0", "tcp://[::1]:0")
        four, six = self.event(daemon, "four", join="lobby"), self.event(daemon, "six", index=1, join="lobby")
        four.send("over IPv4")
        self.assertEqual(said(six.await_one(said))[3], "over IPv4")
        six.send("over IPv6")
        self.assertEqual(said(four.await_one(said))[3], "over IPv6")

    def test_it_is_there_again_at_once_on_the_same_port_while_clients_were_connected(self):
        daemon = self.start(options=("--linger-ms-max", "100"))
        host, port = daemon.address()
        for turn in range(3):
            clients = [self.frame(daemon) for _ in range(5)]
            for client in clients:
                client.send("here")
                client.await_one("here")
            if turn == 1:
                daemon.kill()  # roomd's end closes first: its side of the connections stays in TIME_WAIT
            else:
                daemon.close()
            daemon = self.start(f"tcp://{host}:{port}", options=("--linger-ms-max", "100"))
            self.assertEqual(daemon.address(), (host, port))
        ann = self.event(daemon, "ann")
        self.assertEqual(ann.ask("/ping x", "ok"), "ok ping x")

    def test_an_address_in_use_is_named_with_what_to_do_and_status_69(self):
        daemon = self.start()
        host, port = daemon.address()
        done = run_roomd("--listen", f"tcp://{host}:{port}")
        self.assertEqual(done.returncode, 69)
        self.assertIn(f"cannot listen on tcp://{host}:{port}", done.stderr)
        self.assertIn("Address already in use", done.stderr)
        self.assertIn("--bind-retry", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_with_bind_retry_it_waits_for_the_address(self):
        first = self.start()
        host, port = first.address()
        second = self.start(f"tcp://{host}:{port}", options=("--bind-retry", "30"), wait=False)
        second.wait_for_line("bind_retry")
        second.wait_for_line("bind_retry", count=2)
        first.close()
        second.wait_for_line(" ready ")
        ann = self.event(second, "ann")
        self.assertEqual(ann.ask("/ping x", "ok"), "ok ping x")

    def test_a_bind_retry_that_is_in_vain_ends_and_a_signal_ends_it_sooner(self):
        host, port = self.start().address()
        done = run_roomd("--listen", f"tcp://{host}:{port}", "--bind-retry", "1")
        self.assertEqual(done.returncode, 69)
        waiting = Daemon(f"tcp://{host}:{port}", options=("--bind-retry", "600"), wait=False)
        self.addCleanup(waiting.kill)
        waiting.wait_for_line("bind_retry")
        waiting.close()

    def test_a_reload_while_it_waits_is_what_it_tries_next(self):
        directory = self.scratch()
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(manager.close)
        manager.bind(str(directory / "notify"))
        taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [one.getsockname()[1] for one in taken]
        for one in taken[:2]:
            self.addCleanup(one.close)
        taken[2].close()  # and so it is free

        def configure(*listen):
            uris = ", ".join(f'"tcp://127.0.0.1:{port}"' for port in listen)
            (directory / "roomd.toml").write_text(f"bind_retry = 60\nlisten = [{uris}]\n")

        configure(ports[0])
        daemon = Daemon(options=("--config", str(directory / "roomd.toml")), wait=False,
                        env={"NOTIFY_SOCKET": str(directory / "notify")})
        self.addCleanup(daemon.close)
        daemon.wait_for_line(f"bind_retry.*{ports[0]}")
        configure(ports[2], ports[1])  # the first of them could be had
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("reloaded")
        daemon.wait_for_line(f"bind_retry.*{ports[1]}")
        said_to_manager = []
        try:
            while True:
                said_to_manager.append(manager.recv(4096))
        except BlockingIOError:
            pass
        self.assertEqual([message for message in said_to_manager if b"READY=" in message or b"RELOADING=" in message], [])
        configure(ports[2])
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line(" ready ")
        self.assertEqual(daemon.addresses(), [("127.0.0.1", ports[2])])
        self.event(daemon, "ann", join="lobby").ask("hello", "ok say lobby 1")

    def test_a_listener_with_a_room_and_one_without(self):
        daemon = self.start("tcp://127.0.0.1:0?room=ops", "tcp://127.0.0.1:0?room=", "tcp://127.0.0.1:0?framing=frame")
        ann = self.event(daemon, "ann", index=1, join="ops")
        self.assertTrue(ann.ask("/who lobby", "").startswith("err who no_room"))
        ops = self.frame(daemon)
        ops.send("to ops")
        self.assertEqual(said(ann.await_one(said))[3], "to ops")
        nowhere = self.frame(daemon, 1)
        nowhere.send("to nobody")
        self.assertTrue(nowhere.receive().startswith("! not_in_room"))
        silent = self.frame(daemon, 2)  # framing=frame: in its room at once
        until(lambda: ann.ask("/who lobby", "").startswith("ok who lobby 1 "), "it is in the lobby")
        ann.join("lobby")
        ann.send("hello")
        self.assertEqual(silent.receive(), "hello")


class Unix(DaemonTest):
    def test_the_mode_is_the_one_asked_for_and_the_file_goes_with_the_daemon(self):
        path = self.scratch() / "s"
        for mode in ("0600", "0660", "0666"):
            with Daemon(f"unix:{path}?mode={mode}") as daemon:
                status = os.stat(path)
                self.assertTrue(stat.S_ISSOCK(status.st_mode))
                self.assertEqual(stat.S_IMODE(status.st_mode), int(mode, 8))
                with FrameClient(daemon.address()) as client:
                    client.send("hello")
                    self.assertEqual(client.receive(), "hello")
            self.assertFalse(path.exists())

    def test_a_file_left_by_kill_9_is_taken_over(self):
        path = self.scratch() / "s"
        first = self.start(f"unix:{path}")
        first.kill()
        self.assertTrue(path.exists())
        second = self.start(f"unix:{path}")
        ann = self.event(second, "ann")
        self.assertEqual(ann.ask("/ping x", "ok"), "ok ping x")

    def test_a_living_daemon_keeps_its_socket(self):
        path = self.scratch() / "s"
        first = self.start(f"unix:{path}")
        done = run_roomd("--listen", f"unix:{path}")
        self.assertEqual(done.returncode, 69)
        self.assertIn(str(path), done.stderr)
        ann = self.event(first, "ann")
        self.assertEqual(ann.ask("/ping x", "ok"), "ok ping x")

    def test_somebody_elses_living_socket_is_left_alone(self):
        path = self.scratch() / "s"
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind(str(path))
        other.listen()
        done = run_roomd("--listen", f"unix:{path}")
        self.assertEqual(done.returncode, 69)
        self.assertTrue(path.exists())
        connect(str(path)).close()

    def test_a_file_that_is_no_socket_is_left_alone(self):
        path = self.scratch() / "s"
        path.write_text("precious")
        done = run_roomd("--listen", f"unix:{path}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("is no socket", done.stderr)
        self.assertEqual(path.read_text(), "precious")

    def test_a_link_is_not_followed_to_what_it_names(self):
        directory = self.scratch()
        (directory / "target").write_text("precious")
        (directory / "s").symlink_to(directory / "target")
        done = run_roomd("--listen", f"unix:{directory / 's'}")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual((directory / "target").read_text(), "precious")

    def test_the_lock_decides_even_when_the_socket_file_is_gone(self):
        path = self.scratch() / "s"
        self.start(f"unix:{path}")
        path.unlink()
        done = run_roomd("--listen", f"unix:{path}")
        self.assertEqual(done.returncode, 69)
        self.assertIn(".lock", done.stderr)

    def test_a_directory_that_is_not_there_and_a_path_too_long(self):
        directory = self.scratch()
        for path in (directory / "no" / "s", directory / ("x" * 120)):
            done = run_roomd("--listen", f"unix:{path}")
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_lines_and_frames_work_as_over_tcp(self):
        daemon = self.start(f"unix:{self.scratch() / 's'}")
        person, program = self.keep(LineClient(daemon.address())), self.frame(daemon)
        person.send("hello")
        person.await_one(lambda line: "you are in lobby" in line)
        program.send("hi")
        self.assertEqual(program.receive(), "hi")
        self.assertEqual(person.await_one(lambda line: line.endswith("hi")), "[lobby] guest-2: hi")


class Udp(DaemonTest):
    listen = ("tcp://127.0.0.1:0", "udp://127.0.0.1:0?room=sensors", "udp://[::1]:0?room=sensors")

    def test_a_datagram_is_said_by_a_guest_named_after_its_address(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="sensors")
        for index, family, name in ((1, socket.AF_INET, "127.0.0.1:"), (2, socket.AF_INET6, "[::1]:")):
            sensor = socket.socket(family, socket.SOCK_DGRAM)
            self.addCleanup(sensor.close)
            sensor.sendto("21.5 \u00b0C".encode(), daemon.address(index))
            port = sensor.getsockname()[1]
            message = said(ann.await_one(said))
            self.assertEqual((message[0], message[2], message[3]), ("sensors", f"{name}{port}", "21.5 \u00b0C"))
            sensor.settimeout(0.2)
            with self.assertRaises(TimeoutError):  # never answered
                sensor.recv(100)

    def test_what_is_no_text_or_a_command_is_not_said(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="sensors")
        sensor = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sensor.close)
        for data in (b"\xff", b"", b"/join ops", b"/say sensors x", b"/quit", b"last\n"):
            sensor.sendto(data, daemon.address(1))
        message = said(ann.await_one(said))
        self.assertEqual((message[1], message[3]), (1, "last"))
        stats = ann.stats()
        self.assertEqual((stats["datagrams"], stats["datagrams_dropped"]), (6, 5))


class Refusals(DaemonTest):
    def test_other_machines_are_served_only_on_demand(self):
        for uri in ("tcp://0.0.0.0:0", "tcp://[::]:0", "udp://0.0.0.0:0", "tcp://192.0.2.1:1"):
            done = run_roomd("--listen", uri)
            self.assertIn(done.returncode, (77, 78))
            self.assertIn("--insecure-public", done.stderr)

    def test_when_demanded_it_is_warned_of(self):
        daemon = self.start("tcp://127.0.0.1:0", options=("--insecure-public",))
        daemon.wait_for_line("warning insecure_public")

    def test_exit_statuses_follow_sysexits(self):
        directory = self.scratch()
        (directory / "bad.toml").write_text("name = \"x\"\n[limits]\nqueue_bites_max = 3\n")
        for arguments, status, words in (
                (("--no-such-flag",), 64, "unknown option"), (("--listen", "http://x"), 64, "unknown scheme"),
                (("--queue-bytes-max", "lots"), 64, "is not a size"), (("extra",), 64, "--listen"),
                (("--config", str(directory / "none.toml")), 66, "No such file"),
                (("--config", str(directory / "bad.toml")), 78, "bad.toml:3:1"),
                (("--listen", "fd:nothing"), None, "fd:nothing")):
            with self.subTest(arguments=arguments):
                done = run_roomd(*arguments)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertNotEqual(done.returncode, 0)
                if status is not None:
                    self.assertEqual(done.returncode, status)

    def test_questions_are_answered_on_stdout_with_status_0(self):
        for arguments, words in ((("--version",), "roomd "), (("--help",), "Usage: roomd"), (("--check-config",), "ok"),
                                 (("--print-config",), "queue_bytes_max"), (("--print-example",), "[limits]")):
            done = run_roomd(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(words, done.stdout)

    def test_print_config_says_where_each_value_came_from(self):
        path = self.scratch() / "roomd.toml"
        path.write_text("name = \"filed\"\n[limits]\nrooms_max = 7\nline_bytes_max = 100\n")
        done = run_roomd("--config", str(path), "--rooms-max", "9", "--print-config", env={"ROOMD_LINE_BYTES_MAX": "200"})
        values = {name: next(line for line in done.stdout.splitlines() if re.search(rf"\b{name}\b", line))
                  for name in ("rooms_max", "line_bytes_max", "name")}
        self.assertIn("9", values["rooms_max"])
        self.assertIn("--rooms-max", values["rooms_max"])
        self.assertIn("ROOMD_LINE_BYTES_MAX", values["line_bytes_max"])
        self.assertIn("roomd.toml", values["name"])


class Signals(DaemonTest):
    """SIGHUP reloads, all or nothing; SIGUSR1 tells; the rest is in stopping_test.py."""

    def setUp(self):
        self.directory = self.scratch()
        self.file = self.directory / "roomd.toml"

    def configure(self, *listen, rest=""):
        uris = ", ".join(f'"{uri}"' for uri in listen)
        self.file.write_text(f"listen = [{uris}]\n{rest}")


    def boot(self):
        daemon = Daemon(options=("--config", str(self.file)))
        self.addCleanup(daemon.close)
        return daemon

    def test_a_new_listener_appears_and_a_removed_one_goes_but_not_its_connections(self):
        one, two = f"unix:{self.directory / 'one'}", f"unix:{self.directory / 'two'}"
        self.configure(one)
        daemon = self.boot()
        old = self.event(daemon, "old", join="lobby")
        self.configure(two, rest='name = "renamed"\n')
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("reloaded")
        daemon.wait_for_line(r"not_listening address=\S*one")
        with self.assertRaises(OSError):
            connect(str(self.directory / "one"))
        new = self.keep(LineClient(str(self.directory / "two")))
        new.send("hello from two")
        self.assertIn("welcome to renamed", new.receive())
        self.assertEqual(said(old.await_one(said))[3], "hello from two")
        self.assertEqual(old.ask("still here", "ok say"), "ok say lobby 2")

    def test_a_broken_file_changes_nothing_and_is_told(self):
        one = f"unix:{self.directory / 'one'}"
        self.configure(one, rest="[limits]\nrooms_per_member_max = 2\n")
        daemon = self.boot()
        ann = self.event(daemon, "ann", join="lobby")
        for number, (rest, words) in enumerate((("[limits]\nrooms_per_member_max = 3\nnope = 1\n", "nope"),
                                                ("[limits\n", "roomd.toml"), ("listen = 3\n", "roomd.toml"))):
            self.configure(one, rest=rest)
            daemon.signal(signal.SIGHUP)
            self.assertIn(words, daemon.wait_for_line("reload_refused", count=number + 1))
        self.file.unlink()
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("reload_refused", count=4)
        ann.join("two")
        self.assertTrue(ann.ask("/join three", "").startswith("err join too_many_rooms"))
        connect(str(self.directory / "one")).close()

    def test_a_listener_that_cannot_be_opened_changes_nothing(self):
        one = f"unix:{self.directory / 'one'}"
        self.configure(one)
        daemon = self.boot()
        busy = self.start("tcp://127.0.0.1:0")
        host, port = busy.address()
        self.configure(f"unix:{self.directory / 'two'}", f"tcp://{host}:{port}")
        daemon.signal(signal.SIGHUP)
        self.assertIn("in use", daemon.wait_for_line("reload_refused"))
        self.assertFalse((self.directory / "two").exists())
        connect(str(self.directory / "one")).close()

    def test_limits_change_for_those_who_are_there(self):
        one = f"unix:{self.directory / 'one'}"
        self.configure(one)
        daemon = self.boot()
        ann = self.event(daemon, "ann", join="a")
        self.configure(one, rest="[limits]\nrooms_per_member_max = 2\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("reloaded")
        ann.join("b")
        self.assertTrue(ann.ask("/join c", "").startswith("err join too_many_rooms"))

    def test_a_storm_of_reloads_and_sigusr1_disturbs_nobody(self):
        one = f"unix:{self.directory / 'one'}"
        self.configure(one)
        daemon = self.boot()
        ann, bob = self.event(daemon, "ann", join="lobby"), self.event(daemon, "bob", join="lobby")
        for number in range(1, 201):
            daemon.signal(signal.SIGUSR1 if number % 2 else signal.SIGHUP)
            ann.send(f"message {number}")
            self.assertEqual(said(bob.await_one(said))[1], number)
        daemon.wait_for_line(r"info stats counters=")


if __name__ == "__main__":
    unittest.main()
