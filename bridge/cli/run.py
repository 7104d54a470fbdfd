"""Follow the source and keep the store in step, until it is told to end.

Several of one cluster may run: one leads and writes, the others keep its leases and follow, and take over when it is
gone. SIGTERM ends it within two seconds: another replica leads at once, and the routes stay as long as their lease.
SIGHUP has it read the --config file again, and secrets and certificates from their files.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from types import FrameType

from bridge import __version__
from bridge import config as options
from bridge.cli.reload import Reloading, rules
from bridge.cli.wiring import Site, refuse_drafts, settings, sites, store_opener
from bridge.config import Config
from bridge.daemon.logs import facts, log, set_up
from bridge.daemon.loop import Loop
from bridge.daemon.told import Known
from bridge.model.problem import BridgeError, UsageError

ENDS_WITHIN = 1.3  # seconds after the signal was seen; what a hung store holds up is left behind
LEAVES_WITHIN = 60.0  # seconds more for --leave-on-exit, beside the read-time
STANDS_STILL = 60.0  # seconds without a sign of the loop: no call of a store may take so long
CHECK = 0.2  # seconds between two looks at the loop
PAUSED = 5.0  # seconds from one look to the next: not the loop stood still, but the process, or its machine


def run(config: Config) -> int:
    """The exit code. What ends it is the last line of its log, in the log's form."""
    several = len(config.get(options.LAYOUT)) > 1
    form, level = config.get(options.LOG_FORMAT), config.get(options.LOG_LEVEL)
    set_up(form, level, config.get(options.CLUSTER), names_layout=several)
    try:
        return _run(config)
    except BridgeError as err:
        told = config.blamed(err) if isinstance(err, UsageError) else err
        log.error("%s", told, extra=facts("failed-for-good", reason=str(told), code=err.exit_code))
        return err.exit_code
    except Exception as err:
        its = facts("fault", what="run", code=BridgeError.exit_code)
        log.error("a fault of the bridge itself: please report it", exc_info=err, extra=its)
        return BridgeError.exit_code


def _run(config: Config) -> int:
    refuse_drafts(config)
    found, known = sites(config), Known()
    loops = [_loop(config, site, known) for site in found]
    manners = loops[0].manners
    running = [_Running(loop) for loop in loops]
    reload = Reloading(config, loops)
    with _signals(loops) as (asked, again):
        for loop in loops:
            _say_settings(config, loop)
        _serve(config, loops, reload)
        for one in running:
            one.thread.start()
        _watch_over(running, asked, again, reload)
        for loop in loops:
            loop.stop()
        until = time.monotonic() + ENDS_WITHIN + (LEAVES_WITHIN if manners.leave_on_exit else 0.0)
        if not all(one.ended.wait(max(0.0, until - time.monotonic())) for one in running):
            its = facts("ended", reason="the store has not answered")
            log.warning("ends although the store has not answered: the leadership goes with its lease", extra=its)
            return 0
    for one in running:
        if one.error is not None:
            raise one.error
    kept = "" if manners.leave_on_exit or manners.dry_run else "; the routes stay on their leases"
    log.info("ended as it was told%s", kept, extra=facts("ended", reason="it was told so"))
    return max(one.code for one in running)


class _Running:
    """A loop in a thread of its own."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.ended = loop, Event()
        self.code = 0
        self.error: BaseException | None = None
        self.thread = Thread(target=self._work, name=loop.settings.publisher.layout.name, daemon=True)

    def _work(self) -> None:
        try:
            self.code = self.loop.run()
        except BaseException as err:  # told by the main thread, which would wait for ever otherwise
            self.error = err
        finally:
            self.ended.set()


def _say_settings(config: Config, loop: Loop) -> None:
    """Who begins, and what it was told by flags, variables and file together: of a misspelt variable nobody hears."""
    its = loop.settings
    publisher, ttl = its.publisher, f"{its.ttl} s" if its.ttl else "for ever"
    source, store = config.get(options.SOURCE).url, config.get(options.STORE).url
    told = facts(
        "started",
        version=its.version,
        replica=its.replica,
        layout=publisher.layout.name,
        source=source,
        store=store,
        prefix=publisher.tree,
        ttl=its.ttl,
        dry_run=loop.manners.dry_run,
    )
    log.info(
        "bridge %s, replica %s of cluster %s: reads %s, publishes %s to %s%s, TTL %s%s",
        its.version,
        its.replica,
        publisher.cluster,
        source,
        publisher.layout.name,
        store,
        f", below {publisher.tree}" if any(one.prefix for one in config.get(options.LAYOUT)) else "",
        ttl,
        "; a dry run: nothing is written" if loop.manners.dry_run else "",
        extra=told,
    )


def _loop(config: Config, site: Site, known: Known) -> Loop:
    chosen = settings(config, site, environment="")
    name = chosen.replica.removesuffix(f".{chosen.token}")
    its = rules(config, site)
    return Loop(
        its.open_source,
        store_opener(config, site),
        replace(chosen, replica=name, keeps_ttl=False),
        its.policy,
        its.layout,
        its.manners,
        known,
    )


def _serve(config: Config, loops: Sequence[Loop], reload: Reloading) -> None:
    """Answer requests from now on, where that was asked for. Raises UsageError where its address cannot be had."""
    listen = config.find(options.HTTP)
    if listen is None:
        return
    from bridge.web.board import Board  # what it needs takes longer to load than all else
    from bridge.web.server import serve

    serve(Board(__version__, tuple(loops), reload.status), listen.host, listen.port)
    log.info(
        "shows its page at http://%s, and answers /healthz, /readyz and /metrics",
        listen,
        extra=facts("serves", url=f"http://{listen}"),
    )


def _watch_over(running: Sequence[_Running], asked: Event, again: Event, reload: Callable[[], None]) -> None:
    """Until one ends or shall end; `again` asks for a `reload`, which is made here and not in a signal's handler.

    A loop that stands still must not look alive; one that was paused with all of its process gets time to go on.
    Raises BridgeError.
    """
    looked = awake_since = time.monotonic()
    while not asked.is_set() and not any(one.ended.is_set() for one in running):
        asked.wait(CHECK)
        if again.is_set():
            again.clear()
            reload()
        now = time.monotonic()
        if now - looked > PAUSED:
            awake_since = now
        looked = now
        if any(now - max(one.loop.beat, awake_since) > STANDS_STILL for one in running):
            raise BridgeError("the loop", "", "it stands still; the process ends, so that it is started again")


@contextmanager
def _signals(loops: Sequence[Loop]) -> Iterator[tuple[Event, Event]]:
    """SIGTERM and SIGINT end the loops and set the first event; SIGHUP sets the second."""
    asked, again = Event(), Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        for loop in loops:
            loop.stop()

    def ask_again(_number: int, _frame: FrameType | None) -> None:
        again.set()

    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: ask_again}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield asked, again
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
