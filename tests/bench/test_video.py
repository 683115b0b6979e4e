from pathlib import Path

import numpy as np
import pytest

from bench.clips import Clip
from bench.sightings import Found, Labels, Seen
from bench.video import PARTS, QUICK, Row, _scores, _sighted, _table, report

BOX = np.array([0.1, 0.1, 0.3, 0.5])
LABELS = Labels(10.0, ((Seen("A", BOX),),) * 20)


def found(box=BOX, spans=((0.0, 2.0),)):
    times = np.arange(0, 2, 0.25)
    return Found(times, np.tile(box, (len(times), 1)), spans)


def cells(lines):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_times_as_fast_are_for_each_second_of_video():
    whole, part = Clip("c", Path("c"), 10.0, None), Clip("c", Path("c"), 2.0, None)
    theirs = Row("theirs", part, 1, [40.0], [])
    ours = Row("ours", whole, 2, [3.0, 1.0, 2.0], [])
    _, _, first, second = cells(_table([theirs, ours]))

    assert first[:6] == ["theirs", "2 s", "1", "40.00", "0.05", ""]
    assert second[:6] == ["ours", "10 s", "2", "2.00", "5.00", "100.0"]


@pytest.mark.parametrize(
    ("people", "expected"),
    (
        ([found()], ["1 of 1", "0", "0", "0", "1 of 1", "2 of 2"]),
        ([found(), found()], ["1 of 1", "0", "1", "0", "1 of 1", "2 of 2"]),
        ([found(BOX + 0.5)], ["0 of 1", "0", "0", "1", "0 of 1", "0 of 2"]),
        ([found(spans=None)], ["1 of 1", "0", "0", "0", "", ""]),
    ),
)
def test_people_are_counted_where_somebody_labelled_them(people, expected):
    row = Row("ours", Clip("c", Path("c"), 2.0, LABELS), 1, [1.0], people)

    assert _scores(row) == expected


def test_without_labels_only_people_and_appearances_are_told():
    row = Row("ours", Clip("c", Path("c"), 2.0, None), 1, [1.0], [found(), found()])

    assert _scores(row) == ["2", "", "", "", "2", ""]
    assert _scores(Row("decoding", row.clip, 1, [1.0])) == [""] * 6


def test_sightings_of_the_older_way_become_people():
    first, second = _sighted([(0.0, 0, BOX), (0.1, 1, BOX + 0.2), (0.1, 0, BOX), (0.2, 0, BOX)])

    assert (len(first.times), len(second.times)) == (3, 1)
    assert np.allclose(second.boxes, BOX + 0.2)
    assert first.appearances is None


def test_the_older_way_is_given_less_of_large_pictures():
    assert QUICK.stretch_of(360) >= QUICK.stretch_of(432) > QUICK.stretch_of(1080)


@pytest.mark.long
def test_the_memory_of_a_repeated_clip_is_measured(media):
    lines = list(report(("hour",), processes=1, quick=True))
    *_, synth, made = cells(line for line in lines if line.startswith("| "))

    for row in (synth, made):
        assert float(row[2]) == QUICK.hour
        assert int(row[6]) == 2
        assert 150 < float(row[7]) < 700


def test_the_parts_are_those_that_the_command_offers():
    assert PARTS == ("clips", "hour", "listing")
