import csv
import io
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import timecodes
from lookwho.core.errors import Invalid
from lookwho.core.timecodes import Cue, Rate

DAY = 24 * 3600
rates = st.sampled_from((12, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 100, 119.88, 240))
names = st.text(max_size=12)
cues = st.lists(
    st.tuples(names, st.floats(0, 5000), st.floats(0, 60)).map(
        lambda told: Cue(told[0], told[1], told[1] + told[2], "id")
    ),
    max_size=6,
)


def numbers(timecode):
    """Hours, minutes, seconds and pictures."""
    return tuple(map(int, re.split("[:;]", timecode)))


@pytest.mark.parametrize(
    ("frame_rate", "exact", "base", "drop"),
    (
        (25, Fraction(25), 25, False),
        (23.976, Fraction(24000, 1001), 24, False),
        (29.97, Fraction(30000, 1001), 30, True),
        (30000 / 1001, Fraction(30000, 1001), 30, True),
        (30, Fraction(30), 30, False),
        (59.94, Fraction(60000, 1001), 60, True),
        (119.88, Fraction(60000, 1001), 60, True),  # each second picture has a number
        (240, Fraction(60), 60, False),
        (12.5, Fraction(25, 2), 12, False),
        (0, Fraction(25), 25, False),
        (float("nan"), Fraction(25), 25, False),
    ),
)
def test_a_rate_is_the_one_that_the_file_means(frame_rate, exact, base, drop):
    assert Rate.of(frame_rate) == Rate(exact, base, drop)


# From the tables of SMPTE ST 12-1: of each minute two numbers are left out, but for each tenth.
@pytest.mark.parametrize(
    ("frame_rate", "frame", "timecode"),
    (
        (29.97, 1799, "00:00:59;29"),
        (29.97, 1800, "00:01:00;02"),
        (29.97, 3597, "00:01:59;29"),
        (29.97, 3598, "00:02:00;02"),
        (29.97, 17981, "00:09:59;29"),
        (29.97, 17982, "00:10:00;00"),
        (29.97, 107892, "01:00:00;00"),
        (29.97, 24 * 107892, "00:00:00;00"),
        (59.94, 3599, "00:00:59;59"),
        (59.94, 3600, "00:01:00;04"),
        (59.94, 35964, "00:10:00;00"),
        (59.94, 215784, "01:00:00;00"),
        (25, 90000, "01:00:00:00"),
        (24, 23, "00:00:00:23"),
    ),
)
def test_a_picture_has_the_timecode_of_the_standard(frame_rate, frame, timecode):
    assert Rate.of(frame_rate).timecode(frame) == timecode


@given(st.sampled_from((29.97, 59.94)), st.integers(0, 24 * 215784))
def test_drop_frame_keeps_up_with_the_clock_and_never_uses_a_number_that_is_left_out(rate, frame):
    rate = Rate.of(rate)
    frame %= 24 * 107892 * rate.base // 30
    hours, minutes, seconds, picture = numbers(rate.timecode(frame))

    told = hours * 3600 + minutes * 60 + seconds + picture / rate.base
    # Two or four numbers of 30 or 60 a second, what has gathered within ten minutes, and the 86 ms
    # that drop-frame is off after a day.
    assert abs(told - frame / rate.exact) < 0.1 + 0.0864 * frame / rate.exact / 86_400
    if minutes % 10 and seconds == 0:
        assert picture >= rate.base // 15


@given(rates, st.integers(0, 300_000))
def test_the_next_picture_has_the_next_timecode(rate, frame):
    rate = Rate.of(rate)

    one, two = (numbers(rate.timecode(each)) for each in (frame, frame + 1))

    assert one < two
    assert max(two[3], one[3]) < rate.base
    assert two[:3] == one[:3] or two[3] in (0, rate.base // 15)


@given(rates, st.integers(0, 100_000))
def test_a_time_that_was_made_of_a_picture_leads_back_to_it(rate, frame):
    rate = Rate.of(rate)

    assert rate.frame(float(frame / rate.exact)) == frame
    assert rate.frame(float((frame + 0.5) / rate.exact)) == frame


# --- WebVTT ---


@given(names, cues)
def test_no_name_can_break_the_subtitles(title, some):
    head, *blocks = timecodes.webvtt(title, some).rstrip("\n").split("\n\n")

    assert head == "WEBVTT" or head.startswith("WEBVTT - ")
    assert "-->" not in head
    assert "\n" not in head
    assert len(blocks) == len(some)
    starts = []
    for number, block in enumerate(blocks, 1):
        lines = block.split("\n")
        assert (lines[0], len(lines)) == (str(number), 3)
        start, end = lines[1].split(" --> ")
        assert start < end
        assert lines[2].strip()
        assert not re.search("[<>]|-->", lines[2])
        starts.append(start)
    assert starts == sorted(starts)


def test_subtitles_show_names_while_they_are_seen():
    some = [Cue("Ben & Co", 61.25, 62.0), Cue("Ann", 0.0, 3661.5)]

    assert timecodes.webvtt("Party", some) == (
        "WEBVTT - Party\n\n"
        "1\n00:00:00.000 --> 01:01:01.500\nAnn\n\n"
        "2\n00:01:01.250 --> 00:01:02.000\nBen &amp; Co\n"
    )


# --- EDL ---

EVENT = re.compile(
    r"(\d{3})  AX {7}V {5}C {8}(\S{11}) (\S{11}) (\S{11}) (\S{11})\r\n"
    r"\* FROM CLIP NAME: (.*)\r\n\* COMMENT: (.*)\r\n"
)


def test_an_edit_list_is_one_that_editors_read():
    some = [Cue("Ann", 1.0, 3.0), Cue("Ben\nEvil", 10.0, 10.0)]

    assert timecodes.edl("Party", "party.mp4", some, Rate.of(29.97)).split("\r\n") == [
        "TITLE: Party",
        "FCM: DROP FRAME",
        "",
        "001  AX       V     C        00:00:00;29 00:00:02;29 01:00:00;00 01:00:02;00",
        "* FROM CLIP NAME: party.mp4",
        "* COMMENT: Ann",
        "",
        "002  AX       V     C        00:00:09;29 00:00:10;00 01:00:02;00 01:00:02;01",
        "* FROM CLIP NAME: party.mp4",
        "* COMMENT: Ben Evil",
        "",
    ]


@given(rates, cues)
def test_events_follow_each_other_and_are_as_long_as_what_they_show(rate, some):
    rate = Rate.of(rate)
    counted = {rate.timecode(frame): frame for frame in range(5)}
    text = timecodes.edl("x", "y", some, rate)

    events = EVENT.findall(text)

    assert len(events) == len(some)
    assert f"FCM: {'' if rate.drop else 'NON-'}DROP FRAME\r\n" in text
    expected = "01:00:00;00" if rate.drop else "01:00:00:00"
    for event, cue in zip(events, some, strict=True):
        _, begin, end, record, until = event[:5]
        assert (begin, record) == (rate.timecode(rate.frame(cue.start)), expected)
        assert numbers(begin) < numbers(end)
        expected = until
        if (ended := counted.get(end)) is not None:
            assert ended == max(rate.frame(cue.end), rate.frame(cue.start) + 1)


def test_more_events_than_three_digits_count_are_refused():
    some = [Cue("Ann", float(second), second + 0.5) for second in range(1000)]

    with pytest.raises(Invalid, match="999 events, and these are 1000"):
        timecodes.edl("x", "y", some, Rate.of(25))
    assert "999  AX" in timecodes.edl("x", "y", some[:999], Rate.of(25))


# --- CSV ---


def test_a_table_has_a_line_for_each_appearance_in_order_of_time():
    some = [Cue("Ben", 61.5, 62.0, "u2", 0.875), Cue("Ann", 0.0, 4.0, "u1")]

    lines = list(csv.reader(io.StringIO(timecodes.table("a.mp4", some, Rate.of(25)))))

    assert lines == [
        [
            *("video", "person", "name", "start", "end", "seconds"),
            *("start_timecode", "end_timecode", "probability"),
        ],
        ["a.mp4", "u1", "Ann", "0.000", "4.000", "4.000", "00:00:00:00", "00:00:04:00", ""],
        ["a.mp4", "u2", "Ben", "61.500", "62.000", "0.500", "00:01:01:12", "00:01:02:00", "0.875"],
    ]


@pytest.mark.parametrize("name", ("=1+1", "+1", "-1", "@x", "\tx", "\rx"))
def test_no_name_is_taken_for_a_formula(name):
    (_, line) = csv.reader(io.StringIO(timecodes.table("v", [Cue(name, 0, 1)], Rate.of(25))))

    assert line[2] == f"'{name}"
