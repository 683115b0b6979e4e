"""Derived: tokens that can be told again, though only their sha256 is stored.

A token is the HMAC-SHA256 of a row's random uuid, under Django's secret key and a salt for what it
is. Drawn ones would have to be stored as they are, or be lost once they were shown; then links that
are in use would be made a second time, and nobody would know which. Whoever reads the database, or
a backup of it, can follow none: the key is no part of either. Each row has its own, and ends with
it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare


def token(salt: str, uuid: UUID) -> str:
    """Return the token of a row: 43 letters and digits, - and _."""
    return base64.urlsafe_b64encode(proof(salt, uuid.bytes)).decode().rstrip("=")


def proof(salt: str, message: bytes) -> bytes:
    """Return what nobody can tell of a message without Django's key: (32,) bytes."""
    key = hashlib.sha256(f"{salt}\0{settings.SECRET_KEY}".encode()).digest()
    return hmac.digest(key, message, "sha256")


def hashed(token: str) -> bytes:
    """Return what is stored of a token, and looked for: (32,) bytes."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def matches(stored: bytes, told: str) -> bool:
    """Return whether this is the token whose hash was stored, in the same time for any."""
    return constant_time_compare(bytes(stored), hashed(told))
