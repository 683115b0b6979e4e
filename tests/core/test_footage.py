import dataclasses
import json
import struct
import zlib
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookwho.core import footage
from lookwho.core.cast import join
from lookwho.core.errors import InputError
from lookwho.core.video import VideoInfo
from tests.tracks import segment, track, view

INFO = VideoInfo(
    duration=61.25,
    width=640,
    height=360,
    frame_rate=25.0,
    codec="H.264",
    container="MP4",
    rotation=90,
    has_audio=True,
    plays=False,
    taken_at=datetime(2024, 2, 29, 12, 30, 1),
    problem="",
)


def as_values(thing):
    """What a dataclass holds, as values that `==` compares, floats bit by bit."""
    if dataclasses.is_dataclass(thing):
        names = (field.name for field in dataclasses.fields(thing))
        return {name: as_values(getattr(thing, name)) for name in names}
    if isinstance(thing, tuple):
        return [as_values(each) for each in thing]
    if isinstance(thing, np.ndarray):
        return thing.dtype, thing.shape, thing.tobytes()
    return thing


@st.composite
def segments(draw):
    times = st.floats(0, 3600, width=32)
    tracks = []
    for _ in range(draw(st.integers(0, 3))):
        start = draw(times)
        one = track(draw(st.integers(0, 127)), start, start + draw(st.floats(0, 5)))
        views = tuple(
            view(
                draw(st.integers(0, 127)),
                draw(times),
                quality=draw(st.floats(0, 1)),
                crop=draw(st.binary(max_size=20)),
                encoded=draw(st.booleans()),
            )
            for _ in range(draw(st.integers(1, 3)))
        )
        tracks.append(dataclasses.replace(one, views=views))
    cuts = sorted(draw(st.lists(times, max_size=4)))
    return segment(draw(st.integers(0, 99)), *tracks, cuts=cuts, problem=draw(st.text(max_size=9)))


def resealed(data, change):
    """Change the head of some bytes, and let the checksum be right again."""
    line, body = data[:-4].split(b"\n", 1)
    head = json.loads(line)
    change(head)
    sealed = json.dumps(head).encode() + b"\n" + body
    return sealed + struct.pack("<I", zlib.crc32(sealed))


@given(segments())
def test_a_segment_comes_back_as_it_was(result):
    data = footage.dump_segment(result)

    assert as_values(footage.load_segment(data)) == as_values(result)
    assert footage.dump_segment(footage.load_segment(data)) == data


@given(segments())
def test_a_cast_comes_back_as_it_was(result):
    cast = join([result])
    data = footage.dump_cast(cast)

    assert as_values(footage.load_cast(data)) == as_values(cast)


SEGMENT = segment(2, track(1, 120.0, 123.0), track(2, 121.0, 125.5), cuts=[121.5, 130.0])
DATA = footage.dump_segment(SEGMENT)
CAST_DATA = footage.dump_cast(join([SEGMENT]))


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_a_changed_byte_anywhere_is_noticed(at, change):
    damaged = bytearray(DATA)
    damaged[at] ^= change

    with pytest.raises(InputError, match="damaged"):
        footage.load_segment(bytes(damaged))


@given(st.integers(0, len(DATA) - 1))
def test_bytes_that_are_cut_short_are_noticed(length):
    with pytest.raises(InputError, match="damaged"):
        footage.load_segment(DATA[:length])


@given(st.binary(max_size=200))
def test_any_other_bytes_are_damaged(data):
    for load in (footage.load_segment, footage.load_cast, footage.load_info):
        with pytest.raises(InputError, match="damaged"):
            load(data)
    sealed = data + struct.pack("<I", zlib.crc32(data))
    for load in (footage.load_segment, footage.load_cast):
        with pytest.raises(InputError, match="damaged"):
            load(sealed)


@pytest.mark.parametrize(
    "change",
    (
        lambda head: head.pop("tracks"),
        lambda head: head.update(part=-1),
        lambda head: head.update(part=1.5),
        lambda head: head.update(width=True),
        lambda head: head.update(problem=None),
        lambda head: head.update(start="0"),
        lambda head: head.update(start=float("nan")),
        lambda head: head.update(end=float("inf")),
        lambda head: head.update(tracks=7),
        lambda head: head["tracks"][0].update(views=[]),
        lambda head: head["tracks"][0].update(start=124.0),
        lambda head: head["tracks"][0].update(path=[0, 5]),
        lambda head: head["tracks"][0].update(path=[1 << 40, 5]),
        lambda head: head["tracks"][0].update(path=[-1, -65]),
        lambda head: head["tracks"][0]["views"][0].update(box=[2, 2]),
        lambda head: head["tracks"][0]["views"][0].update(embedding=[127]),
        lambda head: head["tracks"][0]["views"][0].update(crop=5),
        lambda head: head["tracks"][0]["views"][0].update(crop=-4),
        lambda head: head["tracks"].pop(),
    ),
)
def test_a_head_that_does_not_fit_is_damaged_though_its_checksum_is_right(change):
    assert resealed(DATA, lambda head: None) == DATA

    with pytest.raises(InputError, match="damaged"):
        footage.load_segment(resealed(DATA, change))


def test_numbers_that_are_none_are_damaged():
    one = track(1, 0.0, 1.0)
    one.path[0, 2] = np.nan
    data = footage.dump_segment(segment(0, one))

    with pytest.raises(InputError, match="not a number"):
        footage.load_segment(data)


def test_a_head_that_is_nested_too_deeply_is_damaged():
    data = b"[" * 100_000 + b"\n"

    with pytest.raises(InputError, match="damaged"):
        footage.load_segment(data + struct.pack("<I", zlib.crc32(data)))


def test_a_segment_is_no_cast_nor_the_other_way_round():
    with pytest.raises(InputError, match="damaged"):
        footage.load_cast(DATA)
    with pytest.raises(InputError, match="damaged"):
        footage.load_segment(CAST_DATA)


@pytest.mark.parametrize("taken_at", (INFO.taken_at, None))
def test_what_a_video_is_comes_back_as_it_was(taken_at):
    info = dataclasses.replace(INFO, taken_at=taken_at)

    assert footage.load_info(footage.dump_info(info)) == info


@pytest.mark.parametrize(
    "change",
    (
        lambda told: told.pop("codec"),
        lambda told: told.update(duration="61"),
        lambda told: told.update(width=1.5),
        lambda told: told.update(plays=1),
        lambda told: told.update(taken_at="yesterday"),
        lambda told: told.update(more=1),
        lambda told: told.update(duration=float("nan")),
    ),
)
def test_what_a_video_cannot_be_is_damaged(change):
    told = json.loads(footage.dump_info(INFO))
    change(told)

    with pytest.raises(InputError, match="damaged"):
        footage.load_info(json.dumps(told).encode())
