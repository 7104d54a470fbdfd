"""Readers of foreign text under a fuzzer that looks for inputs which reach new code: the second half of `make fuzz`.

    python -m tests.fuzz.guided TARGET SEED SECONDS FOLDER

Needs atheris. Keeps what it found worth trying below FOLDER and goes on from there the next time. Where a promise is
broken it ends with an error, and the input is in a file beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bridge"]):
    from bridge.labels.expressions import breaker, retry
    from bridge.labels.rules import checked_rule, parse_rule, write_rule
    from bridge.layouts.traefik1_rules import rule_fault
    from bridge.model.route import Kind
    from bridge.sources.base import SourceError
    from bridge.sources.document import Reader, read_slowly
    from bridge.sources.shapes import ContainerShape, HostShape, ServiceShape, StackShape

SAMPLES = Path(__file__).parent.parent / "samples"


def document(data: bytes) -> None:
    """A document is read, or refused with a SourceError; read twice it is the same, and so it is value by value."""
    reader = Reader()
    try:
        first = reader.snapshot(data, "fuzz")
    except SourceError:
        return
    assert reader.snapshot(data, "fuzz") == first
    assert first.services or not first.problems
    read_slowly(data)


def rule(data: bytes) -> None:
    """A rule is refused with a ValueError, or reads back as it was written, and Traefik takes what is written."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        parsed = parse_rule(text)
    except ValueError:
        return
    assert parse_rule(write_rule(parsed)) == parsed
    try:
        checked = checked_rule(text)
    except ValueError:
        return
    assert rule_fault(write_rule(checked)) is None


def expression(data: bytes) -> None:
    """An expression is refused with a ValueError, or is its own canonical form once it was written."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (breaker, retry):
        try:
            written = read(text)
        except ValueError:
            continue
        assert read(written) == written


def documents() -> Iterator[bytes]:
    """Small ones, so that a change of a few bytes means something: a service each."""
    for stack in json.loads((SAMPLES / "mixed.stacks.json").read_text(encoding="utf-8")):
        for service in stack["services"]:
            yield json.dumps([{**stack, "services": [service]}]).encode()
            yield json.dumps({"stacks": [{**stack, "services": [service]}], "hosts": []}).encode()


@dataclass(frozen=True, slots=True)
class Target:
    """What is tried, from where on, and with which words."""

    promise: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[str]


_SHAPES = (ContainerShape, HostShape, ServiceShape, StackShape)
TARGETS = {
    "document": Target(
        document,
        list(documents()),
        [f'"{name}":' for shape in _SHAPES for name in shape.__struct_fields__]
        + ["null", "[]", "{}", '""', "1", "\\ud800"],
    ),
    "rule": Target(
        rule,
        [
            b"Host:shop.example.org,b.example.org;PathPrefixStrip:/api",
            b"HostRegexp:{sub:[a-z]+}.example.com;Method:GET,POST;Headers:X-A,b;Query:a=b",
            b"PathStripRegex:/{id:[0-9]{1,3}}/;AddPrefix:/x;ReplacePathRegex:^/(.*) /0/$1",
        ],
        [f"{kind.value}:" for kind in Kind] + ["(?i)", "(?P<a>", "[[:alpha:]]", "{a:", "}", "::", "||", "\\p{L}", "*?"],
    ),
    "expression": Target(
        expression,
        [
            b"NetworkErrorRatio() > 0.5 || LatencyAtQuantileMS(50.0) > 100",
            b"IsNetworkError() && Attempts() <= 2 && RequestMethod() == `GET`",
            b"(ResponseCodeRatio(500, 600, 0, 600) > 0.5)",
        ],
        [
            "NetworkErrorRatio()",
            "LatencyAtQuantileMS(",
            "ResponseCodeRatio(",
            "Attempts()",
            "IsNetworkError()",
            "&&",
            "||",
        ],
    ),
}


def main() -> None:
    """Run one target. libFuzzer ends the process."""
    name, seed, seconds, below = sys.argv[1:]
    target, folder = TARGETS[name], Path(below) / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(data)
    words = Path(below) / f"{name}.dict"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in target.words)
    words.write_text("".join(f'"{word}"\n' for word in escaped), encoding="ascii")
    options = [f"-seed={seed}", f"-max_total_time={seconds}", "-max_len=20000", "-timeout=20", "-print_final_stats=1"]
    options += [f"-dict={words}", f"-artifact_prefix={folder}-", "-verbosity=0"]
    print(f"{name}: seed {seed}, {seconds} s", flush=True)
    atheris.Setup([sys.argv[0], *options, str(folder)], target.promise)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
