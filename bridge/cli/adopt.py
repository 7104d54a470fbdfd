"""Take over keys that were written by hand, where the source asks for them.

Name services, to take over the keys that the source asks for; with --all also all others of these services, which go.
--all alone takes all services. A whole key, as plan and check show it, stands for itself. Each key is shown: its value
stays, changes to what the source asks for, or the key goes; --dry-run shows it and writes nothing. No key of a service
that the source does not ask for is touched. Stop whoever wrote these keys first, and this cluster's bridge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge import config as options
from bridge.cli.handing import Handing, in_trees, say_handing
from bridge.cli.naming import service_title
from bridge.cli.progress import Teller
from bridge.cli.sync import confirmed
from bridge.cli.wiring import Asked, Site, ask_beside, ends_in_order, opened_store, refuse_drafts, settings, sites
from bridge.config import Config
from bridge.model.problem import UsageError
from bridge.ownership.adopt import Chosen, Fate, Handed, judge
from bridge.ownership.terms import Errand
from bridge.stores.base import Store
from bridge.sync import Progress, preview, survey, sync
from bridge.writer import Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be done in one layout."""

    site: Site
    asked: Asked
    chosen: Settings
    keys: tuple[Handed, ...]

    @property
    def is_idle(self) -> bool:
        """Whether no key changes hands."""
        return self.chosen.errand is None or not self.chosen.errand.groups


def run(config: Config, *names: str) -> int:
    """The exit code. Raises BridgeError."""
    dry, found = config.get(options.DRY_RUN), sites(config)
    if not dry:
        refuse_drafts(config)
    if not names and not config.get(options.EVERY):
        raise UsageError("adopt", "", "needs to know what: name a service as STACK/SERVICE, or a key, or say --all")
    trees = in_trees(names, found)
    with ends_in_order(), Teller() as teller:
        judged = [_judged(config, site, names, trees, teller.tell) for site in found]
        _refuse_unknown(names, trees, judged)
        done = [_adopt(config, one, teller.tell, dry=dry) for one in judged]
    return say_handing(config, done, "Nothing to adopt: no hand-written key of these services", "adopt")


def _judged(
    config: Config, site: Site, names: Sequence[str], trees: Mapping[str, str], tell: Callable[[Progress], None]
) -> Judged:
    """What stands, and what becomes of it. Reads only."""
    paths = frozenset(name.removeprefix(tree) for name, tree in trees.items() if tree == site.tree)
    services = frozenset(service_title(name) for name in names if name not in trees)
    every = config.get(options.EVERY)
    chosen = Chosen(None if every and not names else services, paths, surplus=every)
    with opened_store(config, site) as store:
        asked = ask_beside(config, site, store)
        if not config.get(options.DRY_RUN) and not config.get(options.SOURCE).url.startswith("file:"):
            asked = confirmed(config, site, asked, store, lambda one: _removes(config, site, one, store, chosen), tell)
        with_terms, keys = _look(config, site, asked, store, chosen)
    return Judged(site, asked, with_terms, keys)


def _look(
    config: Config, site: Site, asked: Asked, store: Store, chosen: Chosen
) -> tuple[Settings, tuple[Handed, ...]]:
    """What becomes of each key, and the terms under which that is done: at the revisions that were seen."""
    terms = settings(config, site, asked.environment)
    keys = judge(survey(store, terms), asked.wishes, chosen)
    taken = {one.path: one.held.revision for one in keys if one.fate is not Fate.LEFT}
    places = (site.layout.place(path) for path in taken)
    groups = frozenset(place.group for place in places if place is not None)
    return replace(terms, errand=Errand(groups, taken)), keys


def _removes(config: Config, site: Site, asked: Asked, store: Store, chosen: Chosen) -> bool:
    terms, keys = _look(config, site, asked, store, chosen)
    goes = any(one.fate is not Fate.STAYS for one in keys if one.fate is not Fate.LEFT)
    return goes or preview(asked.wishes, store, terms).removes


def _refuse_unknown(names: Sequence[str], trees: Mapping[str, str], judged: Sequence[Judged]) -> None:
    """Raises UsageError for a name by which nothing can be adopted."""
    asked = {wish.title for one in judged for wish in one.asked.wishes.values()}
    keys = {one.site.tree + handed.path: handed for one in judged for handed in one.keys}
    for name in names:
        if name not in trees and service_title(name) not in asked:
            raise UsageError("argument", name, "the source asks for no such service; bridge explain says why")
        if name in trees and name not in keys:
            raise UsageError("argument", name, "is no hand-written key of a service that the source asks for")
        if name in trees and keys[name].fate is Fate.LEFT:
            raise UsageError("argument", name, f"cannot be adopted: {keys[name].why}")


def _adopt(config: Config, judged: Judged, tell: Callable[[Progress], None], *, dry: bool) -> Handing:
    asked, chosen, keys = judged.asked, judged.chosen, judged.keys
    if judged.is_idle:
        return Handing(chosen.publisher, keys, problems=asked.all_problems)
    with opened_store(config, judged.site) as store:
        if dry:
            found = preview(asked.wishes, store, chosen)
            problems = tuple(sorted({*asked.all_problems, *found.problems}))
            return Handing(chosen.publisher, keys, found=found, problems=problems)
        report = sync(asked.wishes, store, chosen, tell)
    return Handing(
        chosen.publisher, keys, report=report, problems=tuple(sorted({*asked.all_problems, *report.problems}))
    )
