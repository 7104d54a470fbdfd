"""A small model of Traefik 1.7's key-value provider: an independent witness of what keys come to.

Built from recordings of the real Traefik (`tests/golden/traefik1`), and checked against each of them.

    configuration(tree, "/traefik", Store.ETCD).answer("web.local", "/")  # a tree that stands still
    reader = HalvesReader("/traefik", Store.ETCD)
    for _ in reader.run(lambda: tree):  # a pause before each request: the tree may change here
        ...
    reader.configuration.answer("web.local", "/")  # what is served after it

What it leaves out: time (a health check counts as ended, no bucket refills, no breaker closes), the order of frontends
of equal priority beyond a dozen, weights, log-ins by digest and bcrypt, what certificates hold, and static
configuration under the prefix but for leaves that are directories too.
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
