"""The protocol, broken on purpose: each break must be found, else the search sees nothing.

A break is one line of the planning code that is written otherwise, or one comparison that the store is not asked for.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from unittest import mock

from bridge.ownership import plan as planning
from bridge.ownership import steps
from bridge.writer import Writer
from tests.histories import LEADER, without_comparing
from tests.interleavings import scenarios
from tests.interleavings.scenarios import ASKING, OPEN, PROTECTED, USERS, Choice, ReadsWhole
from tests.interleavings.world import GROUP, Budget, Hand, Scenario


@dataclass(frozen=True)
class Break:
    """One line that is lost, and a scenario in which that costs somebody something."""

    name: str
    scenario: Scenario
    instead: Mapping[str, str] = field(default_factory=dict)  # text of the planning code: what stands in its place
    look: Callable[[Writer], None] = Writer.look
    costs_peace: bool = False  # what it costs is seen in the end

    @contextmanager
    def applied(self) -> Iterator[Scenario]:
        """The planning code is broken until the block ends."""
        plan = _rewritten(self.instead).plan if self.instead else planning.plan
        with mock.patch("bridge.writer.plan", plan), mock.patch.object(Writer, "look", self.look):
            yield self.scenario


def _rewritten(instead: Mapping[str, str]) -> ModuleType:
    """The planner, made of sources in which these texts are others."""
    texts = {module: inspect.getsource(module) for module in (steps, planning)}
    for old, new in instead.items():
        (module,) = [module for module, text in texts.items() if text.count(old) == 1]
        texts[module] = texts[module].replace(old, new)
    made = {}
    for module, text in texts.items():
        made[module] = ModuleType(module.__name__)
        with mock.patch.dict(sys.modules, {other.__name__: new for other, new in made.items()}):
            exec(compile(text, module.__file__ or "", "exec"), made[module].__dict__)
    return made[planning]


def _fold_each(writer: Writer) -> None:
    for prefix in (writer.publisher.records, writer.publisher.tree):
        writer.fold(writer.store.read(prefix))


def _without(part: str, scenario: Scenario) -> Scenario:
    return replace(scenario, mutation=without_comparing(part))


def _scenario(name: str, *choices: tuple[Choice, ...], changes: int = 1) -> Scenario:
    return scenarios.scenario(name, *choices, budget=Budget(changes=changes))


_LAST_LEAVES = _scenario("the last leaves while another comes", (OPEN, None), (None, OPEN), changes=2)
_GUEST = _scenario("a guest comes and goes", (OPEN, PROTECTED), (PROTECTED,), changes=2)
_HOST = _scenario("the host gives up its protection", (PROTECTED, OPEN), (PROTECTED,))
_JOINING = replace(_scenario("one joins that asks for more", (OPEN,), (PROTECTED,), changes=0), older=(0,))
_SCALED = _scenario("a guest scales", (PROTECTED, OPEN), ((PROTECTED, ""), PROTECTED), changes=2)
_MORE = _scenario("more, or less, is protected", (OPEN, PROTECTED, scenarios.WIDER_PROTECTED), changes=2)
_KINDS = _scenario("of another kind", (ASKING, PROTECTED), (ASKING, PROTECTED))
_THREE = _scenario("the heir wants less", ((PROTECTED, ""), None), (OPEN,), ((PROTECTED, ""), PROTECTED), changes=2)
_WATCHED = replace(_SCALED, name="by watches", watches=True)
_REPLICAS = replace(
    _scenario("two replicas", (OPEN, (OPEN, "01"), (OPEN, "02"))),
    processes=(0, 0),
    budget=Budget(changes=2, ends=1),
    ends=(scenarios.leads(0),),
)
_ROBBED = replace(
    _scenario("a hand deletes a guest's server", (PROTECTED, OPEN), (PROTECTED, (PROTECTED, "01"))),
    hands=(Hand(f"backends/{GROUP}/servers/c1--0/url", None),),
    budget=Budget(changes=2, hands=1),
)
_ERASED = replace(_SCALED, name="a hand deletes", hands=(Hand(USERS, None),), budget=Budget(changes=1, hands=1))
_FOREIGN = replace(
    _scenario("a hand writes", (PROTECTED, OPEN)),
    hands=(Hand(USERS, "u:{SHA}hand"), Hand(f"frontends/{GROUP}/backend", "hand")),
    budget=Budget(changes=1, hands=1),
)
_CRASH = replace(
    _scenario("it goes, crashes and comes back", (OPEN, scenarios.WIDER_PROTECTED, None)),
    budget=Budget(changes=2, crashes=1),
)
_CLOSED = replace(
    _scenario("a hand closes", (OPEN, scenarios.WIDER_PROTECTED), (OPEN,)),
    hands=(Hand(f"frontends/{GROUP}/backend", None),),
    budget=Budget(changes=1, hands=1),
)
_DEATH = replace(
    _scenario("one dies", (OPEN,), (OPEN, None)),
    ends=(scenarios.lease(0),),
    budget=Budget(changes=1, ends=1, crashes=1),
)
_DRAINED = _scenario("one container is drained, another one not", ((OPEN, "0", "1"), (OPEN, "1", "0")))
_HELD = replace(_DRAINED, name="drained while the brake is shut", held=True)

BREAKS = (
    Break("the guard is not compared", _without("/guard/", _LAST_LEAVES)),
    Break("the decider's claim is not compared", _without("/claim/", _ROBBED)),
    Break("what opens is not compared", _without("/backend", _CLOSED)),
    Break("what protects is not compared", _without("/auth/", _ERASED)),
    Break("the leader is not compared", _without(LEADER, _REPLICAS)),
    Break(
        "all goes at once, instead of what opens first",
        _LAST_LEAVES,
        {
            "            if self._role(path) is Role.OPENS:\n                shared.drop(path)\n        records +=": (
                "            shared.drop(path)\n        records +="
            )
        },
    ),
    Break(
        "it is cleared without a read-time",
        _LAST_LEAVES,
        {"due = self.clock.due(max([group.guard.since": "due = 0.0 * self.clock.due(max([group.guard.since"},
    ),
    Break(
        "a decider acts as soon as it has said its new wish",
        _WATCHED,
        {" or len(group.claims) > 1:\n                seen.append": ":\n                seen.append"},
    ),
    Break("what a look finds is dated by its first reading", _THREE, look=_fold_each),
    Break(
        "a guest that comes does not bump the guard",
        _GUEST,
        {"(brings and not decides and not group.mine)": "False"},
    ),
    Break(
        "nobody's servers are in the way",
        _HOST,
        {"if cluster == self.me or not self._belongs": "if False and self._belongs"},
    ),
    Break(
        "everybody decides",
        _JOINING,
        {"decides = decider is None or decider.cluster == self.me": "decides = True"},
        costs_peace=True,
    ),
    Break(
        "everybody may merge",
        _HOST,
        {"merges = may_merge(wish.shared, target, self.layout)": "merges = True"},
        costs_peace=True,
    ),
    Break(
        "a foreign key does not freeze its group", _FOREIGN, {"frozen = self._frozen(group, wish)": "frozen = False"}
    ),
    Break(
        "nobody sweeps",
        _DEATH,
        {"        if frozen or (self.hold and group.mine) or not": "        if True or not"},
        costs_peace=True,
    ),
    Break(
        "what protects comes with the rule",
        _MORE,
        {"        if more:\n            return": "        if False:\n            return"},
    ),
    Break(
        "what protects by another kind comes beside the old one",
        replace(_KINDS, layout=ReadsWhole()),
        {"stays = bool(turning) and not self._may_turn()": "stays = False"},
    ),
    Break(
        "the kind that counts comes while servers rely on the other one",
        _KINDS,
        {"hides = path not in self.keys and": "hides = False and path not in self.keys and"},
    ),
    Break(
        "what is drained goes as what is dead",
        _DRAINED,
        {"if holder not in retiring or not self.layout.reads_halves:": "if True:"},
    ),
    Break(
        "what is drained goes as soon as another one stands",
        _DRAINED,
        {"due = min((self.clock.due(since) for since in known)": "due = min((0.0 for _ in known)"},
    ),
    Break(
        "the brake holds what is drained",
        _HELD,
        {"held = self.hold and holder not in drained": "held = self.hold"},
        costs_peace=True,
    ),
    Break(
        "what was there at the start counts as old",
        _CRASH,
        {
            "default=self.standing.mirror.tree.first)": "default=LONG_AGO)",
            "since = closed if not self.is_old else max(closed, self.quiet_since)": "since = closed",
        },
    ),
)
