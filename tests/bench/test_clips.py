import dataclasses

import av
import numpy as np
import pytest

from bench.clips import RATE, Clip, Scene, made, size_of

SCENE = Scene(seconds=6.0, size=(640, 360), people=3, shot=2.0, together=2)


@pytest.fixture(scope="module")
def clip(media, tmp_path_factory):
    return made(SCENE, tmp_path_factory.mktemp("clips"), media / "identities")


def pictures(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode()]


def test_a_clip_is_as_long_and_as_large_as_was_asked(clip):
    assert clip.seconds == pytest.approx(6.0)
    assert size_of(clip.path) == (640, 360)
    assert len(pictures(clip.path)) == len(clip.labels.frames) == 6 * RATE


def test_faces_are_where_the_labels_say(clip, analyzer):
    shown = pictures(clip.path)
    right = of = 0
    for time, pixels in shown[5::15]:
        found = {
            clip.labels.name_at(time, box / np.array([640, 360, 640, 360]))
            for box in analyzer(pixels).boxes
        }
        names = {seen.name for seen in clip.labels.at(time)}
        right += len(names & found)
        of += len(names)

    assert of >= 8
    assert right >= 0.8 * of


def test_everybody_comes_and_whoever_was_in_a_shot_is_not_in_the_next(clip):
    appearances = clip.labels.appearances()
    starts = [start for spans in appearances.values() for start, _ in spans]

    assert len(appearances) == 3
    assert len(starts) > 3
    assert all(end - start < 3 for spans in appearances.values() for start, end in spans)


def test_the_same_scene_is_the_same_clip_and_another_seed_another(clip, media, tmp_path):
    again, other = (
        made(dataclasses.replace(SCENE, seed=seed), tmp_path, media / "identities")
        for seed in (0, 1)
    )

    assert again.labels.appearances() == clip.labels.appearances()
    assert again.path.name == clip.path.name != other.path.name
    assert set(other.labels.names) != set(clip.labels.names)


def test_the_beginning_of_a_clip_has_the_same_pictures(clip):
    begun = clip.begun(2.0)
    whole, part = pictures(clip.path), pictures(begun.path)

    assert len(part) == 2 * RATE
    assert [time for time, _ in part] == [time for time, _ in whole[: len(part)]]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(whole, part, strict=False))
    assert begun.labels.frames == clip.labels.frames[: len(part)]
    assert clip.begun(60.0) is clip


def test_a_clip_is_repeated_without_a_gap(clip, tmp_path):
    long = clip.repeated(15.0, tmp_path / "long.mp4")
    whole, again = pictures(clip.path), pictures(long.path)
    times = [time for time, _ in again]

    assert Clip.of(long.path).seconds == pytest.approx(15.0, abs=0.1)
    assert np.allclose(np.diff(times), 1 / RATE, atol=1e-3)
    assert len(again) == 15 * RATE
    assert all(
        np.array_equal(whole[number % len(whole)][1], pixels)
        for number, (_, pixels) in enumerate(again[: 14 * RATE])
    )
