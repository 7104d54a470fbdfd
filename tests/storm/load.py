"""Requests through a real Traefik 3, all the time, whatever else goes on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from threading import Event, Lock, Thread

from tests.storm.due import Asked
from tests.traefik import TraefikServer

PAUSE = 0.02  # seconds between two requests
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Load:
    """Requests for each host without end. Those must be answered that were asked while they were due all the time."""

    traefik: TraefikServer
    hosts: tuple[str, ...]
    failed: list[str] = field(default_factory=list)
    counted: int = 0
    asked: dict[str, list[Asked]] = field(default_factory=dict)  # by host

    def __post_init__(self) -> None:
        self._lock, self._ended = Lock(), Event()
        self.asked = {host: [] for host in self.hosts}
        self._due = dict.fromkeys(self.hosts, 0)  # 0: not due; else a number of its own each time
        self._armed: dict[str, int] = {}  # the number at which it answered first
        self._last = 0
        self._threads = [Thread(target=self._send, args=(host,), daemon=True) for host in self.hosts]
        for thread in self._threads:
            thread.start()

    def due(self, hosts: frozenset[str]) -> None:
        """These are well somewhere from now on, and the others perhaps not."""
        with self._lock:
            for host in self.hosts:
                if host not in hosts:
                    self._due[host] = 0
                elif not self._due[host]:
                    self._last += 1
                    self._due[host] = self._last

    def is_armed(self, host: str) -> bool:
        """Whether its failures count."""
        return 0 < self._due[host] == self._armed.get(host)

    def _send(self, host: str) -> None:
        while not self._ended.is_set():
            due = self._due[host]
            began = time.monotonic()
            try:
                answer = self.traefik.request(host)
                well, said = answer.status == 200 and answer.server != "", f"{answer.status} {answer.body[:80]}"
            except (OSError, HTTPException) as err:
                well, said = False, repr(err)
            self.asked[host].append(Asked(began, time.monotonic(), well, said))
            with self._lock:
                if well and due:
                    self._armed[host] = due
                if due and self._armed.get(host) == due == self._due[host]:
                    self.counted += 1
                    if not well:
                        self.failed.append(f"{began:.2f} {host}: {said}")
            time.sleep(PAUSE)

    def told_by_traefik(self, began: float, ended: float) -> Iterator[str]:
        """What it said from then to then, each line behind its time on the monotonic clock."""
        clock = time.time() - time.monotonic()
        for line in _COLOUR.sub("", self.traefik.log()).splitlines():
            with suppress(ValueError, IndexError):
                said = datetime.fromisoformat(line.split()[0]).timestamp() - clock
                if began - 1 < said < ended:  # it tells whole seconds
                    yield f"{said:.2f} Traefik: {line}"

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
