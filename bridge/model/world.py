"""What a source saw: one whole reading of a Rancher environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from bridge.model.problem import Problem

# With it a service, or a container, may choose where it is reached. A source that reads the addresses of hosts only
# where somebody needs them looks for it.
ADDRESS_LABEL = "traefik.address"

LABELS = "traefik."  # what our labels begin with
_NAMES = 4096  # remembered: services share most of theirs
_VALUE = re.compile("[:=]")
# The word itself, misspelt: its letters in some disorder, or one of any kind left out, added or put for another.
_WORD = LABELS.removesuffix(".")
MISSPELT = "|".join(
    (
        "t[traefi]{0,5}f[traefi]{0,5}[kc]",
        *(f"{_WORD[:at]}.?{_WORD[at + 1 :]}" for at in range(len(_WORD))),
        *(f"{_WORD[:at]}.{_WORD[at:]}" for at in range(len(_WORD) + 1)),
        f"{_WORD[1]}{_WORD[0]}{_WORD[2:]}",
    )
)
# Only where a frontend is spoken of: treafik.frontend.auth, traefikadmin.frontend.auth.
_SLIP = re.compile(
    rf"[\W_]*(?:{_WORD}(?:[\W_]|f[\W_]?rontend)|(?:{MISSPELT}).*frontend[\W_])", re.IGNORECASE | re.DOTALL
)


@lru_cache(_NAMES)
def is_ours(name: str) -> bool:
    """Whether a label speaks to the bridge, or is a slip for one that does: in another case, behind a blank, with
    another sign for the dot. Were it taken for a stranger's, a protection that it asks for would be lost unseen.
    """
    return name.startswith(LABELS) or _SLIP.match(name) is not None


def told_name(name: str) -> str:
    """A label's name as reports repeat it: behind a colon, or an equals sign, may stand what was to be its value."""
    found = _VALUE.search(name)
    return name[: found.start()] + "…" if found else name


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a service, with what decides whether and where it is reached."""

    uuid: str
    name: str
    state: str  # running, stopped, …; empty where Rancher says nothing
    health_state: str  # healthy, unhealthy, …; empty without a health check
    address: str  # the IP on Rancher's network, its own or that of the container whose network it shares; or empty
    labels: Mapping[str, str]  # only those that `is_ours` names
    ports: tuple[str, ...] = ()  # published, also by the container whose network it shares: ip:public:private/protocol
    host_uuid: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """One service. Sidekicks share the uuid of their primary: what names a service is (uuid, name)."""

    uuid: str
    name: str  # lower case
    stack: str  # lower case
    stack_uuid: str
    environment_uuid: str
    kind: str  # service, loadBalancerService, externalService, dnsService, …
    state: str  # lags behind: never decides alone
    primary: str  # the primary service's name; differs from `name` on a sidekick
    labels: Mapping[str, str]  # only those that `is_ours` names
    containers: tuple[Container, ...] = ()  # sorted by uuid
    has_check: bool = False  # a health check is configured on the service
    links: tuple[str, ...] = ()  # stack/service, of a DNS alias; sorted
    external_ips: tuple[str, ...] = ()
    hostname: str = ""  # of an external service
    system: bool = False
    create_index: int = 0  # counts the containers that it was ever given, so it never goes back; 0: not told
    ports: tuple[str, ...] = ()  # as configured, in Rancher's order: [[ip:]public:]private[/protocol]
    named: Mapping[str, str] = field(default_factory=dict, repr=False)  # labels of others that options name

    @property
    def title(self) -> str:
        """How reports name it: stack/service."""
        return f"{self.stack}/{self.name}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole reading, sorted, so that equal worlds are equal values."""

    services: tuple[Service, ...]  # sorted by (stack, name, stack_uuid, uuid)
    environment: str  # the environment's uuid; empty where the document names none
    problems: tuple[Problem, ...] = ()  # odd values that were left out while decoding; sorted
    hosts: Mapping[str, str] = field(default_factory=dict)  # uuid: IP; empty where the source did not read them
    host_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by uuid: what else a host is called

    @property
    def tells_hosts(self) -> bool:
        """Whether the source read them: each has one of the two."""
        return bool(self.hosts or self.host_names)
