"""`python -m tests.interleavings`: see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from multiprocessing import Pool

from tests.interleavings.breaks import BREAKS, Break
from tests.interleavings.scenarios import LONG
from tests.interleavings.search import Found, explore


def main() -> None:
    """Tell what each scenario, or each break, comes to; the exit code says whether all is as it shall be."""
    arguments = argparse.ArgumentParser(prog="python -m tests.interleavings")
    arguments.add_argument("--states", type=int, default=8_000, help="at most, of each scenario")
    arguments.add_argument("--only", default="", help="a part of a name")
    arguments.add_argument("--breaks", action="store_true", help="break the protocol, one line after the other")
    given = arguments.parse_args()
    numbers = range(len(BREAKS if given.breaks else LONG))
    go = partial(_break if given.breaks else _explore, given.states, given.only)
    with Pool() as pool:
        sys.exit(0 if _told(pool.imap(go, numbers, chunksize=1), broken=given.breaks) else 1)


def _told(results: Iterable[tuple[str, Found] | None], *, broken: bool) -> bool:
    """Whether every one was broken, or none; each is printed as it comes."""
    well, states, seconds = True, 0, 0.0
    for result in results:
        if result is None:
            continue
        name, found = result
        print(f"{name}{found}", flush=True)
        well = well and bool(found.broken) == broken
        states, seconds = states + found.states, seconds + found.seconds
    print(f"{states} states, {seconds:.0f} s of the processor: {'as it shall be' if well else 'NOT as it shall be'}")
    return well


def _explore(states: int, only: str, number: int) -> tuple[str, Found] | None:
    scenario = LONG[number]
    return ("", explore(scenario, states=states)) if only in scenario.name else None


def _break(states: int, only: str, number: int) -> tuple[str, Found] | None:
    one: Break = BREAKS[number]
    if only not in one.name:
        return None
    with one.applied() as scenario:
        return f"{one.name}: ", explore(scenario, states=states, peace=one.costs_peace)


if __name__ == "__main__":
    main()
