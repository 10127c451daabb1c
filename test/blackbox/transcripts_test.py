"""Every transcript of test/transcripts, in each framing it is meant for, against a real daemon over a Unix socket."""

import pathlib
import sys
import unittest

import roomd_harness  # noqa: F401 (so that both find the same one)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "transcripts"))

import run  # noqa: E402 (the path has to be known first)


class Transcripts(unittest.TestCase):
    pass


def add(path, framing):
    def test(_):
        run.play(path, framing)

    test.__doc__ = f"{path.stem}, {framing} framing"
    setattr(Transcripts, f"test_{path.stem}_in_{framing}s", test)


for _path in run.transcripts():
    for _framing in run.Transcript(_path).framings:
        add(_path, _framing)


if __name__ == "__main__":
    unittest.main()
