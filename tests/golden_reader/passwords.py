"""The password hashes of an htpasswd list: Apache's MD5 and SHA-1."""

from __future__ import annotations

import base64
import functools
import hashlib

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@functools.cache
def fits(password: str, kept: str) -> bool:
    """Whether `kept` is a hash of `password`; bcrypt is not known here and fits nothing."""
    if kept.startswith("{SHA}"):
        return kept == "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    if kept.startswith("$apr1$"):
        salt = kept.split("$")[2]
        return kept == f"$apr1${salt}${_apache_md5(password.encode(), salt.encode())}"
    return False


def _apache_md5(password: bytes, salt: bytes) -> str:
    """The last part of an `$apr1$` hash."""
    inner = hashlib.md5(password + salt + password).digest()
    first = password + b"$apr1$" + salt + (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        first += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = hashlib.md5(first).digest()
    for turn in range(1000):
        parts = [password if turn & 1 else digest]
        parts += [salt] * bool(turn % 3) + [password] * bool(turn % 7)
        parts.append(digest if turn & 1 else password)
        digest = hashlib.md5(b"".join(parts)).digest()
    groups = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
    text = "".join(_letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in groups)
    return text + _letters(digest[11], 2)


def _letters(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 6 * at & 63] for at in range(count))
