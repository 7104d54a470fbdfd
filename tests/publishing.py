"""To see a bridge publish: worlds by hand, a prefix in a real store, a clock in a hurry, a store that fails."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.leases import replica_ttl
from bridge.model.change import Committed, Conflict, Item, LeaseName, Limits, Reading, Transaction
from bridge.model.keys import Publisher, Wish, records_prefix
from bridge.model.world import Container, Service, Snapshot
from bridge.ownership.plan import Plan
from bridge.ownership.records import leader_path, read_leader, replica_family
from bridge.report import Report
from bridge.routes import Policy, judge_all
from bridge.stores import open_store
from bridge.stores.base import OutcomeUnknown, Store
from bridge.stores.etcd import lease_id
from bridge.sync import Timing, lay_out, preview, sync, with_standing
from bridge.writer import Settings
from tests.servers import ConsulServer, EtcdServer

ENVIRONMENT = "11111111-1111-4111-8111-111111111111"
READ_TIME = 2.0  # seconds; never waited for
LABELS = {"traefik.enable": "true", "traefik.domain": "local", "traefik.port": "8080"}

_tokens = itertools.count(1)


# Worlds


def container(uuid: str, address: str) -> Container:
    return Container(uuid, uuid, "running", "healthy", address, {})


def service(name: str, containers: int = 3) -> Service:
    """`name` in the stack `shop`, with `containers` healthy ones named `<name>-1` and on."""
    net = sum(name.encode()) % 256
    return Service(
        uuid=f"uuid-{name}",
        name=name,
        stack="shop",
        stack_uuid="uuid-shop",
        environment_uuid=ENVIRONMENT,
        kind="service",
        state="active",
        primary=name,
        labels=LABELS,
        containers=tuple(container(f"{name}-{at}", f"10.42.{net}.{at}") for at in range(1, containers + 1)),
        has_check=True,
    )


def external(name: str, *addresses: str) -> Service:
    """An external service: nobody checks its addresses."""
    return replace(service(name, 0), kind="externalService", external_ips=addresses, has_check=False)


def with_containers(found: Service, *containers: Container) -> Service:
    return replace(found, containers=tuple(sorted(containers, key=lambda one: one.uuid)))


def with_labels(found: Service, **labels: str) -> Service:
    """With more labels; their dots are written as underscores, and `traefik.` is left out."""
    asked = {f"traefik.{label.replace('_', '.')}": value for label, value in labels.items()}
    return replace(found, labels={**found.labels, **asked})


def without_health(found: Service, *uuids: str) -> Service:
    """The same service, where these containers are unhealthy; without `uuids` all are."""
    sick = (
        replace(one, health_state="unhealthy") if one.uuid in uuids or not uuids else one for one in found.containers
    )
    return with_containers(found, *sick)


def world(*services: Service) -> Snapshot:
    return Snapshot(tuple(sorted(services, key=lambda one: (one.stack, one.name))), ENVIRONMENT)


def wishes(seen: Snapshot, cluster: str = "default", *, backstop: bool = True) -> dict[str, Wish]:
    """What a bridge of `cluster` wants of a world."""
    found, problems = lay_out(judge_all(seen, Policy(cluster)), TRAEFIK1, cluster)
    assert all(problem.notice for problem in problems)
    return with_standing(found, TRAEFIK1) if backstop else found


def keys(seen: Snapshot, cluster: str = "default", *, backstop: bool = True) -> dict[str, str]:
    """The keys that a world comes to, by path below Traefik's prefix."""
    return {
        path: value
        for wish in wishes(seen, cluster, backstop=backstop).values()
        for path, value in (*wish.shared.items(), *wish.own.items())
    }


# Time


@dataclass
class Hurry:
    """A clock by which all that is slept has passed at once."""

    meanwhile: Callable[[], None] = lambda: None  # happens in each nap
    naps: list[float] = field(default_factory=list)  # seconds

    @property
    def timing(self) -> Timing:
        return Timing(self.now, self.sleep)

    def now(self) -> float:
        return time.monotonic() + sum(self.naps)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.meanwhile()


# Stores that fail


class Killed(Exception):
    """The process is no more."""


@dataclass
class FailingStore:
    """A store between a bridge and the real one, in which things happen around a commit."""

    real: Store
    before: Callable[[int], None] = lambda _: None  # with the commit's number, from 1
    after: Callable[[int], None] = lambda _: None
    commits: int = 0
    kept: list[LeaseName] = field(default_factory=list)  # leases that were granted or renewed
    dead: bool = False

    def __post_init__(self) -> None:
        self.limits: Limits = self.real.limits
        self.url: str = self.real.url

    def know(self, families: Iterable[str]) -> None:
        self.real.know(families)

    def read(self, prefix: str) -> Reading:
        self._live()
        return self.real.read(prefix)

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        self._live()
        return self.real.watch(prefix, after)

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        self._live()
        self.commits += 1
        self.before(self.commits)
        answer = self.real.commit(transaction)
        self.after(self.commits)
        return answer

    def ensure(self, name: LeaseName) -> None:
        self._live()
        self.kept.append(name)
        self.real.ensure(name)

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        if self.dead:
            return ()
        wanted = tuple(names)
        self.kept += wanted
        return self.real.renew(wanted)

    def remaining(self, name: LeaseName) -> float | None:
        return self.real.remaining(name)

    def close(self) -> None:
        self.real.close()

    def die(self) -> None:
        """As by kill -9: from now on this process says nothing more to the store. Raises Killed."""
        self.dead = True
        raise Killed

    def lose_the_answer(self) -> None:
        """Raises OutcomeUnknown."""
        raise OutcomeUnknown("a transaction", self.url, "no answer came")

    def _live(self) -> None:
        if self.dead:
            raise Killed


# One prefix


@dataclass(frozen=True)
class Moment:
    """What stood right after one revision that changed something of ours."""

    revision: int
    tree: Mapping[str, str]  # by path below Traefik's prefix
    records: Mapping[str, str]  # by path below the prefix of our records


class Hand(Protocol):
    """An operator's, on a real server."""

    def put(self, key: str, value: str) -> None: ...

    def delete(self, key: str) -> None: ...

    def revision(self) -> int: ...


@dataclass
class Publishing:
    """One Traefik prefix in a real store, and the bridges that publish there."""

    hand: Hand
    prefix: str  # without outer slashes
    _clients: list[Store] = field(default_factory=list, kw_only=True)

    def __post_init__(self) -> None:
        self._eyes = self.client()
        self._eyes.know(("c/default", "c/other", "fleet", "standing"))

    @property
    def tree(self) -> str:
        """How Traefik's keys begin."""
        return TRAEFIK1.tree_prefix(self.prefix, self.url.partition(":")[0])

    @property
    def records(self) -> str:
        return records_prefix(self.prefix)

    @property
    def url(self) -> str:
        raise NotImplementedError

    def client(self) -> Store:
        self._clients.append(open_store(self.url, records_root=self.records))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def settings(
        self,
        *,
        cluster: str = "default",
        environment: str = ENVIRONMENT,
        ttl: int = 0,
        force: bool = False,
        leaving: bool = False,
    ) -> Settings:
        """Those of one more one-shot process, whose replica has a name of its own."""
        token = f"token-{next(_tokens)}"
        return Settings(
            publisher=Publisher(TRAEFIK1, self.tree, self.records, cluster),
            environment=environment,
            version="1",
            ttl=ttl,
            replica=f"test.{token}",
            token=token,
            read_time=READ_TIME,
            force=force,
            leaving=leaving,
        )

    def sync(
        self,
        seen: Snapshot,
        settings: Settings | None = None,
        *,
        store: Store | None = None,
        hurry: Hurry | None = None,
        backstop: bool = True,
    ) -> Report:
        """One pass of a process of its own, which brings the store to the world."""
        with_terms = settings or self.settings()
        wanted = wishes(seen, with_terms.publisher.cluster, backstop=backstop)
        return sync(wanted, store or self.client(), with_terms, timing=(hurry or Hurry()).timing)

    def leave(self, *, store: Store | None = None, hurry: Hurry | None = None, cluster: str = "default") -> Report:
        """As `bridge leave`: without a source, so without an environment."""
        settings = self.settings(environment="", leaving=True, cluster=cluster)
        return sync({}, store or self.client(), settings, timing=(hurry or Hurry()).timing)

    def preview(self, seen: Snapshot, *, store: Store | None = None) -> Plan:
        settings = self.settings()
        return preview(wishes(seen), store or self.client(), settings)

    # What stands

    def held(self, prefix: str) -> dict[str, Item]:
        """By path below `prefix`; all of our leases are known by name."""
        items = self._eyes.read(prefix).items
        return {key.removeprefix(prefix): item for key, item in items.items() if item is not None}

    def published(self) -> dict[str, str]:
        """Traefik's tree: path and value."""
        return {path: item.value for path, item in self.held(self.tree).items()}

    def recorded(self) -> dict[str, str]:
        """Our records: path and value."""
        return {path: item.value for path, item in self.held(self.records).items()}

    def everything(self) -> dict[str, Item]:
        """All that stands under both prefixes, by whole key."""
        return {prefix + path: item for prefix in (self.tree, self.records) for path, item in self.held(prefix).items()}

    # An operator's hand, and fate

    def revision(self) -> int:
        return self.hand.revision()

    def write(self, path: str, value: str) -> None:
        """A plain write below Traefik's prefix."""
        self.hand.put(self.tree + path, value)

    def erase(self, path: str) -> None:
        self.hand.delete(self.tree + path)

    def end(self, name: LeaseName) -> None:
        """The lease runs out now."""
        raise NotImplementedError

    def bury_leader(self) -> None:
        """What follows ten seconds after the leader was killed: its lead ends. Nothing where nobody leads."""
        leader = read_leader(self.recorded().get(leader_path("default"), ""))
        if leader is not None:
            self.end(LeaseName(replica_family("default", leader.name), replica_ttl(self._eyes)))
        assert leader_path("default") not in self.recorded()


class Publication(Publishing):
    """Publishing to a real etcd, which remembers what stood."""

    def __init__(self, server: EtcdServer, prefix: str) -> None:
        self.server = server
        super().__init__(server, prefix)

    @property
    def url(self) -> str:
        return f"etcd://{self.server.endpoint}/{self.prefix}"

    def moments(self, since: int) -> list[Moment]:
        """Each state that stood after a revision behind `since` which changed a key of ours. etcd remembers them."""
        found = []
        before = self._at(since)
        for revision in range(since + 1, self.revision() + 1):
            now = self._at(revision)
            if now != before:
                found.append(Moment(revision, *({path: value for path, (value, _) in side.items()} for side in now)))
            before = now
        return found

    def wakes(self, since: int) -> list[dict[str, str]]:
        """The trees after each revision behind `since` that changed Traefik's prefix: each wakes every Traefik."""
        found = []
        before = self._at(since)[0]
        for revision in range(since + 1, self.revision() + 1):
            now = self._range(self.tree, revision)
            if now != before:
                found.append({path: value for path, (value, _) in now.items()})
            before = now
        return found

    def _at(self, revision: int) -> tuple[dict[str, tuple[str, int]], dict[str, tuple[str, int]]]:
        return self._range(self.tree, revision), self._range(self.records, revision)

    def _range(self, prefix: str, revision: int) -> dict[str, tuple[str, int]]:
        """What stood below `prefix` after `revision`: value and revision of its last write, by path."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = self.server.ask("kv/range", key=_base64(prefix), range_end=_base64(end), revision=revision)
        return dict(_decoded(answer, prefix))

    def end(self, name: LeaseName) -> None:
        """See `Publishing`."""
        self.server.revoke(lease_id(self.records.rstrip("/"), name))


class ConsulPublication(Publishing):
    """Publishing to a real Consul."""

    def __init__(self, server: ConsulServer, prefix: str) -> None:
        self.server = server
        super().__init__(server, prefix)

    @property
    def url(self) -> str:
        return f"consul://{self.server.endpoint}/{self.prefix}"

    def end(self, name: LeaseName) -> None:
        """See `Publishing`."""
        self.server.end(f"{self.records}{name}")


def _decoded(answer: Mapping[str, object], prefix: str) -> Iterator[tuple[str, tuple[str, int]]]:
    found = answer.get("kvs", [])
    assert isinstance(found, list)
    for kv in found:
        path = base64.b64decode(kv["key"]).decode().removeprefix(prefix)
        yield path, (base64.b64decode(kv.get("value", "")).decode(), int(kv["mod_revision"]))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
