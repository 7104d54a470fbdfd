"""What SIGHUP does to a `run`: options from the file, and secrets, are read again."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from bridge import config as options
from bridge.cli.wiring import Site, policy, sites, source_opener, wants_standing
from bridge.config import Config, Option, load_again, taken_by
from bridge.daemon.gate import Manners
from bridge.daemon.logs import facts, log, set_level
from bridge.daemon.loop import Loop
from bridge.daemon.rules import Rules
from bridge.daemon.status import Options
from bridge.model.problem import UsageError
from bridge.ownership.brake import BrakeRule


def rules(config: Config, site: Site) -> Rules:
    """What a loop goes by. Raises UsageError."""
    source = config.get(options.SOURCE)
    manners = Manners(
        settle=config.get(options.SETTLE),
        confirm=0.0 if source.url.startswith("file:") else config.get(options.CONFIRM),
        brake_hold=config.get(options.BRAKE_HOLD),
        standing=wants_standing(config, site.layout),
        dry_run=config.get(options.DRY_RUN),
        leave_on_exit=config.get(options.LEAVE_ON_EXIT),
    )
    brake = BrakeRule(share=config.get(options.BRAKE))
    return Rules(source_opener(config), policy(config), site.layout, manners, brake)


class Reloading:
    """The options of one process, read again whenever it is called."""

    def __init__(self, config: Config, loops: Sequence[Loop]) -> None:
        """`loops`: one for each of the config's sites, in their order."""
        self._config, self._loops = config, loops
        self._status = Options(time.time())

    def status(self) -> Options:
        """How it last went; from any thread."""
        return self._status

    def __call__(self) -> None:
        """Nothing changes where one option is wrong; secrets are read again in any case."""
        merged = self._config
        try:
            now = load_again(self._config, os.environ)
            changed = _differing(self._config, now, live=True)
            merged = _with(self._config, now, changed)
            found = [rules(merged, site) for site in sites(merged)] if changed else [None] * len(self._loops)
        except UsageError as err:
            told = merged.blamed(err)
            reason = facts("not-reloaded", reason=str(told))
            log.error("the options stay as they were: %s; then send SIGHUP again", told, extra=reason)
            self._status = Options(self._status.read_at, is_well=False)
            found, changed = [None] * len(self._loops), []
        else:
            fixed = _differing(self._config, now, live=False)
            self._tell_fixed(now, fixed)
            self._tell_changed(merged, changed, "no option that can change now" if fixed else "no option changed")
            self._status = Options(time.time())
            self._config = merged
        for loop, its in zip(self._loops, found, strict=True):
            loop.reread(its)

    def _tell_fixed(self, now: Config, fixed: Sequence[Option[object]]) -> None:
        for option in fixed:
            before, after = self._config.text(option) or "", now.text(option) or ""
            log.warning(
                "%s stays %r: it is %r now, which only a restart takes up; restart the bridge, or set it back",
                option.name,
                before,
                after,
                extra=facts("needs-restart", option=option.name, before=before, after=after),
            )

    def _tell_changed(self, now: Config, changed: Sequence[Option[object]], otherwise: str) -> None:
        """By the lower of both levels, so that it is heard that the log says less from now on."""
        its = [(option.name, self._config.text(option) or "", now.text(option) or "") for option in changed]
        said = ", ".join(f"{name} {before!r} -> {after!r}" for name, before, after in its)
        listed = [{"name": name, "before": before, "after": after} for name, before, after in its]
        where = self._config.text(options.CONFIG)
        none = f"{otherwise} in {where}" if where else "there is no --config file; variables and flags stay"
        levels = self._config.get(options.LOG_LEVEL), now.get(options.LOG_LEVEL)
        set_level(min(levels, key=list(options.LogLevel).index))
        log.info("read again: %s", said or none, extra=facts("reloaded", options=listed))
        set_level(levels[1])


def _differing(before: Config, after: Config, *, live: bool) -> list[Option[object]]:
    """Those that say another thing; `live`: that may change now, or else only with a restart."""
    rows = (option for option in taken_by(before.command) if option.live is live)
    other = (option for option in rows if before.text(option) != after.text(option))
    return [option for option in other if before.find(option) != after.find(option)]


def _with(before: Config, after: Config, changed: Sequence[Option[object]]) -> Config:
    """`before`, but for what changed."""
    names = {option.name for option in changed}
    kept = {name: one for name, one in before.said.items() if name not in names}
    return Config({**kept, **{name: one for name, one in after.said.items() if name in names}}, before.command)
