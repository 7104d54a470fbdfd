"""Source `compose`: what a stack's files will be once they run, and errors that name the file and the line."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.labels.rules import write_rule
from bridge.model.problem import UsageError
from bridge.model.world import Service, Snapshot
from bridge.routes import Health, Policy, judge_all
from bridge.sources import open_source
from bridge.sources.base import SourceError
from bridge.sources.compose import ComposeSource, from_url
from bridge.sources.document import snapshot
from bridge.sources.variables import fill

SAMPLES = Path(__file__).parent / "samples"
REAL = SAMPLES / "compose"


def source(folder: Path, compose: str, rancher: str = "", ending: str = ".yml") -> ComposeSource:
    """The source of a folder with these files."""
    folder.mkdir(exist_ok=True)
    (folder / f"docker-compose{ending}").write_text(compose)
    if rancher:
        (folder / f"rancher-compose{ending}").write_text(rancher)
    return from_url(f"compose:{folder}", hosts=False)


def read(folder: Path, compose: str, rancher: str = "") -> Snapshot:
    return source(folder / "shop", compose, rancher).read()


def services(found: Snapshot) -> Mapping[str, Service]:
    return {service.title: service for service in found.services}


def one(folder: Path, compose: str, rancher: str = "") -> Service:
    """The service `web` of stack `shop`."""
    return services(read(folder, compose, rancher))["shop/web"]


def refused(folder: Path, compose: str, rancher: str = "") -> str:
    with pytest.raises(SourceError) as caught:
        read(folder, compose, rancher)
    return str(caught.value)


# Real stacks.


def test_real_stacks_have_the_services_and_labels_that_rancher_showed_of_them() -> None:
    """Kinds, labels, sidekicks and health checks, as the metadata service's answer for the same stacks has them."""
    shown = snapshot((SAMPLES / "real.stacks.json").read_bytes(), "file:real")
    read = services(open_source(f"compose:{REAL}").read())
    assert read.keys() == {service.title for service in shown.services}
    for service in shown.services:
        ours = read[service.title]
        assert (ours.kind, ours.labels, ours.primary) == (service.kind, service.labels, service.primary), service.title
        if ours.has_check != service.has_check:  # that answer has one more: on a labelled service without
            assert service.labels
            assert service.has_check
        assert ours.links == service.links


def test_real_stacks_ask_for_the_routes_that_their_owners_meant() -> None:
    verdicts = judge_all(open_source(f"compose:{REAL}").read(), Policy())
    rules = {
        verdict.service: [write_rule(frontend.rule) for frontend in verdict.route.frontends]
        for verdict in verdicts
        if verdict.route
    }
    assert rules == {
        "apix/backend": ["Host:api.example.net"],
        "apix/client": ["Host:app.example.net,www.app.example.net"],
        "cloud9/cloud9-sdk": ["Host:cloud9.dev.local"],
        "elk/kibana": ["Host:elk.example.net,logs.example.net"],
        "redmine/redmine": ["Host:redmine.redmine.example.net,redmine.example.net"],
    }


def test_one_folder_is_one_stack_of_its_name_or_of_the_one_that_is_said() -> None:
    assert {service.stack for service in open_source(f"compose:{REAL / 'redmine'}").read().services} == {"redmine"}
    said = open_source(f"compose:{REAL / 'redmine'}?stack=Tickets").read()
    assert {service.stack for service in said.services} == {"tickets"}


# Files.

WEB = "web:\n  image: nginx\n  labels:\n    traefik.enable: true\n"


@pytest.mark.parametrize(
    "text",
    [WEB, f"version: '2'\nservices:\n  {WEB.replace(chr(10), chr(10) + '  ')}"],
    ids=["version 1", "version 2"],
)
def test_both_versions_of_the_format_are_read(tmp_path: Path, text: str) -> None:
    assert one(tmp_path, text).labels == {"traefik.enable": "true"}


def test_files_may_end_in_yaml(tmp_path: Path) -> None:
    found = source(tmp_path / "shop", WEB, "web:\n  scale: 2\n", ".yaml").read()
    assert len(found.services[0].containers) == 2


def test_labels_may_be_a_list(tmp_path: Path) -> None:
    text = (
        "web:\n  image: x\n  labels:\n  - traefik.enable=true\n  - traefik.frontend.rule=Query:a=b\n  - traefik.acme\n"
    )
    assert one(tmp_path, text).labels == {
        "traefik.enable": "true",
        "traefik.frontend.rule": "Query:a=b",
        "traefik.acme": "",
    }


@pytest.mark.parametrize("text", ["8080", "1.50", "yes", "0x10", "010", "true", "1_000"])
def test_a_label_is_the_text_that_was_written(tmp_path: Path, text: str) -> None:
    assert one(tmp_path, f"web:\n  image: x\n  labels:\n    traefik.port: {text}\n").labels == {"traefik.port": text}


def test_ports_keep_their_order(tmp_path: Path) -> None:
    assert one(tmp_path, "web:\n  ports:\n  - '9443:443'\n  - '9080:80'\n").ports == ("9443:443", "9080:80")


def test_null_is_an_empty_label(tmp_path: Path) -> None:
    assert one(tmp_path, "web:\n  labels:\n    traefik.port:\n    traefik.domain: ~\n").labels == {
        "traefik.port": "",
        "traefik.domain": "",
    }


def test_an_item_of_a_list_that_is_a_mapping_is_a_problem_and_protects_all_the_same(tmp_path: Path) -> None:
    """Compose refuses the file; dropped, the service would look as if it asked for no password."""
    text = (
        "web:\n  image: x\n  labels:\n  - traefik.enable=true\n  - traefik.frontend.auth.basic.users: u\n"
        "    io.other: x\n  - traefik.port: 80\n"
    )
    found = source(tmp_path / "shop", text)
    world = found.read()
    assert world.services[0].labels == {
        "traefik.enable": "true",
        "traefik.frontend.auth.basic.users": "u",
        "traefik.port": "80",
    }
    names = ("traefik.frontend.auth.basic.users", "traefik.port")
    assert [(one.label, one.did, one.notice) for one in world.problems] == [
        (name, "read it as NAME=VALUE", False) for name in names
    ]
    lines = [place.line for name in names if (place := found.locate("shop/web", name))]
    assert lines == [5, 7]


def test_blanks_around_the_name_in_an_item_are_its_own_as_for_rancher(tmp_path: Path) -> None:
    assert one(tmp_path, "web:\n  labels:\n  - traefik.port =80\n").labels == {"traefik.port ": "80"}


def test_an_items_name_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "web:\n  labels:\n  - ${A_LABEL}\n"
    found = read(tmp_path, text)
    assert (found.services[0].labels, [problem.label for problem in found.problems]) == ({}, ["${A_LABEL}"])
    monkeypatch.setenv("A_LABEL", "traefik.port=80")
    assert one(tmp_path, text).labels == {"traefik.port": "80"}


@pytest.mark.parametrize(
    "label",
    [
        "traefik.frontend.headers.customRequestHeaders: X-Token:ab$s3cret",
        "traefik.admin.frontend.headers.SSLProxyHeaders: X:${s3cret}",
        "traefik.backend.healthcheck.headers: X:$s3cret",
        "traefik.frontend.auth.basic.users: me:$apr1$s3cret",
        "traefik.frontend.basic.usrs: me:$apr1$s3cret",
        "TRAEFIK.FRONTEND.AUTH: me:$apr1$s3cret",
        "traefik.frontend.auth.basic.users:me:{SHA}s3cret: x",
        "traefik.whatever:s3cret: x",
    ],
)
@pytest.mark.parametrize("form", ["    {}\n", "  - {}\n"])
def test_no_problem_tells_a_part_of_a_secret_as_if_it_were_a_variables_name(
    tmp_path: Path, form: str, label: str
) -> None:
    world = read(tmp_path, f"web:\n  image: x\n  labels:\n{form.format(label)}{form.format('traefik.enable: true')}")
    verdicts = judge_all(world, Policy(health=Health.OPTIONAL))
    problems = [*world.problems, *(problem for verdict in verdicts for problem in verdict.problems)]
    assert problems
    assert "s3cret" not in repr(problems)
    assert "s3cret" not in repr([verdict.gates for verdict in verdicts])


def test_anchors_and_merges_are_followed(tmp_path: Path) -> None:
    text = (
        "base: &base\n  image: x\n  labels: &labels {traefik.enable: 'true', traefik.port: '80'}\n"
        "web:\n  <<: *base\n  labels:\n    <<: *labels\n    traefik.port: '8080'\n"
    )
    assert one(tmp_path, text).labels == {"traefik.enable": "true", "traefik.port": "8080"}


@pytest.mark.parametrize("form", ["    '{}': x\n", "  - '{}=x'\n"])
def test_a_label_of_ours_by_a_slip_is_read(tmp_path: Path, form: str) -> None:
    for name in ("Traefik.frontend.auth", "traefik-frontend.auth", "TRAEFIK_PORT"):
        found = source(tmp_path / "shop", f"web:\n  labels:\n{form.format(name)}")
        (web,) = found.read().services
        assert web.labels == {name: "x"}
        place = found.locate("shop/web", name)
        assert place
        assert place.line == 3


def test_a_protection_whose_variable_has_no_value_costs_the_route(tmp_path: Path) -> None:
    text = (
        "web:\n  image: x\n  labels:\n    traefik.enable: 'true'\n    traefik.port: '80'\n"
        "    traefik.frontend.whiteList.sourceRange: ${{NO_SUCH_RANGE{}}}\n"
    )
    for default, published in ((":-", False), ("", False), (":-10.0.0.0/8", True)):
        (verdict,) = judge_all(read(tmp_path, text.format(default)), Policy(health=Health.OPTIONAL))
        assert bool(verdict.route) is published


def test_labels_of_others_are_left_out(tmp_path: Path) -> None:
    assert one(tmp_path, "web:\n  labels:\n    io.rancher.x: y\n    traefik.port: 80\n").labels == {
        "traefik.port": "80"
    }


# What a running stack has.


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("nginx:1", "service"),
        ("rancher/lb-service-haproxy:v0.9.1", "loadBalancerService"),
        ("rancher/load-balancer-service", "loadBalancerService"),
        ("rancher/dns-service", "dnsService"),
        ("rancher/external-service", "externalService"),
        ("my/rancher/dns-service", "service"),
        ("registry:5000/rancher-dns", "service"),
    ],
)
def test_the_image_tells_the_kind(tmp_path: Path, image: str, kind: str) -> None:
    assert one(tmp_path, f"web:\n  image: {image}\n").kind == kind


def test_an_external_service_has_its_addresses(tmp_path: Path) -> None:
    found = one(tmp_path, "web:\n  image: rancher/external-service\n", "web:\n  external_ips: [10.0.0.2, 10.0.0.1]\n")
    assert (found.external_ips, found.containers) == (("10.0.0.1", "10.0.0.2"), ())
    found = one(tmp_path, "web:\n  image: rancher/external-service\n", "web:\n  hostname: db.example.org\n")
    assert found.hostname == "db.example.org"


def test_an_alias_has_its_links(tmp_path: Path) -> None:
    text = (
        "web:\n  image: rancher/dns-service\n  links: [Db:base]\n  external_links: ['other/Cache:c']\ndb: {image: x}\n"
    )
    assert one(tmp_path, text).links == ("other/cache", "shop/db")


def test_containers_are_as_many_as_the_scale_says_running_healthy_and_apart(tmp_path: Path) -> None:
    found = one(tmp_path, WEB, "web:\n  scale: 3\n  health_check:\n    port: 80\n")
    assert found.has_check
    assert {(one.state, one.health_state) for one in found.containers} == {("running", "healthy")}
    assert len({one.address for one in found.containers}) == len({one.uuid for one in found.containers}) == 3
    assert {one.labels == found.labels for one in found.containers} == {True}


def test_without_a_health_check_no_container_counts_as_healthy(tmp_path: Path) -> None:
    """As Rancher has it: a label that needs one is told in the file already."""
    found = one(tmp_path, WEB, "web:\n  health_check:\n    interval: 2000\n")
    assert (found.has_check, [one.health_state for one in found.containers]) == (False, [""])


def test_containers_that_run_once_have_stopped(tmp_path: Path) -> None:
    text = "web:\n  image: x\n  labels:\n    io.rancher.container.start_once: true\n"
    assert [one.state for one in one(tmp_path, text).containers] == ["stopped"]


@pytest.mark.parametrize(("scale", "containers"), [("0", 0), ("many", 1), ("100000000", 100)])
def test_an_odd_scale_costs_nothing_else(tmp_path: Path, scale: str, containers: int) -> None:
    found = read(tmp_path, WEB, f"web:\n  scale: {scale}\n")
    assert len(found.services[0].containers) == containers
    assert [problem.label for problem in found.problems] == ([] if scale == "0" else ["scale"])


def test_a_sidekick_belongs_to_its_primary_and_scales_with_it(tmp_path: Path) -> None:
    text = "web:\n  labels:\n    io.rancher.sidekicks: Data, logs\nData:\n  image: x\nlogs:\n  image: x\n"
    found = services(read(tmp_path, text, "web:\n  scale: 2\n"))
    assert {one.primary for one in found.values()} == {"web"}
    assert len({one.uuid for one in found.values()}) == 1
    assert [one.name for one in found["shop/data"].containers] == ["shop-web-data-1", "shop-web-data-2"]


def test_published_ports_are_reached_at_the_hosts(tmp_path: Path) -> None:
    text = "web:\n  ports: ['8080:80', '443', '127.0.0.1:9:9', '53:53/udp', '1000-1010:1000-1010']\n"
    found = read(tmp_path, text)
    container = found.services[0].containers[0]
    assert "0.0.0.0:8080:80/tcp" in container.ports
    assert "127.0.0.1:9:9/tcp" in container.ports
    assert "0.0.0.0:53:53/udp" in container.ports
    assert any(port.endswith(":443/tcp") for port in container.ports)
    assert found.hosts[container.host_uuid].startswith("192.0.2.")


def test_on_its_hosts_network_a_container_has_its_hosts_address(tmp_path: Path) -> None:
    found = read(tmp_path, "web:\n  net: host\n")
    container = found.services[0].containers[0]
    assert container.address == found.hosts[container.host_uuid]


def test_a_route_shows_its_servers(tmp_path: Path) -> None:
    found = read(tmp_path, WEB, "web:\n  scale: 2\n  health_check: {port: 80}\n")
    (verdict,) = judge_all(found, Policy(health=Health.REQUIRE))
    assert verdict.route
    assert len(verdict.route.backends[0].servers) == 2


def test_two_readings_are_equal() -> None:
    assert open_source(f"compose:{REAL}").read() == open_source(f"compose:{REAL}").read()


# Variables.


def test_variables_come_from_the_environment_then_from_questions_then_from_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOMAIN", "from.environment")
    compose = (
        "web:\n  labels:\n    traefik.domain: ${DOMAIN}\n    traefik.port: ${PORT}\n    traefik.alias: a-${NAME:-x}$$\n"
    )
    questions = "[{variable: PORT, default: 8080}, {variable: DOMAIN, default: from.question}]"
    rancher = f".catalog:\n  questions: {questions}\n"
    assert one(tmp_path, compose, rancher).labels == {
        "traefik.domain": "from.environment",
        "traefik.port": "8080",
        "traefik.alias": "a-x$",
    }


def test_a_variable_without_a_value_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, "web:\n  labels:\n    traefik.domain: ${NO_SUCH_VARIABLE}.example.org\n")
    assert found.services[0].labels == {"traefik.domain": ".example.org"}
    (problem,) = found.problems
    assert (problem.service, problem.label) == ("shop/web", "traefik.domain")
    assert "NO_SUCH_VARIABLE has no value" in problem.reason


def test_of_a_password_with_dollars_nothing_is_told(tmp_path: Path) -> None:
    """Each dollar of a hash should have been two, so its parts pass for names of variables."""
    text = "web:\n  labels:\n    traefik.frontend.auth.basic.users: bob:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/\n"
    (problem,) = read(tmp_path, text).problems
    assert "$$" in problem.reason
    assert not any(part in str(problem) for part in ("apr1", "H6uskkkW", "IgXLP"))


def test_variables_of_what_is_not_read_are_nobodys_problem(tmp_path: Path) -> None:
    text = "web:\n  image: x:${TAG}\n  environment: {A: '${B}'}\n  labels:\n    other: ${C}\n    traefik.port: 80\n"
    assert read(tmp_path, text).problems == ()


@pytest.mark.parametrize(
    ("text", "filled", "missing", "stray"),
    [
        ("a$$b", "a$b", (), False),
        ("$A-${A}", "1-1", (), False),
        ("${B:-x}${B-x}", "x", (), False),
        ("${C:-x}${C-y}${C:-}", "xy", (), False),
        ("${C}$D", "", ("C", "D"), False),
        ("5$", "5$", (), True),
        ("${A", "${A", (), True),
        ("$$$A", "$1", (), False),
    ],
)
def test_variables_are_filled_in_as_composes_do(text: str, filled: str, missing: tuple[str, ...], stray: bool) -> None:
    found = fill(text, {"A": "1", "B": ""})
    assert (found.text, found.missing, found.stray) == (filled, missing, stray)


# What cannot be read.


@pytest.mark.parametrize(
    ("compose", "line", "why"),
    [
        ("web:\n  image: x\n  image: y\n", 3, "the key 'image' stands twice, first on line 2"),
        ("web:\n  labels:\n    a: 1\n    a: 2\n", 4, "stands twice"),
        ("web:\n  image: x\nWeb:\n  image: y\n", 3, "services web and Web have one name"),
        ("web: [\n", 2, "is no YAML"),
        ("web:\n\timage: x\n", 2, "is no YAML"),
        ("- web\n", 1, "holds no services"),
        ("web: x\n", 1, "service web is no mapping"),
        ("version: '2'\nservices: [web]\n", 2, "services is no mapping"),
        ("web: &a\n  x: *a\n", 1, "an alias stands within its own anchor"),
        ("web:\n  labels:\n    traefik.port: [80]\n", 3, "the value of label traefik.port is no text"),
        ("web:\n  labels:\n  - [traefik.port=80]\n", 3, "an item of labels is a list"),
        ("web:\n  labels: traefik.port=80\n", 2, "labels is neither a mapping nor a list"),
        ("a: 1\n--- \nb: 2\n", 2, "is no YAML"),
        ("web:\n  x: \x01\n", 2, "is no YAML"),
        ("? [a]\n: b\n", 1, "a key is no text"),
        ('web:\n  image: x\n{{- if eq .Values.LB "true"}}\n  ports: [80]\n{{- end}}\n', 3, "render it first"),
        ("web:\n  image: ${IMAGE}\n  hostname: {{ .Values.HOST }}\n", 3, "render it first"),
    ],
)
def test_an_error_names_the_file_and_the_line(tmp_path: Path, compose: str, line: int, why: str) -> None:
    told = refused(tmp_path, compose)
    assert f"docker-compose.yml, line {line}: " in told
    assert why in told


def test_an_error_in_the_other_file_names_that(tmp_path: Path) -> None:
    assert "rancher-compose.yml, line 1: service web is no mapping" in refused(tmp_path, WEB, "web: 3\n")


def test_nothing_but_a_template_says_so(tmp_path: Path) -> None:
    found = source(tmp_path / "shop", WEB, ending=".yml.tpl")
    with pytest.raises(SourceError, match="is a template; render it first"):
        found.read()


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    found = source(tmp_path / "shop", WEB)
    (tmp_path / "shop" / "docker-compose.yml").write_bytes(b"web:\n  image: \xff\n")
    with pytest.raises(SourceError, match="line 2: is no UTF-8"):
        found.read()


def test_aliases_of_aliases_cost_no_more_than_they_are_long(tmp_path: Path) -> None:
    levels = "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 30))
    assert "service a0 is no mapping" in refused(tmp_path, f"a0: &a0 x\n{levels}")


def test_a_folder_without_files_and_two_spellings_are_told(tmp_path: Path) -> None:
    for folder, why in ((tmp_path / "none", "no such folder"), (tmp_path, "no docker-compose.yml")):
        with pytest.raises(SourceError, match=why):
            from_url(f"compose:{folder}", hosts=False).read()
    found = source(tmp_path, WEB)
    (tmp_path / "docker-compose.yaml").write_text(WEB)
    with pytest.raises(SourceError, match="both stand there"):
        found.read()


@pytest.mark.parametrize("url", ["compose:", "compose://x", "compose:x?stack=", "compose:x?name=y"])
def test_a_url_that_names_no_folder_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="use compose:DIR"):
        open_source(url)


def test_several_stacks_have_their_own_names(tmp_path: Path) -> None:
    source(tmp_path / "a", WEB)
    with pytest.raises(SourceError, match="here are several"):
        from_url(f"compose:{tmp_path}?stack=x", hosts=False).read()


def test_what_stands_in_rancher_compose_alone_is_left_out_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, WEB, "web: {scale: 1}\nghost: {scale: 1}\n")
    assert [service.name for service in found.services] == ["web"]
    assert [(problem.service, problem.did) for problem in found.problems] == [("shop/ghost", "left it out")]


def test_what_it_extends_is_not_read_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, "web:\n  extends: {file: a.yml, service: b}\n  labels: {traefik.port: 80}\n")
    assert [problem.label for problem in found.problems] == ["extends"]


def test_a_label_is_found_again_by_file_and_line(tmp_path: Path) -> None:
    found = source(tmp_path / "shop", WEB)
    found.read()
    place, service = found.locate("shop/web", "traefik.enable"), found.locate("shop/web", "traefik.none")
    assert place
    assert service
    assert (Path(place.file).name, place.line, service.line) == ("docker-compose.yml", 4, 1)
    assert found.locate("shop/other", "") is None


TEXTS = st.text(st.sampled_from("web:\n -{}[]$&*!|>'\"#%@`,?/.=\tk1\\é\x00"), max_size=60)


@given(TEXTS, TEXTS)
def test_whatever_stands_there_only_source_errors_are_raised(compose: str, rancher: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "docker-compose.yml").write_text(compose, encoding="utf-8")
        (Path(folder) / "rancher-compose.yml").write_text(rancher, encoding="utf-8")
        try:
            titles = [service.title for service in from_url(f"compose:{folder}", hosts=False).read().services]
        except SourceError as err:
            titles = [str(err).partition("line ")[2]]
        assert all(titles)
