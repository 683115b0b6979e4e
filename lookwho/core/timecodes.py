"""Timecodes: times as other programs read them, and appearances as WebVTT, EDL and CSV.

A timecode counts pictures. At 29.97 a second its numbers would fall behind the clock, so some are
left out: of each minute the first two, but for each tenth (at 59.94 the first four). That is called
drop-frame, and written with a semicolon. No picture is dropped by it.

Times are seconds from the first picture, and the first picture is 00:00:00:00.

Source:
    SMPTE ST 12-1; CMX 3600 edit decision list; W3C WebVTT.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from lookwho.core.errors import Invalid

# What an EDL numbers with three digits.
MOST_EVENTS = 999
# Where the first event begins that a list is put together to, as editors expect it.
RECORD_HOUR = 1
# Rates that are not whole; cameras and files say them with two or three digits.
_NTSC = (24, 30, 48, 60, 120)
_NEAR = 0.006
_UNKNOWN = 25
# With these a program that reads tables would take a name for a formula, and run it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = (
    "video",
    "person",
    "name",
    "start",
    "end",
    "seconds",
    "start_timecode",
    "end_timecode",
    "probability",
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many pictures a second has, and how they are counted.

    Attributes:
        exact: pictures a second.
        base: how many numbers a second has: 30 for 29.97.
        drop: whether numbers are left out, so that they keep up with the clock.
    """

    exact: Fraction
    base: int
    drop: bool

    @classmethod
    def of(cls, frame_rate: float) -> Rate:
        """Return the rate that a file means; 25 where it says none.

        Only two digits count pictures. So of more than 100 a second each second one is counted, or
        each fourth.

        >>> Rate.of(29.97)
        Rate(exact=Fraction(30000, 1001), base=30, drop=True)
        >>> Rate.of(23.976).drop, Rate.of(50).base, Rate.of(119.88).base
        (False, 50, 60)
        """
        if not (math.isfinite(frame_rate) and frame_rate > 0):
            frame_rate = _UNKNOWN
        base = max(1, round(frame_rate))
        exact = Fraction(frame_rate).limit_denominator(1001)
        for whole in _NTSC:
            if abs(frame_rate - whole * 1000 / 1001) < _NEAR:
                base, exact = whole, Fraction(whole * 1000, 1001)
        while base > 100:
            base, exact = math.ceil(base / 2), exact / 2
        drop = base in (30, 60) and exact == Fraction(base * 1000, 1001)
        return cls(exact, base, drop)

    def frame(self, seconds: float) -> int:
        """Return the number of the picture that is shown at a time, counted from 0.

        >>> Rate.of(25).frame(1.0), Rate.of(25).frame(0.999)
        (25, 24)
        """
        # A time that was computed from a picture's number may lie a little before that picture.
        return max(0, math.floor(seconds * float(self.exact) + 1e-3))

    def timecode(self, frame: int) -> str:
        """Return the timecode of a picture; after 24 hours it begins anew.

        >>> Rate.of(25).timecode(90_061)
        '01:00:02:11'
        >>> [Rate.of(29.97).timecode(frame) for frame in (1799, 1800, 17982)]
        ['00:00:59;29', '00:01:00;02', '00:10:00;00']
        """
        number = self._number(frame)
        seconds, picture = divmod(number, self.base)
        minutes, second = divmod(seconds, 60)
        hours, minute = divmod(minutes, 60)
        mark = ";" if self.drop else ":"
        return f"{hours % 24:02}:{minute:02}:{second:02}{mark}{picture:02}"

    def _number(self, frame: int) -> int:
        """Return a picture's place among the numbers that there are, also those left out."""
        if not self.drop:
            return frame
        left_out = self.base // 15  # of each minute: 2 of 30, 4 of 60
        minute = self.base * 60 - left_out
        tens, rest = divmod(frame, minute * 10 + left_out)
        # The first minute of ten is whole.
        minutes = 0 if rest < minute + left_out else 1 + (rest - minute - left_out) // minute
        return frame + left_out * (9 * tens + minutes)


class Cue(NamedTuple):
    """Somebody's stretch of time.

    Attributes:
        name: what they are called.
        start: in seconds.
        end: in seconds.
        person: tells them from others of that name; blank where nobody knows who it is.
        probability: that it is them; None where a human said so.
    """

    name: str
    start: float
    end: float
    person: str = ""
    probability: float | None = None


def clock(seconds: float) -> str:
    """Return a time as WebVTT writes it.

    >>> clock(3725.4321), clock(59.9996)
    ('01:02:05.432', '00:01:00.000')
    """
    thousandths = max(0, round(seconds * 1000))
    whole, rest = divmod(thousandths, 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}.{rest:03}"


def webvtt(title: str, cues: Iterable[Cue]) -> str:
    """Return appearances as subtitles that players show: names, while they are to be seen."""
    parts = [f"WEBVTT - {_escaped(title)}" if title else "WEBVTT"]
    for number, cue in enumerate(sorted(cues, key=_by_time), 1):
        # A cue has to end after it begins.
        end = max(cue.end, cue.start + 0.001)
        parts.append(f"{number}\n{clock(cue.start)} --> {clock(end)}\n{_escaped(cue.name)}")
    return "\n\n".join(parts) + "\n"


def edl(title: str, clip: str, cues: Sequence[Cue], rate: Rate) -> str:
    """Return appearances as an edit decision list (CMX 3600): cut one after the other, in order.

    Args:
        title: of the list.
        clip: the name of the file, by which an editor finds it again.
        cues: what to put together, in that order.
        rate: of the video.

    Raises:
        Invalid: there are more than such a list can number.
    """
    if len(cues) > MOST_EVENTS:
        raise Invalid(
            f"an edit decision list holds {MOST_EVENTS} events, and these are {len(cues)}: "
            "ask for one person at a time"
        )
    lines = [f"TITLE: {_line(title)}", f"FCM: {'' if rate.drop else 'NON-'}DROP FRAME", ""]
    record = rate.frame(0) + _first_of_hour(rate, RECORD_HOUR)
    for number, cue in enumerate(cues, 1):
        begin = rate.frame(cue.start)
        end = max(rate.frame(cue.end), begin + 1)
        until = record + end - begin
        times = " ".join(rate.timecode(frame) for frame in (begin, end, record, until))
        lines += [
            f"{number:03}  AX       V     C        {times}",
            f"* FROM CLIP NAME: {_line(clip)}",
            f"* COMMENT: {_line(cue.name)}",
            "",
        ]
        record = until
    return "\r\n".join(lines)


def table(clip: str, cues: Iterable[Cue], rate: Rate) -> str:
    """Return appearances as a table (CSV), one line each, in order of time."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow(_COLUMNS)
    for cue in sorted(cues, key=_by_time):
        start, end = (rate.timecode(rate.frame(time)) for time in (cue.start, cue.end))
        seconds = [f"{value:.3f}" for value in (cue.start, cue.end, cue.end - cue.start)]
        sure = "" if cue.probability is None else f"{cue.probability:.3f}"
        line: list[Any] = [clip, cue.person, cue.name, *seconds, start, end, sure]
        rows.writerow([_cell(value) for value in line])
    return written.getvalue()


def _first_of_hour(rate: Rate, hour: int) -> int:
    """Return the picture whose timecode is a full hour."""
    numbers = hour * 3600 * rate.base
    # An hour has six stretches of ten minutes, of which nine minutes each leave some out.
    return numbers - hour * 54 * (rate.base // 15) if rate.drop else numbers


def _by_time(cue: Cue) -> tuple[float, float, str]:
    return cue.start, cue.end, cue.name


def _line(text: str) -> str:
    """Return a text on one line, without what cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _escaped(text: str) -> str:
    """Return a text as WebVTT shows it: nothing in it is markup, and it ends no cue."""
    shown = _line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown or "somebody"


def _cell(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
