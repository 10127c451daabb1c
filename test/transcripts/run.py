#!/usr/bin/env python3
"""Runs transcripts (*.chat) against a real roomd over a Unix socket, each in both framings: they are the protocol's examples.

    test/transcripts/run.py [--framing frame|line] [FILE...]      $ROOMD_BIN is the daemon, build/roomd if not set

A transcript is a text of steps, several in a line if two or more spaces are between them:

    ann > /join ops           ann sends this payload (she connects at her first step)
    ann < ok join ops * 1 1   the next payload that ann hears; nothing may come between
    ann >> \\x00\\x01           ann sends these bytes, without framing
    ann > (end)               ann's end of the stream; `ann < (end)` the daemon's

In what is expected `*` stands for one word, or at the end for one and all that follow; `$name` for one word that is remembered and
means the same from then on, in what is sent too. \\xNN is a byte, \\uNNNN a character, {x*70} seventy x. At the end
of the transcript nothing may be left that was heard and not expected. Lines that begin with # are comments, those with @ settings:

    @options --rooms-max 2    of the daemon          @framing line     only in this framing
    @listen limits=on         of the listener        @stop             the daemon gets SIGTERM now
    @room name=ops slow=wait  a [[room]] of the configuration
"""

import argparse
import pathlib
import re
import signal
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

from roomd_harness import Daemon, FrameClient, LineClient  # noqa: E402 (the path has to be known first)

STEP = re.compile(r"(\w+) (>>|>|<)(?: (.*))?$")
BETWEEN_STEPS = re.compile(r"\s{2,}(?=\w+ (?:>>|>|<)(?: |$))")
FRAMINGS = ("frame", "line")


class Transcript:
    """A parsed file: settings and steps."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.options, self.listen, self.rooms = [], "", []
        self.framings = FRAMINGS
        self.steps = []  # (line number, who or "@stop", sign, text)
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("@"):
                self._set(number, *line.partition(" ")[::2])
                continue
            for step in BETWEEN_STEPS.split(line):
                match = STEP.match(step)
                if not match:
                    raise ValueError(f"{self.path.name}:{number}: no step: {step!r}")
                self.steps.append((number, match[1], match[2], match[3] or ""))

    def _set(self, number, name, value):
        if name == "@options":
            self.options += value.split()
        elif name == "@listen":
            self.listen = "?" + value.strip()
        elif name == "@framing":
            self.framings = (value.strip(),)
        elif name == "@room":
            self.rooms.append(dict(pair.split("=", 1) for pair in value.split()))
        elif name == "@stop":
            self.steps.append((number, name, "", ""))
        else:
            raise ValueError(f"{self.path.name}:{number}: no setting: {name}")


def to_bytes(text):
    """With \\xNN, \\uNNNN and {x*70} replaced."""
    text = re.sub(r"\{(.+?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    data = text.encode()
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), data)


class Run:
    """One transcript in one framing."""

    def __init__(self, transcript, framing, daemon):
        self.transcript, self.framing, self.daemon = transcript, framing, daemon
        self.clients, self.names = {}, {}
        self.closed = set()

    def play(self):
        for number, who, sign, text in self.transcript.steps:
            try:
                self.step(who, sign, text)
            except (AssertionError, OSError) as error:
                words = f"{who} {sign} {text}".strip()
                raise AssertionError(f"{self.transcript.path.name}:{number} ({self.framing}): {words}\n    {error}") from None
        for who in self.clients:
            if who not in self.closed:
                self.nothing_left(who)

    def step(self, who, sign, text):
        if who == "@stop":
            self.daemon.signal(signal.SIGTERM)
            return
        if who not in self.clients:
            self.clients[who] = (FrameClient if self.framing == "frame" else LineClient)(self.daemon.address())
        client = self.clients[who]
        if sign == "<":
            self.expect(who, client, text)
        elif text == "(end)":
            client.finish_sending()
            self.closed.add(who)
        else:
            data = to_bytes(re.sub(r"\$(\w+)", lambda match: self.names[match[1]], text))
            if sign == ">":
                client.send(data)
            else:
                client.send_bytes(data)

    def expect(self, who, client, text):
        heard = client.receive()
        if text == "(end)":
            self.closed.add(who)
            assert heard is None, f"heard {heard!r}"
            return
        assert heard is not None, "heard the end of the stream"
        match = re.fullmatch(self.pattern(text), heard, re.DOTALL)
        assert match, f"heard {heard!r}"
        self.names.update(match.groupdict())

    def pattern(self, text):
        words = []
        for word in to_bytes(text).decode().split(" "):
            name = re.fullmatch(r"(.*?)\$(\w+)(.*)", word)
            if word == "*":
                words.append(r"\S+")
            elif name and name[2] in self.names:
                words.append(re.escape(name[1] + self.names[name[2]] + name[3]))
            elif name:
                words.append(f"{re.escape(name[1])}(?P<{name[2]}>\\S+?){re.escape(name[3])}")
            else:
                words.append(re.escape(word))
        if words[-1] == r"\S+":
            words[-1] = r"\S.*"
        return " ".join(words)

    def nothing_left(self, who):
        """What is asked last is answered last, so whatever comes before the answer was not expected."""
        client = self.clients[who]
        client.send("/ping nothing-left")
        heard = client.receive()
        expected = ("ok ping nothing-left", "* pong nothing-left", "ping nothing-left")
        assert heard in expected, f"{self.transcript.path.name} ({self.framing}): {who} also heard {heard!r}"


def play(path, framing):
    """Plays one file in one framing against a daemon of its own. Raises AssertionError with the line that failed."""
    transcript = Transcript(path)
    with tempfile.TemporaryDirectory(prefix="roomd-", dir="/tmp") as directory:
        options = list(transcript.options)
        if transcript.rooms:
            file = pathlib.Path(directory) / "roomd.toml"
            file.write_text("".join("[[room]]\n" + "".join(f'{key} = "{value}"\n' for key, value in room.items())
                                    for room in transcript.rooms))
            options += ["--config", str(file)]
        with Daemon(f"unix:{directory}/s{transcript.listen}", options=options) as daemon:
            run = Run(transcript, framing, daemon)
            try:
                run.play()
            finally:
                for client in run.clients.values():
                    client.close()


def transcripts():
    return sorted(HERE.glob("*.chat"))


def main():
    parser = argparse.ArgumentParser(description="Runs transcripts against a real roomd.")
    parser.add_argument("--framing", choices=FRAMINGS, action="append", help="only this one; both if not given")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="all in this folder if not given")
    arguments = parser.parse_args()
    failed = 0
    for path in arguments.files or transcripts():
        for framing in arguments.framing or Transcript(path).framings:
            try:
                play(path, framing)
                print(f"ok      {path.stem} ({framing})")
            except AssertionError as error:
                failed += 1
                print(f"FAILED  {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
