#!/usr/bin/env python3
"""The manual pages and completions that the build writes: complete, and right for those who read them.

manual_test.py BUILD_DIRECTORY. What a program's --help names is looked for independently of how the pages are made.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import deadlines  # noqa: E402, F401 (the path has to be known first; no test waits for ever)

BUILD = Path(sys.argv.pop(1))
PAGES = {"roomd": "roomd.8", "room": "room.1", "roombench": "roombench.1", "roomctl": "roomctl.8"}
PROGRAMS = [name for name in PAGES if os.access(BUILD / name, os.X_OK)]


def said_by(program, *arguments):
    return subprocess.run([BUILD / program, *arguments], check=True, capture_output=True, text=True).stdout


def subcommands(program):
    if "SUBCOMMAND" not in said_by(program, "--help"):
        return []
    return re.findall(r"^  ([a-z]+) {3,}\S", said_by(program, "--help").split("Subcommands:")[1].split("\n\n")[0], re.M)


def options_in(text):
    """Of the help's lists, not of its examples: a list's lines are indented by two and begin with the option."""
    return set(re.findall(r"^  (?:-\w, ?)?(--[a-z][a-z0-9-]+)", text, re.M))


def options_of(program):
    """{subcommand or "": options}"""
    result = {"": options_in(said_by(program, "--help"))}
    result.update({name: options_in(said_by(program, name, "--help")) for name in subcommands(program)})
    return result


def shown(page):
    """The page as a reader sees it, without bold and underline, and without words cut at the margin."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": "", "GROFF_NO_SGR": "1"}
    text = subprocess.run(["man", "-l", "-Tutf8", BUILD / page], check=True, capture_output=True, text=True,
                          env=environment).stdout
    return re.sub(r".\x08", "", text).replace("‐", "-")


class Pages(unittest.TestCase):
    def test_every_program_has_a_page(self):
        self.assertGreaterEqual(len(PROGRAMS), 2)
        for program in PROGRAMS:
            self.assertTrue((BUILD / PAGES[program]).exists(), PAGES[program])

    def test_every_option_of_the_help_stands_in_the_page(self):
        for program in PROGRAMS:
            text = shown(PAGES[program])
            listed = set(re.findall(r"--[a-z][a-z0-9-]+", text))
            for scope, options in options_of(program).items():
                self.assertGreaterEqual(len(options), 1)
                self.assertEqual(options - listed, set(), f"{program} {scope}")

    def test_every_option_has_a_word_of_explanation(self):
        for program in PROGRAMS:
            source = (BUILD / PAGES[program]).read_text()
            for entry in source.split(".TP\n")[1:]:
                lines = entry.splitlines()
                self.assertTrue(len(lines) > 1 and re.search(r"\w", lines[1]) and not lines[1].startswith(".SH"), entry)

    def test_every_key_of_the_example_stands_in_the_page_of_the_file(self):
        text = shown("roomd.toml.5")
        keys = set(re.findall(r"^#?([a-z_]+) = ", said_by("roomd", "--print-example"), re.M))
        self.assertGreater(len(keys), 40)
        for key in keys:
            self.assertRegex(text, rf"(?m)^ +{key} *=")

    def test_groff_has_no_complaint(self):
        for page in [*(PAGES[program] for program in PROGRAMS), "roomd.toml.5"]:
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", BUILD / page], capture_output=True,
                                  text=True, env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)

    def test_nothing_was_left_to_be_filled_in(self):
        for page in [*(PAGES[program] for program in PROGRAMS), "roomd.toml.5"]:
            self.assertNotRegex((BUILD / page).read_text(), r"@[A-Z]+@")


class Completions(unittest.TestCase):
    def completed(self, program, *words):
        """What bash offers behind these words, the last of which is begun."""
        script = (f'source "{BUILD}/{program}.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  f'_{program}_completion 2>/dev/null; printf "%s\\n" "${{COMPREPLY[@]}}"')
        done = subprocess.run(["bash", "-c", script, "bash", program, *words], check=True, capture_output=True, text=True)
        return set(done.stdout.split())

    def test_bash_offers_every_option(self):
        for program in PROGRAMS:
            for scope, options in options_of(program).items():
                words = [scope, "--"] if scope else ["--"]
                self.assertEqual(self.completed(program, *words) - {"--"}, options, f"{program} {scope}")

    def test_bash_offers_subcommands_values_and_files(self):
        self.assertEqual(self.completed("roomd", "--log-level", ""), {"debug", "info", "warning", "error"})
        self.assertEqual(self.completed("roomd", "--config", "meson.bui"), {"meson.build"})
        self.assertEqual(self.completed("roomd", "--name", ""), set())
        if "roombench" in PROGRAMS:
            self.assertIn("fanout", self.completed("roombench", "fan"))

    def test_zsh_and_fish_offer_every_option(self):
        for program in PROGRAMS:
            zsh, fish = (BUILD / f"_{program}").read_text(), (BUILD / f"{program}.fish").read_text()
            self.assertTrue(zsh.startswith(f"#compdef {program}\n"))
            for scope, options in options_of(program).items():
                for option in options:
                    self.assertIn(f"'{option}[", zsh)
                    self.assertRegex(fish, rf"-l {option[2:]} ")

    def test_the_shells_accept_their_files(self):
        for shell, name in (("bash", "{}.bash"), ("zsh", "_{}"), ("fish", "{}.fish")):
            with self.subTest(shell):
                if shutil.which(shell) is None:
                    self.skipTest(f"{shell} is not installed: apt-get install {shell}")
                for program in PROGRAMS:
                    done = subprocess.run([shell, "-n", BUILD / name.format(program)], capture_output=True, text=True)
                    self.assertEqual((done.returncode, done.stderr), (0, ""), f"{shell} {program}")


if __name__ == "__main__":
    unittest.main()
