"""What may stand in Traefik 1.7's tree: which keys and values do no harm, and which must stand together.

Measured on 1.7.28: one odd value in one key stops it from taking any change of any service, one rule of `;` ends it.
So a value is written in exactly one form, only keys of known use are written, and both are held here once more
before they may leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from bridge.layouts.traefik1_checks import is_header_key, is_name, nanoseconds
from bridge.layouts.traefik1_secrets import is_secret
from bridge.layouts.traefik1_values import WRITTEN
from bridge.model.keys import STANDING, Entry, group_name

_BACKSTOP_PRIORITY = f"frontends/{STANDING}/priority"

# Below which directories a name follows, and what may be one.
_NAMES: Mapping[str, Mapping[str, Callable[[str], bool]]] = {
    "backends": {"backends": is_name, "servers": is_name, "headers": is_header_key},
    "frontends": {
        **dict.fromkeys(("frontends", "routes", "rateset", "errors"), is_name),
        **dict.fromkeys(("customrequestheaders", "customresponseheaders", "sslproxyheaders"), is_header_key),
    },
}
_KINDS_OF_AUTH = ("basic", "digest", "forward")


def check(entries: Iterable[Entry]) -> None:
    """Raises ValueError unless Traefik takes these keys, whole objects, and does with them what they say.

    Right entries come from right routes, so an error is a fault of this program; it costs one route, not all.
    """
    keys: dict[str, str] = {}
    for entry in entries:
        if entry.path in keys:
            raise ValueError(f"{entry.path}: two values")
        if fault := harmful(entry.path, entry.value):
            raise ValueError(f"{_shown(entry.path, entry.value)}: {fault}")
        keys[entry.path] = entry.value
    _check_whole(keys)


def harmful(path: str, value: str) -> str | None:
    """Why this key must never stand in a store; None where it may."""
    fault_of = WRITTEN.get(_shape(path))
    if fault_of is None:
        return "not a key that is ever written"
    if path == _BACKSTOP_PRIORITY and value == "1":
        return None
    try:
        return fault_of(value)
    except ValueError as err:
        return str(err)


def _shown(path: str, value: str) -> str:
    return path if is_secret(path, value) else f"{path} {value!r}"


def _shape(path: str) -> str:
    """`path` with a star for each name; empty where a name is none that may stand."""
    parts = path.split("/")
    names = _NAMES.get(parts[0], {})
    for at in range(1, len(parts)):
        may_stand = names.get(parts[at - 1])
        if may_stand:
            if not may_stand(parts[at]):
                return ""
            parts[at] = "*"
    return "/".join(parts)


def _check_whole(keys: Mapping[str, str]) -> None:
    stands = _with_directories(keys)
    for path, value in keys.items():
        kind, name, field, *below = path.split("/")
        base = f"{kind}/{name}"
        holder = f"{base}/backend" if kind == "frontends" else f"{base}/loadbalancer/method"
        if holder not in stands:
            raise ValueError(f"{path} without {holder}")
        for needed in _NEEDS[field](base, below, value) if field in _NEEDS else ():
            if stands.isdisjoint(needed):
                raise ValueError(f"{path} without {' or '.join(needed)}")
        if field in _FAULTS and (fault := _FAULTS[field](path, keys, stands)):
            raise ValueError(f"{path}: {fault}")
    urls = [(path.split("/")[1], value) for path, value in keys.items() if path.endswith("/url")]
    if len(set(urls)) < len(urls):
        raise ValueError("two servers of one backend with one url")


def _with_directories(paths: Iterable[str]) -> set[str]:
    """The paths and all directories above them."""
    found = set(paths)
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


# The keys, or directories, without which a key does not do what it says, or does harm: of each one must stand.

Needs = Iterator[tuple[str, ...]]


def _opening_needs(base: str, _below: list[str], value: str) -> Needs:
    yield (f"{base}/routes",)  # a frontend without a rule takes every host
    yield (f"backends/{value}/loadbalancer/method",)


def _server_needs(base: str, below: list[str], _value: str) -> Needs:
    yield (f"{base}/servers/{below[0]}/url",)


def _max_conn_needs(base: str, _below: list[str], _value: str) -> Needs:
    yield (f"{base}/maxconn/amount",)


def _health_check_needs(base: str, _below: list[str], _value: str) -> Needs:
    yield (f"{base}/healthcheck/path",)


def _rate_limit_needs(base: str, below: list[str], _value: str) -> Needs:
    yield (f"{base}/ratelimit/extractorfunc",)
    yield (f"{base}/ratelimit/rateset",)
    if len(below) > 1:
        yield from ((f"{base}/ratelimit/rateset/{below[1]}/{field}",) for field in ("average", "burst", "period"))


def _auth_needs(base: str, below: list[str], _value: str) -> Needs:
    """Without a kind that is whole, or with TLS that Traefik cannot set up, it lets nobody in."""
    match below:
        case ["basic" | "digest" as kind, _]:
            yield (f"{base}/auth/{kind}/users", f"{base}/auth/{kind}/usersfile")
        case ["forward", *rest]:
            yield (f"{base}/auth/forward/address",)
            if rest[0] == "tls":
                tls = f"{base}/auth/forward/tls"
                yield (f"{tls}/cert", f"{tls}/insecureskipverify")
                if rest[1] in ("cert", "key"):
                    yield from ((f"{tls}/cert",), (f"{tls}/key",))
        case _:
            yield tuple(f"{base}/auth/{kind}" for kind in _KINDS_OF_AUTH)


def _whitelist_needs(base: str, _below: list[str], _value: str) -> Needs:
    yield (f"{base}/whitelist/sourcerange",)


def _redirect_needs(base: str, below: list[str], _value: str) -> Needs:
    if below[0] in ("regex", "replacement"):
        yield from ((f"{base}/redirect/regex",), (f"{base}/redirect/replacement",))
    else:
        yield (f"{base}/redirect/entrypoint", f"{base}/redirect/regex")


def _page_needs(base: str, below: list[str], _value: str) -> Needs:
    yield from ((f"{base}/errors/{below[0]}/{field}",) for field in ("backend", "status"))


_NEEDS: Mapping[str, Callable[[str, list[str], str], Needs]] = {
    "auth": _auth_needs,
    "backend": _opening_needs,
    "errors": _page_needs,
    "healthcheck": _health_check_needs,
    "maxconn": _max_conn_needs,
    "ratelimit": _rate_limit_needs,
    "redirect": _redirect_needs,
    "servers": _server_needs,
    "whitelist": _whitelist_needs,
}


# Why a key that may stand must not stand beside the others; None where it may. All that it needs is there.


def _auth_fault(path: str, _keys: Mapping[str, str], stands: Set[str]) -> str | None:
    base = path[: path.index("/auth/")]
    found = [kind for kind in _KINDS_OF_AUTH if f"{base}/auth/{kind}" in stands]
    return f"{' and '.join(found)}: one kind alone counts" if len(found) > 1 else None


def _redirect_fault(path: str, keys: Mapping[str, str], _stands: Set[str]) -> str | None:
    clash = path.endswith("/regex") and path.removesuffix("regex") + "entrypoint" in keys
    return "beside an entry point it counts for nothing" if clash else None


def _rate_fault(path: str, keys: Mapping[str, str], _stands: Set[str]) -> str | None:
    """From request to request at least a nanosecond must pass: Traefik divides by that time."""
    if not path.endswith("/average"):
        return None
    few = int(keys[path]) <= nanoseconds(keys[path.removesuffix("average") + "period"])
    return None if few else "more requests than the period has nanoseconds"


def _page_fault(path: str, keys: Mapping[str, str], _stands: Set[str]) -> str | None:
    """Traefik answers 500 for a page of a backend that no frontend uses; of other services nothing is known here."""
    if not path.endswith("/backend"):
        return None
    frontend, backend = path.split("/")[1], keys[path]
    if backend == keys[f"frontends/{frontend}/backend"]:
        return "the frontend's own backend is no page"
    used = {value for one, value in keys.items() if one.endswith("/backend") and one.count("/") == 2}
    own = group_name(backend) == group_name(frontend)
    return "no frontend uses this backend" if own and backend not in used else None


_FAULTS: Mapping[str, Callable[[str, Mapping[str, str], Set[str]], str | None]] = {
    "auth": _auth_fault,
    "errors": _page_fault,
    "ratelimit": _rate_fault,
    "redirect": _redirect_fault,
}
