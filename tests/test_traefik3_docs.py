"""What docs/traefik3.md says is so: its commands run as they stand there, and no loss is kept back."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from bridge.cli import COMMANDS
from bridge.config import TABLE
from bridge.labels import table
from tests.commands import Bridge, silent
from tests.proxied import HOST, container, service, world, write
from tests.publishing import Publication
from tests.servers import running_etcd
from tests.traefik import running_traefik, until, web_servers

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "traefik3.md").read_text(encoding="utf-8")
bridge = pytest.fixture(silent)


def test_traefik_reads_with_these_flags_what_the_bridge_writes_with_those(bridge: Bridge, tmp_path: Path) -> None:
    run = next(line.split() for line in PAGE.splitlines() if line.startswith("    bridge run"))
    told = dict(zip(run[2::2], run[3::2], strict=True))
    flags = dict(re.findall(r"^  --([\w.]+)=(\S*?) ?\\?$", PAGE, re.MULTILINE))
    addresses = [flags.pop(f"entryPoints.{name}.address") for name in ("web", "websecure")]
    assert addresses == [":80", ":443"]
    (tmp_path / "etcd").mkdir()
    with web_servers("one") as web, running_etcd(tmp_path / "etcd") as etcd:
        labels = {"enable": "true", "port": str(web["one"].port), "domain": "local"}
        source = write(tmp_path / "world.json", world([service("web", [container(web["one"], of="web")], labels)]))
        told |= {"--source": f"file:{source}", "--store": told["--store"].replace("127.0.0.1:2379", etcd.endpoint)}
        assert bridge("sync", *(word for pair in told.items() for word in pair)).code == 0
        assert flags["providers.etcd.endpoints"] == "127.0.0.1:2379"
        root, throttle = flags.pop("providers.etcd.rootKey"), flags.pop("providers.providersThrottleDuration")
        static = flags | {"providers.etcd.endpoints": etcd.endpoint}
        read = running_traefik(tmp_path, "etcd", etcd.endpoint, root, throttle=throttle, static=static)
        with read as traefik, closing(Publication(etcd, "traefik")) as here:
            until(lambda: traefik.request(HOST).status, lambda status: status == 200)
            assert here.published()  # for Traefik 1


def test_the_page_names_only_options_and_commands_that_exist() -> None:
    options = {row.flag for row in TABLE}
    said = set(re.findall(r"(?<![\w.-])--[a-z][a-z-]+(?![\w.-])", PAGE))
    ours = said - {"--upgrade", "--batch-size", "--interval", "--ping"}
    assert ours <= options
    assert {"--layout", "--traefik-version", "--entry-points", "--tls-entry-points", "--cert-resolver"} <= ours
    assert set(re.findall(r"bridge ([a-z]+) --", PAGE)) <= set(COMMANDS)


def test_every_label_that_loses_something_is_on_the_page() -> None:
    code = (ROOT / "bridge" / "layouts" / "traefik3_losses.py").read_text(encoding="utf-8")
    rows = [getattr(table, name) for name in sorted(set(re.findall(r"\btable\.([A-Z_]+)\b", code)))]
    names = [row.name.rpartition(".")[2] for row in rows if not isinstance(row, tuple)]
    assert len(names) > 10
    assert [name for name in names if name.lower() not in PAGE.lower()] == []
