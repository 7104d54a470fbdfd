"""From options to the parts of the house: what more than one command puts together."""

from __future__ import annotations

import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations
from types import FrameType
from typing import NoReturn, TypeVar

from bridge import __version__
from bridge import config as options
from bridge.config import Config, FanIn, Placed
from bridge.labels.fallback import DOMAIN_WORD, Fallback, filled, is_newer
from bridge.labels.types import Address
from bridge.layouts import Claimed, RouteLayout, Target, layout, nothing_claimed
from bridge.model.keys import Publisher, Wish, records_prefix
from bridge.model.problem import BridgeError, Problem, UsageError
from bridge.model.route import Verdict
from bridge.model.world import Snapshot
from bridge.ownership.brake import BrakeRule
from bridge.ownership.drains import Drains
from bridge.ownership.standing import Standing
from bridge.routes import Judge, Policy, Rank
from bridge.routes.contests import all_alike
from bridge.routes.drained import needs_hosts, resolve
from bridge.sources import open_source
from bridge.sources.base import Source, TellsHosts
from bridge.stores import connect
from bridge.stores.access import Access, Opener
from bridge.stores.address import DEFAULT_PREFIX
from bridge.stores.base import Store, StoreError
from bridge.sync import claims, drains_in, lay_out, seniority, survey, with_standing
from bridge.writer import Settings

Done = TypeVar("Done")
NO_DRAINS = Drains()
SECRET_FILES = (
    options.STORE_CA,
    options.STORE_CERT,
    options.STORE_KEY,
    options.STORE_PASSWORD_FILE,
    options.STORE_TOKEN_FILE,
)


@dataclass(frozen=True, slots=True)
class Site:
    """A layout and where its Traefik reads."""

    layout: RouteLayout
    prefix: str  # without outer slashes
    store_kind: str  # by the store's kind keys begin otherwise

    @property
    def tree(self) -> str:
        """How Traefik's keys begin, with the closing slash."""
        return self.layout.tree_prefix(self.prefix, self.store_kind)

    @property
    def elsewhere(self) -> str:
        """Where keys lie that somebody wrote with a slash too many or too few in front; empty where none can."""
        if self.store_kind == "consul":  # there no key begins with a slash
            return ""
        return self.tree.removeprefix("/") if self.tree.startswith("/") else f"/{self.tree}"

    @property
    def records(self) -> str:
        """How ours begin, with the closing slash."""
        return records_prefix(self.prefix)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source asks for."""

    wishes: Mapping[str, Wish]  # by group, the standing one among them
    verdicts: tuple[Verdict, ...]
    problems: tuple[Problem, ...]  # of the document and of the layout; each verdict has its own
    environment: str  # the Rancher environment's uuid

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Sorted, each once."""
        return tuple(sorted({*self.problems, *(one for verdict in self.verdicts for one in verdict.problems)}))


@dataclass(frozen=True, slots=True)
class Settled:
    """What is decided of a snapshot."""

    verdicts: tuple[Verdict, ...]
    contested: frozenset[str]  # stack/service of those that ask for requests which others ask for too
    problems: tuple[Problem, ...]  # of what is drained; each verdict has its own


def ask_source(
    config: Config,
    site: Site,
    standing: Callable[[str], Standing] | None = None,
    drains: Drains = NO_DRAINS,
) -> Asked:
    """Read the source, judge and lay out for one site. Raises SourceError, UsageError.

    `standing` is asked, with the environment's uuid, only where services ask for the same requests; without it their
    names decide.
    """
    with closing(source_opener(config)()) as source:
        snapshot = read_source(source, drains)
    found = settled(config, site.layout, snapshot, standing, drains)
    cluster = config.get(options.CLUSTER)
    claimed = claimed_there(standing, snapshot.environment, cluster)
    wishes, problems = lay_out(found.verdicts, site.layout, cluster, claimed=claimed)
    if wants_standing(config, site.layout):
        wishes = with_standing(wishes, site.layout)
    return Asked(wishes, found.verdicts, (*snapshot.problems, *found.problems, *problems), snapshot.environment)


def read_source(source: Source, drains: Drains) -> Snapshot:
    """A snapshot that tells what is drained. Raises SourceError."""
    if needs_hosts(drains.drains) and isinstance(source, TellsHosts):
        source.tell_hosts()
    return source.read()


def claimed_there(standing: Callable[[str], Standing] | None, environment: str, cluster: str) -> Claimed:
    """What a cluster claims; the store is looked at when that is first asked. `standing`: see `ask_source`."""
    if standing is None:
        return nothing_claimed
    found = cache(lambda: claims(standing(environment), cluster))
    return lambda group: found()(group)


def settled(
    config: Config,
    ranked_by: RouteLayout,
    snapshot: Snapshot,
    standing: Callable[[str], Standing] | None,
    drains: Drains,
) -> Settled:
    """What is decided. `standing`: see `ask_source`; what stands is in the form of `ranked_by`."""
    judged_by = policy(config)
    drained, unmatched = resolve(drains.drains, snapshot)
    judgement = Judge()(snapshot, judged_by, drained)
    contested = frozenset(title for one in judgement.overlaps.contested.values() for title in one.askers)
    rank: Rank = all_alike
    if standing and contested:
        rank = seniority(standing(snapshot.environment), ranked_by, judged_by.cluster)
    problems = (*drains.problems, *unmatched)
    return Settled(judgement.settled(judgement.losses(rank)), contested, problems)


def ask_beside(config: Config, site: Site, store: Store) -> Asked:
    """The same where the store says what is drained, and who was there first. Raises StoreError too."""
    drains = drains_in(store, publisher(site, config.get(options.CLUSTER)))
    return ask_source(config, site, partial(_survey, config, site, store), drains)


def drains_in_store(config: Config, site: Site) -> Drains:
    """What is drained by the records of the named store; nothing where none is named. Raises StoreError."""
    if config.find(options.STORE) is None:
        return NO_DRAINS
    with opened_store(config, site) as store:
        return drains_in(store, publisher(site, config.get(options.CLUSTER)))


def standing_in_store(config: Config, site: Site) -> Callable[[str], Standing] | None:
    """Opens the named store when it is asked, and says what stands there; None where none is named."""

    def ask(environment: str) -> Standing:
        with opened_store(config, site) as store:
            return _survey(config, site, store, environment)

    return None if config.find(options.STORE) is None else ask


def _survey(config: Config, site: Site, store: Store, environment: str) -> Standing:
    return survey(store, settings(config, site, environment))


def wants_standing(config: Config, chosen: RouteLayout) -> bool:
    """Whether the layout's standing group shall stand: a backstop may be left out, a sentinel never."""
    return not (config.get(options.NO_BACKSTOP) and chosen.has_backstop)


def source_opener(config: Config) -> Callable[[], Source]:
    """Opens the source each time it is called; nothing is read yet. Raises UsageError."""
    url, names = config.get(options.SOURCE).url, policy(config).named
    return partial(open_source, url, hosts=config.get(options.ADDRESS) is Address.HOST, named=names)


def refuse_drafts(config: Config) -> None:
    """Raises UsageError for a source of services that do not run: their servers are made up."""
    url = config.get(options.SOURCE).url
    if url.startswith("compose:"):
        raise UsageError(options.SOURCE.flag, url, "nothing of it runs yet; use it with check, explain, render or plan")


def policy(config: Config) -> Policy:
    """What is decided for all services. Raises UsageError."""
    name, cluster, rule = config.get(options.DOMAIN), config.get(options.CLUSTER), config.get(options.DEFAULT_RULE)
    if DOMAIN_WORD in rule and not is_newer(rule) and not name:
        raise UsageError(options.DEFAULT_RULE.flag, rule, f"it holds {DOMAIN_WORD}; give {options.DOMAIN.flag} too")
    separate, raised = config.get(options.FAN_IN) is FanIn.SEPARATE, config.get(options.PRIORITY)
    if raised and not separate:
        remedy = f"clusters that merge have one frontend together; give {options.FAN_IN.flag} separate too"
        raise UsageError(options.PRIORITY.flag, str(raised), remedy)
    return Policy(
        cluster=cluster,
        separate=separate,
        raised=raised,
        health=config.get(options.HEALTH),
        address=config.get(options.ADDRESS),
        none_healthy=config.get(options.NONE_HEALTHY),
        constraints=config.get(options.CONSTRAINT),
        domains=config.get(options.ALLOW_DOMAIN),
        expose=config.get(options.EXPOSE),
        kinds=frozenset(config.get(options.KIND)),
        fallback=Fallback(name, filled(rule, name, cluster)),
        weight_factor=config.get(options.WEIGHT_FACTOR),
    )


def sites(config: Config, unsaid: str = "etcd", layouts: Sequence[Placed] = ()) -> tuple[Site, ...]:
    """Where this process publishes, a site a layout. Raises UsageError where one lies in another.

    `unsaid`: the store's kind where no option says it. `layouts`: others than the option says.
    """
    address, said = config.find(options.STORE), layouts or config.get(options.LAYOUT)
    kind, usual = (address.kind, address.prefix) if address else (unsaid, DEFAULT_PREFIX)
    target = Target(
        version=config.get(options.TRAEFIK_VERSION),
        entry_points=config.get(options.ENTRY_POINTS),
        tls=config.get(options.TLS_ENTRY_POINTS),
        resolver=config.get(options.CERT_RESOLVER),
    )
    found = tuple(Site(layout(one.layout, target), one.prefix or usual, kind) for one in said)
    for one, other in permutations(found, 2):
        if other.prefix.startswith(one.prefix):
            remedy = f"{other.layout.name} lies below {other.prefix!r}, which begins as {one.layout.name}'s does"
            remedy += "; give each a prefix of its own, as traefik3=v3/traefik"
            raise UsageError(options.LAYOUT.flag, ",".join(each.layout for each in said), remedy)
    return found


def at_each(found: Sequence[Site], act: Callable[[Site], Done]) -> tuple[list[Done], dict[str, BridgeError]]:
    """What came of `act` at each site, and why nothing did, by layout: one that fails keeps no other from its own.

    Raises StoreError and UsageError where there is one alone, and SourceError.
    """
    done, failures = list[Done](), dict[str, BridgeError]()
    for site in found:
        try:
            done.append(act(site))
        except (StoreError, UsageError) as err:
            if len(found) == 1:
                raise
            failures[site.layout.name] = err
    return done, failures


def publisher(site: Site, cluster: str) -> Publisher:
    """Whose keys, and where."""
    return Publisher(site.layout, site.tree, site.records, cluster)


def store_opener(config: Config, site: Site) -> Opener:
    """Opens a client of the store each time it is called, not yet asked anything. Raises UsageError, also then.

    It knows when secrets were replaced in their files, and takes them: see `Opener`.
    """
    address = config.get(options.STORE)

    def read() -> Access:
        access = Access(
            ca=config.get(options.STORE_CA),
            cert=config.get(options.STORE_CERT),
            key=config.get(options.STORE_KEY),
            user=config.get(options.STORE_USER),
            password=options.store_password(config),
            token=options.store_token(config),
            datacenter=config.get(options.STORE_DATACENTER),
        )
        return access.loaded() if address.tls else access

    def connected(access: Access) -> Store:
        return connect(address, records_root=site.records, access=access)

    return Opener(connected, read, [path for option in SECRET_FILES if (path := config.get(option))])


@contextmanager
def opened_store(config: Config, site: Site) -> Iterator[Store]:
    """The store while the block runs. Raises UsageError."""
    with closing(store_opener(config, site)()) as store:
        yield store


@contextmanager
def ends_in_order() -> Iterator[None]:
    """SIGTERM ends the block as an exception does, so that what it holds is given back: the leadership above all."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def settings(config: Config, site: Site, environment: str) -> Settings:
    """How a command publishes: as a process of its own, so that two of one host never take each other for one."""
    token = secrets.token_hex(6)
    return Settings(
        publisher=publisher(site, config.get(options.CLUSTER)),
        environment=environment,
        version=__version__,
        ttl=config.get(options.TTL),
        keeps_ttl=options.TTL.name not in config.said,
        replica=f"{config.get(options.REPLICA) or socket.gethostname()}.{token}",
        token=token,
        read_time=config.find(options.READ_TIME),
        brake=BrakeRule(share=config.get(options.BRAKE)),
        force=config.get(options.FORCE),
    )
