"""A YAML file as a tree that knows its lines, and in which every scalar is the text that was written.

Rancher's own reader keeps a label's text too: `8080`, `1.50` and `yes` stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

_NULL, _MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"


class NotReadable(ValueError):
    """What is wrong with a text, and on which line, counted from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason, line)
        self.reason, self.line = reason, line


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar; null is empty."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Tree, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping."""

    fields: dict[str, Tree]
    lines: dict[str, int]  # of each key
    line: int


Tree: TypeAlias = "Text | Items | Table"


def parse(text: str) -> Tree:
    """The tree of one document. Raises NotReadable: for what is no YAML, and for a key that stands twice."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        raise NotReadable(f"is no YAML: {err.problem or err.context}", mark.line + 1 if mark else 1) from err
    except yaml.reader.ReaderError as err:
        raise NotReadable(f"is no YAML: {err.reason}", text.count("\n", 0, err.position) + 1) from err
    except RecursionError as err:
        raise NotReadable("is nested too deeply", 1) from err
    return Table({}, {}, 1) if node is None else _Trees().of(node)


class _Trees:
    """Nodes become trees, each once: an alias means the same tree again."""

    def __init__(self) -> None:
        self._made: dict[int, Tree | None] = {}  # None: it is being made

    def of(self, node: yaml.Node) -> Tree:
        key = id(node)
        if key not in self._made:
            self._made[key] = None
            self._made[key] = self._new(node)
        made = self._made[key]
        if made is None:
            raise NotReadable("an alias stands within its own anchor", _line(node))
        return made

    def _new(self, node: yaml.Node) -> Tree:
        if isinstance(node, yaml.ScalarNode):
            return Text("" if node.tag == _NULL else node.value, _line(node))
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(map(self.of, node.value)), _line(node))
        assert isinstance(node, yaml.MappingNode)
        return self._table(node)

    def _table(self, node: yaml.MappingNode) -> Table:
        own: dict[str, Tree] = {}
        merged: dict[str, Tree] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for table in self._merged(value):
                    merged = {**table.fields, **merged}  # of several the first wins
                    lines = {**table.lines, **lines}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise NotReadable("a key is no text", _line(key))
            if key.value in own:
                raise NotReadable(f"the key {key.value!r} stands twice, first on line {lines[key.value]}", _line(key))
            own[key.value] = self.of(value)
            lines[key.value] = _line(key)
        return Table({**merged, **own}, lines, _line(node))

    def _merged(self, node: yaml.Node) -> Iterator[Table]:
        tree = self.of(node)
        for one in tree.items if isinstance(tree, Items) else (tree,):
            if not isinstance(one, Table):
                raise NotReadable("<< takes mappings only", _line(node))
            yield one


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
