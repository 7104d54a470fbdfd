"""The rules of the house: which room may import what, and what no class and no start of the program does."""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "bridge"

# From the ground up: a room imports from the rooms on lower floors, and from itself.
FLOORS = (
    ("model",),
    ("labels",),
    ("routes",),
    ("layouts",),
    ("ownership",),
    ("views",),
    ("sources", "stores"),
    ("leases", "report", "config"),
    ("writer",),
    ("sync",),
    ("daemon",),
    ("web", "demo"),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

PURE = ("model", "labels", "routes", "layouts", "ownership", "views")
# What a pure room may use. No I/O, clock, thread, chance or log is in any of it; hence no datetime.
COMPUTES = {"__future__", "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "difflib", "enum"}
COMPUTES |= {"functools", "hashlib", "heapq", "importlib", "ipaddress", "itertools", "json", "math", "msgspec"}
COMPUTES |= {"fractions", "operator", "re", "string", "textwrap", "types", "typing", "unicodedata", "urllib.parse"}
REACHES_OUT = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}  # builtins

CLIENTS = {  # what sources and stores may use that is not Python's own
    "sources": {"msgspec", "requests", "urllib3", "yaml"},
    "stores": {"etcd3", "google", "grpc", "consul", "requests", "urllib3"},
}
HEAVY = ("consul", "etcd3", "flask", "grpc", "jinja2", "prometheus_client", "requests", "rich", "waitress", "yaml")

MODULES = sorted(HOUSE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """model of bridge.model.world; empty for the house itself."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> Iterator[str]:
    """All modules that a file imports, wherever it does: `from bridge import stores` is bridge.stores."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            inside = module == "bridge"
            yield from (f"{module}.{alias.name}" for alias in node.names) if inside else (module,)


def ours(path: Path) -> set[str]:
    """The rooms that a file imports from, but for its own. `bridge.__version__` is in no room."""
    found = {room(module) for module in imports(path) if module.partition(".")[0] == "bridge"}
    return found - {room(module_name(path)), "", "__version__"}


def of_others(path: Path) -> set[str]:
    return {module for module in imports(path) if module.partition(".")[0] != "bridge"}


def files(*rooms: str) -> list[Path]:
    return [path for path in MODULES if room(module_name(path)) in rooms]


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[module_name(path) for path in paths])


@each(MODULES)
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    here = room(module_name(path))
    assert here in {*FLOOR, ""}, f"{here} has no floor yet"
    above = {other for other in ours(path) if FLOOR[other] >= FLOOR.get(here, 0)}
    assert not above, f"{module_name(path)} looks up at {above}"


@each(files("sources", "stores"))
def test_a_source_or_a_store_knows_the_model_and_its_client_only(path: Path) -> None:
    clients = CLIENTS[room(module_name(path))]
    foreign = {module.partition(".")[0] for module in of_others(path)} - sys.stdlib_module_names - clients
    assert ours(path) <= {"model"}
    assert not foreign


@each(files(*PURE))
def test_a_pure_room_only_computes(path: Path) -> None:
    """No I/O, no clock, no thread, no chance, no log."""
    reaching = {module for module in of_others(path) if not {module, module.partition(".")[0]} & COMPUTES}
    called = {node.id for node in ast.walk(TREES[path]) if isinstance(node, ast.Name)} & REACHES_OUT
    assert not reaching | called


def names(path: Path) -> dict[str, str]:
    """What the names that a file imports or defines as classes stand for: Group is click.Group, or our own."""
    meant = {}
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ImportFrom):
            meant.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        elif isinstance(node, ast.Import):
            meant.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ClassDef):
            meant[node.name] = f"{module_name(path)}.{node.name}"
    return meant


def classes() -> dict[str, set[str]]:
    """Each class of the house with its bases, all by their full names: B of B, of module.B and of B[T]."""
    found = {}
    for path, tree in TREES.items():
        meant = names(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                written = (ast.unparse(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases)
                parts = (base.partition(".") for base in written)
                found[meant[node.name]] = {meant.get(first, first) + dot + rest for first, dot, rest in parts}
    return found


def is_exception(name: str, known: dict[str, set[str]]) -> bool:
    if name in known:
        return any(is_exception(base, known) for base in known[name])
    builtin = getattr(builtins, name, None)
    return isinstance(builtin, type) and issubclass(builtin, BaseException)


def test_no_class_stands_below_a_class_of_ours_but_exceptions() -> None:
    """A protocol may be named as a base: it hands nothing down."""
    known = classes()
    heirs = {
        (name, base)
        for name, above in known.items()
        for base in above & known.keys()
        if "typing.Protocol" not in known[base] and not is_exception(name, known)
    }
    assert "bridge.stores.base.StoreError" in known["bridge.stores.base.Unavailable"]
    assert not heirs


def loaded(*command: str) -> set[str]:
    """The top packages that Python imports while it runs `command`."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    timed = (line for line in run.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in timed}


ROOMS = sorted({f"bridge.{room(module_name(path))}" for path in MODULES} - {"bridge.", "bridge.__main__"})
STARTS: list[tuple[str, ...]] = [("-c", f"import {name}") for name in ROOMS]
if (HOUSE / "__main__.py").exists():
    STARTS.append(("-m", "bridge", "--help"))


@pytest.mark.parametrize("command", STARTS, ids=[command[-1] for command in STARTS])
def test_a_client_is_loaded_only_where_it_is_used(command: tuple[str, ...]) -> None:
    """`bridge --help` must be quick: any of these would take most of its time."""
    modules = loaded(*command)
    assert "bridge" in modules
    assert not modules.intersection(HEAVY)


def test_the_rules_look_at_the_whole_house() -> None:
    assert {module_name(path) for path in MODULES} >= {"bridge", "bridge.model.world", "bridge.sources.file"}
    assert {name for rooms in FLOORS[:7] for name in rooms} >= {room(module_name(path)) for path in files(*PURE)}
