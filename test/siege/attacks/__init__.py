"""The catalogue, by kind. Importing it registers every attack; the order here is the order of the table."""

from attacks import talk, memory, slow, rates, wire, connections, upgrade  # noqa: F401
