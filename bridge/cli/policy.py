"""Print the rights that a cluster's bridge needs in a store, for the store's operator to give.

STORE is consul or etcd: for Consul it prints an ACL policy, for etcd the commands that make a role. With these rights
all commands work for this cluster, and no other cluster's own records can be written. It asks nothing of any store:
of --store only the prefix counts. docs/security.md says what rights cannot limit.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from bridge import config as options
from bridge.cli.render import say, say_json
from bridge.cli.wiring import publisher, sites
from bridge.config import Config, Output
from bridge.model.keys import Publisher, lease_node
from bridge.model.problem import UsageError
from bridge.ownership.records import FLEET, cluster_family
from bridge.ownership.rights import key_rights


@dataclass(frozen=True, slots=True)
class Rule:
    """One right in a store's own words."""

    resource: str  # key_prefix, session, …
    name: str  # of which, or how its name begins
    access: str  # list, read, write, readwrite
    why: str


def run(config: Config, kind: str) -> int:
    """The exit code. Raises UsageError."""
    if kind not in POLICIES:
        raise UsageError("policy", kind, f"use {' or '.join(POLICIES)}")
    address = config.find(options.STORE)
    if address and address.kind != kind:
        raise UsageError(options.STORE.flag, address.url, f"is no {kind}://; give that, or bridge policy {address.kind}")
    cluster = config.get(options.CLUSTER)
    publishers = [publisher(site, cluster) for site in sites(config, kind)]
    rules = [rule for one in publishers for rule in POLICIES[kind].rules(one)]
    if config.get(options.OUTPUT) is Output.JSON:
        say_json({"store": kind, "cluster": cluster, "rules": [asdict(rule) for rule in rules]})
    else:
        say(POLICIES[kind].lines(rules, publishers[0]))
    return 0


# Consul


def consul_rules(chosen: Publisher) -> Iterator[Rule]:
    """Upon keys, sessions and nodes. `list` is what reading a whole prefix takes where Consul is told to ask for it."""
    for right in key_rights(chosen):
        yield Rule("key_prefix", right.prefix, "write" if right.writes else "list", right.why)
    clusters, own, fleet = (
        lease_node(chosen.records, family) for family in (cluster_family(""), cluster_family(chosen.cluster), FLEET)
    )
    yield Rule("session_prefix", clusters, "read", "for show: which cluster's a key is")
    yield Rule("session", own, "write", "the leases of this cluster's own keys")
    yield Rule("session", fleet, "write", "the leases of what clusters share")
    registered = "the nodes of these leases; not needed where you registered them"
    yield from (Rule("node", node, "write", registered) for node in (own, fleet))


def _policy(rules: Sequence[Rule], chosen: Publisher) -> Iterator[str]:
    yield f"# What the bridge of cluster {chosen.cluster} needs in Consul; see docs/security.md."
    for why, alike in groupby(rules, key=lambda rule: rule.why):
        yield f"# {why}"
        yield from (f'{rule.resource} {_quoted(rule.name)} {{ policy = "{rule.access}" }}' for rule in alike)


def _quoted(text: str) -> str:
    """In HCL's quotes, where ${ would begin an expression."""
    return json.dumps(text, ensure_ascii=False).replace("$", "\\u0024")


# etcd


def etcd_rules(chosen: Publisher) -> Iterator[Rule]:
    """Upon keys alone: etcd gives no rights on leases."""
    for right in key_rights(chosen):
        yield Rule("key_prefix", right.prefix, "readwrite" if right.writes else "read", right.why)


def _role(rules: Sequence[Rule], chosen: Publisher) -> Iterator[str]:
    role = lease_node(chosen.records, cluster_family(chosen.cluster))
    yield f"# What the bridge of cluster {chosen.cluster} needs in etcd; see docs/security.md."
    yield f"etcdctl role add {role}"
    for why, alike in groupby(rules, key=lambda rule: rule.why):
        yield f"# {why}"
        for rule in alike:
            yield f"etcdctl role grant-permission --prefix=true {role} {rule.access} {shlex.quote(rule.name)}"
    yield "# Then give the role to a user, whom --store-user names:"
    yield f"#   etcdctl user add {chosen.cluster}"
    yield f"#   etcdctl user grant-role {chosen.cluster} {role}"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a store's rights are said."""

    rules: Callable[[Publisher], Iterator[Rule]]
    lines: Callable[[Sequence[Rule], Publisher], Iterator[str]]  # of several publishers in one store: of the first


POLICIES: Mapping[str, Policy] = {
    "consul": Policy(consul_rules, _policy),
    "etcd": Policy(etcd_rules, _role),
}
