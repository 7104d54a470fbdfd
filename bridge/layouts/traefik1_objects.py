"""What is wrong with frontends and backends of Traefik 1.7 as wholes: what is missing, what does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from bridge.layouts.go_values import TRUE, is_whole
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik1_flaws import EVERY_HOST, LOST_HERE, is_period
from bridge.layouts.traefik1_text import unescape_value

Keys = Mapping[str, str]  # of one object, by the path below its name; what is not there, or empty, says nothing
Flaws = Iterator[tuple[str, Flaw]]  # by path

_KINDS = ("basic", "digest", "forward")


@dataclass(frozen=True, slots=True)
class Objects:
    """All that Traefik finds of a tree, each object with its keys."""

    backends: Mapping[str, Keys]
    frontends: Mapping[str, Keys]
    certificates: Mapping[str, Keys]
    known: frozenset[str]  # backends, as Traefik reads their names
    used: frozenset[str]  # backends that a frontend names

    @classmethod
    def of(cls, tree: Mapping[str, str]) -> Objects:
        """Of what stands below the prefix, path: value."""
        backends, frontends = _objects(tree, "backends"), _objects(tree, "frontends")
        known = frozenset(map(_text, backends))
        used = frozenset(_text(keys.get("backend", "")) for keys in frontends.values())
        return cls(backends, frontends, _objects(tree, "tls"), known, used)

    def keys(self, path: str) -> tuple[Keys, str]:
        """The object that a path leads into, and the path in it."""
        kind, _, below = path.partition("/")
        name, _, rest = below.partition("/")
        kinds = {"backends": self.backends, "frontends": self.frontends, "tls": self.certificates}
        return kinds.get(kind, {}).get(name, {}), rest

    def weighed(self, path: str, flaw: Flaw) -> Flaw:
        """The flaw of the key at `path` as far as it reaches among the others."""
        keys, rest = self.keys(path)
        idle = sleeps(keys, rest, flaw.grade)
        if path.startswith("backends/") and flaw.grade is Grade.LOST:
            idle = idle or _text(path.split("/")[1]) not in self.used
        elif path.startswith("frontends/") and flaw.grade is Grade.DEAD:
            idle = idle or _text(keys.get("backend", "")) not in self.known
        if not idle or flaw.grade not in (Grade.DEAD, Grade.FROZEN, Grade.LOST):
            return flaw
        return Flaw(Grade.WRONG, flaw.reason, f"nothing yet, since it is not used; then: {flaw.effect}", flaw.remedy)


def object_flaws(of: Objects) -> Flaws:
    """What is missing, and what does not go together; by path below the prefix."""
    for name, keys in of.backends.items():
        yield from _below(f"backends/{name}/", _backend(keys, _text(name) in of.used))
    for name, keys in of.frontends.items():
        yield from _below(f"frontends/{name}/", _frontend(keys, of.known, of.used))
    yield from _same_requests(of.frontends)


def sleeps(keys: Keys, path: str, grade: Grade) -> bool:
    """Whether Traefik makes no use of the key at `path` of an object, in what would be of this grade."""
    lost = grade is Grade.LOST
    match path.split("/"):
        case ["redirect", "regex" | "replacement" as half]:
            other = "regex" if half == "replacement" else "replacement"
            return bool(keys.get("redirect/entrypoint")) or not keys.get(f"redirect/{other}")
        case ["maxconn", "extractorfunc"]:
            amount = keys.get("maxconn/amount", "")
            return not is_whole(amount) or (lost and int(amount) == 0)
        case ["healthcheck", *_]:
            return not keys.get("healthcheck/path")
        case ["loadbalancer", "stickiness", _]:
            return keys.get("loadbalancer/stickiness") not in TRUE
        case ["servers", server, "weight"]:
            return not keys.get(f"servers/{server}/url")
        case ["ratelimit", "extractorfunc"]:
            return lost and not any(_is_set(keys, name) for name in _names(keys, "ratelimit/rateset"))
        case ["ratelimit", "rateset", name, *_]:
            return not keys.get("ratelimit/extractorfunc") or (lost and not _is_set(keys, name))
        case ["auth", *below]:
            kinds = [kind for kind in _KINDS if _directory(keys, f"auth/{kind}")]
            return bool(_items(keys, "basicauth")) or (below[0] in _KINDS and below[0] != kinds[0])
    return False


def _is_set(keys: Keys, name: str) -> bool:
    """Whether a rate set has a period that Traefik understands: without, it is dropped."""
    return is_period(keys.get(f"ratelimit/rateset/{name}/period", ""))


def _objects(tree: Mapping[str, str], kind: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path, value in sorted(tree.items()):
        top, _, below = path.partition("/")
        if top == kind and below:
            name, _, rest = below.partition("/")
            found.setdefault(name, {})[rest] = value
    return found


def _below(base: str, found: Flaws) -> Flaws:
    return ((base + path, flaw) for path, flaw in found)


def _text(value: str) -> str:
    """What Traefik reads; where it cannot, another flaw says so."""
    try:
        return unescape_value(value)
    except ValueError:
        return value


def _directory(keys: Keys, name: str) -> bool:
    """Whether any key stands below it, an empty one too."""
    return any(path.startswith(f"{name}/") and path != f"{name}/" for path in keys)


def _names(keys: Keys, directory: str) -> list[str]:
    below = (path.removeprefix(f"{directory}/") for path in keys if path.startswith(f"{directory}/"))
    return sorted({path.partition("/")[0] for path in below} - {""})


def _items(keys: Keys, path: str) -> list[str]:
    comma = [item for item in keys.get(path, "").split(",") if item.strip()]
    return comma or [keys[one] for one in keys if one.startswith(f"{path}/") and keys[one]]


def _wrong(path: str, reason: str, effect: str, remedy: str) -> tuple[str, Flaw]:
    return path, Flaw(Grade.WRONG, reason, effect, remedy)


# Backends.


def _backend(keys: Keys, used: bool) -> Flaws:
    urls: dict[str, list[str]] = {}
    for server in _names(keys, "servers"):
        url = keys.get(f"servers/{server}/url", "")
        if url:
            urls.setdefault(_text(url), []).append(keys.get(f"servers/{server}/weight") or "1")
        else:
            yield _wrong(f"servers/{server}/url", "it is missing, or empty", "there is no such server", "write it")
    for weights in urls.values():
        if len(weights) > 1:
            grade = Grade.WRONG if len(set(weights)) > 1 else Grade.NOTICE
            effect = "they are one server, with the weight of either"
            yield "servers", Flaw(grade, f"{len(weights)} servers with one url", effect, "delete all but one")
    if used and not urls and not keys.get("loadbalancer/method"):  # with it, it is kept for a while without servers
        yield _wrong("servers", "no server has a url", "its frontends answer 503", "write one, or delete the backend")
    known = {"maxrequestbodybytes", "memrequestbodybytes", "maxresponsebodybytes", "memresponsebodybytes"}
    if (names := _names(keys, "buffering")) and not known.intersection(names) and "retryexpression" not in names:
        yield _wrong("buffering/" + names[0], "any key here switches buffering on", "requests are held whole", "delete")
    if keys.get("maxconn/extractorfunc") and not keys.get("maxconn/amount"):
        yield _wrong("maxconn/amount", "it is missing", "there is no limit", "write it")
    if _directory(keys, "healthcheck") and not keys.get("healthcheck/path"):
        yield _wrong("healthcheck/path", "it is missing", "nothing is checked", "write it")
    if keys.get("loadbalancer/stickiness/cookiename") and not keys.get("loadbalancer/stickiness"):
        yield _wrong("loadbalancer/stickiness", "it is missing", "no client stays with its server", "write true")


# Frontends.


def _frontend(keys: Keys, backends: Set[str], used: Set[str]) -> Flaws:
    backend = _text(keys.get("backend", ""))
    if backend not in backends:
        reason = f"there is no backend {backend!r}" if backend else "it is missing"
        remedy = "write the name of a backend, as it stands there"
        yield "backend", Flaw(Grade.LOST, reason, f"{LOST_HERE}, without a word", remedy)
    if not any(keys.get(f"routes/{route}/rule") for route in _names(keys, "routes")):
        yield _wrong("routes", "no route has a rule", EVERY_HOST, "write routes/main/rule, or delete the frontend")
    yield from _auth(keys)
    yield from _access(keys)
    yield from _pages(keys, backend, backends, used)
    yield from _rates(keys)
    if keys.get("passtlscert") in TRUE:
        effect = f"{LOST_HERE} where one of its entry points is without TLS"
        yield "passtlscert", Flaw(Grade.NOTICE, "only Traefik knows its entry points", effect, "look there")
    if keys.get("headers/isdevelopment") in TRUE:
        effect = "allowed hosts and all that asks for TLS count for nothing"
        yield _wrong("headers/isdevelopment", "it is meant for development", effect, "delete it")
    yield from _twin_headers(keys)


def _auth(keys: Keys) -> Flaws:
    if not _directory(keys, "auth"):
        return
    if _items(keys, "basicauth"):
        yield _wrong("basicauth", "it stands beside auth", "auth counts for nothing", "delete one of them")
        return
    kinds = [kind for kind in _KINDS if _directory(keys, f"auth/{kind}")]
    if not kinds:
        effect = "every request is answered with 500"
        yield _wrong("auth/" + _names(keys, "auth")[0], "no kind of auth stands beside it", effect, "write a kind")
        return
    if len(kinds) > 1:
        reason = f"{' and '.join(kinds)} stand side by side"
        yield _wrong(f"auth/{kinds[1]}", reason, f"only {kinds[0]} counts", "delete all but one")
    if kinds[0] == "forward":
        if not keys.get("auth/forward/address"):
            effect = "every request is answered with 500"
            yield _wrong("auth/forward/address", "it is missing, or empty", effect, "write it")
        yield from _forward_tls(keys)
    elif not _items(keys, f"auth/{kinds[0]}/users") and not keys.get(f"auth/{kinds[0]}/usersfile"):
        path = f"auth/{kinds[0]}/users"
        yield _wrong(path, "it names nobody", "every request is answered with 401", "write users")


def _forward_tls(keys: Keys) -> Flaws:
    base = "auth/forward/tls"
    for name in ("ca", "cert", "key"):
        text = _text(keys.get(f"{base}/{name}", ""))
        if not text or "-----BEGIN" in text:
            continue
        if "\n" in text:
            yield f"{base}/{name}", Flaw(Grade.LOST, "it is neither PEM text nor a file", LOST_HERE, "write either")
        else:
            effect = f"{LOST_HERE} where it is not there"
            yield f"{base}/{name}", Flaw(Grade.NOTICE, "a file on Traefik's machine", effect, "look there")


def _access(keys: Keys) -> Flaws:
    if _directory(keys, "whitelist") and not _items(keys, "whitelist/sourcerange"):
        yield _wrong("whitelist/sourcerange", "it names no address", "every address may pass", "write ranges")
    if keys.get("redirect/entrypoint"):
        return
    halves = [half for half in ("regex", "replacement") if keys.get(f"redirect/{half}")]
    if _directory(keys, "redirect") and len(halves) < 2:
        other = "regex" if halves == ["replacement"] else "replacement"
        yield _wrong(f"redirect/{other}", "it is missing", "nobody is sent elsewhere", "write it, or entrypoint")


def _pages(keys: Keys, own: str, backends: Set[str], used: Set[str]) -> Flaws:
    for page in _names(keys, "errors"):
        base = f"errors/{page}"
        backend = _text(keys.get(f"{base}/backend", ""))
        if not _items(keys, f"{base}/status"):
            yield _wrong(f"{base}/status", "it names no status", "the page is never shown", "write 404 or 500-599")
        elif backend not in backends or backend == own:
            reason = "it is the frontend's own backend" if backend == own else f"there is no backend {backend!r}"
            yield _wrong(f"{base}/backend", reason, "the page is never shown", "name another backend")
        elif backend not in used:
            effect = "500 is answered in place of the page"
            yield _wrong(f"{base}/backend", "no frontend uses this backend", effect, "name one that has a frontend")


def _rates(keys: Keys) -> Flaws:
    if not _directory(keys, "ratelimit"):
        return
    if not keys.get("ratelimit/extractorfunc"):
        yield _wrong("ratelimit/extractorfunc", "it is missing", "there is no limit", "write client.ip")
        return
    sets = _names(keys, "ratelimit/rateset")
    if not sets:
        yield _wrong("ratelimit/rateset", "there is no set", "there is no limit", "write one")
    for name in sets:
        base = f"ratelimit/rateset/{name}"
        if not keys.get(f"{base}/period"):
            yield _wrong(f"{base}/period", "it is missing", "this set limits nothing", "write it")
        for field in ("average", "burst"):
            if _is_set(keys, name) and not keys.get(f"{base}/{field}"):
                yield f"{base}/{field}", Flaw(Grade.LOST, "it is missing", LOST_HERE, "write 1 or more")


def _twin_headers(keys: Keys) -> Flaws:
    """Names that are one header."""
    for kind in ("customrequestheaders", "customresponseheaders", "sslproxyheaders"):
        first: dict[str, str] = {}
        for name in _names(keys, f"headers/{kind}"):
            other = first.setdefault(name.lower(), name)
            if other != name:
                yield _wrong(f"headers/{kind}/{other}", f"{name} is the same header", "that one counts", "delete one")


def _same_requests(frontends: Mapping[str, Keys]) -> Flaws:
    """Frontends of equal rules and priorities on different backends: one of them wins, and not always the same."""
    first: dict[tuple[object, ...], str] = {}
    for name, keys in frontends.items():
        rules = sorted(
            keys[f"routes/{route}/rule"] for route in _names(keys, "routes") if f"routes/{route}/rule" in keys
        )
        if not any(rules):
            continue
        asked = (*rules, keys.get("priority", ""), *sorted(_items(keys, "entrypoints")))
        other = first.setdefault(asked, name)
        if other != name and frontends[other].get("backend") != keys.get("backend"):
            effect = "one of the two gets the requests, and that changes with other frontends"
            yield _wrong(f"frontends/{name}/routes", f"frontend {other} has the same rules", effect, "set a priority")
