"""Consul over HTTP: sessions stand for leases. What its servers did was measured with Consul 1.8.7.

A session is named after its lease, `bridge/<root>/<family>/<ttl>`, on a node of the catalog that is its cluster's.
Consul chooses its id, so whoever looks for a lease lists that node; where two made one at once, the older stands for
the lease and the younger ends. A key beside it, which says the id, would be one more thing that somebody deletes:
then all keys of the session would look as if a stranger had written them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from bridge.model.change import (
    FOR_EVER,
    Change,
    Committed,
    Conflict,
    Create,
    Delete,
    Item,
    LeaseName,
    Limits,
    Reading,
    Transaction,
    Update,
)
from bridge.model.keys import lease_node
from bridge.model.problem import UsageError
from bridge.stores.access import Access
from bridge.stores.address import StoreAddress
from bridge.stores.base import LeaseLost, OutcomeUnknown, Refused, Unavailable
from bridge.stores.consulhttp import Agent, Failed, Fields, NodeMissing, Pair, Reach, Session, encoded
from bridge.stores.tls import tls_context

T = TypeVar("T")

SHORTEST_TTL = 20  # seconds: Consul takes 10 and more, and a session lives twice as long as it says
LONGEST_TTL = 48 * 3600  # seconds

# A server takes transactions of 64 operations and 512 KiB. A value goes as base64, a key two or three times: the
# difference to `size` pays for them. A delete compares first, since one of an absent key would pass for one that was
# done.
LIMITS = Limits(operations=64, size=370_000, create=2, update=1, move=3, delete=2, check=1, shortest_ttl=SHORTEST_TTL)

USUAL_PORT = 8500
BEAT = 25.0  # seconds that a watch waits for news; Consul adds up to a sixteenth

_TOKEN = re.compile(r"[!-~]+")
_TTL = re.compile(r"0|[1-9][0-9]{0,8}")
_ATTEMPTS = 5  # at a session that comes and goes


def connect(address: StoreAddress, *, records_root: str, access: Access) -> Consul:
    """The store at `address`. It is first asked by its methods.

    Raises UsageError when a file cannot be used, for a user, and for a prefix that an address does not carry as it is.
    Without `access.ca` a server is checked by the roots that requests brings along, not by the system's.
    """
    if access.user or access.password:
        raise UsageError("--store-user", access.user, "is for etcd; Consul takes a token: use BRIDGE_STORE_TOKEN")
    if access.token and not _TOKEN.fullmatch(access.token):
        raise UsageError("BRIDGE_STORE_TOKEN", "", "is no token: it holds other characters than visible ASCII")
    if {".", ".."} & set(address.prefix.split("/")):
        raise UsageError("--store", address.url, "no segment of the prefix may be . or .. on Consul")
    context = tls_context(access) if address.tls else None
    agents = []
    for endpoint in address.endpoints:
        host, _, port = endpoint.at(USUAL_PORT).rpartition(":")
        reach = Reach(host, int(port), context, access.datacenter)
        agents.append(Agent(address.url, reach, access.token))
    return Consul(address.url, records_root, agents)


class Consul:
    """A `Store`. One agent is in use until it fails, then the next."""

    limits = LIMITS

    def __init__(self, url: str, records_root: str, agents: Sequence[Agent]) -> None:
        self.url = url
        self._root = records_root
        self._agents = tuple(agents)
        self._in_use = 0
        self._families: set[str] = set()
        self._names: dict[str, LeaseName] = {}  # by the session's id; of known families, ended ones too
        self._sessions: dict[LeaseName, str] = {}  # the session that stood for the lease when it was last looked for
        self._closed = False

    def know(self, families: Iterable[str]) -> None:
        """See `Store`."""
        self._families.update(families)

    def read(self, prefix: str) -> Reading:
        """See `Store`. Its revision is the last change of any key, or one that came while it was read."""
        return self._anywhere(lambda agent: self._read(agent, prefix))

    def _read(self, agent: Agent, prefix: str) -> Reading:
        # A prefix's own index falls when Consul forgets a deletion, a quarter of an hour later. That of all keys falls
        # only when the store is set back. Asking for one key says, too, when the token may not read here.
        before = agent.index(_absent(prefix))
        index, pairs = agent.pairs(prefix)
        return Reading(prefix, max(before, index), self._items(agent, pairs), whole=True)

    def _items(self, agent: Agent, pairs: Iterable[Pair]) -> Mapping[str, Item | None]:
        found = tuple(pairs)
        if {pair.session for pair in found} - self._names.keys() - {""}:
            self._look_for_sessions(agent, self._families)
        return {
            pair.key: Item(_text(pair.value), pair.created, pair.revision, self._lease_name(pair.session))
            for pair in found
        }

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        """See `Store`. Tells all that stands, once something changed."""
        try:
            if len(self._agents) > 1:  # one that does not answer is found out before a query waits for it
                self._anywhere(lambda agent: agent.index(_absent(prefix)))
            while not self._closed:
                reading = self._call(lambda agent: self._follow(agent, prefix, after))  # noqa: B023
                after = reading.revision
                yield reading
        except Unavailable:
            if not self._closed:
                raise

    def _follow(self, agent: Agent, prefix: str, after: int) -> Reading:
        index, pairs = agent.pairs(prefix, after=after, wait=BEAT)
        if index > after:
            return Reading(prefix, index, self._items(agent, pairs), whole=True)
        if agent.index(_absent(prefix)) < after:
            raise Unavailable("the store", self.url, "it was set back, as from a snapshot; read again.")
        return Reading(prefix, after, {}, whole=False)

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        """See `Store`."""
        keys = [change.key for change in transaction.changes]
        if len(set(keys)) < len(keys):
            raise Refused("the store", self.url, "takes no transaction that changes a key twice.")
        operations = [operation for check in transaction.checks for operation in _check(check.key, check.revision)]
        for change in transaction.changes:
            operations += self._operations(change)
        try:
            answer = self._call(lambda agent: agent.transact(operations))
        except Unavailable as err:
            raise OutcomeUnknown(err.thing, err.value, f"{err.remedy} The transaction may have happened.") from err
        if not isinstance(answer, Failed):
            try:
                return Committed(_written(transaction.changes, answer))
            except KeyError as err:
                remedy = "answered a transaction with other keys; is it Consul? The transaction may have happened."
                raise OutcomeUnknown("the store", self.url, remedy) from err
        if answer.is_lost_session:
            raise LeaseLost("the store", self.url, "a session of the bridge does not live; ensure its lease.")
        return Conflict()

    def _operations(self, change: Change) -> Iterator[Fields]:
        match change:
            case Create(key, value, lease):
                yield from _check(key, 0)
                yield _put(key, value, 0) if lease is None else _lock(key, value, self._session(lease))
            case Update(key, value, lease, read_at, held_by):
                if lease == held_by:
                    yield _put(key, value, read_at)  # keeps the lock
                    return
                yield from _check(key, read_at)
                if held_by is not None:  # an unlock writes the value too
                    yield {"Verb": "unlock", "Key": key, "Value": _encoded(value), "Session": self._session(held_by)}
                if lease is not None:
                    yield _lock(key, value, self._session(lease))
            case Delete(key, read_at):
                yield from _check(key, read_at)
                yield {"Verb": "delete-cas", "Key": key, "Index": read_at}

    def _session(self, lease: LeaseName) -> str:
        """The session of a lease that was ensured or read; a stranger's says its own."""
        if lease.family.startswith("?"):
            return lease.family[1:]
        if lease not in self._sessions:
            raise Refused("the store", self.url, f"takes no key on the lease {lease}: it was not ensured.")
        return self._sessions[lease]

    def ensure(self, name: LeaseName) -> None:
        """See `Store`. Raises UsageError for a TTL that Consul does not take."""
        if name.ttl != FOR_EVER and not SHORTEST_TTL <= name.ttl <= LONGEST_TTL:
            remedy = f"on Consul use {SHORTEST_TTL} to {LONGEST_TTL} seconds, or 0 for ever"
            raise UsageError("--ttl", str(name.ttl), remedy)
        self.know((name.family,))
        for _ in range(_ATTEMPTS):
            if not self.renew((name,)):
                return
            made = self._anywhere(lambda agent: self._create(agent, name))
            if self._anywhere(lambda agent: self._living(agent, name)) == made:
                return
            self._anywhere(lambda agent: agent.destroy(made))  # noqa: B023
        raise Unavailable("the store", self.url, f"the lease {name} came and went {_ATTEMPTS} times; try again.")

    def _create(self, agent: Agent, name: LeaseName) -> str:
        node, called, half = lease_node(self._root, name.family), f"{self._root}/{name}", math.ceil(name.ttl / 2)
        try:
            return agent.create_session(node, called, half)
        except NodeMissing:
            self._register(agent, node)
            return agent.create_session(node, called, half)

    def _register(self, agent: Agent, node: str) -> None:
        try:
            agent.register(node)
        except Refused as err:
            remedy = f"register the node {node} in Consul's catalog, or give the bridge's token write on it"
            raise Refused("the store", self.url, f"knows no node {node} for sessions; {remedy}.") from err

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        """See `Store`."""
        wanted = tuple(names)
        return self._anywhere(lambda agent: self._renew(agent, wanted)) if wanted else ()

    def _renew(self, agent: Agent, names: tuple[LeaseName, ...]) -> tuple[LeaseName, ...]:
        living = self._look_for_sessions(agent, {name.family for name in names})
        return tuple(name for name in names if name not in living or not agent.renew(living[name]))

    def remaining(self, name: LeaseName) -> float | None:
        """See `Store`. The most: Consul does not tell a session's rest."""
        if self._anywhere(lambda agent: self._living(agent, name)) is None:
            return None
        return math.inf if name.ttl == FOR_EVER else float(name.ttl)

    def close(self) -> None:
        """See `Store`."""
        self._closed = True
        for agent in self._agents:
            agent.close()

    # Sessions

    def _living(self, agent: Agent, name: LeaseName) -> str | None:
        return self._look_for_sessions(agent, {name.family}).get(name)

    def _look_for_sessions(self, agent: Agent, families: Iterable[str]) -> Mapping[LeaseName, str]:
        """The sessions that stand for the leases of these families; what was known of others stays known."""
        wanted = frozenset(families)
        living: dict[LeaseName, str] = {}
        for node in sorted({lease_node(self._root, family) for family in wanted}):
            for session in sorted(agent.sessions(node), key=lambda one: one.created):
                name = self._read_name(session)
                if name is not None and name.family in wanted:
                    self._names[session.id] = name
                    living.setdefault(name, session.id)
        self._sessions.update(living)
        return living

    def _read_name(self, session: Session) -> LeaseName | None:
        family, _, ttl = session.name.removeprefix(f"{self._root}/").rpartition("/")
        if session.name != f"{self._root}/{family}/{ttl}" or not _TTL.fullmatch(ttl):
            return None
        return LeaseName(family, int(ttl))

    def _lease_name(self, session: str) -> LeaseName | None:
        if not session:
            return None
        return self._names.get(session) or LeaseName(f"?{session}", 0)

    # Agents

    def _anywhere(self, ask: Callable[[Agent], T]) -> T:
        """The first answer that an agent gives: only for what does no harm when it happens twice."""
        for _ in self._agents[1:]:
            with suppress(Unavailable):
                return self._call(ask)
        return self._call(ask)

    def _call(self, ask: Callable[[Agent], T]) -> T:
        """The answer of the agent in use; one that does not answer is left for the next."""
        at = self._in_use
        try:
            return ask(self._agents[at])
        except Unavailable:
            self._in_use = (at + 1) % len(self._agents)
            raise


def _absent(prefix: str) -> str:
    """A key below `prefix` that nobody writes."""
    return f"{prefix}.bridge-asks"


def _check(key: str, revision: int) -> Iterator[Fields]:
    if revision:
        yield {"Verb": "check-index", "Key": key, "Index": revision}
    else:
        yield {"Verb": "check-not-exists", "Key": key}


def _put(key: str, value: str, read_at: int) -> Fields:
    return {"Verb": "cas", "Key": key, "Value": _encoded(value), "Index": read_at}


def _lock(key: str, value: str, session: str) -> Fields:
    return {"Verb": "lock", "Key": key, "Value": _encoded(value), "Session": session}


def _written(changes: Iterable[Change], pairs: Iterable[Pair]) -> Reading:
    """What the transaction's keys are after it."""
    now: dict[str, Pair] = {}
    for pair in pairs:  # a key's checks come before its last operation
        now[pair.key] = pair
    items: dict[str, Item | None] = {}
    revision = 0
    for change in changes:
        if isinstance(change, Delete):
            # Of a deletion Consul tells no index. It is higher than this one, which is enough to forget the key.
            items[change.key], at = None, change.read_at
        else:
            pair = now[change.key]
            items[change.key], at = Item(change.value, pair.created, pair.revision, change.lease), pair.revision
        revision = max(revision, at)
    return Reading("", revision, items, whole=False)


def _encoded(value: str) -> str:
    return encoded(value.encode("utf-8", "surrogateescape"))


def _text(value: bytes) -> str:
    """Anybody may have written it, so no bytes are refused."""
    return value.decode("utf-8", "surrogateescape")
