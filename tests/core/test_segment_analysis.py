import json
from collections import defaultdict

import numpy as np
import pytest

from lookwho.core import footage
from lookwho.core.cast import join, united
from lookwho.core.errors import InputError, LookwhoError
from lookwho.core.segment_analysis import STEP, SegmentAnalysis
from lookwho.core.segments import grid
from lookwho.core.sightings import Eyes
from lookwho.core.video import Reader
from tests.videos import cut_off, drawn, faces_clip, make_clip, sound_only

PEOPLE = ("Al_Gore", "Ana_Guevara", "Andy_Roddick", "Ali_Naimi")


@pytest.fixture(scope="module")
def eyes():
    return Eyes()


@pytest.fixture(scope="module")
def clip(media, tmp_path_factory):
    """Six seconds: one person, two, nobody, the first again; and who shows when."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    shots = (PEOPLE[0], PEOPLE[1:3], (), PEOPLE[0])
    return faces_clip(path, media, shots, seconds=6.0, cuts=(1.8, 3.1, 4.2))


def analyzed(eyes, path, duration, part=0, seconds=60.0):
    work = SegmentAnalysis(eyes, str(path), duration, part)
    while work.step(seconds):
        pass
    work.close()
    return work.result()


def test_five_people_who_come_back_are_five_people_at_their_times(eyes, media):
    told = json.loads((media / "video" / "synth_recurring.labels.json").read_text())
    labels = defaultdict(list)
    for frame in told["frames"]:
        for face in frame["faces"]:
            labels[face["person"]].append((frame["t"], frame["t"] + 1 / told["fps"], face["box"]))
    result = analyzed(eyes, media / "video" / "synth_recurring.mp4", 18.0)
    cast = join([result])
    names = []
    for person in cast.people:
        seen = set()
        for one in person.tracks:
            for time, *box in one.path.tolist():
                middle = (box[0] + box[2]) / 2 * 640, (box[1] + box[3]) / 2 * 360
                seen |= {
                    name
                    for name, places in labels.items()
                    for start, end, (x1, y1, x2, y2) in places
                    if start - 0.01 <= time < end - 0.01
                    and x1 < middle[0] < x2
                    and y1 < middle[1] < y2
                }
        names.append(seen)

    assert sorted(map(sorted, names)) == [[name] for name in sorted(labels)]
    for person, (name,) in zip(cast.people, names, strict=True):
        wanted = united([(start, end) for start, end, _ in labels[name]])
        assert len(person.appearances) == len(wanted)
        assert np.allclose(person.appearances, wanted, atol=0.05)
    assert np.allclose(result.cuts, [2, 4, 6, 8, 10, 12, 14, 16])
    assert (result.width, result.height, result.problem) == (640, 360, "")


def test_a_clip_of_other_people_gives_these_at_their_times(eyes, clip):
    path, labels = clip
    cast = join([analyzed(eyes, path, 6.0)])
    wanted = defaultdict(list)
    for label in labels:
        wanted[label.person].append((label.start, label.end))
    found = sorted(person.appearances for person in cast.people)

    assert len(found) == 3
    for one, other in zip(found, sorted(wanted.values()), strict=True):
        assert np.allclose(one, other, atol=0.1)
    assert np.allclose(cast.cuts, (1.8, 3.1, 4.2), atol=0.05)


def test_what_is_found_does_not_depend_on_the_steps_in_which_it_is_looked_for(eyes, clip):
    path, _ = clip
    whole = analyzed(eyes, path, 6.0)
    work = SegmentAnalysis(eyes, str(path), 6.0, 0)
    reached, people = [work.reached], [work.people]
    while work.step(0.0):
        reached.append(work.reached)
        people.append(work.people)

    assert len(reached) > 100
    assert (reached[0], people[0]) == (0.0, 0)
    assert reached == sorted(reached)
    assert people == sorted(people)
    assert (work.reached, work.people) == (pytest.approx(6.0, abs=0.05), 3)
    assert footage.dump_segment(work.result()) == footage.dump_segment(whole)


def test_a_person_who_stays_across_a_border_is_one_track(eyes, media, tmp_path):
    shots = (PEOPLE[0], PEOPLE[1:3], PEOPLE[3])
    path, _ = faces_clip(
        tmp_path / "long.mp4", media, shots, 70.0, (320, 180), (57.0, 66.0), rate=8
    )
    parts = [analyzed(eyes, path, 70.0, part) for part in range(2)]
    cast = join(parts)

    assert len(grid(70.0)) == 2
    assert sorted(person.appearances for person in cast.people) == [
        [(0.0, 57.0)],
        [(57.0, 66.0)],
        [(57.0, 66.0)],
        [(66.0, 70.0)],
    ]
    assert [len(person.tracks) for person in cast.people] == [1, 1, 1, 1]
    (crossing,) = cast.people[1].tracks
    times = crossing.path[:, 0]
    assert np.array_equal(times, np.unique(times))
    assert np.diff(times).max() <= STEP + 1 / 8


def test_the_last_segment_ends_with_the_file_whatever_was_told_of_its_length(eyes, clip):
    path, _ = clip
    result = analyzed(eyes, path, 1.0)

    assert result.end == 1.0
    assert max(track.end for track in result.tracks) == pytest.approx(6.0, abs=0.05)


def test_a_face_in_a_picture_that_stands_still_is_followed_all_the_time(eyes, clip, tmp_path):
    (first,) = _pictures_of(clip[0], 1)
    still = make_clip(tmp_path / "still.mp4", [first] * 75, rate=25)
    (track,) = analyzed(eyes, still, 3.0).tracks

    assert np.allclose(track.path[:12, 0], np.ceil(np.arange(0, 3, STEP) * 25) / 25)
    assert np.abs(track.path[:, 1:] - track.path[0, 1:]).max() < 0.01
    assert (track.start, track.end) == (0.0, 3.0)


def test_a_video_without_people_has_none(eyes, tmp_path):
    result = analyzed(eyes, make_clip(tmp_path / "none.mp4", drawn(30, (96, 64))), 1.2)

    assert result.tracks == ()


def test_what_is_left_of_a_video_that_was_cut_off_is_looked_at(eyes, clip, tmp_path):
    path, _ = clip
    whole = make_clip(tmp_path / "whole.mkv", _pictures_of(path, 100))
    result = analyzed(eyes, cut_off(whole, tmp_path / "cut.mkv", 0.6), 4.0)

    assert result.tracks
    assert result.problem


def test_there_is_no_segment_beyond_the_grid_nor_in_a_file_without_pictures(eyes, clip, tmp_path):
    with pytest.raises(InputError, match="there is no stretch 1 in a video of 6 seconds"):
        SegmentAnalysis(eyes, str(clip[0]), 6.0, 1)
    with pytest.raises(LookwhoError):
        SegmentAnalysis(eyes, str(sound_only(tmp_path / "sound.mp4")), 6.0, 0)


def _pictures_of(path, count):
    with Reader(path) as reader:
        return [frame.pixels() for _, frame in zip(range(count), reader.frames(), strict=False)]
