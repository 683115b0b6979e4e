import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lookwho.core import record
from lookwho.core.errors import InputError
from lookwho.core.types import Faces, Reason
from tests.faces import as_values, faces_of

SOUND = record.dump(faces_of((1, 2, 3, 4), (5, 6, 7, 8)))


@st.composite
def any_faces(draw):
    count = draw(st.integers(0, 3))

    def numbers(*shape):
        return draw(arrays(np.float32, (count, *shape), elements=st.floats(width=32)))

    return Faces(
        boxes=numbers(4),
        landmarks=numbers(5, 2),
        scores=numbers(),
        quality=numbers(),
        embeddings=numbers(draw(st.integers(0, 7))),
        encodings=numbers(3) if draw(st.booleans()) else None,
        width=draw(st.integers(1, 10**6)),
        height=draw(st.integers(1, 10**6)),
        reason=draw(st.none() | st.sampled_from(Reason)),
        pack=draw(st.text()),
    )


@given(any_faces())
def test_what_is_loaded_is_what_was_dumped(faces):
    assert as_values(record.load(record.dump(faces))) == as_values(faces)


def test_a_record_cut_anywhere_is_damaged():
    for end in range(len(SOUND)):
        with pytest.raises(InputError, match="a stored result is damaged"):
            record.load(SOUND[:end])


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1))
def test_altered_bytes_give_faces_of_the_right_shapes_or_an_error(changes):
    data = bytearray(SOUND)
    for place, value in changes:
        data[place] = value
    try:
        faces = record.load(bytes(data))
    except InputError:
        return
    count = len(faces)
    assert faces.boxes.shape == (count, 4)
    assert faces.landmarks.shape == (count, 5, 2)
    assert faces.scores.shape == faces.quality.shape == (count,)
    assert faces.embeddings.shape[:1] == (count,)
    assert faces.reason is None or isinstance(faces.reason, Reason)


def head(**changes):
    line, body = SOUND.split(b"\n", 1)
    values = json.loads(line)
    for name, value in changes.items():
        if name in values["shapes"]:
            values["shapes"][name] = value
        else:
            values[name] = value
    return json.dumps(values).encode() + b"\n" + body


@pytest.mark.parametrize(
    "data",
    (
        b"",
        b"no record",
        b"[]\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        head(shapes=[1, 2]),
        head(shapes={}),
        head(boxes=[4, 2]),  # as many numbers, and not (n, 4)
        head(boxes=[-1, 4]),
        head(boxes=[1e400, 4]),
        head(scores=["2"]),
        head(shapes={"unknown": [0]}),
        head(reason="bored"),
        head(width="wide"),
        head(pack=None),
    ),
)
def test_what_is_no_record_is_refused(data):
    with pytest.raises(InputError, match="a stored result is damaged"):
        record.load(data)


@given(
    path=st.binary(min_size=1).filter(lambda path: b"\0" not in path),
    boxes=st.none() | arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32)),
    times=st.none() | st.tuples(*[st.floats(0, 1e6)] * 3),
)
def test_a_question_arrives_as_it_was_asked_whatever_the_path(path, boxes, times):
    name, asked, when = record.asked(record.question(os.fsdecode(path), boxes, times))

    assert os.fsencode(name) == path
    assert when == (None if boxes is None else times)
    assert (asked is None) == (boxes is None)
    if boxes is not None:
        np.testing.assert_array_equal(asked, boxes)
