"""A reader that other steps fall in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.golden_reader.configuration import Configuration, Refused, configure
from tests.golden_reader.flags import Store
from tests.golden_reader.reading import requests
from tests.golden_reader.verdicts import asked


class HalvesReader:
    """One Traefik that reads a changing tree key by key, again and again."""

    def __init__(self, prefix: str, store: Store) -> None:
        self._prefix = prefix
        self._store = store
        self.configuration = Configuration({}, {})
        """What it serves: of the last reading that ended and was taken."""
        self.refused: Refused | None = None
        """Why the last reading that ended was not taken, if it was not."""

    def run(self, tree: Callable[[], Mapping[str, str]]) -> Iterator[None]:
        """One reading. Each request sees `tree` as it stands when it is sent; a pause comes before each.

        Whoever does not come to the end of it has not changed what is served.
        """
        names, value = asked(tree)
        raw = yield from requests(names, value, self._prefix, self._store)
        found = configure(raw)
        if self.refused and self.refused.verdict == "dead":
            return  # nobody is left who would apply it
        if isinstance(found, Refused):
            self.refused = found
        else:
            self.configuration, self.refused = found, None
