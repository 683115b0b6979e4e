"""EXIF: the orientation, and when the camera's clock said that it was."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta

from lookwho.core.parts import Source
from lookwho.core.tiff import EXIF, directories

_ORIENTATION = 0x0112
_TAKEN, _DIGITIZED = 0x9003, 0x9004  # DateTimeOriginal; DateTimeDigitized, also called CreateDate

# EXIF writes 2024:05:04 13:07:59, XMP 2024-05-04T13:07:59.25+02:00; both may stop after the day.
_TIME = re.compile(
    r"\s*(\d{4})[:\-/.](\d\d?)[:\-/.](\d\d?)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d))?)?(?![\d:])"
)
_FIRST_YEAR = 1826  # of the oldest photograph that is left
# A clock that was never set begins here.
_UNSET = (datetime(1904, 1, 1), datetime(1970, 1, 1))


@dataclass(frozen=True, slots=True)
class Exif:
    """What is read of the EXIF data.

    Attributes:
        orientation: 1 to 8, or None where there is none; nonsense is 1.
        times: when the photo was taken, as it is written, the best first.
    """

    orientation: int | None = None
    times: tuple[str, ...] = ()


def read_exif(source: Source | None) -> Exif:
    """Read EXIF data, which are a TIFF structure; damaged data say nothing."""
    orientation: int | None = None
    times: list[str] = []
    try:
        main = next(directories(source), None) if source else None
        if main is not None:
            if _ORIENTATION in main.tags:
                turn = main.number(_ORIENTATION)
                orientation = turn if 1 <= turn <= 8 else 1
            if photo := main.child(EXIF):
                times = [photo.data(tag)[:64].decode("latin-1") for tag in (_TAKEN, _DIGITIZED)]
    except (struct.error, ValueError, OverflowError):
        pass
    return Exif(orientation, tuple(filter(None, times)))


def read_time(text: str) -> datetime | None:
    """Return the time that EXIF or XMP states, without its zone: what the clock on the wall said.

    None where it is no time, or cannot be when a photo was taken: in the future, before
    photography, or where the count of an unset clock begins.

    >>> read_time("2024:05:04 13:07:59"), read_time("2024-05-04T13:07+02:00")
    (datetime.datetime(2024, 5, 4, 13, 7, 59), datetime.datetime(2024, 5, 4, 13, 7))
    >>> read_time("0000:00:00 00:00:00")
    """
    found = _TIME.match(text)
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in found.groups())
        time = datetime(year, month, day, hour, minute, second)
        latest = datetime.now() + timedelta(days=1)  # it may already be tomorrow elsewhere
    except ValueError:
        return None
    return time if time.year >= _FIRST_YEAR and time < latest and time not in _UNSET else None
