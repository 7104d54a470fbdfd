"""What counts make of answers: rate limits and circuit breakers, of one configuration, while no time passes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

from tests.golden_reader import expressions
from tests.golden_reader.answering import EVERYBODY_ANSWERS, Answer, Upstream
from tests.golden_reader.configuration import NO_HEADERS, Configuration, Refused
from tests.golden_reader.objects import Frontend


class Counting:
    """A Traefik that remembers whom it has answered. No bucket refills and no breaker closes again."""

    def __init__(self, configuration: Configuration | Refused) -> None:
        self._configuration = configuration
        self._spent: Counter[tuple[str, str]] = Counter()  # of a handler's bucket, by whom it is counted for
        self._seen: defaultdict[str, list[int]] = defaultdict(list)  # what a handler's servers answered

    def answer(
        self,
        host: str,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        entry_point: str = "http",
        body_bytes: int = 0,
        upstream: Upstream = EVERYBODY_ANSWERS,
    ) -> Answer:
        """As Configuration.answer, after all that was answered before."""
        plain = self._configuration.answer(host, path, method, headers, entry_point, body_bytes, upstream)
        if isinstance(self._configuration, Refused) or plain.frontend is None or not plain.reached:
            return plain
        frontend = self._configuration.frontends[plain.frontend]
        handler = _handler(frontend)
        if self._is_tripped(frontend, handler):
            return replace(plain, status=503, servers=frozenset())
        if limit := frontend.ratelimit:
            counted_for = {"client.ip": "", "request.host": host}
            name = limit.extractor_func.removeprefix("request.header.")
            bucket = handler, counted_for.get(limit.extractor_func, headers.get(name, ""))
            if any(self._spent[bucket] >= each.burst for each in limit.rate_set.values()):
                return replace(plain, status=429, servers=frozenset())
            self._spent[bucket] += 1
        self._seen[handler].append(plain.status)
        return plain

    def _is_tripped(self, frontend: Frontend, handler: str) -> bool:
        assert isinstance(self._configuration, Configuration)
        breaker = self._configuration.backends[frontend.backend].circuit_breaker
        seen = self._seen[handler]

        def measured(name: str, arguments: tuple[expressions.Number, ...]) -> expressions.Number:
            if name == "ResponseCodeRatio":
                some, among = range(*map(int, arguments[:2])), range(*map(int, arguments[2:]))
                return _share(sum(status in some for status in seen), sum(status in among for status in seen))
            if name == "NetworkErrorRatio":
                return _share(seen.count(502) + seen.count(504), len(seen))
            return 0  # no time passes, so there is no latency

        return breaker is not None and expressions.breaker(breaker.expression)(measured)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _handler(frontend: Frontend) -> str:
    """Frontends with the same backend and settings have one handler, with one bucket and one breaker."""
    return repr(replace(frontend, routes={}, entry_points=()))
