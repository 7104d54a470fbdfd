"""Error pages that are other services', as far as both must know of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bridge.labels.lookup import protections
from bridge.model.problem import Problem
from bridge.model.route import Route
from bridge.model.world import Service

_KEEPS_OUT = ("auth", "whitelist")  # families of labels that Traefik asks of a client, and not of itself


def foreign_pages(route: Route | None) -> tuple[tuple[str, str], ...]:
    """Name and backend of each error page that is no segment's of the route's own service."""
    if route is None:
        return ()
    own = {backend.segment for backend in route.backends}
    pages = ((page.name, page.backend) for one in route.frontends for page in one.errors if page.backend not in own)
    return tuple(dict.fromkeys(pages))


def passes_by(title: str, pages: Iterable[tuple[str, str]], published: Mapping[str, Service]) -> Iterator[Problem]:
    """A notice for each page of the service `title` that nobody has, and for each by which clients see what another's
    labels keep from them.

    `published`: services that have a route, by the names of their backends.
    """
    for name, backend in pages:
        service = published.get(backend)
        if service is None:
            why = f"the error page {name} is of {backend}, and no service here is published under that name"
            yield Problem(title, "", "", why, "wrote it, and Traefik leaves the page out", notice=True)
            continue
        found = protections(service.labels)
        for family in _KEEPS_OUT:
            if family in found:
                why = f"the error page {name} is this service's, and who sees it is not asked for its {found[family]}"
                yield Problem(title, "", service.title, why, "published it", notice=True)
