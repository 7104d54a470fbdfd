"""A small model of Traefik 1.7's key-value provider: an independent witness of what keys come to.

Built from recordings of the real Traefik (`tests/golden/traefik1`), and checked against each of them.
"""

from tests.golden_reader.answering import EVERYBODY_ANSWERS, Answer, Reply, Upstream
from tests.golden_reader.configuration import Configuration, Refused, configure
from tests.golden_reader.counting import Counting
from tests.golden_reader.flags import Store
from tests.golden_reader.halves import HalvesReader
from tests.golden_reader.reading import Raw, read, requests
from tests.golden_reader.verdicts import configuration, leaves_and_directories, verdict

__all__ = [
    "EVERYBODY_ANSWERS",
    "Answer",
    "Configuration",
    "Counting",
    "HalvesReader",
    "Raw",
    "Refused",
    "Reply",
    "Store",
    "Upstream",
    "configuration",
    "configure",
    "leaves_and_directories",
    "read",
    "requests",
    "verdict",
]
