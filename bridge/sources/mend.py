"""The slow way through a metadata document that does not fit: value by value, so that one odd value costs itself only.

Text that is a number or a boolean is read as the text it was written with. A label of ours that is a list or an object
keeps its JSON text: were it dropped, a label that protects would be lost and its route left open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import TypeAlias

from bridge.model.problem import Problem
from bridge.model.world import is_ours
from bridge.sources.shapes import CheckShape, ContainerShape, HostShape, ServiceShape, StackShape

UNREADABLE = "unreadable"  # stands for a state that is no text: neither running nor healthy, and not "no check"
LONGEST = 200  # characters of a value in a problem
DEEPEST = 8  # levels of a value in a problem


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written: 8080, 1.50, 1e400, NaN."""

    text: str


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"

_LONE = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number, strict=False)


@dataclass(frozen=True, slots=True)
class Mended:
    """What can be read of a document, and a problem for each value that cannot."""

    stacks: list[tuple[StackShape, list[ServiceShape]]]  # services beside their stack
    hosts: list[HostShape]
    problems: list[Problem]


def mend(data: bytes, named: Set[str] = frozenset()) -> Mended:
    """Read a list of stacks, or an object that holds one.

    Raises ValueError where it is no JSON or neither of them, RecursionError where it is nested too deeply.
    """
    document = _parsed(data)
    if isinstance(document, list):
        document = {"stacks": document}
    if not isinstance(document, dict):
        raise ValueError(f"holds {_kind(document)}, not a list of stacks")
    problems: list[Problem] = []
    top = _Object(document, "", "", problems)
    stacks = [_stack(stack, named) for stack in top.objects("stacks")]
    return Mended(stacks, [_host(host) for host in top.objects("hosts")], problems)


def mend_service(data: bytes, stack: str, named: Set[str] = frozenset()) -> tuple[ServiceShape, list[Problem]]:
    """The same of one service in the list of the stack of this name. Raises ValueError where it is no object."""
    document = _parsed(data)
    if not isinstance(document, dict):
        raise ValueError(f"holds {_kind(document)}, not a service")
    problems: list[Problem] = []
    return _service(_Object(document, "", "", problems), stack, named), problems


def mend_hosts(data: bytes) -> tuple[list[HostShape], list[Problem]]:
    """The same of a list of hosts. Raises as `mend`."""
    document = _parsed(data)
    if not isinstance(document, list):
        raise ValueError(f"holds {_kind(document)}, not a list of hosts")
    problems: list[Problem] = []
    return [_host(host) for host in _Object({"hosts": document}, "", "", problems).objects("hosts")], problems


def _parsed(data: bytes) -> Json:
    document: Json = _DECODER.decode(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"))
    return document


def _host(host: _Object) -> HostShape:
    host.of = f" of host {host.glance('hostname') or host.glance('uuid')}"
    names = {name: host.glance(name) or None for name in ("name", "hostname")}  # who misses one misses nothing else
    return HostShape(uuid=host.text("uuid"), agent_ip=host.text("agent_ip"), **names)


def _stack(stack: _Object, named: Set[str]) -> tuple[StackShape, list[ServiceShape]]:
    name = stack.text("name")
    stack.of = f" of stack {name}" if name else ""
    shape = StackShape(uuid=stack.text("uuid"), name=name, environment_uuid=stack.text("environment_uuid"))
    return shape, [_service(service, name or "", named) for service in stack.objects("services")]


def _service(service: _Object, stack: str, named: Set[str]) -> ServiceShape:
    service.of = ""
    service.service = f"{service.glance('stack_name') or stack}/{service.glance('name')}".lower()
    return ServiceShape(
        uuid=service.text("uuid"),
        name=service.text("name"),
        stack_name=service.text("stack_name"),
        stack_uuid=service.text("stack_uuid"),
        environment_uuid=service.text("environment_uuid"),
        kind=service.text("kind"),
        state=service.text("state"),
        primary_service_name=service.text("primary_service_name"),
        labels=service.labels(named),
        containers=[_container(container) for container in service.objects("containers")],
        health_check=service.check(),
        links=service.names("links"),
        external_ips=service.texts("external_ips"),
        hostname=service.text("hostname"),
        system=service.flag("system"),
        create_index=service.whole("create_index"),
        ports=service.texts("ports"),
    )


def _container(container: _Object) -> ContainerShape:
    container.of = f" of {container.glance('name') or container.glance('uuid') or 'a container'}"
    return ContainerShape(
        uuid=container.text("uuid"),
        name=container.text("name"),
        state=container.text("state", UNREADABLE),
        health_state=container.text("health_state", UNREADABLE),
        primary_ip=container.text("primary_ip"),
        network_from_container_uuid=container.text("network_from_container_uuid"),
        host_uuid=container.text("host_uuid"),
        ports=container.texts("ports"),
        labels=container.labels(),
    )


@dataclass(slots=True)
class _Object:
    """One JSON object, read field by field; each value that does not fit is noted."""

    fields: dict[str, Json]
    service: str  # stack/service, for problems
    of: str  # whose field, where it is not the service's own, for problems
    problems: list[Problem]

    def text(self, name: str, unreadable: str | None = None) -> str | None:
        """A text, or `unreadable` where a list or an object stands."""
        return self._text(name, self.fields.get(name), unreadable)

    def glance(self, name: str) -> str:
        """A text to name the object by in problems; what is wrong with it is noted when it is read."""
        value = self.fields.get(name)
        return _shown(value) if isinstance(value, str | bool | Number) else ""

    def texts(self, name: str) -> list[str]:
        """The texts of a list."""
        texts = []
        for value in self._list(name):
            text = self._text(name, value, None)
            if text is not None:
                texts.append(text)
            elif value is None:
                self._note(name, value, "holds null, not only texts", "left that out")
        return texts

    def names(self, name: str) -> dict[str, str | None]:
        """The names in an object, whatever their values."""
        return dict.fromkeys(_clean(key) for key in self._mapping(name))

    def flag(self, name: str) -> bool:
        """Whether a boolean is true."""
        value = self.fields.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self._note(name, value, f"is {_kind(value)}, not a boolean", "read it as false")
        return False

    def whole(self, name: str) -> int | None:
        """A whole number."""
        value = self.fields.get(name)
        if isinstance(value, Number) and _WHOLE.fullmatch(value.text):
            return int(value.text)
        if value is not None:
            self._note(name, value, "is no whole number", "left it out")
        return None

    def check(self) -> CheckShape | None:
        """The health check; one that cannot be read counts, so that nothing unchecked passes for healthy."""
        value = self.fields.get("health_check")
        if value is None:
            return None
        if not isinstance(value, dict):
            self._note("health_check", value, f"is {_kind(value)}, not an object", "counted it as a health check")
            return CheckShape(port=UNREADABLE)
        port = value.get("port")
        return CheckShape(port=None if port is None else _written(port))

    def labels(self, named: Set[str] = frozenset()) -> dict[str, str]:
        """The labels that are ours or named, each as text. No problem shows what one holds: it may be a password."""
        labels = {}
        for key, value in self._mapping("labels").items():
            name = _clean(key)
            if not is_ours(name) and name not in named:
                continue
            if value is None:
                self._note(name, "", "is null, not text", "read it as empty", notice=True)
                labels[name] = ""
            elif isinstance(value, list | dict):
                self._note(name, "", f"is {_kind(value)}, not text", "read it as its JSON text")
                labels[name] = _written(value)
            else:
                labels[name] = self._text(name, value, None, hidden=True) or ""
        return labels

    def objects(self, name: str) -> Iterator[_Object]:
        """The objects in a list."""
        for value in self._list(name):
            if isinstance(value, dict):
                yield _Object(value, self.service, self.of, self.problems)
            else:
                self._note(name, value, f"holds {_kind(value)}, not only objects", "left that out")

    def _text(self, name: str, value: Json, unreadable: str | None, *, hidden: bool = False) -> str | None:
        if value is None:
            return None
        shown = "" if hidden else value
        if isinstance(value, str):
            text = _clean(value)
            if text != value:
                self._note(name, shown, "is not valid Unicode", "put U+FFFD where it is not")
            return text
        if isinstance(value, bool | Number):
            self._note(name, shown, f"is {_kind(value)}, not text", "read it as the text that was written", notice=True)
            return _written(value)
        did = "left it out" if unreadable is None else f"read it as {unreadable!r}"
        self._note(name, value, f"is {_kind(value)}, not text", did)
        return unreadable

    def _list(self, name: str) -> list[Json]:
        value = self.fields.get(name)
        if value is None or isinstance(value, list):
            return value or []
        self._note(name, value, f"is {_kind(value)}, not a list", "left it out")
        return []

    def _mapping(self, name: str) -> dict[str, Json]:
        value = self.fields.get(name)
        if value is None or isinstance(value, dict):
            return value or {}
        self._note(name, value, f"is {_kind(value)}, not an object", "left it out")
        return {}

    def _note(self, name: str, value: Json, reason: str, did: str, *, notice: bool = False) -> None:
        self.problems.append(Problem(self.service, name + self.of, _shown(value), reason, did, notice))


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "text", Number: "a number", list: "a list"}
    return kinds.get(type(value), "an object")


def _clean(text: str) -> str:
    """`text` with U+FFFD for what no UTF-8 can hold: bytes that were none, and halves of surrogate pairs."""
    return _LONE.sub("\ufffd", text)


def _shown(value: Json) -> str:
    """A value in a problem: readable, and not without end."""
    text = _written(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _written(value: Json, deepest: int = DEEPEST) -> str:
    """A scalar's text; a list or an object as JSON, cut where it is nested deeper than a reader would follow."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, Number):
        return value.text
    if not isinstance(value, list | dict):
        return json.dumps(value)
    if not deepest:
        return "…"
    if isinstance(value, list):
        return "[" + ",".join(_nested(part, deepest) for part in value) + "]"
    pairs = (f"{_nested(key, deepest)}:{_nested(value[key], deepest)}" for key in value)
    return "{" + ",".join(pairs) + "}"


def _nested(value: Json, deepest: int) -> str:
    if isinstance(value, str):
        return json.dumps(_clean(value), ensure_ascii=False)
    return _written(value, deepest - 1)
