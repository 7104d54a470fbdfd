"""Follow the source and keep the store in step, until it is told to end.

Several of one cluster may run: one leads and writes, the others keep its leases and follow, and take over when it is
gone. SIGTERM ends it within two seconds: another replica leads at once, and the routes stay as long as their lease.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from types import FrameType

from bridge import config as options
from bridge.cli.wiring import LAYOUT, policy, refuse_drafts, settings, source_opener, store_opener
from bridge.config import Config
from bridge.daemon.gate import Manners
from bridge.daemon.loop import Loop
from bridge.daemon.told import one_line
from bridge.layouts import layout
from bridge.model.problem import BridgeError

ENDS_WITHIN = 1.3  # seconds after the signal was seen; what a hung store holds up is left behind
LEAVES_WITHIN = 60.0  # seconds more for --leave-on-exit, beside the read-time
STANDS_STILL = 60.0  # seconds without a sign of the loop: no call of a store may take so long
CHECK = 0.2  # seconds between two looks at the loop

log = logging.getLogger("bridge")


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    refuse_drafts(config)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    loop, manners = _loop(config)
    _say_settings(config, loop)
    outcome: list[int | BaseException] = []
    ended = Event()

    def work() -> None:
        try:
            outcome.append(loop.run())
        except BaseException as err:  # told by the main thread, which would wait for ever otherwise
            outcome.append(err)
        finally:
            ended.set()

    with _signals(loop) as asked:
        thread = Thread(target=work, name="loop", daemon=True)
        thread.start()
        _watch_over(loop, asked, ended)
        patience = ENDS_WITHIN + (LEAVES_WITHIN if manners.leave_on_exit else 0.0)
        if not ended.wait(patience):
            log.warning("ends although the store has not answered: the leadership goes with its lease")
            return 0
    found = outcome[0]
    if isinstance(found, BaseException):
        raise found
    kept = "" if manners.leave_on_exit or manners.dry_run else "; the routes stay on their leases"
    log.info("ended as it was told%s", kept)
    return found


def _say_settings(config: Config, loop: Loop) -> None:
    """Who begins, and what it was told by flags, variables and file together: of a misspelt variable nobody hears."""
    its = loop.settings
    log.info(
        "bridge %s, replica %s of cluster %s: reads %s, publishes to %s, TTL %s%s",
        its.version,
        its.replica,
        its.publisher.cluster,
        one_line(config.get(options.SOURCE).url),
        one_line(config.get(options.STORE).url),
        f"{its.ttl} s" if its.ttl else "for ever",
        "; a dry run: nothing is written" if loop.manners.dry_run else "",
    )


def _loop(config: Config) -> tuple[Loop, Manners]:
    source = config.get(options.SOURCE)
    chosen = settings(config, environment="")
    name = chosen.replica.removesuffix(f".{chosen.token}")
    manners = Manners(
        settle=config.get(options.SETTLE),
        confirm=0.0 if source.url.startswith("file:") else config.get(options.CONFIRM),
        brake_hold=config.get(options.BRAKE_HOLD),
        backstop=not config.get(options.NO_BACKSTOP),
        dry_run=config.get(options.DRY_RUN),
        leave_on_exit=config.get(options.LEAVE_ON_EXIT),
    )
    loop = Loop(
        source_opener(config),
        store_opener(config),
        replace(chosen, replica=name, keeps_ttl=False),
        policy(config),
        layout(LAYOUT),
        manners,
    )
    return loop, manners


def _watch_over(loop: Loop, asked: Event, ended: Event) -> None:
    """Until the loop ends or shall end. A loop that stands still must not look alive. Raises BridgeError."""
    while not asked.is_set() and not ended.wait(CHECK):
        if time.monotonic() - loop.beat > STANDS_STILL:
            raise BridgeError("the loop", "", "it stands still; the process ends, so that it is started again")


@contextmanager
def _signals(loop: Loop) -> Iterator[Event]:
    """SIGTERM and SIGINT end the loop."""
    asked = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        loop.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
