"""How long a metadata document takes to become a snapshot, against plain `json.loads` of the same file in the same run.

python -m benchmarks.decode [--services 3334] [--containers 3]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bridge.sources import open_source
from tests.worlds.generate import document

ROUNDS = 9


def best(*works: Callable[[], object]) -> list[float]:
    """The least seconds of each, tried in turn: what else the machine does slows all alike, or none of the best."""
    least = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for at, work in enumerate(works):
            start = perf_counter()
            work()
            least[at] = min(least[at], perf_counter() - start)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=3334)
    parser.add_argument("--containers", type=int, default=3, help="a service")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "world.json")
        size = path.write_bytes(document(asked.services, asked.containers))
        ours, plain = best(open_source(f"file:{path}").read, lambda: json.loads(path.read_bytes()))
    print(f"{asked.services * asked.containers} containers, {size / 1e6:.1f} MB")
    print(f"snapshot {ours * 1e3:.0f} ms, json.loads {plain * 1e3:.0f} ms, ratio {ours / plain:.2f}")


if __name__ == "__main__":
    main()
