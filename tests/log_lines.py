"""Reads what `run` logs, strictly: what is no line of its form raises AssertionError."""

from __future__ import annotations

import json
import re

_TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) (.+)")
_PAIR = re.compile(r'([a-z_]+)=(?:"((?:[^"\\]|\\["\\])*)"|([^\s"=\\]+))(?: |\Z)')
ESSENTIAL = ("time", "level", "event", "msg", "cluster")  # of the forms with fields, first and in this order

Event = dict[str, object]


def read_line(form: str, line: str) -> Event:
    """The fields of a line; of a text's, which has none, its level and its sentence."""
    assert line.isprintable(), ascii(line)
    if form == "text":
        found = _TEXT.fullmatch(line)
        assert found, line
        return {"level": found[1].lower(), "msg": found[2]}
    event = _logfmt(line) if form == "logfmt" else json.loads(line)
    assert tuple(event)[: len(ESSENTIAL)] == ESSENTIAL, line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(event["time"]))
    assert event["level"] in ("debug", "info", "warning", "error")
    return dict(event)


def _logfmt(line: str) -> Event:
    event: Event = {}
    at = 0
    while at < len(line):
        found = _PAIR.match(line, at)
        assert found, line[at:]
        assert found[1] not in event, line
        event[found[1]] = re.sub(r"\\(.)", r"\1", found[2]) if found[3] is None else found[3]
        at = found.end()
    return event
