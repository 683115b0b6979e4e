"""Sealing: secrets in the database that the database alone, or a backup of it, does not tell.

The key comes from settings.SECRET_KEY, which lies elsewhere. Where that was lost, so are they.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from lookwho.core.errors import Invalid


def seal(text: str) -> str:
    """Return a text so that nobody reads it without the key."""
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return what was sealed.

    Raises:
        Invalid: it was sealed with another key, or altered.
    """
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Invalid("what was stored cannot be read: the site's secret key is another") from error


def _box() -> Fernet:
    key = hashlib.sha256(b"lookwho sealing\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
