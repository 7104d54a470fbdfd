"""What the demonstration shows, step by step. Every figure is measured while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from bridge.demo.etcd import Etcd
from bridge.demo.world import CONTAINERS, LABELS, PORT, SERVICE, STACK, document
from bridge.model.change import Change, Create, Delete
from bridge.model.keys import STANDING, records_prefix
from bridge.model.problem import BridgeError
from bridge.report import Report
from bridge.stores import open_store
from bridge.stores.base import Store
from bridge.sync import Progress

TTL = 5  # seconds
GRACE = 10.0  # seconds that etcd may take to end a lease that is due
PREFIX = "traefik"
TREE, RECORDS = f"/{PREFIX}/", records_prefix(PREFIX)
SICK = "web-test-2"

WIDTH = 78  # columns
INDENT = " " * 4
VALUES = 46  # columns before a key's value

Tell = Callable[[Progress], None]


class Passes(Protocol):
    """The program's commands that write, without what they print."""

    def sync(self, flags: Mapping[str, str], tell: Tell) -> Report:
        """As `bridge sync` with these flags (name: text)."""

    def leave(self, flags: Mapping[str, str], tell: Tell) -> Report:
        """As `bridge leave`."""


def story(etcd: Etcd, started_in: float, folder: Path, passes: Passes) -> None:
    """Tell it on stdout. `folder` is for the world's file. Raises BridgeError."""
    url = f"etcd://{etcd.endpoint}/{PREFIX}"
    store = open_store(url, records_root=RECORDS)
    try:
        _Story(etcd, started_in, folder / "world.json", url, store, passes).tell()
    finally:
        store.close()


@dataclass
class _Story:
    etcd: Etcd
    started_in: float  # seconds
    world: Path
    url: str
    store: Store  # to look with: the passes have their own
    passes: Passes
    step: int = 0

    def tell(self) -> None:
        """From the first sync to the last key."""
        self.world.write_text(document())
        _say("Healthy, labelled Rancher services become the keys that Traefik 1.7 reads:")
        self._title("A real etcd, for this demonstration only")
        _result(f"version {self.etcd.version} listens on {self.etcd.endpoint}", self.started_in)
        self._title(f"A Rancher world: stack {STACK}, service {SERVICE}")
        _result(f"{len(CONTAINERS)} healthy containers on port {PORT}")
        _say(INDENT + "  ".join(f"{name}={value}" for name, value in LABELS.items()))
        self._first()
        self._flip()
        self._again()
        self._flip_back()
        self._die()
        self._return()
        self._leave()

    # The steps

    def _first(self) -> None:
        self._title("The bridge publishes it", f"bridge sync --ttl {TTL}")
        report = self._sync()
        keys = self._keys(TREE)
        _result(f"{_written(report)}, which stand below {TREE}", report.seconds)
        _say("", *_tree(_of_service(keys)), "")
        rules = [value for path, value in keys.items() if path.endswith("/rule") and _is_service(path)]
        servers = [value for path, value in keys.items() if path.endswith("/url")]
        for rule in rules:
            _say(*_route(rule, servers))

    def _flip(self) -> None:
        self._title(f"{SICK} turns unhealthy", f"bridge sync --ttl {TTL}")
        self.world.write_text(document(unhealthy={SICK}))
        report = self._sync()
        _result(f"{_written(report)}, {report.unchanged} keys untouched", report.seconds)
        _say(*_changes(report))

    def _again(self) -> None:
        self._title("The same world once more", f"bridge sync --ttl {TTL}")
        before = self._revision()
        report = self._sync()
        _result(f"{_written(report)}: etcd's revision was {before} and is {self._revision()}", report.seconds)

    def _flip_back(self) -> None:
        self._title(f"{SICK} is healthy again", f"bridge sync --ttl {TTL}")
        self.world.write_text(document())
        report = self._sync()
        _result(f"{_written(report)}, {report.unchanged} keys untouched", report.seconds)
        _say(*_changes(report))

    def _die(self) -> None:
        self._title(f"The bridge dies: nobody renews its lease of {TTL} s")
        before = self._keys(TREE)
        took = self._watch_vanish()
        after, records = self._keys(TREE), self._keys(RECORDS)
        gone = len(before.keys() - after.keys())
        _result(f"{gone} keys are gone, {len(_of_service(after))} of {STACK}/{SERVICE} are left", took)
        self._title("What stays")
        _result(f"The backstop, {len(after)} keys: by it Traefik answers unknown hosts with 503;")
        _result("without it, a route of which it has read only half could take them.")
        _say("", *_tree(after), "")
        guards = {path: value for path, value in records.items() if path.startswith("fleet/guard/")}
        _result(f"The guards, {len(guards)} records outside Traefik's keys, by which bridges agree:")
        _say("", *(_row(INDENT + RECORDS + path, value, VALUES + 8) for path, value in guards.items()))

    def _return(self) -> None:
        self._title("A bridge comes back", f"bridge sync --ttl {TTL}")
        report = self._sync()
        _result(f"{_written(report)}: {STACK}/{SERVICE} is served again", report.seconds)

    def _leave(self) -> None:
        self._title("It goes for good", "bridge leave")
        report = self.passes.leave({"store": self.url}, _wait)
        left = len(self._keys(TREE)) + len(self._keys(RECORDS))
        _result(f"{_written(report)}: {left} keys are left", report.seconds)

    # What they are made of

    def _title(self, text: str, command: str = "") -> None:
        self.step += 1
        shown = f"{self.step:>2}  {click.style(text, bold=True)}"
        if command:
            room = WIDTH - len(text) - len(INDENT)
            shown += click.style(f"{'$ ' + command:>{room}}", fg="cyan")
        _say("", shown)

    def _sync(self) -> Report:
        return self.passes.sync({"source": f"file:{self.world}", "store": self.url, "ttl": str(TTL)}, _wait)

    def _keys(self, prefix: str) -> dict[str, str]:
        """What stands below `prefix`, by path."""
        items = self.store.read(prefix).items
        return {key.removeprefix(prefix): item.value for key, item in sorted(items.items()) if item is not None}

    def _revision(self) -> int:
        return self.store.read(TREE).revision

    def _watch_vanish(self) -> float:
        """Seconds until nothing of the service stands. Raises BridgeError where it goes on standing."""
        began = time.monotonic()
        while _of_service(self._keys(TREE)):
            if time.monotonic() > began + TTL + GRACE:
                raise BridgeError("lease", f"{TTL} s", "etcd has not ended it; run the demonstration again")
            time.sleep(0.02)
        return time.monotonic() - began


# How it is told


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(line)


def _result(text: str, seconds: float | None = None) -> None:
    """A line that says what came of a step, and how long it took."""
    if seconds is None:
        _say(INDENT + text)
        return
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    room = WIDTH - len(INDENT) - len(text)
    _say(f"{INDENT}{text}{click.style(f'{took:>{room}}', fg='yellow')}")


def _wait(progress: Progress) -> None:
    for what in sorted({wait.what for wait in progress.waiting}):
        told = what.replace(" it ", f" {SERVICE} ")
        _say(click.style(f"{INDENT}waits {progress.seconds:.1f} s {told}", dim=True))


def _written(report: Report) -> str:
    """How many keys of Traefik's a pass wrote, in how many transactions."""
    keys = sum(change.key.startswith(TREE) for change in report.written)
    if not report.written:
        return "nothing written"
    return f"{keys} keys in {report.transactions} transaction{'s' if report.transactions > 1 else ''}"


def _changes(report: Report) -> Iterator[str]:
    """The keys that a pass changed, below the one object that they are in."""
    for change in sorted(report.written, key=lambda one: one.key):
        if change.key.startswith(TREE):
            mark, colour = _mark(change)
            below = change.key.removeprefix(TREE).split("/", 2)[2]
            yield f"{INDENT}{click.style(mark, fg=colour)} {below}"


def _mark(change: Change) -> tuple[str, str]:
    match change:
        case Create():
            return "+", "green"
        case Delete():
            return "-", "red"
        case _:
            return "~", "yellow"


def _is_service(path: str) -> bool:
    """Whether a key is of a service, not the backstop's."""
    return path.split("/")[1] != STANDING


def _of_service(keys: Mapping[str, str]) -> dict[str, str]:
    return {path: value for path, value in keys.items() if _is_service(path)}


def _tree(keys: Mapping[str, str]) -> Iterator[str]:
    """Keys as a tree: an object a head, what is below it in lines."""
    shown: tuple[str, ...] = ()
    for path, value in keys.items():
        *folders, leaf = _segments(path)
        for depth, folder in enumerate(folders):
            if shown[: depth + 1] != tuple(folders[: depth + 1]):
                yield f"{INDENT}{'  ' * depth}{folder}"
        shown = tuple(folders)
        yield _row(f"{INDENT}{'  ' * len(folders)}{leaf}", value, VALUES)


def _segments(path: str) -> list[str]:
    """The parts of a path that get a line of their own: an object, a server, a key."""
    kind, name, *below = path.split("/")
    head = f"{TREE}{kind}/{name}"
    if below[0] == "servers":
        return [head, "/".join(below[:2]), *below[2:]]
    return [head, "/".join(below)]


def _row(name: str, value: str, column: int) -> str:
    return f"{name:<{column}}  {click.style(value, fg='green')}"


def _route(rule: str, servers: Sequence[str]) -> Iterator[str]:
    """Who asks for what, and who answers."""
    left = f"http://{rule.removeprefix('Host:')}  ->  "
    for number, url in enumerate(servers):
        yield f"{INDENT}{'' if number else left:<{len(left)}}{url.removeprefix('http://')}"
