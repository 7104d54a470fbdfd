"""What every story does: it opens a Traefik to visitors, and leaves nothing in the store."""

from __future__ import annotations

import time

from bridge.demo.ledger import Ledger, named
from bridge.demo.stage import PREFIX, Stage
from bridge.demo.tell import quote, result
from bridge.demo.traefik import start_traefik
from bridge.demo.traffic import Traffic


class Plot:
    """A stage, what stands in its store, and who comes through its Traefik. What raises, raises BridgeError."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.ledger = stage, Ledger(stage)
        self._traffic: Traffic | None = None

    @property
    def traffic(self) -> Traffic:
        """What comes through Traefik, once it serves."""
        assert self._traffic is not None, "nothing is served yet"
        return self._traffic

    def open(self, host: str) -> Traffic:
        """A real Traefik 3 reads the store, for visitors of `host`, who have not come yet."""
        traefik = start_traefik(self.stage.children, self.stage.traefik, self.stage.etcd.endpoint, PREFIX)
        self._traffic = Traffic(self.stage, traefik, host)
        return self._traffic

    def leave(self, *more: str) -> None:
        """The last bridge ends and removes the last key; `more`: which cluster's."""
        requests = self.traffic.end()
        (replica,) = self.stage.bridges
        self.stage.end(replica)
        began = time.monotonic()
        arguments = ["leave", "--layout", self.ledger.layouts, *more]
        self.stage.title("The bridge goes for good", " ".join(("bridge", *arguments)))
        result(f"The visitors have gone home: {requests}")
        for line in self.stage.run_bridge(*arguments):
            quote(line)
        left = self.ledger.look().items
        self.stage.check(not left, f"etcd still holds {named(left)}")
        result(f"of {len(self.ledger.last.items)} keys and records {len(left)} are left", time.monotonic() - began)
        self.traffic.once(lambda found: found.said == "status 404", "Traefik serves no more")
        result(f"Traefik answers 404 for {self.traffic.host}")
