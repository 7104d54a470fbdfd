"""How Python's own TLS is told whom to trust and what to show, by PEM text that was read once.

A path would be read again at each connection, perhaps while somebody replaces what stands there.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import create_urllib3_context

from bridge.model.problem import UsageError
from bridge.stores.access import Access


def tls_context(access: Access) -> ssl.SSLContext:
    """For clients. Without an authority of `access` the roots count that requests brings along.

    Raises UsageError where a file cannot be read or used.
    """
    ca, cert, key = access.read_files()
    context = create_urllib3_context()
    try:
        if ca:
            context.load_verify_locations(cadata=ca.decode("ascii", "ignore"))  # a comment may hold anything
        else:
            context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    except ssl.SSLError as err:
        remedy = f"holds no certificate that can be used ({err}); give the authority's whole PEM file"
        raise UsageError("--store-ca", access.ca, remedy) from err
    if cert and key:
        try:
            with _file(cert) as cert_path, _file(key) as key_path:
                context.load_cert_chain(cert_path, key_path, password="")  # else it would ask at the terminal
        except ssl.SSLError as err:
            remedy = (
                f"cannot be used together ({err}); give a certificate and its own key, both whole, without a password"
            )
            raise UsageError("--store-cert and --store-key", f"{access.cert} and {access.key}", remedy) from err
    return context


@contextmanager
def _file(pem: bytes) -> Iterator[str]:
    """Its path, for as long as it is needed. It stands on no disk: a key belongs on none, and none may be writable."""
    with open(os.memfd_create("pem"), "wb", buffering=0) as file:
        file.write(pem)
        yield f"/proc/self/fd/{file.fileno()}"
