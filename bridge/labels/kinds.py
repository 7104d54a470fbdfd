"""What each parser of the table takes, in words and as a pattern: for the documentation and the schemas.

A pattern says what every text that is taken looks like, in the part of regular expressions that Python and JavaScript
share. Some texts that match are refused all the same, where no pattern can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.labels import table, types
from bridge.labels.rules import checked_rule
from bridge.labels.table import Listed, Row

_TRUTH = "1|t|T|true|TRUE|True|0|f|F|false|FALSE|False"
_PLAIN_HOST = r"[^\s:/,;{}]+"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    words: str
    pattern: str = ""  # of the whole text; empty: nothing can be said
    truth: bool = False  # an unquoted true or false of YAML says it too
    least: int | None = None  # of a number, which YAML may say unquoted too
    most: int | None = None


_KINDS: Mapping[object, Kind] = {
    checked_rule: Kind("a rule of Traefik 1", r"\s*[A-Za-z]+\s*:[\s\S]+"),
    table.as_it_is: Kind("text"),
    table.breaker_expression: Kind("a circuit breaker's expression"),
    table.retry_expression: Kind("a retry expression"),
    table.host_and_port: Kind("a host, perhaps with a port", rf"{_PLAIN_HOST}(?::\+?[0-9]+)?"),
    table.file_path: Kind("a path", r"[A-Za-z0-9/._~+@=:\-]+"),
    table.forward_address: Kind("a URL", r"[Hh][Tt][Tt][Pp][Ss]?://[\s\S]+"),
    table.full_headers: Kind("headers", r"[^:]*:[\s\S]+"),
    table.spoken_protocol: Kind("http or https; tcp or udp", "(?:[Hh][Tt][Tt][Pp][Ss]?|[Tt][Cc][Pp]|[Uu][Dd][Pp])"),
    table.tag: Kind("text of one line, no backslash"),
    types.address_word: Kind("container or host", "(?:[Cc][Oo][Nn][Tt][Aa][Ii][Nn][Ee][Rr]|[Hh][Oo][Ss][Tt])"),
    types.basic_user: Kind("name:hash", r"[^:]+:(?:\$(?:apr1|1)\$|\$2[abxy]\$|\{SHA\})[^\s:,]+"),
    types.cidr: Kind("an address or a network", r"[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?"),
    types.digest_user: Kind("name:realm:hash", r"[^:]+:[^:]+:[0-9A-Fa-f]{32}"),
    types.duration: Kind("a time with a unit", r"\+?(?:[0-9.]+(?:ns|us|µs|μs|ms|s|m|h))+"),
    types.entry_point: Kind("an entry point's name", r"""[^\s,"'`\\]{1,200}"""),
    types.extractor: Kind("what tells clients apart", r"client\.ip|request\.host|request\.header\.[A-Za-z0-9_\-]+"),
    types.file_or_pem: Kind("a path or PEM text", r"[A-Za-z0-9/._~+@=:\-]+|[\s\S]*-----BEGIN [\s\S]+"),
    types.header_map: Kind("headers", r"[^:]*:[\s\S]*"),
    types.header_name: Kind("a header's name", r"[A-Za-z0-9_\-]{1,200}"),
    types.host: Kind("a host name", _PLAIN_HOST),
    types.host_pattern: Kind("a host name, with patterns in braces", r"[^\s/,;][^,;]*"),
    types.number: Kind("a whole number", r"[+\-]?[0-9]{1,20}", least=-types.MOST, most=types.MOST),
    types.path: Kind("a path", r"/[^,;]*"),
    types.path_pattern: Kind("a path, with patterns in braces", r"/[^,;]*"),
    types.period: Kind(
        "seconds, or a time with a unit",
        r"\+?(?:[0-9]{1,20}|(?:[0-9.]+(?:ns|us|µs|μs|ms|s|m|h))+)",
        least=1,
        most=types.MOST_SECONDS,
    ),
    types.publish: Kind("true, false or stack", f"{_TRUTH}|stack", truth=True),
    types.regex: Kind("an expression of RE2"),
    types.size: Kind("a number of bytes", r"\+?[0-9]{1,20}|-0+", least=0, most=types.MOST_BYTES),
    types.status: Kind("a status code or a range of them", r"[1-5][0-9]{2}(?:-[1-5][0-9]{2})?"),
    types.text: Kind("text of one line"),
    types.truth: Kind("true or false", _TRUTH, truth=True),
    types.url_path: Kind("a path of a URL", r"/[!-~]*"),
}


def kind(row: Row) -> Kind:
    """What a row's parser takes; of a list, what each of its values is. Every parser of the table is known."""
    match row.parse:
        case types.Whole(least, most):
            said = f"from {least} to {most}" if most < types.MOST else f"from {least}"
            return Kind(f"a whole number {said}", r"\+?[0-9]{1,20}|-0+", least=least, most=most)
        case types.Words(words):
            either = "|".join("".join(f"[{char.upper()}{char}]" for char in word) for word in words)
            return Kind(" or ".join(words), either)
        case parse:
            return _KINDS[parse]


def pattern(row: Row) -> str:
    """Of a label's whole text, unanchored; empty: nothing can be said. A list may have empty values and blanks."""
    one = kind(row).pattern
    if not one or not isinstance(row, Listed):
        return one
    return rf"[\s,]*(?:{one})(?:\s*,\s*(?:{one})?)*"


def type_words(row: Row) -> str:
    """The type, for people."""
    return kind(row).words + (", several with commas" if isinstance(row, Listed) else "")
