"""Two services that ask for the same requests: both are told, one is published, and who was there first stays."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.labels.rules import parse_rule, write_rule
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.keys import Publisher
from bridge.model.problem import Problem
from bridge.model.route import MODIFIERS, Frontend, Gate, Kind, Matcher, Route, Rule, Verdict
from bridge.model.world import Service, Snapshot
from bridge.routes import Judge, Policy, judge_all
from bridge.routes.contests import length, losses, overlaps, requests, settle
from bridge.stores.memory import Memory, MemoryServer
from bridge.sync import seniority, survey, sync
from bridge.writer import Settings
from tests.commands import Bridge, silent
from tests.publishing import Hurry, Publication, wishes
from tests.servers import EtcdServer
from tests.test_routes import faults, service
from tests.test_run_etcd import Fleet, World, eventually

RULE, PRIORITY, ENTRY_POINTS = "traefik.frontend.rule", "traefik.frontend.priority", "traefik.frontend.entryPoints"
_prefixes = itertools.count(1)

bridge = pytest.fixture(silent)


def asking(name: str, rule: str, **labels: str) -> Service:
    said = {f"traefik.frontend.{label}": text for label, text in labels.items()}
    return service({RULE: rule, **said}, name=name, primary=name, uuid=f"s-{name}")


def judged(*services: Service) -> dict[str, Verdict]:
    return {one.service: one for one in judge_all(Snapshot(services, "e-1"), Policy())}


def published(*rules: str) -> list[str]:
    """Which of web0, web1 and so on, with these rules, are published; a number behind a blank is a priority."""
    said = [rule.partition(" ") for rule in rules]
    services = [
        asking(f"web{at}", rule, **({"priority": number} if number else {}))
        for at, (rule, _, number) in enumerate(said)
    ]
    return [title.removeprefix("shop/web") for title, one in judged(*services).items() if one.route]


# What is proved.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Host:a.org", "Host:a.org"),
        ("Host:a.org,x.org", "Host:y.org,a.org"),
        ("Host:A.org", "Host:a.org"),
        ("Host:a.org;PathPrefix:/x", "PathPrefix:/x;Host:a.org"),
        ("Host:a.org;Path:/x", "Host:a.org;Path:/x;AddPrefix:/p 20"),
        ("Host:a.org;PathPrefix:/x 20", "Host:a.org;PathPrefixStrip:/x 20"),
        ("Host:a.org;PathPrefix:/x 20", "Host:a.org;Path:/x/y 20"),
        ("Host:a.org;PathPrefix:/x 20", "Host:a.org;PathPrefix:/xy 20"),
        ("Host:a.org 20", "Host:a.org;Path:/{x:[a-z]+} 20"),
        ("Host:a.org;Path:/{x} 20", "Host:a.org;PathStripRegex:/{x} 20"),
        ("HostRegexp:a.org", "Host:a.org 16"),
        ("Host:a.org;PathPrefix:/ 20", "Host:a.org 20"),
        ("HostRegexp:{x:[a-z]+}.org", "HostRegexp:{x:[a-z]+}.org"),
        ("PathPrefix:/x", "PathPrefix:/x"),
    ],
)
def test_of_two_that_surely_meet_one_is_published(one: str, other: str) -> None:
    priority = one.partition(" ")[2] or other.partition(" ")[2]
    one, other = (f"{rule.partition(' ')[0]} {priority}".strip() for rule in (one, other))
    assert published(one, other) == ["0"]
    assert published(other, one) == ["0"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Host:a.org", "Host:b.org"),
        ("Host:a.org 20", "Host:a.org 21"),
        ("Host:a.org;Path:/x", "Host:a.org;Path:/y"),
        ("Host:a.org;Path:/x 20", "Host:a.org;PathPrefix:/x/ 20"),
        ("Host:a.org;PathPrefix:/x", "Host:a.org;PathPrefix:/y"),
        ("Host:a.org;Path:/{x:[ab]} 20", "Host:a.org;Path:/{y:[bc]} 20"),
        ("Host:a.org;Method:GET 20", "Host:a.org 20"),
        ("Host:a.org;Method:GET", "Host:a.org;Method:PUT"),
        ("Host:a.org;Headers:X,1", "Host:a.org;Headers:X,1"),
        ("Host:a.org;Query:a=b", "Host:a.org;Query:a=b"),
        ("Host:a.org;Path:/x;Path:/y 20", "Host:a.org 20"),
        ("Host:a.org;HostRegexp:{x:b}.org 20", "Host:a.org 20"),
        ("HostRegexp:{x:[a-z]+}.org 20", "Host:a.org 20"),
        ("Path:/x 20", "Host:a.org 20"),
    ],
)
def test_of_two_that_may_not_meet_both_are_published(one: str, other: str) -> None:
    assert published(one, other) == ["0", "1"]


def test_the_rules_length_is_the_priority_unless_a_label_says_one() -> None:
    """Of unequal ones Traefik gives all to the longer: nothing is left to chance."""
    assert published("Host:a.org,b.org", "Host:a.org") == ["0", "1"]
    assert published("Host:a.org,b.org 10", "Host:a.org") == ["0"]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("http", "http", True),
        ("http,https", "https", True),
        ("http", "https", False),
        ("", "http", False),
        ("", "", True),
    ],
)
def test_they_must_meet_at_one_entry_point(one: str, other: str, meet: bool) -> None:
    """Which ones Traefik takes by default is not known here."""
    first, second = (
        asking(name, "Host:a.org", **({"entryPoints": named} if named else {}))
        for name, named in (("a", one), ("b", other))
    )
    assert [bool(verdict.route) for verdict in judged(first, second).values()] == [True, not meet]


def test_two_frontends_of_one_service_are_no_contest() -> None:
    segments = {f"traefik.{name}.{label}": text for name in "xy" for label, text in {"port": "1"}.items()}
    rules = {f"traefik.{name}.frontend.rule": "Host:a.org" for name in "xy"}
    assert judged(service({**segments, **rules}))["shop/web"].route


RULES = st.lists(
    st.sampled_from([kind for kind in Kind if kind not in MODIFIERS]).flatmap(
        lambda kind: st.builds(Matcher, st.just(kind), st.lists(st.text(max_size=4), min_size=1, max_size=3).map(tuple))
    ),
    min_size=1,
    max_size=3,
).map(lambda matchers: Rule(tuple(matchers)))


@given(RULES)
@example(parse_rule("Host:a.org,b.org;PathPrefix:/\u00e4"))
def test_the_length_is_that_of_the_text(rule: Rule) -> None:
    """In bytes, as Go counts it."""
    try:
        text = write_rule(rule)
    except ValueError:
        return
    assert length(rule) == len(text.encode())


# Who is told.


def test_both_are_told_of_the_other_the_request_and_what_to_do() -> None:
    found = judged(asking("one", "Host:a.org;Path:/x"), asking("two", "Host:a.org;Path:/x"))
    (winner,), (loser,) = faults(found["shop/one"]), faults(found["shop/two"])
    assert (winner.value, loser.value) == ("a.org Path:/x", "a.org Path:/x")
    assert winner.reason.startswith("shop/two asks")
    assert loser.reason.startswith("shop/one asks")
    assert winner.did == "published it alone"
    assert loser.did == "no route"
    assert {one.suggestion for one in (winner, loser)} == {"say traefik.priority, or another host or path"}
    gate = found["shop/two"].gates[-1]
    assert (gate.name, gate.passed, found["shop/two"].route) == ("contest", False, None)
    assert found["shop/one"].gates[-1] == Gate("contest", True, "no other service is published for the same requests")


def test_a_winner_of_many_is_told_once() -> None:
    found = judged(*(asking(f"web{at}", "Host:a.org") for at in range(9)))
    assert [len(faults(one)) for one in found.values()] == [1] * 9
    assert "(and 7 more)" in faults(found["shop/web0"])[0].reason


def test_one_frontend_that_loses_costs_all_of_the_route() -> None:
    labels = {f"traefik.{name}.port": "1" for name in "xy"}
    rules = {"traefik.x.frontend.rule": "Host:a.org", "traefik.y.frontend.rule": "Host:y.org"}
    both = service({**labels, **rules})
    assert [bool(one.route) for one in judged(asking("a", "Host:a.org"), both).values()] == [True, False]


def test_who_loses_takes_nothing_from_a_third() -> None:
    """The second loses to the first, so the third has nobody before it."""
    assert published("Host:a.org", "Host:a.org,b.org 10", "Host:b.org") == ["0", "2"]


def notices(*services: Service) -> dict[str, list[Problem]]:
    found = judged(*services)
    assert all(one.route for one in found.values())
    return {
        title.removeprefix("shop/"): [each for each in one.problems if each.notice and each.did == "published both"]
        for title, one in found.items()
    }


@pytest.mark.parametrize(
    ("taker", "victim"),
    [
        ("Host:a.org,long.example.com", "Host:a.org"),
        ("Host:a.org,long.example.com", "Host:a.org;Path:/x"),
        ("HostRegexp:{x:[a-z]+}.org", "Host:a.org"),
        ("HostRegexp:{any:.+}", "Host:a.org"),
        ("PathPrefix:/;AddPrefix:/x", "Host:a.org"),
        ("PathPrefix:/abcdefghijklm", "Host:a.org;Path:/abcdefghijklm"),
    ],
)
def test_who_takes_what_another_asks_for_is_told_and_so_is_the_other(taker: str, victim: str) -> None:
    found = notices(asking("taker", taker, priority="99"), asking("victim", victim))
    assert [one.reason for one in found["victim"]] == ["shop/taker may take these requests: its rule comes first"]
    assert [one.reason for one in found["taker"] if "shop/victim" in one.reason]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Host:a.org;PathPrefix:/api", "Host:a.org"),
        ("HostRegexp:{x:[a-z]+}.com", "Host:a.org"),
        ("HostRegexp:b{x:[a-z]+}.org", "Host:a.org"),
        ("PathPrefix:/x", "Host:long.example.com"),
        ("PathPrefix:/long/long/long", "Host:a.org"),
    ],
)
def test_who_takes_only_what_is_left_is_not(one: str, other: str) -> None:
    assert notices(asking("one", one), asking("other", other)) == {"one": [], "other": []}


# What holds whoever asks for what: by the requests themselves, apart from how rules are compared.

HOSTS, PATHS = ("a", "b"), ("", "/", "/x", "/x/y", "/xy", "/z")
KINDS = ("Path", "PathPrefix", "PathStrip", "PathPrefixStrip")


@st.composite
def labels(draw: st.DrawFn) -> dict[str, str]:
    """Of a service with one or two frontends whose rules meet those of others more often than not."""
    found = {}
    for segment in draw(st.sampled_from((("",), ("x.", "y.")))):
        hosts = ",".join(draw(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique=True)))
        path = draw(st.sampled_from(PATHS))
        rule = f"Host:{hosts};{draw(st.sampled_from(KINDS))}:{path}" if path else f"Host:{hosts}"
        found[f"traefik.{segment}port"] = "80"
        found[f"traefik.{segment}frontend.rule"] = rule + draw(st.sampled_from(("", "", "", ";Method:GET")))
        found[f"traefik.{segment}frontend.priority"] = draw(st.sampled_from(("", "20", "21")))
        found[f"traefik.{segment}frontend.entryPoints"] = draw(st.sampled_from(("", "", "http", "http,https")))
    return found


def world(asked: Mapping[str, Mapping[str, str]]) -> Snapshot:
    """One service a name."""
    services = (service(dict(said), name=name, primary=name, uuid=f"s-{name}") for name, said in sorted(asked.items()))
    return Snapshot(tuple(services), "e-1")


def takes(frontend: Frontend, host: str, path: str) -> bool:
    """Whether it surely takes this request."""
    for one in frontend.rule.matchers:
        if one.kind is Kind.HOST:
            matches = host in one.values
        elif one.kind in (Kind.PATH, Kind.PATH_STRIP):
            matches = path in one.values
        else:
            matches = one.kind in (Kind.PATH_PREFIX, Kind.PATH_PREFIX_STRIP) and path.startswith(one.values)
        if not matches:
            return False
    return True


def priority(frontend: Frontend) -> int:
    return frontend.priority or len(write_rule(frontend.rule))


def meet(one: Route, other: Route) -> bool:
    """Whether some request surely goes to both, at one entry point and one priority."""
    return any(
        priority(first) == priority(second)
        and (set(first.entry_points) & set(second.entry_points) or not (first.entry_points or second.entry_points))
        and any(takes(first, host, path) and takes(second, host, path) for host in HOSTS for path in PATHS[1:])
        for first in one.frontends
        for second in other.frontends
    )


WORLDS = st.dictionaries(st.sampled_from("abcdef"), labels(), min_size=2, max_size=6)


@given(WORLDS, st.data())
def test_no_request_has_two_winners_and_nobody_loses_to_nobody(
    asked: dict[str, dict[str, str]], data: st.DataObject
) -> None:
    """And the order in which services are told changes nothing."""
    judgement = Judge()(world(asked), Policy())
    ages = {one.service: data.draw(st.tuples(st.integers(0, 2), st.integers(0, 3))) for one in judgement.verdicts}
    routes = {one.service: one.route for one in judgement.verdicts if one.route}

    def rank(route: Route) -> tuple[int, int]:
        return ages[route.title]

    lost = judgement.losses(rank)
    left = {title: route for title, route in routes.items() if title not in lost}
    for one, other in itertools.combinations(left.values(), 2):
        assert not meet(one, other)
    for title, loss in lost.items():
        assert loss.winner in left
        assert meet(routes[title], routes[loss.winner])
        assert (ages[loss.winner], loss.winner) < (ages[title], title)
    settled = {one.service: one for one in judgement.settled(lost)}
    assert {title for title, one in settled.items() if one.route} == left.keys()
    shuffled = data.draw(st.permutations(judgement.verdicts))
    again = overlaps([(one.service, requests(one.route)) for one in shuffled])
    assert {one.service: one for one in settle(shuffled, again, losses(shuffled, again, rank))} == settled


@dataclass
class Cluster:
    """What claims remember, and who is published by them: as `seniority` has it, without a store."""

    claims: dict[str, tuple[int, tuple[Frontend, ...]]]
    revision: int = 0

    def rank(self, route: Route) -> tuple[int, int]:
        created, frontends = self.claims.get(route.title, (0, ()))
        return (2, 0) if not created else (0 if frontends == route.frontends else 1, created)

    def settle(self, asked: Mapping[str, Mapping[str, str]]) -> dict[str, Route]:
        judgement = Judge()(world(asked), Policy())
        found = judgement.settled(judgement.losses(self.rank))
        return {one.service: one.route for one in found if one.route}

    def write(self, wanted: Mapping[str, Route], titles: Iterable[str]) -> None:
        """As much of it as these titles are."""
        for title in titles:
            if title in wanted:
                self.revision += 1
                created, _ = self.claims.get(title, (self.revision, ()))
                self.claims[title] = created, wanted[title].frontends
            else:
                self.claims.pop(title, None)


@given(st.lists(WORLDS, min_size=2, max_size=5), st.data())
@settings(max_examples=40)
def test_whoever_is_published_and_says_the_same_stays_whatever_others_say(
    history: list[dict[str, dict[str, str]]], data: st.DataObject
) -> None:
    """Nor does a pass that was cut half-way, or made again, bring another winner."""
    cluster, before, standing = Cluster({}), dict[str, dict[str, str]](), dict[str, Route]()
    for changes in history:
        asked = {**before, **changes}
        gone = data.draw(st.sets(st.sampled_from(sorted(asked)), max_size=2))
        asked = {name: said for name, said in asked.items() if name not in gone}
        wanted = cluster.settle(asked)
        same = {f"shop/{name}" for name, said in asked.items() if before.get(name) == said}
        assert standing.keys() & same <= wanted.keys()
        titles = sorted(wanted.keys() | cluster.claims.keys())
        cluster.write(wanted, data.draw(st.lists(st.sampled_from(titles), unique=True)) if titles else [])
        assert cluster.settle(asked) == wanted
        cluster.write(wanted, titles)
        assert cluster.settle(asked) == wanted
        before, standing = asked, wanted


# With a store.


def one_shot(server_cluster: str = "default") -> Settings:
    publisher = Publisher(TRAEFIK1, "/traefik/", "bridge/traefik/", server_cluster)
    return Settings(publisher, "e-1", "1", 0, f"r.{next(_prefixes)}", f"t{next(_prefixes)}", read_time=0.5)


def test_a_claim_that_asks_for_the_same_comes_before_an_older_one_that_asked_for_something_else() -> None:
    """Or a service could take what another has by changing its label."""
    store = Memory(MemoryServer())
    old, young = asking("old", "Host:old.org"), asking("young", "Host:www.org")
    for seen in ((old,), (old, young)):
        sync(wishes(Snapshot(seen, "e-1")), store, one_shot(), timing=Hurry().timing)
    rank = seniority(survey(store, one_shot()), TRAEFIK1, "default")
    moved, never = asking("old", "Host:www.org"), asking("never", "Host:www.org")
    routes = [one.route for one in judge_all(Snapshot((young,), "e-1"), Policy())]
    routes += [one.route for each in (moved, never) for one in judge_all(Snapshot((each,), "e-1"), Policy())]
    ranks = [rank(route) for route in routes if route]
    assert len(ranks) == 3
    assert ranks == sorted(ranks)
    assert len({first for first, _ in ranks}) == 3


def test_what_another_cluster_claims_says_nothing_of_this_one() -> None:
    store = Memory(MemoryServer())
    mine = asking("web", "Host:www.org")
    sync(
        wishes(Snapshot((mine,), "e-2"), "other"),
        store,
        replace(one_shot("other"), environment="e-2"),
        timing=Hurry().timing,
    )
    (verdict,) = judge_all(Snapshot((mine,), "e-1"), Policy())
    assert verdict.route
    assert seniority(survey(store, one_shot()), TRAEFIK1, "default")(verdict.route) == (2, 0)


@dataclass
class Www:
    """A world of two services, each of which may ask for www.org by a rule as long as the other's."""

    world: World

    def ask(self, *numbers: int) -> None:
        """Only these do; the others ask for no route."""
        services = self.world.stacks[0]["services"]
        assert isinstance(services, list)
        for at, one in enumerate(services):
            assert isinstance(one, dict)
            labels = one["labels"]
            assert isinstance(labels, dict)
            labels["traefik.enable"] = str(at in numbers).lower()
            labels["traefik.alias.fqdn"] = "www.org"
        self.world.write()


@pytest.fixture
def www(tmp_path: Path) -> Www:
    return Www(World(tmp_path / "world.json"))


@pytest.fixture
def publication(etcd_server: EtcdServer) -> Iterator[Publication]:
    found = Publication(etcd_server, f"contest{next(_prefixes)}")
    yield found
    found.close()


def routed(publication: Publication) -> list[str]:
    """The services that www.org goes to."""
    return sorted(
        path.split("/")[1].partition("__")[0]
        for path, value in publication.published().items()
        if path.endswith("/rule") and "www.org" in value
    )


def test_with_sync_a_newcomer_of_a_smaller_name_gets_nothing_until_the_other_goes(
    bridge: Bridge, www: Www, publication: Publication
) -> None:
    source = ("--source", f"file:{www.world.path}")
    store = ("--store", publication.url, "--read-time", "0.1")
    for numbers, expected in (((1,), "web-1"), ((0, 1), "web-1"), ((0,), "web-0"), ((0, 1), "web-0")):
        www.ask(*numbers)
        ran = bridge("sync", *source, *store)
        assert (ran.code, routed(publication)) == (0, [expected])
        assert ("asks for the same requests" in ran.err) == (len(numbers) == 2)
        since = publication.revision()
        assert bridge("plan", *source, *store, "--exit-code").code == 0
        assert publication.revision() == since
    assert "web-1__" not in bridge("render", *source).out


def test_without_a_store_the_smaller_name_is_shown(bridge: Bridge, www: Www) -> None:
    www.ask(0, 1)
    ran = bridge("render", "--source", f"file:{www.world.path}", "--output", "json")
    found = {key.split("/")[3] for key in json.loads(ran.out) if key.startswith("/traefik/frontends/web")}
    assert found == {"web-0__stack-0"}


def test_with_run_a_newcomer_of_a_smaller_name_gets_nothing_until_the_other_goes(
    www: Www, publication: Publication
) -> None:
    with ExitStack() as stack:
        fleet = Fleet(publication, www.world, stack)
        www.ask(1)
        process = fleet.start()
        eventually(lambda: routed(publication) == ["web-1"], process)
        since = publication.revision()
        www.ask(0, 1)
        eventually(lambda: process.said("stack-0/web-1 asks for the same requests, and is published"), process)
        assert routed(publication) == ["web-1"]
        assert publication.wakes(since) == []
        fleet.stack.pop_all().close()
        again = fleet.start()
        eventually(lambda: again.said("stack-0/web-1 asks for the same requests, and is published"), again)
        assert routed(publication) == ["web-1"]
        stack.callback(again.close)
        www.ask(0)
        eventually(lambda: routed(publication) == ["web-0"], again)
