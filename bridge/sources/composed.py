"""A stack's compose files as services, as Rancher's metadata would show them once they run.

What only a running stack has is made up: containers by the service's scale, all of them running and healthy, each with
an address and on a host of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from bridge.model.problem import Problem
from bridge.model.world import Container, Service, is_ours, told_name
from bridge.sources.base import Place
from bridge.sources.variables import Filled, fill
from bridge.sources.yamltree import Items, NotReadable, Table, Text, Tree

SIDEKICKS, START_ONCE = "io.rancher.sidekicks", "io.rancher.container.start_once"
MOST = 100  # containers that are made up of one service
_KINDS = {
    "rancher/lb-service-haproxy": "loadBalancerService",
    "rancher/load-balancer-service": "loadBalancerService",
    "rancher/dns-service": "dnsService",
    "rancher/external-service": "externalService",
}
_PORT = re.compile(
    r"(?:(?P<ip>[0-9]+(?:\.[0-9]+){3}|\[[0-9a-fA-F:]+\]):)?(?:(?P<public>[0-9]+):)?(?P<private>[0-9]+)(?:/(?P<kind>\w+))?"
)
_FIRST_FREE = 32768  # of the ports that are made up where a service leaves the choice to Rancher

# Labels whose values are no secrets; in any other a word behind a dollar may be a part of one.
_PLAIN = re.compile(
    r"traefik\.(?:[^.]+\.)?(?:enable|domain(?:\.regexp)?|alias(?:\.fqdn)?|port|protocol|address|weight|priority|sticky|tags"
    r"|path(?:\.[a-z]+)*|backend\.(?!healthcheck\.headers)[A-Za-z.]+|frontend\.(?:rule|priority|entryPoints|passHostHeader"
    r"|whiteList\.sourceRange|redirect\.[A-Za-z]+))"
)

NOTHING = Table({}, {}, 0)


@dataclass(frozen=True, slots=True)
class Files:
    """A stack's two files."""

    name: str  # of the stack
    compose: Table  # services by name
    rancher: Table
    compose_file: str
    rancher_file: str  # empty where there is none
    values: Mapping[str, str] = field(repr=False)  # of variables; some are secrets
    named: Set[str] = frozenset()  # labels that are read, though they are not ours


@dataclass(slots=True)
class Found:
    """What has been read so far."""

    services: list[Service] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    places: dict[tuple[str, str], Place] = field(default_factory=dict)  # by a service's title, and by its label


def services_of(top: Tree) -> Table:
    """The services of a file, version 1 or 2. Raises NotReadable."""
    if not isinstance(top, Table):
        raise NotReadable("holds no services", top.line)
    found: Tree = top
    if "version" in top.fields or isinstance(top.fields.get("services"), Table):
        found = top.fields.get("services", NOTHING)
    if isinstance(found, Text) and not found.text:
        return NOTHING
    if not isinstance(found, Table):
        raise NotReadable("services is no mapping of names", found.line)
    fields = {}
    for name, service in found.fields.items():
        if name.startswith((".", "x-")):  # .catalog, and what compose leaves to others
            continue
        if isinstance(service, Text) and not service.text:
            service = NOTHING
        if not isinstance(service, Table):
            raise NotReadable(f"service {name} is no mapping", service.line)
        fields[name] = service
    return Table({**fields}, found.lines, found.line)


def defaults(top: Tree) -> dict[str, str]:
    """The defaults of a catalog template's questions, in rancher-compose.yml below `.catalog` or `catalog`."""
    found: dict[str, str] = {}
    for name in (".catalog", "catalog"):
        catalog = top.fields.get(name) if isinstance(top, Table) else None
        questions = catalog.fields.get("questions") if isinstance(catalog, Table) else None
        for question in questions.items if isinstance(questions, Items) else ():
            if isinstance(question, Table):
                variable, default = question.fields.get("variable"), question.fields.get("default")
                if isinstance(variable, Text) and isinstance(default, Text):
                    found[variable.text] = default.text
    return found


def read_stack(files: Files, found: Found) -> None:
    """All services of a stack, added to what was found. Raises NotReadable."""
    known = {name.lower() for name in files.compose.fields}
    for name in files.rancher.fields:
        if name.lower() not in known:
            title = f"{files.name}/{name}".lower()
            found.places[title, ""] = Place(files.rancher_file, files.rancher.lines[name])
            reason = "it stands in rancher-compose.yml alone"
            found.problems.append(Problem(title, "", "", reason, "left it out"))
    parts: dict[str, _Part] = {}
    for name in files.compose.fields:
        held = parts.setdefault(name.lower(), part := _Part(files, name, found))
        if held is not part:
            why = f"services {held.name} and {name} have one name, since Rancher tells it in lower case"
            raise NotReadable(why, files.compose.lines[name])
    primaries = {
        sidekick: name
        for name, part in parts.items()
        for sidekick in part.names_in_label(SIDEKICKS)
        if sidekick in parts
    }
    for name, part in sorted(parts.items()):
        found.services.append(part.service(parts[primaries.get(name, name)], len(found.services)))


class _Part:
    """One service of the two files."""

    def __init__(self, files: Files, name: str, found: Found) -> None:
        self.files, self.name, self.found = files, name, found
        self.title = f"{files.name}/{name}".lower()
        tables = (files.compose.fields[name], files.rancher.fields.get(name, NOTHING))
        self.tables = [table for table in tables if isinstance(table, Table)]
        found.places[self.title, ""] = Place(files.compose_file, files.compose.lines.get(name, files.compose.line))
        self.labels = self._labels()

    def service(self, primary: _Part, number: int) -> Service:
        """`primary`: the service that it is a sidekick of, or itself. `number`: sets made-up addresses apart."""
        self._check()
        image = self._plain("image")
        kind = _KINDS.get(re.sub(r"(@.*|:[^/]*)$", "", image), "service")
        checked = bool(self._plain_in("health_check", "port"))
        ours = {name: text for name, text in self.labels.items() if is_ours(name)}
        return Service(
            uuid=primary.title,
            name=self.name.lower(),
            stack=self.files.name,
            stack_uuid=self.files.name,
            environment_uuid="",
            kind=kind,
            state="active",
            primary=primary.name.lower(),
            labels=ours,
            named={name: text for name, text in self.labels.items() if name in self.files.named and name not in ours},
            containers=tuple(self._containers(primary, ours, number, checked)) if _has_containers(kind) else (),
            has_check=checked,
            links=tuple(sorted(set(self._links()))) if kind == "dnsService" else (),
            external_ips=tuple(sorted(set(filter(None, self._texts("external_ips")))))
            if kind == "externalService"
            else (),
            hostname=self._plain("hostname") if kind == "externalService" else "",
            ports=tuple(filter(None, self._texts("ports"))),
        )

    def names_in_label(self, label: str) -> list[str]:
        """The names between the commas of a label, in lower case."""
        return [name.strip().lower() for name in self.labels.get(label, "").split(",") if name.strip()]

    # Fields: rancher-compose.yml first.

    def _field(self, name: str) -> Tree | None:
        return next((table.fields[name] for table in reversed(self.tables) if name in table.fields), None)

    def _plain(self, name: str) -> str:
        return self._text(self._field(name), name)

    def _plain_in(self, name: str, inner: str) -> str:
        found = self._field(name)
        return self._text(found.fields.get(inner), f"{name} {inner}") if isinstance(found, Table) else ""

    def _texts(self, name: str) -> list[str]:
        found = self._field(name)
        return [self._text(item, name) for item in found.items] if isinstance(found, Items) else []

    def _text(self, tree: Tree | None, name: str) -> str:
        if not isinstance(tree, Text):
            return ""
        filled = fill(tree.text, self.files.values)
        if name != "image":  # of which only the name counts
            self._note(filled, name)
        return filled.text

    # Labels.

    def _labels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for table, file in zip(self.tables, (self.files.compose_file, self.files.rancher_file), strict=False):
            labels = table.fields.get("labels")
            if isinstance(labels, Items):
                lines = [label for item in labels.items for label in self._of_item(item)]
            elif isinstance(labels, Table):
                lines = [(name, self._value(name, tree), labels.lines[name]) for name, tree in labels.fields.items()]
            elif isinstance(labels, Text) and labels.text:
                raise NotReadable(f"{self.title}: labels is neither a mapping nor a list", labels.line)
            else:
                continue
            for name, filled, line in lines:
                found[name] = filled.text
                if is_ours(name):
                    self.found.places[self.title, told_name(name)] = Place(file, line)
                    self._note(filled, name)
        return found

    def _of_item(self, item: Tree) -> Iterator[tuple[str, Filled, int]]:
        """What an item of a list says, with its line. Of a mapping, which compose refuses there, nothing is dropped."""
        if isinstance(item, Items):
            raise NotReadable(f"{self.title}: an item of labels is a list", item.line)
        if isinstance(item, Table):
            for name, tree in item.fields.items():
                if is_ours(name):
                    why = "in a list compose takes NAME=VALUE only, no colon, and else refuses the file"
                    self._problem(name, why, "read it as NAME=VALUE")
                yield name, self._value(name, tree), item.lines[name]
            return
        filled = fill(item.text, self.files.values)
        name, _, text = filled.text.partition("=")
        written = item.text.partition("=")[0]
        if not is_ours(name) and set(fill(written, {}).missing) & set(filled.missing):
            self._problem(told_name(written), "it is named by a variable that has no value", "left it out")
        yield name, replace(filled, text=text), item.line

    def _value(self, name: str, tree: Tree) -> Filled:
        if isinstance(tree, Text):
            return fill(tree.text, self.files.values)
        if is_ours(name):
            raise NotReadable(f"{self.title}: the value of label {name} is no text", tree.line)
        return Filled("")

    def _note(self, filled: Filled, name: str) -> None:
        """Problems of variables. Where a secret may stand nothing of the text is told: a hash is full of dollars."""
        if filled.missing:
            told = not is_ours(name) or _PLAIN.fullmatch(name)
            names = f"{' and '.join(filled.missing)} {_has(filled.missing)}" if told else "variables in it have"
            reason = f"{names} no value; a $ that is meant is written $$"
            self._problem(
                name, reason, "put nothing in their place" if len(filled.missing) > 1 else "put nothing there"
            )
        if filled.stray:
            self._problem(name, "a $ begins no variable, and is written $$", "left it as it is")

    def _problem(self, name: str, reason: str, did: str, *, notice: bool = False) -> None:
        self.found.problems.append(Problem(self.title, told_name(name), "", reason, did, notice))

    # What a running service has.

    def _check(self) -> None:
        if self._field("extends"):
            self._problem("extends", "labels of another service, or file, are not read", "read this service alone")

    def _scale(self) -> int:
        text = self._plain("scale")
        if not text:
            return 1
        if not re.fullmatch("[0-9]{1,9}", text):
            self._problem("scale", "it is no number", "took 1")
            return 1
        if int(text) > MOST:
            self._problem("scale", f"it is above {MOST}", f"made up {MOST} containers", notice=True)
        return min(int(text), MOST)

    def _containers(self, primary: _Part, labels: Mapping[str, str], number: int, checked: bool) -> Iterator[Container]:
        once = self.labels.get(START_ONCE, "").lower() == "true"
        net = self._plain("network_mode") or self._plain("net")
        name = self.title.replace("/", "-")
        if primary is not self:
            name = f"{primary.title}-{self.name.lower()}".replace("/", "-")
        for index in range(1, primary._scale() + 1):
            own = f"10.{42 + number // 250 % 200}.{number % 250}.{index + 1}"
            yield Container(
                uuid=f"{name}-{index}",
                name=f"{name}-{index}",
                state="stopped" if once else "running",
                health_state="healthy" if checked else "",
                address={"host": host_address(index), "none": ""}.get(net, own),
                labels=labels,
                ports=tuple(sorted(set(self._ports(number)))),
                host_uuid=host_name(index),
            )

    def _ports(self, number: int) -> Iterator[str]:
        for at, text in enumerate(self._texts("ports")):
            found = _PORT.fullmatch(text)
            if found is None:
                continue  # a range: a label names one port, which is then unknown, and said to be
            public = found["public"] or str(_FIRST_FREE + (number * 8 + at) % 28000)
            yield f"{found['ip'] or '0.0.0.0'}:{public}:{found['private']}/{found['kind'] or 'tcp'}"

    def _links(self) -> Iterator[str]:
        for text in self._texts("links"):
            yield f"{self.files.name}/{text.partition(':')[0]}".lower()
        for text in self._texts("external_links"):
            name = text.partition(":")[0].lower()
            yield name if "/" in name else f"{self.files.name}/{name}"


def _has(names: tuple[str, ...]) -> str:
    return "have" if len(names) > 1 else "has"


def _has_containers(kind: str) -> bool:
    return kind not in ("dnsService", "externalService")


def host_name(number: int) -> str:
    """The uuid of a made-up host."""
    return f"host-{number}"


def host_address(number: int) -> str:
    """Its address: one that is kept for documents, so it is nobody's."""
    return f"192.0.2.{number}"


def made_up_hosts() -> dict[str, str]:
    """Addresses of all made-up hosts, by uuid."""
    return {host_name(number): host_address(number) for number in range(1, MOST + 1)}
