"""What must hold in every state, and after every write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from bridge.model.change import Change, Create, Delete, Item, Transaction, Update
from bridge.model.keys import Role, Wish
from bridge.ownership.claims import by_role, may_merge
from bridge.ownership.mirror import Held
from bridge.ownership.records import read_claim
from tests.interleavings.readings import Frontend, Requests, Seen
from tests.interleavings.world import GROUP, RECORDS, TREE, Partial, Process, Scenario, State, claims_of, cluster_name


class Violation(AssertionError):
    """A promise was broken."""


class Promises:
    """Those of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.layout = scenario, scenario.layout
        wishes = [wish for menu in scenario.menus for wish in menu if wish is not None]
        self.requests = Requests(self.layout, wishes)
        self._judged: dict[object, str] = {}  # what is wrong with what a reading saw
        # The clusters of which nothing but a bridge takes a server away.
        self._live = {scenario.processes[number] for number in scenario.older if not (scenario.ends or scenario.hands)}

    # After a write

    def committed(self, state: State, process: Process, transaction: Transaction, after: Mapping[str, Item]) -> None:
        """No bridge touches what is not its own, and nobody takes away what a living decider wishes."""
        me = cluster_name(process.cluster)
        leader = after.get(f"{RECORDS}c/{me}/leader")
        if leader is not None and process.token not in leader.value:
            raise Violation(f"{process.token} writes and does not lead")
        frozen = self._is_frozen(process.mirror.tree.held)
        for change in transaction.changes:
            before = state.items.get(change.key)
            if isinstance(change, Delete) and change.read_at == 0:
                raise Violation(f"{change.key} is deleted without a comparison")
            if change.key.startswith(TREE):
                place = self.layout.place(change.key[len(TREE) :])
                if before is not None and before.lease is None:
                    raise Violation(f"{me} changes the operator's {change.key}")
                if place is None or place.cluster not in (None, me):
                    raise Violation(f"{me} changes {change.key}, which is another's")
                if place.cluster is None and frozen and not self._only_moves(change, before):
                    raise Violation(f"{me} changes {change.key} of a frozen group")
            elif not change.key.startswith((f"{RECORDS}c/{me}/", f"{RECORDS}fleet/")):
                raise Violation(f"{me} changes {change.key}, which is another's")
        self._kept(state.items, after)
        self._entered(state, process.cluster, transaction, after)

    def _only_moves(self, change: Change, before: Item | None) -> bool:
        """Whether only its lease becomes another, which changes nothing of what anybody reads."""
        return isinstance(change, Update) and before is not None and change.value == before.value

    def _entered(self, state: State, cluster: int, transaction: Transaction, after: Mapping[str, Item]) -> None:
        """No server is brought to where the protection does not stand that its labels ask for."""
        for change in transaction.changes:
            place = self.layout.place(change.key[len(TREE) :]) if change.key.startswith(TREE) else None
            if not isinstance(change, Create) or place is None or place.cluster is None:
                continue
            asked = [by_role(wish.shared, Role.PROTECTS, self.layout) for wish in self._asked(state, cluster)]
            stands = {key[len(TREE) :]: item.value for key, item in after.items() if key.startswith(TREE)}
            if not any(protects.items() <= stands.items() for protects in asked):
                raise Violation(f"{change.key} comes to where what protects it does not stand")

    def _kept(self, before: Mapping[str, Item], after: Mapping[str, Item]) -> None:
        """No key goes that the decider wishes."""
        gone = [key for key in before if key.startswith(TREE) and key not in after]
        claims = claims_of(after, GROUP) if gone else []
        wished = (read_claim(claims[0][1].value) or {}) if claims else {}
        for key in gone:
            if key[len(TREE) :] in wished:
                raise Violation(f"{key} was taken away while {claims[0][0]} claims it")

    def written(self, state: State, items: Mapping[str, Item], revision: int) -> State:
        """The state after something was written, with all readings that may then be under way; each is judged."""
        before, after = self.requests.answers(state.items), self.requests.answers(items)
        readings: Mapping[Partial, int] = state.readings
        if before != after:
            readings = self.requests.under_way(readings, before, after) if self.requests.halves else {}
        now = replace(state, items=items, revision=revision, readings=readings)
        if now.excused:
            return now
        for begun in ((), *readings):
            self._judge(self.requests.seen(begun, after), now)
        return now

    def excuse(self, state: State) -> State:
        """What protects was taken away by a hand or with a lease: readings may be wrong until all have put it right."""
        return replace(state, excused=self.scenario.ticks)

    # What a Traefik serves

    def _judge(self, seen: Seen, state: State) -> None:
        if not seen.frontends or any(self._freezes(path) for path in state.foreign):
            return
        frontends = tuple((one.name, one.rule, tuple(one.protects.items())) for one in seen.frontends)
        about = frontends, seen.servers, state.asked, tuple(state.foreign)
        wrong = self._judged.get(about)
        if wrong is None:
            wrong = self._judged[about] = "; ".join(
                found for frontend in seen.frontends if (found := self._wrong(frontend, seen.servers, state))
            )
            if not wrong and not seen.servers and any(self._serves(state, cluster) for cluster in self._live):
                wrong = self._judged[about] = "it is open without a server, and one lived all the time"
        if wrong:
            raise Violation(wrong)

    def _wrong(self, frontend: Frontend, servers: tuple[str, ...], state: State) -> str:
        if frontend.rule is None:
            return f"{frontend.name} is open without a rule"
        kinds = sorted({path.split("/")[3] for path in frontend.protects if path.split("/")[2] == "auth"})
        if len(kinds) > 1 and not self.layout.reads_halves:
            return f"{frontend.name} answers nothing: what protects it is of two kinds, {' and '.join(kinds)}"
        hidden = tuple(f"frontends/{frontend.name}/auth/{kind}/" for kind in kinds[1:])  # the first of them counts
        protects = {path: value for path, value in frontend.protects.items() if not path.startswith(hidden)}
        frontend = replace(frontend, protects=protects)
        asked = [self._asked(state, cluster) for cluster in range(len(self.scenario.menus))]
        rule = f"frontends/{frontend.name}/routes/main/rule"
        ruled = [wish for wishes in asked for wish in wishes if wish.shared.get(rule) == frontend.rule]
        if rule not in state.foreign and not any(self._is_enough(wish, frontend) for wish in ruled):
            return f"{frontend.name} is open by {frontend.rule} with {dict(frontend.protects)}: nobody asked for that"
        for path in servers:
            place = self.layout.place(path)
            if path in state.foreign or place is None or place.cluster is None:
                continue
            wishes = asked[int(place.cluster[1:])]
            if not any(self._is_enough(wish, frontend) for wish in wishes):
                return f"{path} is reached through {frontend.name} with {dict(frontend.protects)}"
        return ""

    def _serves(self, state: State, cluster: int) -> bool:
        """Whether servers of a cluster lived and were wished for all the time, and nobody kept them out."""
        wishes, layout = self._asked(state, cluster), self.layout
        if len(wishes) < state.asked[cluster].bit_count():
            return False
        everybody = [one for other in range(len(self.scenario.menus)) for one in self._asked(state, other)]
        if not all(may_merge(one.shared, other.shared, layout) for one, other in product(everybody, repeat=2)):
            return False
        holders = [{path.rpartition("/")[0] for path in wish.own} for wish in wishes]
        live = [held | wish.retiring for held, wish in zip(holders, wishes, strict=True)]
        return all(holders) and all(one <= other for one, other in product(holders, live))

    def _asked(self, state: State, cluster: int) -> list[Wish]:
        menu = self.scenario.menus[cluster]
        return [wish for bit, wish in enumerate(menu) if wish is not None and state.asked[cluster] >> bit & 1]

    def _is_enough(self, wish: Wish, frontend: Frontend) -> bool:
        """Whether servers of a cluster with this wish may be reached so."""
        protects = by_role(wish.shared, Role.PROTECTS, self.layout)
        at = f"frontends/{frontend.name}/"
        if f"{at}backend" not in wish.shared:
            return not protects
        return all(frontend.protects.get(path) == value for path, value in protects.items() if path.startswith(at))

    def _freezes(self, path: str) -> bool:
        place = self.layout.place(path)
        return place is not None and place.role in (Role.OPENS, Role.PROTECTS)

    def _is_frozen(self, held: Mapping[str, Held]) -> bool:
        """Whether a process that knows this shall leave the shared keys as they are."""
        return any(one.lease is None and self._freezes(path) for path, one in held.items())
