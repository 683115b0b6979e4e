from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from PIL import Image

from lookwho.core.follow import Follower
from lookwho.core.sightings import Eyes
from lookwho.core.tracks import robust_mean

RATE = 16  # pictures a second, of which every fourth is searched
SIZE = (640, 360)


@dataclass
class Shown:
    """A picture of a shot."""

    time: float
    array: np.ndarray

    def pixels(self):
        return self.array


@pytest.fixture(scope="module")
def eyes():
    return Eyes()


@pytest.fixture(scope="module")
def faces(media):
    """Photos of two people, 200 pixels wide."""

    def photo(name):
        path = sorted((media / "identities" / name).glob("*.jpg"))[0]
        return cv2.resize(np.asarray(Image.open(path).convert("RGB")), (200, 200))

    return photo("Al_Gore"), photo("Ana_Guevara")


def picture(*placed):
    """A picture with photos in it: (photo, x, y of its left upper corner, share of it seen)."""
    width, height = SIZE
    canvas = np.full((height, width, 3), 90, np.uint8)
    for photo, x, y, share in placed:
        x, y = round(x), round(y)
        left, right = max(x, 0), min(x + photo.shape[1], width)
        if left < right:
            under = canvas[y : y + photo.shape[0], left:right]
            over = photo[:, left - x : right - x]
            under[:] = np.round(under * (1 - share) + over * share)
    return canvas


def followed(eyes, pictures):
    """Follow the faces of one shot, of which pictures are given for each time."""
    follower, between, last = Follower(eyes), [], None
    for number, array in enumerate(pictures):
        shown = Shown(number / RATE, array)
        if number % 4 == 0:
            follower.sample(shown, between)
            between = []
        else:
            between.append(shown)
        last = shown
    follower.end_shot(between, last.time + 1 / RATE)
    return sorted(follower.done, key=lambda track: track.start)


def distance(one, two):
    return 1 - float(robust_mean(one.views) @ robust_mean(two.views))


def test_a_face_that_stays_is_one_track_until_the_end_of_its_shot(eyes, faces):
    (track,) = followed(eyes, [picture((faces[0], 200, 80, 1))] * 35)

    assert (track.start, track.end) == (0.0, 35 / RATE)
    assert track.path[0, 0] == 0.0
    assert track.path[-1, 0] == 34 / RATE
    assert np.abs(track.path[:, 1:] - track.path[0, 1:]).max() < 0.01
    best = track.views[0]
    assert best.quality == max(view.quality for view in track.views) > 0.6
    assert [bool(view.crop) for view in track.views] == [True] + [False] * (len(track.views) - 1)
    crop = cv2.imdecode(np.frombuffer(best.crop, np.uint8), cv2.IMREAD_COLOR)
    assert crop.shape[0] == crop.shape[1] <= 256
    assert crop.shape[0] > 1.4 * max(best.box[2] - best.box[0], best.box[3] - best.box[1]) * SIZE[1]


@pytest.mark.parametrize("speed", (100, 300, 600))
def test_a_face_that_crosses_the_picture_is_one_track(eyes, faces, speed):
    count = round(400 / speed * RATE)
    pictures = [picture((faces[0], 20 + 400 * k / count, 80, 1)) for k in range(count)]
    (track,) = followed(eyes, pictures)

    middles = (track.path[:, 1] + track.path[:, 3]) / 2
    assert (np.diff(middles) > 0).all()
    assert track.path[-1, 0] == (count - 1) / RATE


def test_two_who_pass_each_other_keep_their_tracks(eyes, faces):
    pictures = [
        picture((faces[0], 40 + 6 * k, 10, 1), (faces[1], 400 - 6 * k, 150, 1)) for k in range(50)
    ]
    one, two = followed(eyes, pictures)

    assert distance(one, two) > 0.1
    middles = [(track.path[:, 1] + track.path[:, 3]) / 2 for track in (one, two)]
    assert sorted(np.sign(np.diff(each)).mean() for each in middles) == [-1, 1]


def test_who_comes_and_goes_within_a_shot_is_seen_from_then_till_then(eyes, faces):
    there = [19 <= k < 46 for k in range(64)]
    pictures = [picture((faces[0], 20, 80, 1), (faces[1], 400, 80, float(seen))) for seen in there]
    stays, guest = followed(eyes, pictures)

    assert (stays.start, stays.end) == (0.0, 64 / RATE)
    assert (guest.start, guest.end) == (19 / RATE, 45 / RATE)


def test_a_face_that_is_hidden_for_a_moment_is_one_track(eyes, faces):
    pictures = [picture((faces[0], 200, 80, float(not 20 <= k < 30))) for k in range(56)]
    (track,) = followed(eyes, pictures)

    assert (track.start, track.end) == (0.0, 56 / RATE)


def test_a_face_that_is_away_for_longer_is_two_tracks_of_one_person(eyes, faces):
    pictures = [picture((faces[0], 200, 80, float(not 20 <= k < 52))) for k in range(80)]
    one, two = followed(eyes, pictures)

    assert (one.start, one.end, two.start, two.end) == (0.0, 19 / RATE, 52 / RATE, 80 / RATE)
    assert distance(one, two) < 0.03


@pytest.mark.parametrize("length", (1, 12))
def test_one_face_that_becomes_another_in_the_same_place_is_two_tracks(eyes, faces, length):
    shares = np.clip((np.arange(96) - 45) / length, 0, 1)
    pictures = [picture((faces[0], 200, 80, 1), (faces[1], 200, 80, share)) for share in shares]
    one, two = followed(eyes, pictures)

    assert distance(one, two) > 0.1
    assert one.start == 0.0
    assert two.end == 96 / RATE
    middle = (45 + length / 2) / RATE
    assert middle - 0.6 < one.end < two.start < middle + 0.6
    own = followed(eyes, pictures[:40])[0], followed(eyes, pictures[60:])[0]
    assert distance(one, own[0]) < 0.03
    assert distance(two, own[1]) < 0.03


def test_pictures_in_which_nothing_changes_need_no_search(eyes, faces):
    follower = Follower(eyes)
    follower.sample(Shown(0.0, picture((faces[0], 200, 80, 1))), [])
    for number in range(1, 9):
        follower.same(number / 4)
    follower.end_shot([], 2.25)
    (track,) = follower.done

    assert track.path[:, 0].tolist() == [number / 4 for number in range(9)]
    assert (track.start, track.end) == (0.0, 2.25)


def test_a_picture_without_faces_gives_no_track(eyes):
    assert followed(eyes, [picture()] * 8) == []
