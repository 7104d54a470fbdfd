"""What in a tree makes Traefik 3 die, refuse all of it, lose or misread an object, whoever wrote it, and what helps."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bridge.layouts.lint import Finding

Version = tuple[int, int]  # the oldest Traefik that reads the tree: 3 and its minor


def lint(keys: Mapping[str, str], prefix: str, version: Version) -> tuple[Finding, ...]:
    """All findings, the worst first.

    `keys`: all that begin with `prefix` without its closing slash, as Traefik reads them; `prefix`: as `tree_prefix`
    makes it.
    """
    return ()


def faults(keys: Mapping[str, str], version: Version, elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    """Why the keys of one whole route, by path below the prefix, must not be written; empty where they may.

    Any of it that Traefik refuses, that loses an object or that does something else than it says. Each text names the
    path. `elsewhere`: the objects of others that it may refer to, such as `http/services/<name>`.
    """
    return ()
