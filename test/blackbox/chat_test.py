"""People on netcat and programs on frames share a room."""

import shutil
import socket
import subprocess
import threading
import unittest

from roomd_harness import DaemonTest, PATIENCE, needs, said


# ---- the tutorial's own code: what its readers have in their clients ----

def pack_message(message):
    data = message.encode("utf-8")
    length = len(data)
    return length.to_bytes(4, byteorder="big") + data


def recv_exact(sock, length):
    data = b""
    while len(data) < length:
        chunk = sock.recv(length - len(data))
        if not chunk:
            return None
        data += chunk
    return data


def unpack_message(sock):
    length_data = recv_exact(sock, 4)
    if not length_data:
        return None
    length = int.from_bytes(length_data, byteorder="big")
    message_data = recv_exact(sock, length)
    if not message_data:
        return None
    return message_data.decode("utf-8")


class ChatClient:
    """The tutorial's chat client: a connection, a thread that receives, a method that sends."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, PATIENCE)
        self.messages = []
        self.heard = threading.Condition()
        self.thread = threading.Thread(target=self.receive_messages, daemon=True)
        self.thread.start()

    def receive_messages(self):
        while True:
            try:
                message = unpack_message(self.socket)
            except OSError:
                message = None
            with self.heard:
                self.messages.append(message)
                self.heard.notify_all()
            if message is None:
                return

    def send_message(self, message):
        self.socket.sendall(pack_message(message))

    def wait_for(self, message):
        with self.heard:
            if not self.heard.wait_for(lambda: message in self.messages, PATIENCE):
                raise AssertionError(f"never heard {message!r}, only {self.messages}")

    def disconnect(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which a close alone does not
        except OSError:
            pass  # roomd was first
        self.socket.close()
        self.thread.join(PATIENCE)


class Netcat:
    """Somebody at a terminal with nc."""

    def __init__(self, test, address):
        host, port = address
        self.process = subprocess.Popen([shutil.which("nc"), host, str(port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self.lines = []
        self.heard = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def read(self):
        for line in self.process.stdout:
            with self.heard:
                self.lines.append(line.decode().rstrip("\n"))
                self.heard.notify_all()

    def type(self, text):
        self.process.stdin.write(text.encode() + b"\n")

    def wait_for(self, line):
        with self.heard:
            if not self.heard.wait_for(lambda: line in self.lines, PATIENCE):
                raise AssertionError(f"never read {line!r}, only {self.lines}")

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()


class Lobby(DaemonTest):
    @needs("nc", "netcat-openbsd")
    def test_two_netcat_users_and_two_python_programs_hear_each_other(self):
        daemon = self.start()
        watcher = self.event(daemon, "watcher", join="lobby")
        ann, bob = Netcat(self, daemon.address()), Netcat(self, daemon.address())
        ann.type("/nick ann")
        ann.wait_for("* you are now ann")
        bob.type("/nick bob")
        bob.wait_for("* you are now bob")
        tick, tock = ChatClient(daemon.address()), ChatClient(daemon.address())
        self.addCleanup(tick.disconnect)
        self.addCleanup(tock.disconnect)
        tick.send_message("/nick tick")
        tick.send_message("tick is here")
        tick.wait_for("tick is here")
        tock.send_message("/nick tock")
        tock.send_message("tock is here")
        tock.wait_for("tock is here")

        ann.type("hello from ann")
        bob.wait_for("[lobby] ann: hello from ann")
        bob.type("hello from bob")
        ann.wait_for("[lobby] bob: hello from bob")
        for program in (tick, tock):
            program.wait_for("hello from ann")
            program.wait_for("hello from bob")
        tick.send_message("21.5 degrees, \u00fcber alles \U0001f321")
        for person in (ann, bob):
            person.wait_for("[lobby] tick: 21.5 degrees, \u00fcber alles \U0001f321")
        tock.wait_for("21.5 degrees, \u00fcber alles \U0001f321")
        self.assertNotIn("[lobby] ann: hello from ann", ann.lines)  # she sees what she types

        heard = watcher.collect(lambda payload: payload.endswith("\U0001f321"))
        messages = [said(payload) for payload in heard if said(payload)]
        self.assertEqual([message[1] for message in messages], [1, 2, 3, 4, 5])
        self.assertEqual([message[2] for message in messages], ["tick", "tock", "ann", "bob", "tick"])

    def test_an_event_client_sees_every_id_once_and_in_order_whoever_speaks(self):
        daemon = self.start()
        watcher = self.event(daemon, "watcher")
        self.assertEqual(watcher.join("lobby")[1:], (1, 1, 1))
        speakers, each = 8, 250

        def speak(number):
            with_frames = number % 2 == 0
            client = self.frame(daemon) if with_frames else self.line(daemon)
            for count in range(each):
                client.send(f"{number} {count}")
            client.send("/ping done")
            client.await_one("ping done" if with_frames else "* pong done")

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(speakers)]
        for thread in threads:
            thread.start()
        messages = []
        while len(messages) < speakers * each:
            message = said(watcher.receive())
            if message:
                messages.append(message)
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual([message[1] for message in messages], list(range(1, speakers * each + 1)))
        for number in range(speakers):
            own = [message[3] for message in messages if message[3].startswith(f"{number} ")]
            self.assertEqual(own, [f"{number} {count}" for count in range(each)])

    def test_the_chat_client_exercise(self):
        daemon = self.start()
        clients = [ChatClient(daemon.address()) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send_message(f"client {number}")
            client.wait_for(f"client {number}")  # a program hears itself: the tutorial's client shows the server's word
        clients[0].send_message("first")
        clients[2].send_message("second")
        for client in clients:
            client.wait_for("first")
            client.wait_for("second")
        clients[1].disconnect()
        clients[0].send_message("still here")
        clients[2].wait_for("still here")
        clients[2].send_message("/quit")
        clients[2].thread.join(PATIENCE)
        self.assertIsNone(clients[2].messages[-1])  # roomd closed, having said nothing more
        clients[0].disconnect()
        clients[2].disconnect()

    def test_nobody_hears_before_having_spoken_and_nobody_hears_other_rooms(self):
        daemon = self.start()
        silent = self.frame(daemon)
        ann = self.event(daemon, "ann", join="lobby")
        ann.ask("/say lobby before", "ok say lobby 1")
        silent.send("here I am")
        self.assertEqual(silent.receive(), "here I am")
        self.assertEqual(said(ann.await_one(said))[1:], (2, "guest-2", "here I am"))
        ann.join("ops")
        ann.ask("/say ops secret", "ok say ops 1")
        ann.ask("/say lobby open", "ok say lobby 3")
        self.assertEqual(silent.receive(), "open")

    def test_ten_lines_of_python_are_a_member(self):
        daemon = self.start()
        ann = self.event(daemon, "ann", join="lobby")
        peer = socket.create_connection(daemon.address(), PATIENCE)
        self.addCleanup(peer.close)
        peer.sendall(pack_message("hi from ten lines"))
        self.assertEqual(unpack_message(peer), "hi from ten lines")
        ann.await_one(lambda payload: payload.endswith("hi from ten lines"))
        ann.send("hi program")
        self.assertEqual(unpack_message(peer), "hi program")


if __name__ == "__main__":
    unittest.main()
