"""Who the servers are, by the source's words: an operator knows containers by their names, keys know them by uuid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from bridge.model.route import Verdict
from bridge.model.world import Service, Snapshot
from bridge.routes.policy import EXTERNAL

REMEMBERED = 1000  # containers that left the source, whose servers may still have to go


class Roll:
    """What the newest snapshot, and what was decided of it, say of services and containers."""

    def __init__(self) -> None:
        self._snapshot = Snapshot((), "")
        self._verdicts: tuple[Verdict, ...] = ()
        self._left: dict[str, str] = {}  # names of containers that the source names no more, by uuid, oldest first
        self._names: Mapping[str, str] | None = None  # of those that it names; made when somebody asks
        self._services: Mapping[str, Service] = {}
        self._judged: Mapping[str, Verdict] = {}

    def see(self, snapshot: Snapshot, verdicts: tuple[Verdict, ...]) -> None:
        """Take in what was decided. `verdicts`: of this snapshot."""
        if snapshot is not self._snapshot:
            kept = set(map(id, snapshot.services))
            self._left |= _names(one for one in self._snapshot.services if id(one) not in kept)
            for uuid in list(islice(self._left, max(0, len(self._left) - REMEMBERED))):
                del self._left[uuid]
        self._snapshot, self._verdicts, self._names = snapshot, verdicts, None

    def name(self, identity: str) -> str:
        """How the source names a container; the identity itself where it never did."""
        return self._index().get(identity) or self._left.get(identity) or identity

    def why_unpublished(self, title: str) -> str:
        """Why a service has no route; empty where it has one, where nobody knows, or of what is of no one service."""
        self._index()
        if "/" not in title:
            return ""
        if title not in self._services:
            return "the source names the service no more"
        verdict = self._judged.get(title)
        if verdict is None:
            return "no label of the service asks for a route any more"
        return verdict.closed.why if verdict.closed else ""

    def why_gone(self, title: str, identity: str) -> str:
        """Why a container, or an external address, is no server of a service; empty where nobody knows."""
        if why := self.why_unpublished(title):
            return why
        verdict, service = self._judged.get(title), self._services.get(title)
        remarks = verdict.remarks if verdict else ()
        if told := next((remark.why for remark in remarks if remark.identity == identity), ""):
            return told
        if identity in self._index():
            return ""
        external = service is not None and service.kind == EXTERNAL
        return "the service names the address no more" if external else "its container is no more"

    def _index(self) -> Mapping[str, str]:
        """The names of all containers; services and verdicts are sorted by name beside it."""
        if self._names is None:
            self._names = _names(self._snapshot.services)
            self._services = {one.title: one for one in self._snapshot.services}
            self._judged = {one.service: one for one in self._verdicts}
        return self._names


def _names(services: Iterable[Service]) -> dict[str, str]:
    return {one.uuid: one.name for service in services for one in service.containers}
