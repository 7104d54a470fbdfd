"""What each matcher of Traefik 1.7's rules takes its values for: its `rules` package, and the router below it.

`settled` asks what `parse_rule` must: what costs Traefik the frontend, and where it drops a value or takes one for
something else. `checked` asks besides whether a request can be found that matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from bridge.labels import types
from bridge.labels.faults import Fault, quoted
from bridge.labels.patterns import check_expression, split_pattern, variables
from bridge.model.route import Kind

_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110


class Word(NamedTuple):
    """One value in a text, and where it begins, counted from 0. A tuple, because a rule is read for each frontend."""

    text: str  # without the blanks around it; empty for a value of blanks
    at: int


Words = tuple[Word, ...]


def settled(kind: Kind, words: Words) -> Words:
    """What counts of `words`, in the order of the text; none where nothing does. Raises Fault, without the kind."""
    return _SETTLED[kind](words)


def checked(kind: Kind, words: Words) -> Words:
    """Settled words in canonical form. Raises Fault, without the kind, where one can match nothing."""
    canonical = _CANONICAL.get(kind, _printable)
    found = []
    for word in words:
        try:
            found.append(Word(canonical(word.text), word.at))
        except ValueError as err:
            raise _wrong(word, str(err), err.at if isinstance(err, Fault) else 0) from err
    if kind in (Kind.HEADERS, Kind.HEADERS_REGEXP):
        return tuple(_distinct_headers(found))
    return settled(kind, tuple(found))


def _wrong(word: Word, reason: str, offset: int = 0) -> Fault:
    return Fault(f"{quoted(word.text)}: {reason}", word.at + offset)


def _try(check: Callable[[str], object], word: Word, begin: int = 0, end: int | None = None) -> None:
    """Checks a part of a word."""
    try:
        check(word.text[begin:end])
    except Fault as err:
        raise _wrong(word, err.reason, begin + err.at) from err


# What counts. Each function raises Fault where Traefik refuses the values, or drops one that was meant to count.


def _any_of(words: Words) -> Words:
    """A value of blanks matches nothing, and one that stands twice no more than once."""
    texts = {word.text for word in words}
    if "" not in texts and len(texts) == len(words):
        return words
    distinct: dict[str, Word] = {}
    for word in words:
        if word.text:
            distinct.setdefault(word.text, word)
    return tuple(distinct.values())


def _prefixes(words: Words) -> Words:
    for word in words:
        if not word.text:
            raise Fault("with a blank value takes every path", word.at)
    return _any_of(words)


def _methods(words: Words) -> Words:
    for word in words:
        if word.text and not _METHOD.fullmatch(word.text):
            raise _wrong(word, "it is no method of HTTP")
    return _any_of(tuple(Word(word.text.upper(), word.at) for word in words))


def _pairs(words: Words) -> Words:
    if len(words) % 2:
        raise Fault("needs a value for each name", words[-1].at)
    for name, value in zip(words[::2], words[1::2], strict=True):
        if not types.HEADER_NAME.fullmatch(name.text):
            raise _wrong(name, "it is no name of a header")
        if not value.text:
            raise Fault("takes a blank value for any (of HeadersRegexp, .* asks for that)", value.at)
    return words


def _expressions(words: Words) -> Words:
    for value in _pairs(words)[1::2]:
        _try(check_expression, value)
    return words


def _queries(words: Words) -> Words:
    for word in words:
        name, _, value = word.text.partition("=")
        if word.text.count("=") != 1 or not name:
            raise _wrong(word, "it needs a name and exactly one =")
        if "{" in name or "}" in name:
            raise _wrong(word, "a name is no pattern, only a value is one")
        _try(split_pattern, word, len(word.text) - len(value))
    return _any_of(words)


def _last(words: Words) -> Words:
    """Traefik sets the modifier anew for each value."""
    if words and not words[-1].text:
        raise Fault("does nothing when its last value is blank", words[-1].at)
    return words[-1:]


def _replacement(words: Words) -> Words:
    if len(words) > 1:
        raise Fault("cannot hold a comma, which ends its value", words[1].at)
    for word in words:
        expression, _, to = word.text.partition(" ")
        if not to or " " in to:
            raise _wrong(word, "it must be an expression, one blank, and what takes the place of what matches")
        _try(check_expression, word, 0, len(expression))
    return words


_SETTLED: Mapping[Kind, Callable[[Words], Words]] = {
    Kind.HOST: _any_of,
    Kind.HOST_REGEXP: _any_of,
    Kind.PATH: _any_of,
    Kind.PATH_STRIP: _any_of,
    Kind.PATH_STRIP_REGEX: _any_of,
    Kind.PATH_PREFIX: _prefixes,
    Kind.PATH_PREFIX_STRIP: _prefixes,
    Kind.PATH_PREFIX_STRIP_REGEX: _prefixes,
    Kind.METHOD: _methods,
    Kind.HEADERS: _pairs,
    Kind.HEADERS_REGEXP: _expressions,
    Kind.QUERY: _queries,
    Kind.ADD_PREFIX: _last,
    Kind.REPLACE_PATH: _last,
    Kind.REPLACE_PATH_REGEX: _replacement,
}


# What can match. Each function makes the canonical value, or raises ValueError.


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds a character that cannot be printed")
    return text


def _new_path(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("Traefik puts braces into the path as they are written")
    return types.path_pattern(text)


def _stripped_pattern(text: str) -> str:
    names = variables(text)
    if len(set(names)) < len(names):
        raise ValueError("Traefik strips the wrong text where one name stands in two pairs of braces")
    return types.path_pattern(text)


_CANONICAL: Mapping[Kind, Callable[[str], str]] = {
    Kind.HOST: types.host,
    Kind.HOST_REGEXP: types.host_pattern,
    Kind.PATH: types.path_pattern,
    Kind.PATH_STRIP: types.path,
    Kind.PATH_STRIP_REGEX: _stripped_pattern,
    Kind.PATH_PREFIX: types.path_pattern,
    Kind.PATH_PREFIX_STRIP: types.path,
    Kind.PATH_PREFIX_STRIP_REGEX: _stripped_pattern,
    Kind.ADD_PREFIX: _new_path,
    Kind.REPLACE_PATH: _new_path,
}


def _distinct_headers(words: list[Word]) -> Iterator[Word]:
    """Pairs with canonical names."""
    names = set()
    for name, value in zip(words[::2], words[1::2], strict=True):
        canonical = types.header_name(name.text)
        if canonical == "Host":  # Go takes it out of a request's headers
            raise _wrong(name, "it is found in no request's headers: write Host:NAME")
        if canonical in names:
            raise _wrong(name, "of two values for one name Traefik asks for the last alone")
        names.add(canonical)
        yield Word(canonical, name.at)
        yield value
