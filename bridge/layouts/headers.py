"""What of a frontend's headers counts, in every layout."""

from __future__ import annotations

from dataclasses import replace

from bridge.model.route import Headers


def counting(headers: Headers) -> Headers:
    """The same without what `isDevelopment` switches off; what `sslforcehost` needs stays, for that goes on.

    The key itself is never written. Whoever adds a protecting key protects more, and everything that orders changes
    and lets clusters share a group builds on it: with this key in the tree it would be the other way round.
    """
    if not headers.is_development:
        return headers
    return replace(
        headers,
        allowed_hosts=(),
        ssl_redirect=False,
        ssl_proxy_headers=(),
        sts_seconds=0,
        sts_include_subdomains=False,
        sts_preload=False,
        force_sts_header=False,
        public_key="",
    )
