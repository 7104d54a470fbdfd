"""Values become pages. Names and labels are anybody's words: all that a template prints is text, on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from bridge.views.words import Json, cut, number, safe, span
from bridge.web.plot import HEIGHT, WIDTH, plot


def _printed(value: object) -> object:
    """What a template prints instead of a value; what another template made is left as it is."""
    return value if hasattr(value, "__html__") else safe(str(value))


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else span(seconds)


def link(title: str) -> str:
    """The path of a service's page."""
    return f"/routes/{quote(safe(title))}"


# PackageLoader names the package by its folder, so nothing outside of it can be asked for.
_pages = Environment(
    loader=PackageLoader("bridge.web"),
    autoescape=True,
    finalize=_printed,
    undefined=StrictUndefined,
)
_pages.filters |= {
    "time": _time,
    "stamp": _stamp,
    "span": span,
    "took": _took,
    "cut": cut,
    "number": number,
    "link": link,
}
_pages.globals |= {"plot": plot, "plot_width": WIDTH, "plot_height": HEIGHT}


def index(overview: Mapping[str, Json]) -> str:
    """All of it."""
    return _pages.get_template("index.html").render(overview)


def service(
    title: str, services: Sequence[Mapping[str, Json]], elsewhere: Sequence[Mapping[str, Json]], version: str
) -> str:
    """One service, or that there is none of this name here. `elsewhere`: what stands of it of other clusters."""
    page = _pages.get_template("service.html")
    return page.render(title=title, services=services, elsewhere=elsewhere, version=version, search="")
