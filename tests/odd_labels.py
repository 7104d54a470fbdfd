"""Services whose owners write anything: names and labels as hypothesis draws them, near to what is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from bridge.labels.table import INNER, PREFIX, TABLE

CALM = "calm"  # the stack of those who write nothing odd; no odd service is in it

# What stops or misleads Traefik where it stands bare, or turns one thing into two for a careless reader.
SHARP = ['"', '"""', "\\", "\\n", "\n", "\r\n", "\x00", "\ud800", "{{", "}}", "{", "}", "'", "`", "$", "%", "%2f", "#"]
SHARP += [
    ";",
    ",",
    ":",
    "/",
    "//",
    "..",
    "___",
    "__",
    "--",
    "|",
    "||",
    "[",
    "]",
    "(",
    ")",
    "*",
    "+",
    "-",
    "=",
    " ",
    "\t",
]
SHARP += ["\u200c", "\u2028", "é", "İ", "\U0001f600", "0", "-1", "1e9", "0x1", "99999999999999999999", "true", "stack"]
SHARP += ["Host:", "PathPrefix:/", "Host:a;Host:b", "-----BEGIN", "http://", "::1", "zz-bridge", "traefik.", "main"]

anything = st.text(max_size=20)
sharp = st.lists(st.sampled_from(SHARP) | st.text(max_size=3), max_size=4).map("".join)
examples = st.sampled_from(sorted({row.example for row in TABLE}))


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with a piece of it replaced, repeated or left out."""
    text = draw(texts)
    first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    return text[:first] + draw(sharp | st.just(text[first:last] * 2)) + text[last:]


segments = st.sampled_from(["admin", "api", "http", "main", "port", "frontend", "a.b", "zz-bridge", "Ä b"]) | sharp
inners = st.sampled_from(["one", "two", "main", "x.y"]) | sharp


def written(name: str, inner: str, segment: str) -> str:
    """The name under which a label of the table is written."""
    plain = name.replace(INNER, inner)
    return f"{PREFIX}{segment}.{plain.removeprefix(PREFIX)}" if segment else plain


@st.composite
def as_told(draw: st.DrawFn) -> dict[str, str]:
    """A label of the table by its example, with all that must stand beside it."""
    row = draw(st.sampled_from(TABLE))
    inner = draw(inners) if INNER in "".join((row.name, *row.beside)) else ""
    segment = draw(segments) if row.segmented and draw(st.integers(0, 7)) == 0 else ""
    return {written(name, inner, segment): _ROWS[name].example for name in (*row.beside, row.name)}


@st.composite
def with_odd_value(draw: st.DrawFn) -> dict[str, str]:
    """The same with one value that is another: of another label, nearly right, or anything."""
    found = draw(as_told())
    name = draw(st.sampled_from(sorted(found)))
    return found | {name: draw(mutated(st.just(found[name])) | mutated(st.just(found[name])) | examples | sharp)}


@st.composite
def with_odd_name(draw: st.DrawFn) -> dict[str, str]:
    """The same under a name that is nearly right, or is not."""
    (*_, (name, value)) = draw(as_told()).items()
    return {draw(st.sampled_from([name.swapcase(), name.lower()]) | mutated(st.just(name))): value}


_ROWS = {row.name: row for row in TABLE}
strangers = st.dictionaries(st.builds(PREFIX.__add__, sharp) | anything, sharp | anything, max_size=2)
# A bad word for one of these costs the route, and then nothing else is seen.
_asks = st.sampled_from(["true"] * 18 + ["stack", "oops"])
_ports = st.sampled_from(["80"] * 18 + ["8080", "http"])


@st.composite
def label_sets(draw: st.DrawFn) -> dict[str, str]:
    """All labels of a service: most of them right, so that the odd ones get as far as the keys."""
    found = {"traefik.enable": draw(_asks), "traefik.port": draw(_ports)}
    for one in draw(st.lists(as_told(), max_size=4)):
        found |= one
    for one in draw(st.lists(with_odd_value(), max_size=2)):
        found |= one
    return found | draw(st.just({}) | st.just({}) | with_odd_name() | strangers)


@dataclass(frozen=True)
class Odd:
    """A service of the document."""

    name: str
    stack: str
    labels: dict[str, str] = field(repr=True)
    of_containers: dict[str, str]


# A name that is no part of a host costs the rule, where no label says another.
plain_names = st.sampled_from(
    ["web", "api", "shop", "Web", "a-b", "a.b", "a--b", "a__b", "zz-bridge", "one", "one__calm"]
)
names = plain_names | plain_names | st.sampled_from(["_", "-", "ä", "main"]) | sharp | st.text(min_size=1, max_size=12)
odd_services = st.builds(
    Odd,
    name=names,
    stack=names.filter(lambda name: name.lower() != CALM),
    labels=label_sets(),
    of_containers=st.just({}) | label_sets(),
)
