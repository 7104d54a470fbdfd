"""What is wrong with one router of Traefik 3, for itself: tried on 3.0.4 and 3.7.15."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.layouts.go_values import is_whole
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik3_fields import Version
from bridge.layouts.traefik3_language import asks_for_tls, http_flaws, tcp_flaws
from bridge.layouts.traefik3_tree import Node

Flaws = Iterator[tuple[str, Flaw]]  # by the path below the object

_LOST_HERE = "this router is disabled: 404"
_CLOSED = "this router is disabled: its connections are closed"
_MOST = 2**63 - 1 - 1000  # above it are Traefik's own
_CLIENT_AUTH = (
    *("NoClientCert", "RequestClientCert", "RequireAnyClientCert"),
    *("VerifyClientCertIfGiven", "RequireAndVerifyClientCert"),
)
_TLS_VERSIONS = ("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")


def http_router_flaws(node: Node, version: Version) -> Flaws:
    """What it refers to is looked at elsewhere."""
    yield from _of_each(node, _LOST_HERE)
    if node.text("ruleSyntax") in ("", "v3"):
        for flaw in http_flaws(node.text("rule"), version):
            yield "rule", flaw
    else:
        effect = "this rule is not looked at here"
        yield "ruleSyntax", Flaw(Grade.NOTICE, "it asks for another language", effect, "write the rule in Traefik 3's")
    if (entry_points := node.find("entryPoints")) and not any(node.items("entryPoints")) and not entry_points.below:
        yield (
            "entryPoints",
            Flaw(Grade.WRONG, "it names none", "all default entry points count", "name one, or delete it"),
        )


def tcp_router_flaws(node: Node, version: Version) -> Flaws:
    """As `http_router_flaws`."""
    yield from _of_each(node, _CLOSED)
    rule = node.text("rule")
    if node.text("ruleSyntax") in ("", "v3"):
        for flaw in tcp_flaws(rule, version):
            yield "rule", flaw
    secure = node.find("tls") is not None
    try:
        if not secure and asks_for_tls(rule, version):
            yield "tls", Flaw(Grade.LOST, "without TLS nobody says a server's name", _CLOSED, "write tls=true")
    except ValueError:
        pass  # said above
    if not any(node.items("entryPoints")):
        effect = "it takes the connections of every default entry point"
        if not secure:
            effect += ", so all HTTP routers on the plain ones stop answering"
        grade = Grade.NOTICE if secure else Grade.WRONG
        yield "entryPoints", Flaw(grade, "it is missing, or names none", effect, "name an entry point of its own")


def udp_router_flaws(node: Node, _version: Version) -> Flaws:
    """As `http_router_flaws`."""
    yield from _of_each(node, "this router is disabled: it answers nothing")
    if not any(node.items("entryPoints")):
        effect = "it is at every entry point of UDP, where one router alone answers"
        yield "entryPoints", Flaw(Grade.WRONG, "it is missing, or names none", effect, "name an entry point of its own")


def store_flaws(node: Node, _version: Version) -> Flaws:
    """Of a store of certificates."""
    certificate = node.find("defaultCertificate")
    if not certificate or node.name != "default":
        return
    dead = "no TLS connection comes about but for names that have a certificate of their own"
    for name in ("certFile", "keyFile"):
        text = certificate.text(name)
        if not text:
            path = f"defaultCertificate/{name}"
            yield path, Flaw(Grade.WRONG, "it is missing, or empty", dead, "write both certFile and keyFile")
        elif "-----BEGIN" not in text:
            effect = f"where it is not there, {dead}"
            flaw = Flaw(Grade.NOTICE, "a file on Traefik's machine", effect, "look there")
            yield f"defaultCertificate/{name}", flaw


def option_flaws(node: Node, _version: Version) -> Flaws:
    """Of a set of TLS options."""
    lost = "it cannot be used, and each router that names it is disabled: 404"
    kind = node.text("clientAuth/clientAuthType")
    if kind and kind not in _CLIENT_AUTH:
        yield "clientAuth/clientAuthType", Flaw(Grade.LOST, f"{kind!r} is not known", lost, f"use {_CLIENT_AUTH[-1]}")
    for item in node.items("cipherSuites"):
        if not item.startswith("TLS_"):
            yield "cipherSuites", Flaw(Grade.LOST, f"{item!r} is not known", lost, "write its name in Go")
    for item in node.items("clientAuth/caFiles"):
        if "-----BEGIN" not in item:
            effect = f"where it is not there, {lost}"
            yield "clientAuth/caFiles", Flaw(Grade.NOTICE, "a file on Traefik's machine", effect, "look there")
    for name in ("minVersion", "maxVersion"):
        if node.text(name) not in ("", *_TLS_VERSIONS):
            flaw = Flaw(Grade.WRONG, "it is not known", "the default counts", f"use {', '.join(_TLS_VERSIONS)}")
            yield name, flaw


def _of_each(node: Node, lost: str) -> Flaws:
    if "@" in node.name:
        provider = node.name.rpartition("@")[2]
        reason = f"Traefik takes {provider!r} for its provider"
        yield "", Flaw(Grade.LOST, reason, f"what it names is looked for there; {lost}", "use no @ in names")
    if not node.text("service"):
        yield "service", Flaw(Grade.LOST, "it is missing, or empty", lost, "write the name of a service")
    priority = node.text("priority")
    if is_whole(priority) and int(priority) > _MOST:
        yield "priority", Flaw(Grade.LOST, f"it is above {_MOST}", lost, "write a smaller number")
