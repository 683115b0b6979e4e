"""Discretion: addresses that let somebody in are not written into logs.

Django logs each refused request with its address. Of a link that was only mistyped at its end, or
of a photo that is hidden, that would be the token of a link that works.
"""

from __future__ import annotations

import logging
import re
from typing import Any

# What follows these in an address is a secret: links, guests, pictures for them, ways in.
_SECRET = re.compile(r"/(g/as|g|d|enter|join)/[^/\s?\"']+")


class Discreet(logging.Filter):
    """A filter that leaves tokens out of what is logged; to be put on each handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take tokens out of a record, and let it pass."""
        if isinstance(record.msg, str):
            record.msg = without_tokens(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_told(each) for each in record.args)
        return True


def without_tokens(text: str) -> str:
    """Return a text with the tokens in its addresses left out.

    >>> without_tokens("Gone: /g/4fGh-2/photos, /g/as/aB3 and /enter/xyz")
    'Gone: /g/…/photos, /g/as/… and /enter/…'
    """
    return _SECRET.sub(r"/\1/…", text)


def _told(each: Any) -> Any:
    return without_tokens(each) if isinstance(each, str) else each
