"""What pip-audit found in the packages that the container gets: `make audit` hands its JSON to this.

It fails only where there is something to do: a flaw that a newer version mends. What could not be looked up is said,
and fails nothing: a machine without that service must be able to run the rest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Audit:
    """What is to be said, and whether somebody must act."""

    lines: tuple[str, ...]
    must_act: bool


def audit(found: str) -> Audit:
    """`found`: as pip-audit writes it with --format json; empty where it failed."""
    try:
        packages = json.loads(found)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audit(("not audited: pip-audit gave no answer, see above",), must_act=False)
    return Audit(
        tuple(_lines(packages)),
        any(flaw["fix_versions"] for package in packages for flaw in package.get("vulns", ())),
    )


def _lines(packages: list[dict[str, Any]]) -> Iterator[str]:
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    flaws = [(package, flaw) for package in packages for flaw in package.get("vulns", ())]
    yield f"{len(packages) - len(skipped)} of {len(packages)} packages audited, {len(flaws)} known flaws"
    if skipped:
        yield f"not audited, since the service does not know them: {', '.join(skipped)}"
    for package, flaw in flaws:
        fixed = flaw["fix_versions"]
        remedy = f"mended in {', '.join(fixed)}: make requirements" if fixed else "no version mends it yet"
        yield f"{package['name']} {package['version']}: {flaw['id']}; {remedy}"


if __name__ == "__main__":
    result = audit(sys.stdin.read())
    print("\n".join(result.lines))
    sys.exit(1 if result.must_act else 0)
