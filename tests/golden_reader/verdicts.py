"""What a tree does to Traefik, in one word."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from tests.golden_reader.configuration import Configuration, Refused, configure
from tests.golden_reader.flags import Store
from tests.golden_reader.reading import Names, Value, read


def asked(tree: Callable[[], Mapping[str, str]]) -> tuple[Names, Value]:
    """The two questions of a reading, answered from the tree that stands when they are asked."""

    def names(beginning: str) -> Collection[str]:
        keys = tree().keys()
        if beginning not in "\n".join(
            keys
        ):  # most listings are empty, and this finds them out in a fraction of the time
            return []
        return [key for key in keys if key.startswith(beginning)]

    return names, lambda key: tree().get(key)


def configuration(tree: Mapping[str, str], prefix: str, store: Store) -> Configuration | Refused:
    """What Traefik makes of a tree that stands still."""
    names, value = asked(lambda: tree)
    return configure(read(names, value, prefix, store))


def leaves_and_directories(tree: Mapping[str, str], prefix: str) -> list[str]:
    """Keys with a value that have keys below them. Traefik reads its static configuration from the same prefix and
    refuses such a tree, depending on a random order: the next start may fail."""
    keys = sorted(key for key in tree if key.startswith(prefix.removesuffix("/")))
    return [key for key in keys if tree[key] and any(other.startswith(f"{key}/") and tree[other] for other in keys)]


def verdict(tree: Mapping[str, str], prefix: str, store: Store, written_under: str | None = None) -> str:
    """`ok`, `dropped:<names>`, `frozen` or `dead`, for a Traefik that starts on `tree`.

    `written_under`: where the keys lie, if not under the `prefix` that Traefik reads: what it does not find is dropped.
    """
    if leaves_and_directories(tree, prefix):
        return "dead"
    found = configuration(tree, prefix, store)
    if isinstance(found, Refused) or written_under is None:
        return found.verdict
    root = f"{written_under}/frontends/"
    meant = {key.removeprefix(root).split("/", 1)[0] for key in tree if key.startswith(root)}
    dropped = sorted(meant - {live.name for live in found.live})
    return f"dropped:{','.join(dropped)}" if dropped else "ok"
