"""What is kept from one snapshot to the next changes nothing but the time."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from bridge.labels.types import Address
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.route import Verdict
from bridge.model.world import Container, Service, Snapshot
from bridge.routes import Health, Judge, Judgement, Policy, judge_all
from bridge.routes.contests import all_alike
from bridge.sources.document import snapshot
from bridge.sync import Laid, lay_out
from tests.worlds.generate import document

NATIVE: tuple[dict[str, str], ...] = (
    {"traefik.frontend.rule": "Host:a.org"},
    {"traefik.frontend.rule": "nonsense"},
    {"traefik.admin.port": "81", "traefik.admin.frontend.rule": "Host:b.org"},
    {"traefik.frontend.whiteList.sourceRange": "10.0.0.0/8"},
    {"traefik.frontend.auth.headerField": "X-User"},
)


def mutated(seen: Snapshot, chance: Random) -> Snapshot:
    """The same world but for one service."""
    at = chance.randrange(len(seen.services))
    one = seen.services[at]
    changed: Service = chance.choice(
        (
            replace(one, labels={**one.labels, "traefik.weight": str(chance.randrange(9))}),
            replace(one, labels={**one.labels, "traefik.domain": chance.choice(("a.local", "b.local", "-"))}),
            replace(one, labels={**one.labels, **chance.choice(NATIVE)}),
            replace(one, containers=tuple(_flipped(container, chance) for container in one.containers)),
            replace(one, name=f"{one.name}x", primary=f"{one.name}x"),
            replace(one, uuid=f"{one.uuid}x"),
        )
    )
    services = (*seen.services[:at], changed, *seen.services[at + 1 :])
    return replace(seen, services=services[1:] if len(services) > 6 and chance.random() < 0.1 else services)


def _flipped(container: Container, chance: Random) -> Container:
    return replace(container, health_state=chance.choice(("healthy", "unhealthy")))


def settled(judgement: Judgement) -> tuple[Verdict, ...]:
    return judgement.settled(judgement.losses(all_alike))


def test_kept_verdicts_and_wishes_are_those_that_would_be_made_afresh() -> None:
    chance, judge, laid = Random(7), Judge(), dict[str, Laid]()
    seen = snapshot(document(12, 2), "file:made")
    for _ in range(200):
        seen = mutated(seen, chance)
        policy = Policy(health=chance.choice((Health.AUTO, Health.AUTO, Health.IGNORE)))
        kept = settled(judge(seen, policy))
        afresh = judge_all(seen, policy)
        assert kept == afresh
        assert lay_out(kept, TRAEFIK1, "default", laid) == lay_out(afresh, TRAEFIK1, "default")


def test_a_host_that_got_another_address_is_seen_by_its_own_services_alone() -> None:
    judge, policy = Judge(), Policy(address=Address.HOST)
    seen = snapshot(document(4, 1), "file:made")
    services = [_published(one, at) for at, one in enumerate(seen.services)]
    before = replace(seen, services=tuple(services), hosts={f"h-{at}": f"192.0.2.{at}" for at in range(4)})
    after = replace(before, hosts={**before.hosts, "h-2": "192.0.2.9"})
    first, then = judge(before, policy).verdicts, judge(after, policy).verdicts
    assert then == judge_all(after, policy) != first
    assert [one is other for one, other in zip(first, then, strict=True)] == [True, True, False, True]


def _published(service: Service, at: int) -> Service:
    (container,) = service.containers
    return replace(service, containers=(replace(container, host_uuid=f"h-{at}", ports=("0.0.0.0:32768:8080/tcp",)),))


def test_a_service_that_did_not_change_is_not_judged_again() -> None:
    judge, policy = Judge(), Policy()
    seen = snapshot(document(4, 2), "file:made")
    first = {verdict.service: verdict for verdict in judge(seen, policy).verdicts}
    again = judge(snapshot(document(4, 2), "file:made"), policy).verdicts
    assert again
    assert all(verdict is first[verdict.service] for verdict in again)
