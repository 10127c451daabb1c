"""The programs in C++ that some proofs need: $BURST_BIN and $CROWD_BIN, or build/proof-burst and build/proof-crowd."""

import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def instrument(name):
    """Where it is; ends the proof if it is nowhere."""
    variable = f"{name.upper()}_BIN"
    program = pathlib.Path(os.environ.get(variable, TOP / "build" / f"proof-{name}")).resolve()
    if not os.access(program, os.X_OK):
        sys.exit(f"{program} is missing: `ninja -C build proof-{name}` builds it, {variable} names another")
    return program
