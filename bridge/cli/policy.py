"""Print the rights that a cluster's bridge needs in a store, for the store's operator to give.

For Consul an ACL policy, for etcd the commands that make a role. With these rights all commands work for this cluster,
and none can write what another cluster alone may. No store is asked: of --store only the prefix counts. What rights
cannot limit is said in docs/security.md.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from bridge import config as options
from bridge.cli.render import say, say_json
from bridge.cli.wiring import Site, publisher, sites
from bridge.config import Config, FanIn, Output
from bridge.model.keys import lease_node
from bridge.model.problem import UsageError
from bridge.ownership.records import FLEET, cluster_family
from bridge.ownership.rights import key_rights

RESOURCES = ("key_prefix", "session", "session_prefix", "node")  # etcd knows the first
ACCESS = ("list", "read", "write", "readwrite")  # Consul takes the first three, etcd read and readwrite


@dataclass(frozen=True, slots=True)
class Rule:
    """One right in a store's own words."""

    resource: str  # of RESOURCES
    name: str  # where the resource is a prefix, of all that begins so
    access: str  # of ACCESS
    why: str


def run(config: Config, kind: str) -> int:
    """The exit code. Raises UsageError."""
    if kind not in POLICIES:
        raise UsageError("policy", kind, f"use {' or '.join(POLICIES)}")
    address = config.find(options.STORE)
    if address and address.kind != kind:
        raise UsageError(options.STORE.flag, address.url, f"is no {kind}://; use that, or bridge policy {address.kind}")
    policy, cluster, found = POLICIES[kind], config.get(options.CLUSTER), sites(config, kind)
    separate = config.get(options.FAN_IN) is FanIn.SEPARATE
    rules = [rule for site in found for rule in policy.rules(site, cluster, separate)]
    if config.get(options.OUTPUT) is Output.JSON:
        say_json({"store": kind, "cluster": cluster, "rules": [asdict(rule) for rule in rules]})
    else:
        say([f"# What the bridge of cluster {cluster} needs; docs/security.md says what it cannot limit."])
        say(policy.lines(rules, lease_node(found[0].records, cluster_family(cluster))))
    return 0


# Consul


def consul_rules(site: Site, cluster: str, separate: bool) -> Iterator[Rule]:
    """Upon keys, sessions and nodes. Where Consul asks for it, only `list` lets a whole prefix be read."""
    for right in key_rights(publisher(site, cluster), site.elsewhere, separate=separate):
        yield Rule("key_prefix", right.prefix, "write" if right.writes else "list", right.why)
    clusters, own, fleet = (
        lease_node(site.records, family) for family in (cluster_family(""), cluster_family(cluster), FLEET)
    )
    yield Rule("session_prefix", clusters, "read", "for show: which cluster's a key is")
    yield Rule("session", own, "write", "the leases of this cluster's own keys")
    yield Rule("session", fleet, "write", "the leases of what clusters share")
    registered = "the nodes of these leases; not needed where you registered them"
    yield from (Rule("node", node, "write", registered) for node in (own, fleet))


def consul_lines(rules: Sequence[Rule], _name: str) -> Iterator[str]:
    """A policy in HCL."""
    for why, alike in groupby(rules, key=lambda rule: rule.why):
        yield f"# {why}"
        for rule in alike:
            yield f'{rule.resource} {_quoted(rule.name)} {{ policy = "{rule.access}" }}'


def _quoted(text: str) -> str:
    """In HCL's quotes, where ${ would begin an expression."""
    return json.dumps(text, ensure_ascii=False).replace("$", "\\u0024")


# etcd


def etcd_rules(site: Site, cluster: str, separate: bool) -> Iterator[Rule]:
    """Upon keys alone: etcd gives no rights on leases."""
    for right in key_rights(publisher(site, cluster), site.elsewhere, separate=separate):
        yield Rule("key_prefix", right.prefix, "readwrite" if right.writes else "read", right.why)


def etcd_lines(rules: Sequence[Rule], role: str) -> Iterator[str]:
    """Commands for a shell."""
    yield f"etcdctl role add {role}"
    for why, alike in groupby(rules, key=lambda rule: rule.why):
        yield f"# {why}"
        for rule in alike:
            yield f"etcdctl role grant-permission --prefix=true {role} {rule.access} {shlex.quote(rule.name)}"
    yield "# then, for a user that --store-user names: etcdctl user add USER"
    yield f"# and: etcdctl user grant-role USER {role}"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a store's rights are said."""

    rules: Callable[[Site, str, bool], Iterator[Rule]]
    lines: Callable[[Sequence[Rule], str], Iterator[str]]  # the name is one that no other cluster's rights have


POLICIES: Mapping[str, Policy] = {
    "consul": Policy(consul_rules, consul_lines),
    "etcd": Policy(etcd_rules, etcd_lines),
}
