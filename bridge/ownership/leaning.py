"""What of one group rests on what others are: a router on its middlewares, the servers of a service on the routers.

Of native labels each object is a group of its own, and each may have another decider. So a router must not stand with a
middleware that its cluster's labels do not mean, nor servers behind a router that guards otherwise than these say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bridge.model.change import Check
from bridge.model.keys import Role, Wish
from bridge.ownership.claims import Claim, Group, by_role, may_merge
from bridge.ownership.records import claim_path
from bridge.ownership.standing import Standing

Shared = Callable[[str], Mapping[str, str]]  # the shared keys that somebody wants of a group; empty: none


@dataclass(slots=True)
class Leaning:
    """The wishes of this cluster, and what stands."""

    standing: Standing
    wishes: Mapping[str, Wish]
    _leading: dict[str, list[Wish]] | None = field(default=None, init=False)  # what opens something, by what it needs

    @property
    def _me(self) -> str:
        return self.standing.publisher.cluster

    def otherwise(self, wish: Wish) -> tuple[str, str]:
        """A group that what the wish opens rests on, or itself, and the cluster that decides it in other words.

        Empty where there is none. Words are other where `may_merge` has it.
        """
        for name in self._below(wish):
            decider, own = self._guest_of(name), self.wishes.get(name)
            if decider is None or own is None:
                continue
            if decider.keys is None or not may_merge(own.shared, decider.keys, self.standing.publisher.layout):
                return name, decider.cluster
        return "", ""

    def withheld(self, wish: Wish) -> tuple[str, str]:
        """As `otherwise`, where it keeps what the wish opens from being published: another group is meant."""
        if not self._opens(wish.shared):
            return "", ""
        name, cluster = self.otherwise(wish)
        return (name, cluster) if name != wish.group else ("", "")

    def unready(self, group: Group, wish: Wish) -> str:
        """A group that the wish rests on and that does not protect yet as this cluster wants it; empty: none.

        Only of what is still to be opened.
        """
        opens = by_role(wish.shared, Role.OPENS, self.standing.publisher.layout)
        if not opens or opens.keys() & group.shared.keys():
            return ""
        return next((name for name in self._below(wish) if name != wish.group and self._lags(name)), "")

    def kept_out(self, group: Group, wish: Wish) -> tuple[str, str]:
        """As `otherwise`, of what leads to the servers of a group that other clusters claim as well."""
        if not wish.own or all(claim.cluster == self._me for claim in group.claims):
            return "", ""
        found = (self.otherwise(one) for one in self._leading_to(wish.group))
        return next((one for one in found if one[0]), ("", ""))

    def relied_on(self, group: Group, target: Mapping[str, str]) -> str:
        """Another cluster something of which rests on what it claims of this group, and `target` has otherwise."""
        layout = self.standing.publisher.layout
        for claim in group.claims:
            if claim.cluster == self._me or (claim.keys is not None and may_merge(claim.keys, target, layout)):
                continue
            if self._relies(claim.cluster, group.name):
                return claim.cluster
        return ""

    def checks(self, wish: Wish, records: str) -> Iterator[Check]:
        """That other clusters still mean what was read, where this wish rests on it. `records`: their prefix."""
        names = {name for one in (wish, *self._leading_to(wish.group)) for name in self._below(one)}
        for name in sorted(names - {wish.group}):
            if decider := self._guest_of(name):
                yield Check(records + claim_path(decider.cluster, name), decider.held.revision)

    # What leads where.

    def _below(self, wish: Wish) -> tuple[str, ...]:
        """The group of the wish, and all that it rests on."""
        return self._closure(wish.group, self._wanted)

    def _wanted(self, name: str) -> Mapping[str, str]:
        wish = self.wishes.get(name)
        return wish.shared if wish else {}

    def _closure(self, name: str, shared: Shared) -> tuple[str, ...]:
        found = [name]
        for one in found:
            found += sorted(self._leans(shared(one)) - set(found))
        return tuple(found)

    def _leans(self, keys: Mapping[str, str]) -> frozenset[str]:
        return self.standing.publisher.layout.leans_on(keys)

    def _leading_to(self, name: str) -> list[Wish]:
        """The wishes that open something and rest on this group."""
        if self._leading is None:
            self._leading = {}
            for wish in self.wishes.values():
                if self._leans(wish.shared) and self._opens(wish.shared):
                    for below in self._below(wish)[1:]:
                        self._leading.setdefault(below, []).append(wish)
        return self._leading.get(name, [])

    def _opens(self, keys: Mapping[str, str]) -> bool:
        return bool(by_role(keys, Role.OPENS, self.standing.publisher.layout))

    def _guest_of(self, name: str) -> Claim | None:
        """The claim of the other cluster that decides a group."""
        group = self.standing.groups.get(name)
        decider = group.claims[0] if group and group.claims else None
        return decider if decider and decider.cluster != self._me else None

    def _lags(self, name: str) -> bool:
        group, wish = self.standing.groups.get(name), self.wishes.get(name)
        if group is None or wish is None or not group.shared or group.foreign:
            return False  # it comes first, or an operator's word counts
        layout = self.standing.publisher.layout
        stands = {path: held.value for path, held in group.shared.items()}
        return by_role(stands, Role.PROTECTS, layout) != by_role(wish.shared, Role.PROTECTS, layout)

    def _relies(self, cluster: str, name: str) -> bool:
        """Whether something of a cluster is open, or has servers, behind this group."""
        claimed = {
            group.name: claim.keys
            for group in self.standing.groups.values()
            if (claim := group.claim_of(cluster)) and claim.keys is not None
        }
        for router in self._routers(name, claimed, lambda one: claimed.get(one, {})):
            if router[0] != name or self._has_servers(cluster, router):
                return True
        return any(self._has_servers(cluster, router) for router in self._routers(name, self.wishes, self._wanted))

    def _routers(self, name: str, groups: Iterable[str], shared: Shared) -> Iterator[tuple[str, ...]]:
        """Of each that opens something and rests on a group, or is it, itself and all that it rests on."""
        for one in groups:
            if self._leans(shared(one)) and self._opens(shared(one)) and name in (below := self._closure(one, shared)):
                yield below

    def _has_servers(self, cluster: str, names: tuple[str, ...]) -> bool:
        groups = (self.standing.groups.get(name) for name in names)
        return any(group and cluster in group.others for group in groups)
