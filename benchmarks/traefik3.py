"""How soon a change in Rancher is a changed answer of a real Traefik 3, and which requests rolling changes lose.

A change is one container that takes another's place, told by the metadata service while all is at rest. It is timed
from the service's new version to the first answer of the new container, through Traefik; our share ends when the key
is written, without the pause in which bursts are gathered. Beside it, in the same run: the same key written by a bare
client, which is Traefik's share alone.

Rolling: three containers under constant requests are replaced one after the other, in each way that Rancher has.

python -m benchmarks.traefik3 [--services 100 1000] [--store etcd consul] [--replaced 12] [--throttle 2]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import cast

from benchmarks.daemon import Eyes
from tests.proxied import HOST, Live, Load, Mode, Rolling, container, live, service, under_load, world
from tests.servers import ConsulServer, EtcdServer, free_ports, running_consul, running_etcd
from tests.traefik import PATIENCE, WebServer, until, web_servers
from tests.worlds.generate import Object, stacks

CONTAINERS = 3  # of each other service; nobody asks them
CHANGES = 8
LOOK = 0.002  # seconds between two requests
PAUSE = 2.5  # seconds from one replacement to the next, at least
RATE = 80.0  # requests a second
NATIVE = {"frontend.entryPoints": "web"}  # Traefik 1's vocabulary, which brings no circuit breaker
RETRY = {"backend.buffering.retryExpression": "IsNetworkError() && Attempts() <= 3"}
WAYS: Sequence[tuple[Mode, str, Mapping[str, str]]] = (
    (Mode.OUTLIVES, "", NATIVE),
    (Mode.AT_ONCE, "", NATIVE),
    (Mode.AT_ONCE, "a retry", NATIVE | RETRY),
    (Mode.STOP_FIRST, "", NATIVE),
    (Mode.STOP_FIRST, "a retry", NATIVE | RETRY),
)


@contextmanager
def running(store: str) -> Iterator[tuple[EtcdServer | ConsulServer, Path]]:
    """A store of its own, and a folder for whoever uses it."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, store)
        data.mkdir()
        server = running_consul(data) if store == "consul" else running_etcd(data)
        with server as found:
            yield found, Path(folder)


def first_answer(site: Live, host: str, who: str) -> float:
    """When `who` answered first: monotonic seconds."""
    deadline = monotonic() + PATIENCE
    while site.traefik.request(host).server != who:
        assert monotonic() < deadline, f"{who} never answered"
        sleep(LOOK)
    return monotonic()


def measure(store: str, services: int, throttle: float) -> None:
    """Print how long a change takes among so many services."""
    with ExitStack() as stack:
        server, folder = stack.enter_context(running(store))
        web = stack.enter_context(web_servers("one", "two"))
        others = stacks(services - 1, CONTAINERS)
        both = [others + world([only(web[name])]) for name in web]
        site = stack.enter_context(live(folder, server, [], "--settle", "0", stacks=both[0], throttle=f"{throttle}s"))
        until(lambda: len(site.traefik.objects("routers")), lambda found: found == services)
        until(lambda: frontends(site), lambda found: found > services)  # with the backstop
        took, ours = [], []
        for at in range(1 + CHANGES):  # at the first Traefik may still be busy with all that came at the start
            to = web["two" if at % 2 == 0 else "one"]
            uuid = container(to, of="web")["uuid"]
            key = f"{site.place.root}/http/services/web__shop/loadBalancer/servers/default--{uuid}/url"
            eyes = Eyes(site.place.here, key)
            eyes.wait(stands=False)
            rest(throttle)
            began = monotonic()
            site.metadata.show(cast("list[object]", both[(at + 1) % 2]))  # type: ignore[arg-type]
            took.append(first_answer(site, HOST, to.name) - began)
            ours.append(eyes.wait(stands=True) - began)
        took, ours = took[1:], ours[1:]
        bare = list(by_hand(site, web, throttle))
    share, alone = median(ours), median(bare)
    print(f"{store}, {services} services x {CONTAINERS}, Traefik's throttle {throttle:g} s")
    print(
        f"  change to first answer {1e3 * median(took):.0f} ms (worst of {CHANGES}: {1e3 * max(took):.0f} ms), ", end=""
    )
    print(f"ours until the key is written {1e3 * share:.0f} ms: {share / median(took):.2f} of it")
    print(f"  one key by a bare client to the first answer {1e3 * alone:.0f} ms: {alone / median(took):.2f} of it")


def frontends(site: Live) -> int:
    """How many are published for Traefik 1."""
    return sum(path.endswith("/backend") for path in site.place.here.published())


def only(server: WebServer) -> Object:
    """The service that is asked, with this container alone."""
    labels = {"enable": "true", "port": str(server.port), "domain": "local", **NATIVE}
    return service("web", [container(server, of="web")], labels)


def by_hand(site: Live, web: Mapping[str, WebServer], throttle: float) -> Iterator[float]:
    """Seconds from one key, written by nothing but a client, to the first answer that it makes."""
    base, hand, one = f"{site.place.root}/http", site.place.here.hand, web["one"]
    hand.put(f"{base}/routers/by-hand/rule", "Host(`by-hand.local`)")
    hand.put(f"{base}/services/by-hand/loadBalancer/servers/a/url", f"http://{one.address}:{one.port}")
    for _ in range(CHANGES):
        rest(throttle)
        began = monotonic()
        hand.put(f"{base}/routers/by-hand/service", "by-hand")
        yield first_answer(site, "by-hand.local", one.name) - began
        hand.delete(f"{base}/routers/by-hand/service")
        until(lambda: site.traefik.request("by-hand.local").status, lambda status: status == 404)


def rest(throttle: float) -> None:
    """Until Traefik has done with what came before: after each piece of news, also of no change, it pauses so long."""
    sleep(2 * throttle + 1)


def roll(store: str, mode: Mode, labels: Mapping[str, str], replaced: int, throttle: float) -> tuple[int, int]:
    """How many requests were sent, and how many failed."""
    (port,) = free_ports(1)
    rolling = Rolling(port, throttle, labels)
    rolling.start(3)
    with running(store) as (server, folder), live(folder, server, [rolling.service()], throttle=f"{throttle}s") as site:
        load = Load(site.traefik, HOST, rate=RATE)
        with under_load(load):
            load.go_on()
            for _ in range(replaced):
                began = monotonic()
                rolling.replace(site, mode)
                sleep(max(0.0, began + PAUSE - monotonic()))
            load.go_on()
    rolling.stop()
    return len(load.answers), len(load.failed())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, nargs="*", default=(100, 1000))
    parser.add_argument("--store", nargs="+", choices=("etcd", "consul"), default=("etcd", "consul"))
    parser.add_argument("--replaced", type=int, default=12, help="containers in each way; 0: leave it out")
    parser.add_argument("--throttle", type=float, default=2.0, help="Traefik's, in seconds")
    asked = parser.parse_args()
    for store in asked.store:
        for services in asked.services:
            measure(store, services, asked.throttle)
        if not asked.replaced:
            continue
        print(f"{store}, {asked.replaced} of 3 containers replaced one by one, {RATE:.0f} requests a second:")
        for mode, beside, labels in WAYS:
            sent, failed = roll(store, mode, labels, asked.replaced, asked.throttle)
            with_what = f"{mode.value}{f', {beside}' if beside else ''}"
            print(f"  {with_what:70} {failed:5} of {sent} failed ({100 * failed / sent:.1f} %)", flush=True)


if __name__ == "__main__":
    main()
