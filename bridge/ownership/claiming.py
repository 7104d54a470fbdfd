"""What this cluster says of a group in its records: its claim and the group's guard, and on which leases they are."""

from __future__ import annotations

from bridge.model.change import Change, Create, LeaseName, Update
from bridge.model.keys import STANDING, Wish, split_owner
from bridge.ownership.claims import Claim, Group
from bridge.ownership.mirror import Held
from bridge.ownership.problems import Problems
from bridge.ownership.records import claim_path, guard_path, read_counter, write_claim
from bridge.ownership.standing import Standing
from bridge.ownership.terms import STANDING_LEASE, Terms, cluster_lease, fleet_lease


class Claiming:
    """For one plan."""

    def __init__(self, standing: Standing, terms: Terms, problems: Problems) -> None:
        """`problems`: it is told there where somebody wrote over a record."""
        self.own = cluster_lease(standing.publisher, terms)
        self.fleet = fleet_lease(standing, terms)
        self._me, self._records, self._problems = standing.publisher.cluster, standing.mirror.records.prefix, problems

    def shared_lease(self, group: str) -> LeaseName:
        """That of the keys that a group's clusters share."""
        if split_owner(group)[0]:
            return self.own
        return STANDING_LEASE if group == STANDING else self.fleet

    def guard_lease(self, group: str) -> LeaseName:
        """That of a group's guard."""
        return self.own if split_owner(group)[0] else STANDING_LEASE

    def claim(self, group: Group, wish: Wish, mine: Claim | None) -> list[Change]:
        """This cluster's claim as it shall be, with the guard's bump where the claim says something new."""
        path = claim_path(self._me, group.name)
        key, value = self._records + path, write_claim(wish.shared)
        if mine is None:
            return [Create(key, value, self.own), *self.bump(group)]
        held, guard = mine.held, group.guard
        update: list[Change] = [Update(key, value, self.own, held.revision, held.lease)]
        if held.lease is None or held.lease.family != self.own.family or mine.keys is None:
            self._problems.of_overwritten(wish, path)
            return [*update, *self.bump(group)]
        if held.value != value:
            return [*update, *self.bump(group)]
        if guard is not None and not self.is_sound(group, guard):
            self._problems.of_overwritten(wish, guard_path(group.name))
            return self.bump(group)
        if held.lease == self.own:
            return []
        return update if guard is None or guard.lease == self.guard_lease(group.name) else [*update, *self.bump(group)]

    def bump(self, group: Group) -> list[Change]:
        """The guard counted on: who compares it sees that something of the group changed."""
        key, guard = self._records + guard_path(group.name), group.guard
        if guard is None:
            return [Create(key, "1", self.guard_lease(group.name))]
        value = str(read_counter(guard.value) + 1)
        return [Update(key, value, self.guard_lease(group.name), guard.revision, guard.lease)]

    def is_sound(self, group: Group, guard: Held) -> bool:
        """Whether nobody wrote over it: on Consul a plain write leaves a key its lease."""
        family = guard.lease.family if guard.lease else ""
        return family == self.guard_lease(group.name).family and guard.value.isdecimal()
