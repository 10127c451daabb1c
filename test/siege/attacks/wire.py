"""Attacks with bytes: what no client ought to send. Each may cost its own connection, nothing else."""

import re
import socket
import struct
import time

from attack import Attack, must, register
from peers import Client, Crowd, events, frame, line, reset


class Wire(Attack):
    """One of those that leave nothing behind but closed connections."""

    shares = True
    short = 1.0


class Segments(Wire):
    name = "one_byte_segments"
    rule = "a payload in pieces of one byte is the payload (F3)"
    short = 1.5

    def run(self, field):
        for framing in ("frame", "line"):
            with Client(field.address, framing) as client:
                data = b"".join(map(frame if framing == "frame" else line, ("/hello 1", "/ping whole", "/ping \u00e9")))
                for byte in data:
                    client.raw(bytes([byte]))
                must(client.until("welcome"), f"{framing}: no welcome")
                must(client.until("ok ping whole") and client.until("ok ping \u00e9"), f"{framing}: no answer")


class Lengths(Wire):
    name = "frame_lengths"
    rule = "a length is compared before anything grows: too long is skipped or refused, and nothing wraps (F5)"

    def run(self, field):
        for size in (0x00FFFFFF, 0x01000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF):
            with Client(field.address, "frame") as client:
                client.send("/hello 1")
                must(client.until("welcome"), "no welcome")
                client.raw(struct.pack(">I", size))
                if size >= 1 << 24:
                    must("bad_frame" in " ".join(map(str, client.rest(5))), f"length {size:#x} is not bad_frame")
        for size in (1, 65535, 65536):
            with Client(field.address, "frame") as client:
                client.raw(frame("/hello 1") + struct.pack(">I", 0) + struct.pack(">I", size) + b"x" * size + frame("/ping on"))
                must(client.until("ok ping on"), f"nothing goes on behind a frame of {size}")
        with Client(field.address, "frame") as client:
            client.raw(frame("/hello 1") + struct.pack(">I", 65537) + b"x" * 65537 + frame("/ping on"))
            heard = []
            must(client.until(lambda payload: heard.append(payload) or payload == "ok ping on"), "nothing goes on behind a frame too long")
            must(any("too_large" in payload for payload in heard), "a frame too long is not told")


class HeaderThenEnd(Attack):
    name = "header_then_end"
    rule = "a frame that never comes is never said, however its connection ends (F6)"
    short = 2.0
    options = ("--partial-ms-max", "1000")

    def run(self, field):
        with events(field.address, "witness", "lobby") as witness:
            for how in ("fin", "rst", "silence"):
                for _ in range(30):
                    client = Client(field.address, "frame")
                    client.send("/hello 1", "/join lobby")
                    client.raw(struct.pack(">I", 20) + b"/say lobby BROK")
                    if how == "fin":
                        client.socket.shutdown(socket.SHUT_WR)
                        client.rest(5)
                    elif how == "silence":
                        must("idle" in " ".join(map(str, client.rest(8))), "half a frame is not `idle`")
                        break
                    else:
                        reset(client.socket)
                    client.close()
            witness.send("/ping end")
            heard = []
            witness.until(lambda payload: heard.append(payload) or payload == "ok ping end")
            must(not any("BROK" in payload for payload in heard if payload.startswith("msg")), "half a frame was said")


class RandomBytes(Wire):
    name = "random_bytes"
    rule = "random bytes close their own connection at most (F7)"

    def run(self, field):
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            crowd = [Client(field.address, patience=3) for _ in range(20)]
            for client in crowd:
                data = field.random.randbytes(field.random.choice((1, 5, 100, 3000)))
                try:
                    client.raw(data)
                    if count % 3 == 0:
                        client.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                count += 1
            for client in crowd:
                (reset if field.random.random() < 0.5 else socket.socket.close)(client.socket)
        return f"{count} connections"


class Mutated(Wire):
    name = "mutated_sessions"
    rule = "valid sessions with flipped bits, swapped and doubled frames share nothing with others (F8)"

    SESSION = ("/hello 1 nick=mut", "/join mutants", "/say mutants one", "/topic mutants two", "/who mutants", "/history last=3",
               "/msg canary1 psst", "/me waves", "/leave mutants", "/ping done")

    def run(self, field):
        end, count, pick = field.deadline(), 0, field.random
        while time.monotonic() < end:
            parts = [frame(text) for text in self.SESSION]
            for _ in range(pick.randint(1, 4)):
                at = pick.randrange(len(parts))
                kind = pick.randrange(4)
                if kind == 0:
                    data = bytearray(parts[at])
                    if data:
                        data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
                    parts[at] = bytes(data)
                elif kind == 1:
                    parts[at], parts[-1] = parts[-1], parts[at]
                elif kind == 2:
                    parts.insert(at, parts[at])
                else:
                    parts[at] = parts[at][:pick.randrange(len(parts[at]) + 1)]
            with Client(field.address, "frame", patience=3) as client:
                try:
                    client.raw(b"".join(parts))
                    client.get(0.02)
                except OSError:
                    pass
            count += 1
        return f"{count} sessions"


class LineEnds(Wire):
    name = "line_ends"
    rule = "LF and CR LF end a line, nothing else does; NUL and a lone CR inject no second command (F10)"

    def run(self, field):
        with events(field.address, "witness", "lobby") as witness:
            with Client(field.address) as client:
                client.send("/format plain", "/nick ends", "/join lobby")
                client.raw(b"/say lobby a\r/say lobby INJECTED\n/say lobby b\x00/say lobby INJECTED\n/say lobby c\r\n/say lobby last\n")
                heard = []
                must(witness.until(lambda payload: heard.append(payload) or payload.endswith(" last")), "the last line is not heard")
            texts = [payload.split(" ", 5)[5] for payload in heard if payload.startswith("msg") and payload.split(" ")[4] == "ends"]
            must("INJECTED" not in texts and "c" in texts, f"what was said: {texts}")


class MixedFramings(Wire):
    name = "mixed_framings"
    rule = "the first byte fixes the framing for good (F11)"

    def run(self, field):
        with events(field.address, "witness", "lobby") as witness:
            with Client(field.address, "line") as client:
                client.send("/hello 1 nick=liner", "/join lobby")
                client.raw(frame("/say lobby FRAMED") + b"\n/ping on\n")
                must(client.until("ok ping on"), "lines do not go on")
            with Client(field.address, "frame") as client:
                client.send("/hello 1", "/join lobby", "/say lobby x\n/say lobby LINED", "/ping on")
                must(client.until("ok ping on"), "frames do not go on")
            witness.send("/ping end")
            heard = []
            witness.until(lambda payload: heard.append(payload) or payload == "ok ping end")
            said = [payload.split(" ", 5)[5] for payload in heard if payload.startswith("msg")]
            must("FRAMED" not in said and "LINED" not in said, f"the framing was changed: {said}")


class Http(Attack):
    name = "http_requests"
    rule = "no line behind an HTTP request is run, beside busy connections too (F12)"
    listen = ("tcp://127.0.0.1:0?framing=line&flush=100ms",)
    short = 4.0

    def run(self, field):
        busy = Crowd(field.address, 30, blob=b"/ping\n" * 5000, prelude=b"/format plain\n").open()
        with events(field.address, "witness", "lobby") as witness:
            for address in (field.address, field.extra[0]):
                for method in ("GET", "POST", "PUT", "OPTIONS"):
                    for target in ("/", "/" + "A" * 1_900_000 if method == "POST" else "/a"):
                        client = Client(address, patience=8)
                        body = "/nick evil\r\n/say lobby PWNED\r\n"
                        try:
                            client.raw(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(), 8)
                        except OSError:
                            pass
                        busy.drive(0.1)
                        client.close()
            busy.close()
            witness.send("/ping end")
            heard = []
            must(witness.until(lambda payload: heard.append(payload) or payload == "ok ping end"), "no answer")
            must(not any("PWNED" in payload for payload in heard), "the body of an HTTP request was run")


class TlsHello(Wire):
    name = "tls_hello"
    rule = "a TLS greeting is answered with one line and a close (F13)"

    def run(self, field):
        for _ in range(30):
            with Client(field.address) as client:
                client.raw(bytes.fromhex("1603010200010001fc0303") + b"\x00" * 500)
                heard = client.rest(3)
                must(heard and heard[-1] is not None and len(heard) == 1, f"the answer is {heard}")


class BadText(Wire):
    name = "bad_text"
    rule = "what is no UTF-8 is refused in each place and never relayed; the connection goes on (F14)"
    short = 1.5

    BAD = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"a\x00b", b"\xf8\x88\x80\x80\x80", b"\x80")

    def run(self, field):
        with events(field.address, "witness", "lobby") as witness, events(field.address, "badly", "lobby", framing="frame") as client:
            for bad in self.BAD:
                for before in (b"", b"/say lobby MARK", b"/me MARK", b"/topic lobby MARK", b"/nick MARK", b"/msg witness MARK", b"/join MARK"):
                    client.raw(struct.pack(">I", len(before) + len(bad)) + before + bad)
            client.send("/ping end", "/say lobby last")
            must(client.until("ok ping end"), "the connection does not go on")
            heard = []
            must(witness.until(lambda payload: heard.append(payload) or payload.endswith(" last")), "nothing is heard")
            must(not any("MARK" in payload for payload in heard), "bad text was relayed")


class Escapes(Wire):
    name = "terminal_escapes"
    rule = "no control character reaches a reader of lines, whatever field it came in (F15)"
    short = 1.5

    def run(self, field):
        evil = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x08\x7f\u202e\u2028"
        with Client(field.address) as reader, events(field.address, "evil", "lobby", framing="frame") as client:
            reader.send("/join lobby", "/ping in")
            must(reader.until("* pong in"), "no way in")
            nick = reader.ask("/nick reader", "* you are now")
            must(nick, "no name")
            for command in ("/say lobby ", "/me ", "/topic lobby ", "/msg reader ", "/nick ", "/join ", "/leave ", "/quit "):
                client.send(command + evil)
            reader.send("/topic lobby", "/history", "/ping end")
            heard = []
            must(reader.until(lambda payload: heard.append(payload) or payload == "* pong end"), "no answer")
            raw = [payload for payload in heard if re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", payload)]
            must(not raw, f"a raw control character in {raw[:1]!r}")


class LogInjection(Wire):
    name = "log_injection"
    rule = "one event is one line of the log, whatever a client names itself or sends (F17)"
    short = 1.5

    def run(self, field):
        before = len(field.log())
        evil = 'x" level=error event=forged\n[2026-01-01] forged\r\x1b[31m\u2028forged'
        for payload in (f"/nick {evil}", f"/join {evil}", evil, f"/quit {evil}", f"/say lobby {evil}"):
            with Client(field.address, "frame") as client:
                client.send(payload, "/quit " + evil)
                client.rest(3)
        time.sleep(0.3)
        after = field.log()[before:]
        must(not any(re.match(r"\[2026-01-01\] forged|forged", text) for text in after), "a line of the log is forged")
        must(not any("\x1b" in text for text in after), "the log has a raw control character")


class ProxyHeader(Wire):
    name = "proxy_header"
    rule = "a PROXY header that nobody expects is refused, never said"

    def run(self, field):
        with events(field.address, "witness", "lobby") as witness:
            for header in (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x0a" * 12):
                with Client(field.address) as client:
                    client.raw(header + b"/nick proxied\nhello from PROXIED\n")
                    client.socket.shutdown(socket.SHUT_WR)
                    client.rest(5)
            witness.send("/ping end")
            heard = []
            must(witness.until(lambda payload: heard.append(payload) or payload == "ok ping end"), "no answer")
            must(not any("PROXY" in payload or "PROXIED" in payload for payload in heard), "a PROXY header was said")


class ByteOrderMark(Wire):
    name = "byte_order_mark"
    rule = "U+FEFF before the first payload is no text: the command behind it is a command"

    def run(self, field):
        with Client(field.address) as client:
            client.raw(b"\xef\xbb\xbf/hello 1\n/ping on\n")
            must(client.until("welcome"), "the command behind a byte order mark is none")


class ResumeIds(Wire):
    name = "resume_ids"
    rule = "an id that is old, foreign, in the future or negative gives an error or a gap, never another room's words (F45)"
    short = 1.5

    def run(self, field):
        with events(field.address, "teller", "secret") as teller:
            must(teller.ask("/say secret TOPSECRET", "ok say"), "no say")
            with events(field.address, "asker", framing="frame") as asker:
                epoch = asker.ask("/join open", "ok join").split(" ")[3]
                for since in (f"{epoch}:0", f"{epoch}:-1", f"{epoch}:99999", f"{epoch}:18446744073709551616", "other:5", f"{epoch}:1x", ":", "x:",
                              f"{epoch}:9223372036854775807", "secret:1"):
                    answer = asker.ask(f"/history open since={since}", lambda payload: payload.startswith(("ok history", "err history", "old")))
                    must(answer is not None and "TOPSECRET" not in answer, f"since={since}: {answer}")


class SplitsEverywhere(Wire):
    name = "half_close"
    rule = "after the end of a client's stream every answer arrives (F31)"

    def run(self, field):
        end, count = field.deadline(), 0
        while time.monotonic() < end:
            with Client(field.address) as client:
                client.send("/hello 1", "/join ends", *[f"/ping t{index}" for index in range(50)])
                client.socket.shutdown(socket.SHUT_WR)
                heard = client.rest(5)
                must(heard and heard[-1] is not None, "the stream does not end")
                answered = sum(payload.startswith("ok ping t") for payload in heard)
                must(answered == 50, f"{answered} of 50 answers arrived")
            count += 1
        return f"{count} times"


class Telnet(Wire):
    name = "telnet_commands"
    rule = "telnet's commands are no text, and CR NUL ends a line"

    def run(self, field):
        with events(field.address, "witness", "telnets") as witness, Client(field.address) as client:
            client.raw(b"/nick telnetter\r\x00")
            client.raw(b"\xff\xfd\x03\xff\xfb\x18\xff\xfd\x06/join telnets\r\x00/say telnets fi\xff\xf1ne\r\n")
            heard = witness.until(lambda payload: payload.startswith("msg telnets") and payload.endswith("telnetter fine"), 4)
            must(heard, "a command behind telnet's own is not run")


register(Segments(), Lengths(), HeaderThenEnd(), RandomBytes(), Mutated(), LineEnds(), MixedFramings(), Http(), TlsHello(), BadText(),
         Escapes(), LogInjection(), ProxyHeader(), ByteOrderMark(), ResumeIds(), SplitsEverywhere(), Telnet())
