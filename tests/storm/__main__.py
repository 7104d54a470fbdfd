"""`python -m tests.storm STORE SEED ROUNDS`: see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.storm.weather import storm


def main() -> None:
    """The exit code says whether every promise was kept."""
    arguments = argparse.ArgumentParser(prog="python -m tests.storm")
    arguments.add_argument("store", choices=["etcd", "consul"])
    arguments.add_argument("seed", type=int)
    arguments.add_argument("rounds", type=int)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = storm(given.store, Path(folder), given.seed, given.rounds)
    print(told)
    if told.faults:
        print(*told.faults, *told.log, sep="\n")
    sys.exit(1 if told.faults else 0)


if __name__ == "__main__":
    main()
