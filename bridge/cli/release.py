"""Let go of this cluster's keys: they stand on as they are, as hand-written ones.

Name services, or say --all for all that this cluster publishes; the backstop goes with leave only. No record says which
service's labels of Traefik 2 and 3 named an object: name that itself, as NAME or http.routers.NAME. No lease holds the
keys any more, and no bridge changes them: a bridge whose source still asks for such a service finds it frozen and says
so, until the keys are deleted or adopted. Its new containers get servers as far as the keys allow, its old ones stay.
A service that another cluster claims too is not let go of. --dry-run shows what would be done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bridge import config as options
from bridge.cli.handing import Handing, say_handing
from bridge.cli.naming import HINT, means
from bridge.cli.progress import Teller
from bridge.cli.wiring import Site, ends_in_order, opened_store, settings, sites
from bridge.config import Config
from bridge.model.keys import STANDING, group_title
from bridge.model.problem import UsageError
from bridge.ownership.adopt import Fate, Handed
from bridge.ownership.claims import Group
from bridge.ownership.standing import Standing
from bridge.ownership.terms import Errand
from bridge.sync import Progress, survey, sync
from bridge.writer import Settings


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is let go of in one layout."""

    site: Site
    chosen: Settings
    groups: tuple[Group, ...]  # that this cluster claims, and that were named

    @property
    def keys(self) -> tuple[Handed, ...]:
        """Each with what becomes of it."""
        found = []
        for group in self.groups:
            others = ", ".join(
                claim.cluster for claim in group.claims if claim.cluster != self.chosen.publisher.cluster
            )
            fate, why = (Fate.LEFT, f"cluster {others} claims its service too") if others else (Fate.STAYS, "")
            title = group_title(group.name)
            found += [
                Handed(path, title, held, held.value, fate, why)
                for path, held in sorted({**group.shared, **group.mine}.items())
            ]
        return tuple(found)


def run(config: Config, *names: str) -> int:
    """The exit code. Raises BridgeError."""
    if bool(names) == config.get(options.EVERY):
        raise UsageError("release", "", "needs to know what: name services as STACK/SERVICE, or say --all")
    with ends_in_order(), Teller() as teller:
        chosen = [_chosen(config, site, names) for site in sites(config)]
        _refuse_unknown(names, chosen)
        done = [_release(config, one, teller.tell) for one in chosen]
    return say_handing(config, done, "Nothing to release: this cluster publishes nothing here", "release")


def _chosen(config: Config, site: Site, names: Sequence[str]) -> Chosen:
    chosen = settings(config, site, environment="")
    with opened_store(config, site) as store:
        standing: Standing = survey(store, chosen)
    mine = [group for name, group in sorted(standing.groups.items()) if group.claim_of(chosen.publisher.cluster)]
    groups = tuple(
        group
        for group in mine
        if group.name != STANDING and (not names or any(means(name, group.name) for name in names))
    )
    errand = Errand(frozenset(group.name for group in groups), releases=True)
    return Chosen(site, replace(chosen, errand=errand), groups)


def _refuse_unknown(names: Sequence[str], chosen: Sequence[Chosen]) -> None:
    """Raises UsageError for a name that cannot be let go of."""
    groups = [group.name for one in chosen for group in one.groups]
    for name in names:
        its = {group_title(group) for group in groups if means(name, group)}
        if not its:
            cluster = chosen[0].chosen.publisher.cluster
            why = f"cluster {cluster} publishes no such service here; see bridge show"
            raise UsageError("argument", name, f"{why}; {HINT}")
        left = next((key.why for one in chosen for key in one.keys if key.service in its and key.why), "")
        if left:
            raise UsageError("argument", name, f"is not let go of: {left}")


def _release(config: Config, one: Chosen, tell: Callable[[Progress], None]) -> Handing:
    if config.get(options.DRY_RUN) or not one.groups:
        return Handing(one.chosen.publisher, one.keys)
    with opened_store(config, one.site) as store:
        report = sync({}, store, one.chosen, tell)
    return Handing(one.chosen.publisher, one.keys, report=report, problems=report.problems)
