"""Traefik 1's rules: `Matcher:argument,argument;Matcher:argument`, parsed and asked."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

_FOREIGN_TO_RE2 = re.compile(r"\(\?(?:=|!|<|>|\()|\\[1-9]")  # look-around, conditions, references
_NEVER = re.compile(r"(?!)")


class NotARule(ValueError):
    """Traefik does not take the rule: its frontend is lost."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as Traefik gets it."""

    host: str  # as sent, with a port if there is one
    path: str  # as sent, with the query
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    entry_point: str = "http"
    body_bytes: int = 0
    client: str = "127.0.0.1"

    @property
    def plain_path(self) -> str:
        """The path without the query, unescaped."""
        return unquote(self.path.partition("?")[0])

    @property
    def host_name(self) -> str:
        """The host in lower case, without a port."""
        return self.host.partition(":")[0].lower()

    def header(self, name: str) -> str | None:
        """The header's value; None: not sent. The name's case does not matter."""
        wanted = name.lower()
        return next((value for sent, value in self.headers.items() if sent.lower() == wanted), None)


Test = Callable[[Request], bool]


@dataclass(frozen=True, slots=True)
class Changes:
    """What rules do to a path on its way to the server; each is empty where no rule asks for it."""

    strip: tuple[str, ...] = ()  # the first prefix that fits is taken off
    strip_regex: tuple[str, ...] = ()  # templates, likewise
    add: str = ""
    replace_regex: str = ""  # pattern, blank, replacement
    replace: str = ""

    def apply(self, path: str) -> tuple[str, Mapping[str, str]] | None:
        """The new path, and the headers that tell of the old one. None: nothing fits that is to be taken off."""
        told: dict[str, str] = {}
        path, mark, query = path.partition("?")
        prefixes = [re.compile(re.escape(prefix)) for prefix in self.strip]
        for patterns in ([template(text, "[^/]+") for text in self.strip_regex], prefixes):
            if patterns:
                found = next(filter(None, (pattern.match(path) for pattern in patterns)), None)
                if found is None:
                    return None
                told["X-Forwarded-Prefix"] = found[0]
                path = "/" + path[found.end() :].removeprefix("/")
        path = self.add + path
        new = self.replace or _replaced(path, self.replace_regex)
        if new != path:
            told["X-Replaced-Path"] = path
        return new + mark + query, told

    def and_then(self, later: Changes) -> Changes:
        """Both; where both want the same kind, the later one counts."""
        return Changes(
            later.strip or self.strip,
            later.strip_regex or self.strip_regex,
            later.add or self.add,
            later.replace_regex or self.replace_regex,
            later.replace or self.replace,
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """All tests must hold."""

    tests: tuple[Test, ...] = ()
    exact_paths: tuple[tuple[str, ...], ...] = ()  # of each Path piece: its templates
    changes: Changes = Changes()

    def matches(self, request: Request) -> bool:
        """Whether the request is this rule's; a path may differ from an exact one by a final slash."""
        return all(test(request) for test in self.tests)

    def slash_moved(self, request: Request) -> str | None:
        """Where a request is sent whose path differs from the rule's by a final slash; else None."""
        path = request.plain_path
        for templates in self.exact_paths:
            wanted = next(text for text in templates if _exact(text).fullmatch(path))
            if wanted.endswith("/") != path.endswith("/"):
                return path.removesuffix("/") if path.endswith("/") else path + "/"
        return None


def is_deadly(text: str) -> bool:
    """A rule of nothing but semicolons, at which Traefik's configuration loop ends."""
    return bool(text) and not text.strip(";")


@functools.cache
def parse_rule(text: str) -> Rule:
    """Raises NotARule."""
    rule = Rule()
    for piece in filter(None, text.split(";")):
        name, *others = [part for part in piece.split(":") if part] or [""]
        if name.strip() not in _KINDS:
            raise NotARule(f"{name!r} in {text!r} is no matcher")
        arguments = tuple(argument.strip() for argument in ":".join(others).split(",") if argument)
        if not arguments:
            raise NotARule(f"{piece!r} has no argument")
        more = _KINDS[name.strip()](arguments)
        rule = Rule(rule.tests + more.tests, rule.exact_paths + more.exact_paths, rule.changes.and_then(more.changes))
    return rule


@functools.cache
def template(text: str, default: str) -> re.Pattern[str]:
    """`{name}` and `{name:pattern}` among literal text; what is badly written matches nothing."""
    pattern, at = "", 0
    for start, end in _braces(text):
        name, colon, inner = text[start + 1 : end].partition(":")
        if not name or (colon and not inner):
            return _NEVER
        pattern += re.escape(text[at:start]) + f"(?:{inner if colon else default})"
        at = end + 1
    if "{" in text[at:] or "}" in text[at:]:
        return _NEVER
    try:
        return go_regex(pattern + re.escape(text[at:]))
    except ValueError:
        return _NEVER


@functools.cache
def go_regex(text: str) -> re.Pattern[str]:
    """Raises ValueError where RE2 would not take it, as far as Python can tell."""
    if _FOREIGN_TO_RE2.search(text):
        raise ValueError(f"{text!r} is beyond RE2")
    try:
        return re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError) as err:
        raise ValueError(f"{text!r} is no regular expression") from err


def go_replacement(text: str) -> str:
    """`$1` and `${1}` in Python's words."""
    return re.sub(r"\$(?:\{([0-9]+)\}|([0-9]+))", r"\\g<\1\2>", text.replace("\\", "\\\\"))


def _braces(text: str) -> list[tuple[int, int]]:
    """Where the outer pairs of braces stand."""
    found, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        if letter == "{":
            start = at if depth == 0 else start
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                found.append((start, at))
            if depth < 0:
                break
    return found


def _replaced(path: str, words: str) -> str:
    parts = words.split(" ")
    if len(parts) != 2:
        return path
    try:
        return go_regex(parts[0]).sub(go_replacement(parts[1]), path)
    except ValueError:
        return path


def _exact(text: str) -> re.Pattern[str]:
    """A path template that does not mind a final slash; one without a leading slash matches nothing."""
    if not text.startswith("/"):
        return _NEVER
    found = template(text, "[^/]+")
    return found if found is _NEVER else re.compile(found.pattern.removesuffix("/") + "/?", re.ASCII)


def _host(arguments: tuple[str, ...]) -> Rule:
    hosts = {argument.lower() for argument in arguments} - {""}
    return Rule((lambda request: request.host_name in hosts,))


def _host_regexp(arguments: tuple[str, ...]) -> Rule:
    found = [template(argument.lower(), "[^.]+") for argument in arguments]
    return Rule((lambda request: any(pattern.fullmatch(request.host_name) for pattern in found),))


def _path(arguments: tuple[str, ...]) -> Rule:
    found = [_exact(argument) for argument in arguments]
    return Rule((lambda request: any(pattern.fullmatch(request.plain_path) for pattern in found),), (arguments,))


def _path_prefix(arguments: tuple[str, ...]) -> Rule:
    found = [template(argument, "[^/]+") for argument in arguments if argument.startswith("/")]
    return Rule((lambda request: any(pattern.match(request.plain_path) for pattern in found),))


def _path_strip(arguments: tuple[str, ...]) -> Rule:
    rule = _path(arguments)
    return Rule(rule.tests, rule.exact_paths, Changes(strip=_longest_first(arguments)))


def _path_strip_regex(arguments: tuple[str, ...]) -> Rule:
    rule = _path(arguments)
    return Rule(rule.tests, rule.exact_paths, Changes(strip_regex=_longest_first(arguments)))


def _path_prefix_strip(arguments: tuple[str, ...]) -> Rule:
    return Rule(_path_prefix(arguments).tests, changes=Changes(strip=_longest_first(arguments)))


def _path_prefix_strip_regex(arguments: tuple[str, ...]) -> Rule:
    return Rule(_path_prefix(arguments).tests, changes=Changes(strip_regex=_longest_first(arguments)))


def _longest_first(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(arguments, key=len, reverse=True))


def _method(arguments: tuple[str, ...]) -> Rule:
    methods = {argument.upper() for argument in arguments}
    return Rule((lambda request: request.method in methods,))


def _headers(arguments: tuple[str, ...]) -> Rule:
    pairs = _pairs(arguments)
    return Rule((lambda request: all(_same(request.header(name), value) for name, value in pairs),))


def _same(sent: str | None, wanted: str) -> bool:
    return sent is not None and wanted in ("", sent)


def _headers_regexp(arguments: tuple[str, ...]) -> Rule:
    try:
        found = [(name, go_regex(pattern)) for name, pattern in _pairs(arguments)]
    except ValueError as err:
        raise NotARule(str(err)) from err
    return Rule((lambda request: all(_fits(request.header(name), pattern) for name, pattern in found),))


def _fits(sent: str | None, pattern: re.Pattern[str]) -> bool:
    return sent is not None and pattern.search(sent) is not None


def _pairs(arguments: tuple[str, ...]) -> list[tuple[str, str]]:
    if len(arguments) % 2:
        raise NotARule(f"{arguments} are no pairs")
    return list(zip(arguments[::2], arguments[1::2], strict=True))


def _query(arguments: tuple[str, ...]) -> Rule:
    if any(argument.count("=") != 1 for argument in arguments):
        raise NotARule(f"{arguments}: each needs one equals sign")
    pairs = [argument.split("=") for argument in arguments]
    wanted = [(name, template(value, ".*") if value else re.compile(".*")) for name, value in pairs]

    def test(request: Request) -> bool:
        sent: dict[str, str] = {}
        for name, value in parse_qsl(request.path.partition("?")[2], keep_blank_values=True):
            sent.setdefault(name, value)
        return all(name in sent and pattern.fullmatch(sent[name]) for name, pattern in wanted)

    return Rule((test,))


_KINDS: Mapping[str, Callable[[tuple[str, ...]], Rule]] = {
    "Host": _host,
    "HostRegexp": _host_regexp,
    "Path": _path,
    "PathStrip": _path_strip,
    "PathStripRegex": _path_strip_regex,
    "PathPrefix": _path_prefix,
    "PathPrefixStrip": _path_prefix_strip,
    "PathPrefixStripRegex": _path_prefix_strip_regex,
    "Method": _method,
    "Headers": _headers,
    "HeadersRegexp": _headers_regexp,
    "Query": _query,
    "AddPrefix": lambda arguments: Rule(changes=Changes(add=arguments[-1])),
    "ReplacePath": lambda arguments: Rule(changes=Changes(replace=arguments[-1])),
    "ReplacePathRegex": lambda arguments: Rule(changes=Changes(replace_regex=arguments[-1])),
}
