import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookwho.core import weights
from lookwho.core.chips import chip, chips, similarity
from lookwho.core.dlibfile import read_shape_predictor
from lookwho.core.errors import DegeneratePoints
from lookwho.core.landmarks import LandmarkPredictor

dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed to compare with")

# Five points as they lie in an upright face 100 pixels wide.
FACE = np.array([[186, 121], [165, 123], [112, 121], [133, 123], [149, 163]])


@pytest.fixture(scope="module")
def predictor():
    return LandmarkPredictor(read_shape_predictor(weights.read("landmarks5")))


@pytest.fixture(scope="module")
def noise():
    """Blurred noise: every chip of it is different, and none is flat."""
    small = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC))


def chip_of_dlib(pixels, points, size=150):
    face = dlib.full_object_detection(
        dlib.rectangle(0, 0, 1, 1), [dlib.point(int(x), int(y)) for x, y in points]
    )
    return dlib.get_face_chip(pixels, face, size=size, padding=0.25)


def assert_nearly_equal(ours, theirs):
    """At most one grey level of difference in 99.99 % of the values, and in most none."""
    difference = np.abs(ours.astype(int) - theirs)
    assert (difference > 1).mean() <= 1e-4
    assert (difference > 0).mean() <= 1e-3


def moved(points, centre, scale, degrees):
    turned = (points - points.mean(0)) * scale
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.rint(turned @ [[cos, sin], [-sin, cos]] + centre).astype(int)


@pytest.mark.parametrize("side", (250, 600, 1000, 2400))
def test_chips_of_real_faces_are_dlibs_within_a_grey_level(predictor, photos, side):
    find_faces = dlib.get_frontal_face_detector()
    ours, theirs = [], []
    for path in photos[:12]:
        with Image.open(path) as photo:
            photo.draft("RGB", (side, side))
            photo = photo.convert("RGB")
        photo.thumbnail((side, side))
        pixels = np.asarray(photo)
        small = photo.copy()
        small.thumbnail((600, 600))
        boxes = [
            (face.left(), face.top(), face.right(), face.bottom())
            for face in find_faces(np.asarray(small))
        ]
        zoom = photo.width / small.width
        points = predictor.predict(pixels, np.rint(np.array(boxes) * zoom))
        ours += list(chips(pixels, points))
        theirs += [chip_of_dlib(pixels, face) for face in points]
    assert len(ours) >= 3
    assert_nearly_equal(np.array(ours), np.array(theirs))


@pytest.mark.parametrize("scale", (0.1, 0.5, 1, 1.9, 2.1, 4, 9))
@pytest.mark.parametrize("degrees", (0, 30, -90, 175))
def test_faces_anywhere_of_any_size_and_turn_are_cut_as_dlib_cuts_them(noise, scale, degrees):
    for centre in ((160, 120), (0, 0), (300, 10), (-40, 200)):  # some hang over the border
        points = moved(FACE, centre, scale, degrees)

        assert_nearly_equal(chip(noise, points), chip_of_dlib(noise, points))


@pytest.mark.parametrize("size", (64, 150, 201))
def test_chips_of_other_sizes_are_dlibs_too(noise, size):
    points = moved(FACE, (150, 110), 2, 10)

    assert_nearly_equal(chip(noise, points, size), chip_of_dlib(noise, points, size))


@pytest.mark.parametrize("shape", ((1, 1, 3), (1, 300, 3), (4, 4, 3)))
def test_a_picture_too_small_for_a_face_gives_dlibs_chip(shape):
    pixels = np.full(shape, 200, np.uint8)

    np.testing.assert_array_equal(chip(pixels, FACE * 3), chip_of_dlib(pixels, FACE * 3))


def test_a_face_outside_the_picture_is_black(noise):
    assert chip(noise, FACE + 1000).max() == 0
    assert chip(noise, FACE - 5000).max() == 0


def test_chips_are_cut_one_by_one(noise):
    faces = np.array([FACE, FACE + 7, moved(FACE, (100, 100), 3, 45)])

    together = chips(noise, faces)

    assert together.shape == (3, 150, 150, 3)
    assert together.dtype == np.uint8
    for face, cut in zip(faces, together, strict=True):
        np.testing.assert_array_equal(cut, chip(noise, face))


def test_no_face_gives_no_chip(noise):
    assert chips(noise, np.zeros((0, 5, 2), np.int32)).shape == (0, 150, 150, 3)


def test_points_in_one_place_make_no_chip(noise):
    with pytest.raises(DegeneratePoints):
        chip(noise, np.full((5, 2), 50))


@given(
    scale=st.floats(0.01, 100),
    degrees=st.floats(-180, 180),
    x=st.floats(-1e4, 1e4),
    y=st.floats(-1e4, 1e4),
)
def test_a_similarity_is_found_again(scale, degrees, x, y):
    cos = scale * math.cos(math.radians(degrees))
    sin = scale * math.sin(math.radians(degrees))
    matrix = np.array([[cos, -sin, x], [sin, cos, y]])

    found = similarity(FACE, FACE @ matrix[:, :2].T + matrix[:, 2])

    np.testing.assert_allclose(found, matrix, rtol=1e-9, atol=1e-7)


@given(st.integers(0, 2**32))
def test_no_other_similarity_comes_closer(seed):
    random = np.random.default_rng(seed)
    source, target = random.normal(0, 50, (2, 5, 2))
    best = similarity(source, target)

    def error(matrix):
        return ((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum()

    a, b, x, y = random.normal(0, 0.01, 4)
    assert error(best) <= error(best + np.array([[a, -b, x], [b, a, y]]))


def test_a_mirrored_face_is_not_mirrored_back():
    mirrored = FACE * [-1, 1]

    matrix = similarity(FACE, mirrored)

    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize(
    ("source", "target"),
    (
        ([[1, 1], [1, 1]], [[0, 0], [1, 1]]),
        ([[0, 0], [1, 1]], [[1, 1], [1, 1]]),
        ([[0, 0]], [[1, 1]]),
        ([], []),
        ([[0, 0], [1e200, 1]], [[0, 0], [1, 1e200]]),
        ([[0, 0], [math.nan, 1]], [[0, 0], [1, 1]]),
        ([[0, 0], [1, 1]], [[0, 0], [math.inf, 1]]),
        # A square and its mirror image: no turn is better than any other.
        ([[0, 0], [1, 0], [1, 1], [0, 1]], [[1, 0], [0, 0], [0, 1], [1, 1]]),
    ),
)
def test_points_that_nothing_carries_onto_the_others_are_refused(source, target):
    with pytest.raises(DegeneratePoints):
        similarity(source, target)
