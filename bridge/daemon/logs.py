"""The log of `run`: one line an event, as text for people, or with named fields as logfmt or as JSON.

What stands in a line is anybody's: labels, keys, what a server answered. So no form lets a text begin a line, move the
cursor, or become a field; what a text may still hold of logins and hashes is hidden; and no line is so long that a
container's log is cut in the middle of it: what follows such a cut would look like a line of its own.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TypeAlias

from bridge.config import LogFormat, LogLevel
from bridge.ownership.quarrels import HIDDEN

log = logging.getLogger("bridge")

Fact: TypeAlias = "str | int | float | bool | Sequence[Mapping[str, str]]"

FIRST = ("time", "level", "event", "msg", "cluster", "layout", "service", "group", "key", "reason")  # in this order
LONGEST_LINE = 16_000  # bytes; Docker cuts at 16 KiB
_CUTS = ((1000, 10), (200, 10), (50, 3))  # characters of a text and items of a list, until the line is short enough
_PIECE = select.PIPE_BUF  # bytes; so many find room in a pipe that has any
_PATIENCE, _SHARE = 1.0, 0.1  # seconds that the log may wait for whoever reads it, and how much of a second it regains
_PLACES = 6  # of a fault: the innermost calls

_LOGIN = re.compile(r"//[^/\s@'\"]+@")
# $apr1$…, $2y$…, {SHA}…, {SSHA}…, and the realm and hash of a digest; with the name in front. It begins only where a
# word does, so that a long word is looked at once.
_HASH = re.compile(
    r"(?<![^\s'\",;=])[^\s'\",;=]*(?:\$[0-9a-z]{1,5}\$|\{S?SHA\d*\}|:[^\s:]*:[0-9a-fA-F]{32}\b)[^\s'\",;]*"
)
# What a header of such a name says, also in a rule, with or without its scheme; and what a query or JSON says.
_NAMED = re.compile(
    r"(?i:\b((?:authorization|x-[a-z-]{0,20}token)['\"]?[:=,] ?['\"]?|\w*(?:token|password|secret)(?:=|['\"]: ?['\"])))"
    r"(?:[A-Za-z]+ )?[^\s'\",;|&]+"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?-----END [A-Z ]*PRIVATE KEY-----|[\w+/=\s\\]*)")
_LAST_WORD = re.compile(r"[\s'\",;=][^\s'\",;=]*\Z")
_BARE = re.compile(r'[^\s"=\\]+')

_about: ContextVar[Mapping[str, Fact]] = ContextVar("about", default=MappingProxyType({}))


def facts(event: str, **its: Fact) -> dict[str, object]:
    """What a line says beside its text, for `extra`. `event` names its kind; an empty text or list is left out."""
    return {"facts": {"event": event, **its}}


@contextmanager
def about(**its: Fact) -> Iterator[None]:
    """What all lines say that are written meanwhile, by this thread and by those that inherit its context."""
    token = _about.set({**_about.get(), **its})
    try:
        yield
    finally:
        _about.reset(token)


def set_up(form: LogFormat, level: LogLevel, cluster: str, *, names_layout: bool) -> None:
    """Write to stderr from now on, also what libraries, Python's warnings and threads that die have to say.

    Of libraries only warnings and worse, whatever the level: what they tell of each request says nothing of routes.
    """
    handler = _handler()
    handler.setFormatter(Lines(form, cluster, names_layout=names_layout))
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)
    logging.captureWarnings(True)
    threading.excepthook = _died


def _handler() -> logging.Handler:
    """What writes to stderr. Python has none where it was started with none, and another program's may be no file."""
    if sys.stderr is None:
        return logging.NullHandler()
    try:
        return logging.StreamHandler(_Patient(sys.stderr.fileno()))
    except io.UnsupportedOperation:
        return logging.StreamHandler(sys.stderr)


class _Patient:
    """The file that the log goes to. What finds no room in it is lost: a log that nobody reads holds no route up."""

    def __init__(self, file: int) -> None:
        """`file`: its descriptor."""
        self._file = file
        self._ready = select.poll()
        self._ready.register(file, select.POLLOUT)
        self._patience, self._at = _PATIENCE, time.monotonic()  # what is left of it, and since when it grows
        self._is_torn = False  # the last one was written in part

    def write(self, line: str) -> None:
        """Write it, or lose it. Raises OSError."""
        rest = line.encode(errors="backslashreplace")
        if self._is_torn:
            rest = b"\n" + rest
        begun = False
        while rest:
            if not self._has_room():
                self._is_torn = self._is_torn or begun
                return
            rest = rest[os.write(self._file, rest[:_PIECE]) :]
            begun, self._is_torn = True, False

    def _has_room(self) -> bool:
        """Whether a piece can be written now, or soon: who reads slowly costs a tenth of the time at most."""
        asked = time.monotonic()
        self._patience = min(_PATIENCE, self._patience + (asked - self._at) * _SHARE)
        found = bool(self._ready.poll(self._patience * 1000))
        self._at = time.monotonic()
        self._patience = max(0.0, self._patience - (self._at - asked))
        return found

    def flush(self) -> None:
        """Nothing is kept back."""


def set_level(level: LogLevel) -> None:
    """Write what is as grave as this, or graver."""
    least = logging.getLevelNamesMapping()[level.name]
    logging.getLogger().setLevel(max(least, logging.WARNING))
    log.setLevel(least)


def _died(died: threading.ExceptHookArgs) -> None:
    name = died.thread.name if died.thread else "a thread"
    log.error("%s: a fault of the bridge itself", name, exc_info=died.exc_value, extra=facts("fault", thread=name))


def one_line(text: str) -> str:
    """`text` as one line without control characters, and without marks that turn the direction of what follows."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def in_words(item: Mapping[str, str]) -> str:
    """What a list holds of one thing: web-2 http://10.42.0.2:80 (it is unhealthy)."""
    said = [text for name, text in item.items() if name != "reason"]
    return " ".join([*said, f"({item['reason']})"] if "reason" in item else said)


class Lines(logging.Formatter):
    """Makes a line of each record."""

    def __init__(self, form: LogFormat, cluster: str, *, names_layout: bool) -> None:
        """`names_layout`: a text's line says whose it is, where several layouts are published."""
        super().__init__()
        self._cluster, self._names_layout = cluster, names_layout
        writers: dict[LogFormat, Callable[[Mapping[str, Fact]], str]]
        writers = {LogFormat.TEXT: self._text, LogFormat.LOGFMT: _logfmt, LogFormat.JSON: _json}
        self._write = writers[form]
        self._time = _local if form is LogFormat.TEXT else _utc

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`; here a fault's trace stands in the same line."""
        found = self._facts(record)
        for characters, items in _CUTS:
            line = self._write({name: _cut(fact, characters, items) for name, fact in found.items()})
            if len(line.encode(errors="backslashreplace")) <= LONGEST_LINE:
                break
        return line

    def _facts(self, record: logging.LogRecord) -> dict[str, Fact]:
        """All that a line says, in order."""
        is_ours = record.name == log.name or record.name.startswith(f"{log.name}.")
        found: dict[str, Fact] = {
            "time": self._time(record),
            "level": record.levelname.lower(),
            "event": "note" if is_ours else "library",
            "msg": _message(record),
            "cluster": self._cluster,
            **_about.get(),
            **getattr(record, "facts", {}),
        }
        if not is_ours:
            found["logger"] = record.name
        if record.exc_info and record.exc_info[1]:
            found["trace"] = _trace(record.exc_info[1])
        names = sorted(found, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        return {name: found[name] for name in names if found[name] not in ("", [])}

    def _text(self, found: Mapping[str, Fact]) -> str:
        whose = found.get("layout") if self._names_layout else None
        parts = (whose, found.get("logger"), found["msg"], found.get("trace"))
        return f"{found['time']} {str(found['level']).upper()} {': '.join(str(part) for part in parts if part)}"


def _logfmt(found: Mapping[str, Fact]) -> str:
    return " ".join(f"{name}={_quoted(_flat(fact))}" for name, fact in found.items())


def _flat(fact: Fact) -> str:
    if isinstance(fact, bool):
        return str(fact).lower()
    if isinstance(fact, str | int | float):
        return str(fact)
    return ", ".join(map(in_words, fact))


def _quoted(text: str) -> str:
    if _BARE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _json(found: Mapping[str, Fact]) -> str:
    return json.dumps(found)  # in ASCII: whatever the stream's encoding, nothing is written otherwise than JSON has it


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a library's fault; logging itself would print a trace with all it holds
        return str(record.msg)


def _local(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(record.created))}.{int(record.msecs):03}"


def _utc(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z"


def _trace(err: BaseException) -> str:
    """What went wrong, and where: the innermost calls first."""
    calls = traceback.extract_tb(err.__traceback__)[-_PLACES:]
    places = (f"{call.filename.rpartition('/')[2]}:{call.lineno} {call.name}" for call in reversed(calls))
    return f"{type(err).__name__}: {err}; at {', '.join(places)}"


def _cut(fact: Fact, characters: int, items: int) -> Fact:
    """A fact as it may be shown."""
    if isinstance(fact, str):
        begins = fact[: 4 * characters]  # enough, whatever becomes shorter of it
        if len(fact) > len(begins):  # half a hash is not known as one
            begins = f"{_LAST_WORD.sub('', begins)}…"
        shown = one_line(_hidden(begins))
        return shown if len(shown) <= characters else shown[:characters] + "…"
    if isinstance(fact, int | float):
        return fact
    return [{name: str(_cut(text, characters, items)) for name, text in item.items()} for item in fact[:items]]


def _hidden(text: str) -> str:
    """`text` without what may let somebody in."""
    text = _HASH.sub(HIDDEN, _LOGIN.sub(f"//{HIDDEN}@", _PEM.sub(HIDDEN, text)))
    return _NAMED.sub(rf"\1{HIDDEN}", text)
