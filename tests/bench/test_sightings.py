import numpy as np
import pytest

from bench.sightings import Found, Labels, Seen, read, score, united, write

LEFT, RIGHT = np.array([0.1, 0.1, 0.3, 0.5]), np.array([0.6, 0.1, 0.8, 0.5])
NOWHERE = np.array([0.4, 0.8, 0.5, 0.9])


def labels(*shots, rate=10.0):
    """Labels of shots of two seconds; in each, who is on the left and who on the right."""
    frames = []
    for left, right in shots:
        places = ((left, LEFT), (right, RIGHT))
        frames += [tuple(Seen(name, box) for name, box in places if name)] * round(2 * rate)
    return Labels(rate, tuple(frames))


def found(*stretches, told=True):
    """Somebody seen five times a second in stretches (start, end, box)."""
    times = [np.arange(start, end, 0.2) for start, end, _ in stretches]
    boxes = [
        np.tile(box, (len(some), 1)) for some, (_, _, box) in zip(times, stretches, strict=True)
    ]
    spans = tuple((start, end) for start, end, _ in stretches)
    return Found(np.concatenate(times), np.concatenate(boxes), spans if told else None)


TWO = labels(("A", "B"), ("", ""), ("A", ""))


def test_whoever_is_found_as_they_are_to_be_seen_is_right():
    result = score(TWO, [found((0, 2, LEFT), (4, 6, LEFT)), found((0, 2, RIGHT))])

    assert (result.people, result.of) == (2, 2)
    assert (result.merged, result.split, result.nobody) == (0, 0, 0)
    assert (result.appearances, result.of_appearances, result.borders) == (3, 3, 6)
    assert result.wrong == []


def test_two_who_are_taken_for_one_are_merged():
    result = score(TWO, [found((0, 2, LEFT), (4, 6, LEFT), (0, 2, RIGHT))])

    assert (result.people, result.merged, result.split) == (1, 1, 0)
    assert result.wrong[0] == "person 1 is A and B"
    assert "B was not found" in result.wrong


def test_a_few_sightings_of_somebody_else_merge_nobody():
    stray = found((0, 2, LEFT), (4, 6, LEFT), (0, 0.3, RIGHT))

    assert score(TWO, [stray, found((0, 2, RIGHT))]).merged == 0


def test_one_of_whom_several_are_made_is_split():
    people = [found((0, 2, LEFT)), found((4, 6, LEFT)), found((0, 2, RIGHT))]
    result = score(TWO, people)

    assert (result.people, result.merged, result.split) == (2, 0, 1)
    assert (result.appearances, result.borders) == (3, 6)
    assert result.wrong == ["A is 2 people"]


def test_somebody_where_nobody_is_to_be_seen_is_nobody():
    result = score(TWO, [found((0, 2, NOWHERE)), found((2, 4, LEFT))])

    assert (result.people, result.nobody) == (0, 2)


@pytest.mark.parametrize(
    ("start", "end", "appearances", "borders"),
    ((0.4, 1.6, 1, 2), (0.6, 2.0, 1, 1), (0.6, 1.4, 1, 0), (2.5, 3.5, 0, 0)),
)
def test_starts_and_ends_are_right_within_half_a_second(start, end, appearances, borders):
    person = found((0, 2, LEFT))
    person = Found(person.times, person.boxes, ((start, end),))
    result = score(labels(("A", ""), ("", "")), [person])

    assert (result.appearances, result.borders) == (appearances, borders)
    assert (result.of_appearances, len(result.wrong)) == (1, 1 if not appearances else 2 - borders)


def test_who_tells_no_appearances_is_not_asked_for_them():
    result = score(TWO, [found((0, 2, LEFT), told=False)])

    assert result.appearances is None
    assert result.of_appearances == 3


def test_a_box_belongs_to_the_face_whose_middle_is_nearest():
    both = (Seen("A", np.array([0.0, 0.0, 0.6, 1.0])), Seen("B", np.array([0.4, 0.0, 1.0, 1.0])))
    clip = Labels(1.0, (both,))

    assert clip.name_at(0.0, np.array([0.4, 0.4, 0.5, 0.6])) == "A"
    assert clip.name_at(0.0, np.array([0.5, 0.4, 0.6, 0.6])) == "B"
    assert clip.name_at(1.0, np.array([0.5, 0.4, 0.6, 0.6])) is None


def test_somebody_who_is_gone_for_a_moment_has_not_left():
    assert united([(0.0, 1.0), (1.9, 3.0), (4.1, 5.0)]) == [(0.0, 3.0), (4.1, 5.0)]
    assert united([(0.0, 5.0), (1.0, 2.0)]) == [(0.0, 5.0)]


def test_labels_are_read_as_they_were_written(tmp_path):
    write(TWO, tmp_path / "labels.json", (640, 360))
    again = read(tmp_path / "labels.json", (640, 360))

    assert again.appearances() == TWO.appearances() == {"A": [(0, 2), (4, 6)], "B": [(0, 2)]}
    assert again.names == ["A", "B"]
    assert again.until(3).appearances() == {"A": [(0, 2)], "B": [(0, 2)]}
    for mine, theirs in zip(again.frames[0], TWO.frames[0], strict=True):
        assert np.allclose(mine.box, theirs.box, atol=0.001)


def test_the_labels_of_the_clip_in_media_are_read(media):
    path = media / "video" / "synth_recurring.labels.json"
    clip = read(path, (640, 360))

    assert clip.names == ["A", "B", "C", "biden", "obama"]
    assert sum(map(len, clip.appearances().values())) == 10
    assert all((seen.box <= 1).all() and (seen.box >= 0).all() for f in clip.frames for seen in f)
