"""Paths as text that every database takes.

On Linux a file's name is bytes, and old ones are not always UTF-8. Python carries such bytes as
lone surrogates, which neither PostgreSQL nor SQLite stores.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})")


def escaped(path: str) -> str:
    r"""Return a path as it is stored: bytes that are not UTF-8 as \xff, a backslash as two.

    >>> escaped("Zoë.jpg"), escaped("Zo\udceb.jpg")
    ('Zoë.jpg', 'Zo\\xeb.jpg')
    """
    doubled = path.replace("\\", "\\\\")
    return doubled.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unescaped(path: str) -> str:
    r"""Return the path that was stored.

    >>> unescaped(r"Zo\xeb.jpg")
    'Zo\udceb.jpg'
    """
    return _ESCAPE.sub(_meant, path)


def _meant(escape: re.Match[str]) -> str:
    told = escape[1]
    return told if told == "\\" else bytes([int(told[1:], 16)]).decode("ascii", "surrogateescape")
