"""What the daemon says: one line an event, each problem once, each change once with what was before and after."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from bridge.daemon.changed import GOES, Changed, KeyChange, ServerChange, changed
from bridge.daemon.logs import Fact, facts, in_words, log
from bridge.daemon.roll import Roll
from bridge.model.change import Change
from bridge.model.keys import Publisher, Wish, group_title
from bridge.model.problem import Problem
from bridge.ownership.differences import Difference
from bridge.ownership.plan import Plan
from bridge.ownership.quarrels import HIDDEN
from bridge.ownership.standing import Standing
from bridge.ownership.steps import Wait

SAID_AGAIN = 600.0  # seconds after which a failure that stays is said once more, as one that somebody must look at
NAMED = 5  # servers of one change that the text names; the facts have more
LISTED = 10  # keys of one change that are news, and servers in its facts; the rest is said with --log-level debug


class Known:
    """The problems of a process's publishers: those of a source are said once, however many publish it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._problems: dict[object, frozenset[Problem]] = {}  # by whose they are

    def tell(self, whose: object, problems: Iterable[Problem], urgent: Iterable[Problem] = ()) -> None:
        """Those that nobody had, and those that nobody has any more. `urgent`: of these, what cannot wait."""
        errors = frozenset(urgent)
        with self._lock:
            before = self._all()
            self._problems[whose] = frozenset(problems)
            now = self._all()
        for problem in sorted(now - before):
            level = logging.ERROR if problem in errors else logging.INFO if problem.notice else logging.WARNING
            did: dict[str, Fact] = {"did": problem.did, "suggestion": problem.suggestion, "value": problem.value}
            its = facts("problem", **_thing(problem), reason=problem.reason, **did)
            log.log(level, "%s: %s", problem.kind, problem, extra=its)
        for problem in sorted(before - now):
            its = facts("problem-over", **_thing(problem), reason=problem.reason)
            whose = " ".join((problem.service, problem.label)).strip()
            log.info("%s over: %s", problem.kind, whose, extra=its)

    def _all(self) -> frozenset[Problem]:
        return frozenset().union(*self._problems.values())


def _thing(problem: Problem) -> dict[str, Fact]:
    """What is wrong: a label's name has no slash, and a key has one."""
    return {"service": problem.service, "key" if "/" in problem.label else "label": problem.label}


@dataclass(slots=True)
class _Failure:
    """Somebody fails."""

    since: float  # seconds, monotonic
    urged: float  # when it was last said that somebody must look at it, or when it began
    why: str = ""  # as it was last said …
    said: float = 0.0  # … and when


class Told:
    """Says what is new."""

    def __init__(self, known: Known, publisher: Publisher, roll: Roll) -> None:
        self._known, self._publisher, self._roll = known, publisher, roll
        self._waits: frozenset[tuple[str, str]] = frozenset()
        self._planned: Mapping[str, list[Difference]] = {}  # by service
        self._failing: dict[str, _Failure] = {}  # by who fails

    def broke(self, who: str, why: str, pause: float | None = None) -> None:
        """Somebody failed, and tries again in so many seconds: said when it is new, and then now and then."""
        now = time.monotonic()
        one = self._failing.setdefault(who, _Failure(since=now, urged=now))
        stays = now - one.urged >= SAID_AGAIN
        if why == one.why and now - one.said < SAID_AGAIN and not stays:
            return
        then = "" if pause is None else f"; tries again in {pause:.1f} s"
        lasting = f"; for {now - one.since:.0f} s now" if stays else ""
        told = why.removesuffix(".") if then or lasting else why
        its = facts("failed", what=who, reason=why, seconds=round(now - one.since))
        log.log(logging.ERROR if stays else logging.WARNING, "%s: %s%s%s", who, told, then, lasting, extra=its)
        one.why, one.said, one.urged = why, now, now if stays else one.urged

    def well(self, who: str) -> None:
        """Somebody works; said where it failed before."""
        if who in self._failing:
            seconds = time.monotonic() - self._failing.pop(who).since
            its = facts("well-again", what=who, seconds=round(seconds))
            log.info("%s: well again, after %.0f s", who, seconds, extra=its)

    def problems(self, problems: Iterable[Problem], urgent: Iterable[Problem] = ()) -> None:
        """Those that were not there the last time, and those that are over. `urgent`: see `Known.tell`."""
        self._known.tell(self, problems, urgent)

    def waits(self, waits: Iterable[Wait]) -> None:
        """Those that are new; what ends by itself soon is only why nothing changed yet."""
        named = {(wait.group, wait.what): wait for wait in waits}
        for group, what in sorted(named.keys() - self._waits):
            seconds, title = named[group, what].seconds, group_title(group)
            its = facts("waits", service=title, group=group, reason=what)
            log.log(logging.INFO if seconds is None else logging.DEBUG, "%s: waits %s", title, what, extra=its)
        self._waits = frozenset(named)

    def nothing_new(self, due: Plan, why: str, *, leads: bool) -> None:
        """A pass wrote nothing."""
        pending = len(due.differences)
        its = facts("unchanged", reason=why, unchanged=due.unchanged, pending=pending, leads=leads)
        whose = "nothing to write" if leads else "nothing written, since this process does not lead"
        told = f"{due.unchanged} keys stand as they shall, {pending} do not yet"
        log.debug("%s: %s; it looked because %s", whose, told, why, extra=its)

    def dry_run(self, due: Plan) -> None:
        """What would be written, where that is new."""
        planned: dict[str, list[Difference]] = {}
        for one in due.differences:
            planned.setdefault(one.service, []).append(one)
        for service, its in planned.items():
            if its == self._planned.get(service):
                continue
            keys = [KeyChange(one.path, one.before, one.after, one.before is not None) for one in its]
            counts = Counter(map(_kind, keys))
            words = (f"would {word} {counts[kind]}" for kind, word in _WOULD.items() if counts[kind])
            told = facts("would-change", service=service, **{kind: counts[kind] for kind in _WOULD})
            log.info("dry run: %s: %s", service, ", ".join(words), extra=told)
            self._keys(keys, f"dry run: {service}", {"service": service, "dry_run": True})
        self._planned = planned

    # What was written

    def written(
        self, due: Plan, written: Iterable[Change], before: Standing, wishes: Mapping[str, Wish], why: str
    ) -> None:
        """What of a plan was committed, a line a service, and why; keys of what is new or goes are a detail.

        `before`: what stood when the plan was made.
        """
        for one in changed(due, written, before):
            wish = wishes.get(one.group)
            title = wish.title if wish else group_title(one.group)
            self._say(one, title, why)

    def _say(self, one: Changed, title: str, why: str) -> None:
        service: dict[str, Fact] = {"service": title if "/" in title else "", "group": one.group, "reason": why}
        of = title or "this cluster"
        if not one.keys and not one.moved:
            its = facts("recorded", **service, step=one.why, records=one.records)
            log.debug("%s: %s, %d of the bridge's records, because %s", of, one.why, one.records, why, extra=its)
            return
        counts = Counter(map(_kind, one.keys)) + Counter(moved=one.moved)
        tally = ", ".join(f"{counts[kind]} {word}" for kind, word in _DONE.items() if counts[kind])
        came = self._servers((server, "") for server in one.came)
        went = self._servers((server, self._roll.why_gone(title, server.identity)) for server in one.went)
        gone = self._roll.why_unpublished(title) if one.why in GOES else ""
        lists: dict[str, Fact] = {"came": came[:LISTED], "went": went[:LISTED], "unpublished": gone}
        its = facts("changed", **service, step=one.why, **{kind: counts[kind] for kind in _DONE}, **lists)
        more = f"; no route: {gone}" if gone and not went else ""
        more = f"{_named('came', came)}{_named('went', went)}{more}"
        log.info("%s: %s, %s, because %s%s", of, one.why, tally, why, more, extra=its)
        self._keys(one.keys, of, service)

    def _servers(self, found: Iterable[tuple[ServerChange, str]]) -> list[dict[str, str]]:
        """Facts of servers, and why of each, sorted by name; what is empty is left out."""
        servers = []
        for server, why in found:
            name = self._roll.name(server.identity)
            uuid = "" if name == server.identity else server.identity
            its = {"name": name, "url": server.url, "uuid": uuid, "reason": why}
            servers.append({key: text for key, text in its.items() if text})
        return sorted(servers, key=lambda its: (its["name"], its.get("url", "")))

    def _keys(self, keys: Iterable[KeyChange], of: str, its: Mapping[str, Fact]) -> None:
        """A line each: what is news, as far as it is not too much of it, at level info, the rest at debug."""
        left = LISTED
        for one in keys:
            is_news = one.is_news and left > 0
            left -= is_news
            level = logging.INFO if is_news else logging.DEBUG
            if log.isEnabledFor(level):
                log.log(level, *self._key(one, of), extra=facts(f"key-{_kind(one)}", **its, **self._values(one)))

    def _key(self, one: KeyChange, of: str) -> tuple[str, ...]:
        values = self._values(one)
        key, before, after = values["key"], values.get("before"), values.get("after")
        if before is None:
            return "%s: added %s = %s", of, key, repr(after)
        if after is None:
            return "%s: removed %s, which was %s", of, key, repr(before)
        return "%s: changed %s: %s -> %s", of, key, repr(before), repr(after)

    def _values(self, one: KeyChange) -> dict[str, str]:
        """A key and its values, those hidden that may let somebody in."""
        found = {"key": self._publisher.tree + one.path}
        for name, value in (("before", one.before), ("after", one.after)):
            if value is not None:
                found[name] = HIDDEN if self._publisher.layout.is_secret(one.path, value) else value
        return found


_WOULD = {"added": "add", "changed": "change", "removed": "remove"}
_DONE = {"added": "added", "changed": "changed", "removed": "removed", "moved": "moved to another lease"}


def _kind(key: KeyChange) -> str:
    return "added" if key.before is None else "removed" if key.after is None else "changed"


def _named(what: str, servers: list[dict[str, str]]) -> str:
    """; went: web-2 http://10.42.0.2:80 (it is unhealthy), and 3 more. What is so of all is said once."""
    if not servers:
        return ""
    told = [{name: text for name, text in its.items() if name != "uuid"} for its in servers]
    reasons = {its.get("reason", "") for its in told}
    last = ""
    if len(told) > 1 and len(reasons) == 1 and (reason := reasons.pop()):
        last = f" (each: {reason})"
        told = [{name: text for name, text in its.items() if name != "reason"} for its in told]
    more = f", and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return f"; {what}: {', '.join(map(in_words, told[:NAMED]))}{more}{last}"
