import struct
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookwho.core.exif import Exif, read_exif, read_time
from lookwho.core.parts import Source


def exif_of(main, photo=None):
    exif = Image.Exif()
    exif.update(main)
    exif.get_ifd(0x8769).update(photo or {})
    return Source.of(exif.tobytes().removeprefix(b"Exif\0\0"))


def test_orientation_and_times_are_read_the_best_first():
    source = exif_of({0x0112: 6}, {0x9004: "2020:01:02 03:04:06", 0x9003: "2020:01:02 03:04:05"})
    exif = read_exif(source)

    assert exif.orientation == 6
    assert [read_time(time) for time in exif.times] == [
        datetime(2020, 1, 2, 3, 4, 5),
        datetime(2020, 1, 2, 3, 4, 6),
    ]


@pytest.mark.parametrize("order", ("<", ">"))
@pytest.mark.parametrize(("kind", "value"), ((3, "H2x"), (4, "I"), (1, "B3x")))
def test_an_orientation_of_any_byte_order_and_width_is_read(order, kind, value):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHI{value}", 0x0112, kind, 1, 8)
    data = mark + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)

    assert read_exif(Source.of(data)) == Exif(8)


@pytest.mark.parametrize("nonsense", (0, 9, 65535))
def test_a_nonsense_orientation_is_none_at_all(nonsense):
    assert read_exif(exif_of({0x0112: nonsense})).orientation == 1


@given(st.binary(max_size=200))
def test_damaged_exif_data_say_nothing(data):
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        exif = read_exif(Source.of(start + data))

        assert exif.orientation in (None, *range(1, 9))


@pytest.mark.parametrize(
    ("text", "time"),
    (
        ("2020:01:02 03:04:05", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020:01:02 03:04:05\0", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04:05.678+09:00", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04Z", datetime(2020, 1, 2, 3, 4)),
        ("2020-01-02", datetime(2020, 1, 2)),
        ("1897-06-01", datetime(1897, 6, 1)),  # the day that an archivist gave to a scan
        ("2020-01", None),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2020:02:30 00:00:00", None),
        ("2020:01:02 25:00:00", None),
        ("1970:01:01 00:00:00", None),
        ("1904:01:01 00:00:00", None),
        ("1700:01:01 00:00:00", None),
        ("9999:12:31 23:59:59", None),
        ("", None),
        ("yesterday", None),
    ),
)
def test_times_are_read_as_the_clock_said_and_nonsense_is_none(text, time):
    assert read_time(text) == time


def test_a_time_in_the_future_is_none_but_tomorrow_elsewhere_is_not():
    now = datetime.now().replace(microsecond=0)

    assert read_time((now + timedelta(hours=20)).isoformat()) == now + timedelta(hours=20)
    assert read_time((now + timedelta(days=2)).isoformat()) is None


@given(st.text(max_size=40))
def test_no_text_makes_reading_a_time_fail(text):
    time = read_time(text)

    assert time is None or time.tzinfo is None
