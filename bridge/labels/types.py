"""Values that an owner writes: each function makes one kind of value from text, or raises ValueError that says why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from ipaddress import IPv6Address, ip_address, ip_network

from bridge.labels.patterns import check_expression, split_pattern

MOST = 2**31 - 1  # of a number that Traefik reads as Go's int, on any machine
TEXT_LIMIT = 1000  # characters of one host, pattern or path
HOST_LIMIT = 253  # characters of a host name, after RFC 1035
NAME_LIMIT = 200  # characters of a name that may become part of a key
LONG_LIMIT = 16 * 1024  # characters of a header's value, or of certificates
MOST_SECONDS = 2**63 // 10**9  # of a duration in Go, which counts nanoseconds
MOST_BYTES = 2**63 - 1

# What strconv.ParseBool of Go takes, and nothing else.
_TRUTH = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
TRUTH_WORDS = tuple(_TRUTH)
FALSE_WORDS = tuple(word for word, means in _TRUTH.items() if not means)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PATTERN_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_HOST_LITERAL = re.compile(r"(?:[a-z0-9_-]|\.(?!\.))*")
# IDNA 2003, which Python speaks, turns these into another name than browsers ask for today.
_DEVIATING = frozenset("ßẞς\u200c\u200d")
_ESCAPE = re.compile(r"\\(?:([btnfr\"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|.|$)", re.DOTALL)
HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")  # any other character in one stops Traefik's whole provider
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION_PART = re.compile(rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)({'|'.join(_UNITS)})")
_BYTES = re.compile(r"([0-9]{1,9}) ?([kmgt])i?b?", re.IGNORECASE)
# What htpasswd makes and Traefik's library compares: MD5, SHA-1, bcrypt.
_PASSWORD_HASH = re.compile(
    r"\$(?:apr1|1)\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}"
    r"|\{SHA\}[+/0-9A-Za-z]{27}="
    r"|\$2[abxy]\$[0-9]{2}\$[./0-9A-Za-z]{53}"
)
_DIGEST_HASH = re.compile(r"[0-9a-f]{32}")
_URL = re.compile(r"(https?)://(\[[^\]]*\]|[^/?#:@\[\]]*)(?::([0-9]{1,5}))?([/?].*)?", re.IGNORECASE | re.DOTALL)
_LOGIN = re.compile(r"//[^/?#\s]*@")
_URL_REST = re.compile(r"(?:[A-Za-z0-9/?:@!$&'()*+,;=._~{}|^`\[\]-]|%[0-9A-Fa-f]{2})*")
_STATUS = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_EXTRACTED_HEADER = "request.header."
_ENTRY_POINT = re.compile(r"""[^\s,"'`\\]+""")
_FILE = re.compile(r"[A-Za-z0-9/._~+@=:-]+")
_PEM_MARK = "-----BEGIN"
_PEM = re.compile(r"(?:-----BEGIN ([A-Z0-9]+(?: [A-Z0-9]+)*)-----\n(?:[A-Za-z0-9+/]+={0,2}\n)+-----END \1-----\n*)+")
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


class Publish(Enum):
    """Whether a service asks for a route, and under which name."""

    NO = "false"
    SERVICE = "true"  # <service>.<stack>.<domain>
    STACK = "stack"  # <stack>.<domain>


class Address(Enum):
    """Where Traefik reaches containers."""

    CONTAINER = "container"  # at their own IP, on Rancher's network
    HOST = "host"  # at their host's IP and the port that is published there, for a Traefik outside of the environment


def truth(text: str) -> bool:
    """One of Go's words for true and false."""
    if text not in _TRUTH:
        raise ValueError(f"it is none of {' '.join(_TRUTH)}")
    return _TRUTH[text]


def publish(text: str) -> Publish:
    """`stack`, or one of Go's words for true and false."""
    if text == "stack":
        return Publish.STACK
    if text not in _TRUTH:
        raise ValueError(f"it is none of {' '.join(_TRUTH)} stack")
    return Publish.SERVICE if _TRUTH[text] else Publish.NO


def number(text: str) -> int:
    """A whole number as Go reads it: base ten, no blanks, no unit; up to MOST either way."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("it is no whole number")
    value = int(text)
    if abs(value) > MOST:
        raise ValueError(f"it is beyond {MOST}")
    return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A parser of whole numbers from `least` to `most`."""

    least: int
    most: int = MOST

    def __call__(self, text: str) -> int:
        value = number(text)
        if not self.least <= value <= self.most:
            raise ValueError(f"it is not between {self.least} and {self.most}")
        return value


def duration(text: str) -> float:
    """Seconds, above 0, from a time as Go writes it: 1.5s, 250ms, 1h30m. `write_seconds` is the inverse."""
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"it has no unit: write {_cut(text)}s if seconds are meant")
    body = text.removeprefix("+")
    parts = _DURATION_PART.findall(body) if len(body) <= TEXT_LIMIT else []
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError("it is no time such as 1.5s, 250ms or 1h30m (units: h m s ms us ns)")
    return _seconds(sum(int(Fraction(number) * _UNITS[unit]) for number, unit in parts))


def period(text: str) -> float:
    """Seconds, above 0: a plain number of them, or a time as in `duration`."""
    return _seconds(int(text) * 10**9) if _WHOLE.fullmatch(text) else duration(text)


def _seconds(nanoseconds: int) -> float:
    if not 0 < nanoseconds <= MOST_SECONDS * 10**9:
        raise ValueError(f"it is not above 0, or beyond {MOST_SECONDS}s")
    return float(Fraction(nanoseconds, 10**9))


def write_seconds(seconds: float) -> str:
    """A time as Go reads it: a whole number of the largest unit that holds it. Raises ValueError below a nanosecond."""
    nanoseconds = round(Fraction(seconds) * 10**9)
    for unit, length in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
        if nanoseconds > 0 and nanoseconds % length == 0:
            return f"{nanoseconds // length}{unit}"
    raise ValueError(f"{seconds} s is no time that can be waited for")


@dataclass(frozen=True, slots=True)
class Words:
    """A parser of some lower-case words, whose case is ignored."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        word = text.lower()
        if word not in self.words:
            raise ValueError(f"it is none of {' '.join(self.words)}")
        return word


ADDRESS_WORDS = Words(tuple(one.value for one in Address))


def address_word(text: str) -> Address:
    """`container` or `host`."""
    return Address(ADDRESS_WORDS(text))


def decoded(text: str) -> str:
    r"""The text without its TOML escapes, if it is validly escaped as a whole; else the text itself.

    Owners wrote `\\d` where `\d` was meant, because both rancher-traefik and Traefik's own provider paste labels into
    TOML. Text that would become a control character is taken as written: `\b` in a pattern is a word's edge.
    """
    if "\\" not in text or '"' in re.sub(r"\\.", "", text):
        return text
    out: list[str] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        code = found[2] or found[3]
        if code and int(code, 16) <= 0x10FFFF:
            char = chr(int(code, 16))
        elif found[1]:
            char = _SHORT[found[1]]
        else:
            return text
        out += (text[at : found.start()], char)
        at = found.end()
    plain = "".join(out) + text[at:]
    return plain if plain.isprintable() else text


def host(text: str) -> str:
    """A host name in lower case, in ASCII (IDNA). Underscores may stand: Traefik and browsers take them."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it is longer than {TEXT_LIMIT} characters")
    name = text.lower()
    if not name.isascii():
        name = _ascii(name)
    if len(name) > HOST_LIMIT or not _HOST.fullmatch(name):
        raise ValueError("it is no host name (letters, digits, '-', '_' and single dots; no port, no wildcard)")
    return name


def _ascii(name: str) -> str:
    if _DEVIATING & set(name):
        raise ValueError("browsers disagree about its letters: write it in its xn-- form")
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError as err:
        raise ValueError("it is no host name that can be written in ASCII") from err


def host_pattern(text: str) -> str:
    """A host name, or one with `{name:expression}` parts; the case of expressions is kept."""
    pieces = _pieces(text)
    if len(pieces) == 1:
        return host(text)
    literals = [piece.lower() for piece in pieces[::2]]
    edges = literals[0].startswith(".") or literals[-1].endswith(".")
    if edges or not all(_HOST_LITERAL.fullmatch(literal) for literal in literals):
        raise ValueError("outside its braces it is no part of a host name")
    escapes = (found[0] for piece in pieces[1::2] for found in _PATTERN_ESCAPE.finditer(piece))
    if escape := next((escape for escape in escapes if escape != escape.lower()), ""):
        raise ValueError(f"Traefik lowers the letters of a host's pattern, and {escape.lower()} is not {escape}")
    return _joined(literals, pieces)


def path(text: str) -> str:
    """A path, taken letter by letter."""
    if len(_pieces(text)) > 1:
        raise ValueError("Traefik strips only what is written, not what a pattern in braces matches")
    return path_pattern(text)


def path_pattern(text: str) -> str:
    """A path, or one with `{name:expression}` parts."""
    pieces = _pieces(text)
    if not text.startswith("/"):
        raise ValueError("a path begins with /")
    if text.endswith(":"):
        raise ValueError("Traefik drops a colon at the end of a rule")
    return _joined(pieces[::2], pieces)


def address(text: str) -> str:
    """An IP address in canonical form, without brackets, port or zone."""
    found = ip_address(text)
    if found.is_unspecified or "%" in text:
        raise ValueError(f"{text!r} is no address that can be reached")
    return str(found)


def cidr(text: str) -> str:
    """An address or a network in canonical form: without host bits, and one of a single address as the address."""
    base, slash, length = text.partition("/")
    try:
        address = ip_address(base)
        if "%" in text or (slash and not re.fullmatch(r"[0-9]{1,3}", length)):
            raise ValueError
        network = ip_network((address, int(length) if slash else address.max_prefixlen), strict=False)
    except ValueError:
        raise ValueError("it is no IP address and no network such as 10.0.0.0/8 or fd00::/8") from None
    first, bits = network.network_address, network.prefixlen
    if isinstance(first, IPv6Address) and first.ipv4_mapped and bits >= 96:  # Go compares these as IPv4
        first, bits = first.ipv4_mapped, bits - 96
    return str(first) if bits == first.max_prefixlen else f"{first}/{bits}"


def header_name(text: str) -> str:
    """A header's name in Go's form: x-a as X-A."""
    if not HEADER_NAME.fullmatch(text) or len(text) > NAME_LIMIT:
        raise ValueError(f"it is no name of a header: letters, digits, '-' and '_', {NAME_LIMIT} at most")
    return "-".join(part.capitalize() for part in text.split("-"))


def header_map(text: str) -> tuple[tuple[str, str], ...]:
    """Names and values of `Name:value||Name2:value2`, sorted by name. Values may be empty, and hold colons.

    Messages say which part is wrong, and nothing of what it holds.
    """
    found: dict[str, str] = {}
    for number, part in enumerate(text.split("||"), 1):
        name, colon, value = part.partition(":")
        try:
            if not colon:
                raise ValueError("it has no colon: write Name:value||Name2:value2")
            name, value = header_name(name.strip()), _text(value.strip()).strip()
            if name in found:
                raise ValueError("its header stands in another part too")
        except ValueError as err:
            raise ValueError(f"part {number}: {err}") from None
        found[name] = value
    return tuple(sorted(found.items()))


def basic_user(text: str) -> str:
    """`name:hash`, with a hash as htpasswd makes it. Messages hold nothing of either."""
    name, _, kept = text.partition(":")
    _check_user(name)
    if "$$" in kept:
        raise ValueError("the dollar signs of its hash are doubled, as if in a compose file")
    if not _PASSWORD_HASH.fullmatch(kept):
        raise ValueError("it is no name:hash with a hash of MD5, SHA-1 or bcrypt: make one with htpasswd -nB NAME")
    return text


def digest_user(text: str) -> str:
    """`name:realm:hash`, with a hash as htdigest makes it. Messages hold nothing of it."""
    name, _, rest = text.partition(":")
    realm, _, kept = rest.partition(":")
    _check_user(name)
    _check_user(realm)
    if not _DIGEST_HASH.fullmatch(kept.lower()):
        raise ValueError("it is no name:realm:hash with 32 hexadecimal digits: make one with htdigest")
    return f"{name}:{realm}:{kept.lower()}"


def _check_user(word: str) -> None:
    if not word or not word.isprintable() or word != word.strip() or len(word) > NAME_LIMIT:
        raise ValueError("a part before its hash is empty, too long, or has blanks around it or odd characters in it")


def url(text: str) -> str:
    """An absolute URL of http or https, its scheme and host in lower case. No user, whom reports would show."""
    found = _URL.fullmatch(text) if len(text) <= TEXT_LIMIT else None
    if not found:
        raise ValueError("it is no URL such as http://HOST:PORT/PATH, without user and fragment")
    scheme, name, port, rest = found[1].lower(), found[2], found[3], found[4] or ""
    if port is not None and not 0 < int(port) <= 65535:
        raise ValueError("its port is not between 1 and 65535")
    inner = f"[{address(name[1:-1])}]" if name.startswith("[") else host(name)
    _check_rest(rest)
    return f"{scheme}://{inner}" + (f":{int(port)}" if port else "") + rest


def holds_login(text: str) -> bool:
    """Whether a URL in it names a user, and so perhaps a password: no report shows it."""
    return "@" in text and _LOGIN.search(text) is not None


def url_path(text: str) -> str:
    """The path of a URL, with its query if it has one."""
    if not text.startswith("/"):
        raise ValueError("a path begins with /")
    if text.startswith("//"):
        raise ValueError("behind // stands another host")
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it is longer than {TEXT_LIMIT} characters")
    _check_rest(text)
    return text


def _check_rest(text: str) -> None:
    if not _URL_REST.fullmatch(text):
        raise ValueError("its path or query holds a character that a URL writes as %XX, or a % without two digits")


def status(text: str) -> str:
    """A status code, or two with a dash: 404, 500-599."""
    found = _STATUS.fullmatch(text)
    if not found or found[1] > (found[2] or found[1]):
        raise ValueError("it is neither a status code from 100 to 599 nor a range such as 500-599")
    return found[1] if found[2] in (None, found[1]) else text


def extractor(text: str) -> str:
    """What tells clients apart: client.ip, request.host or request.header.NAME."""
    if text.startswith(_EXTRACTED_HEADER):
        return _EXTRACTED_HEADER + header_name(text.removeprefix(_EXTRACTED_HEADER))
    if text not in ("client.ip", "request.host"):
        raise ValueError("it is none of client.ip, request.host and request.header.NAME")
    return text


def entry_point(text: str) -> str:
    """The name of one of Traefik's entry points, its case kept."""
    if not _ENTRY_POINT.fullmatch(text) or not text.isprintable() or len(text) > NAME_LIMIT:
        raise ValueError("it is no name of an entry point: no blanks, commas, quotes or backslashes")
    return text


def size(text: str) -> int:
    """A whole number of bytes."""
    if found := _BYTES.fullmatch(text):
        meant = int(found[1]) * 1024 ** ("kmgt".index(found[2].lower()) + 1)
        raise ValueError(f"it has a unit, and bytes are wanted: write {meant}")
    if not _WHOLE.fullmatch(text) or not 0 <= int(text) <= MOST_BYTES:
        raise ValueError(f"it is no whole number of bytes from 0 to {MOST_BYTES}")
    return int(text)


def regex(text: str) -> str:
    """A regular expression that Go's RE2 takes."""
    plain = _text(text)
    check_expression(plain)
    return plain


def text(text: str) -> str:
    """Text of one line that stands for itself."""
    if _PEM_MARK in text:
        raise ValueError("certificates and keys do not belong here")
    return _text(text)


def _text(text: str) -> str:
    if len(text) > LONG_LIMIT:
        raise ValueError(f"it is longer than {LONG_LIMIT} characters")
    plain = decoded(text)
    if not plain.isprintable():
        raise ValueError("it holds a line's end, or another character that cannot be printed")
    return plain


def file_or_pem(text: str) -> str:
    r"""The path of a file on Traefik's machine, or PEM text with line ends, which may be written as `\n` too.

    A backslash or three quotes stop Traefik's provider in some of the keys that this is for: neither stands in what is
    taken. A bare line end does so in others, which the layout escapes. Messages hold nothing of the text.
    """
    if len(text) > LONG_LIMIT:
        raise ValueError(f"it is longer than {LONG_LIMIT} characters")
    if _PEM_MARK not in text:
        if not _FILE.fullmatch(text):
            raise ValueError("it is neither PEM text nor a path of letters, digits and / . _ ~ + @ = : -")
        return text
    pem = text.replace("\\r", "").replace("\\n", "\n").replace("\r", "").strip() + "\n"
    if not _PEM.fullmatch(pem):
        raise ValueError("its PEM text is not whole: lines of base64 between BEGIN and END of one name")
    return pem


def _pieces(text: str) -> tuple[str, ...]:
    """Literals and the insides of braces, in turn, of text that may stand in a rule."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it is longer than {TEXT_LIMIT} characters")
    if not text.isprintable() or text != text.strip():
        raise ValueError("it holds a character that cannot be printed, or begins or ends with a blank")
    for mark in (",", ";", "::"):
        if mark in text:
            raise ValueError(f"Traefik's rules cannot hold {mark!r}")
    return split_pattern(text)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def _joined(literals: list[str] | tuple[str, ...], pieces: tuple[str, ...]) -> str:
    """The literals with the insides of `pieces` between them, in their braces again."""
    insides = [f"{{{inside}}}" for inside in pieces[1::2]]
    return "".join(part for pair in zip(literals, [*insides, ""], strict=True) for part in pair)
