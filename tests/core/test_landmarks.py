import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lookwho.core import weights
from lookwho.core.dlibfile import read_shape_predictor
from lookwho.core.errors import ModelFormat
from lookwho.core.landmarks import LandmarkPredictor
from tests.core.test_dlibfile import drawn, written
from tests.pictures import opened

dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed to compare with")


@pytest.fixture(scope="module")
def ours():
    return LandmarkPredictor(read_shape_predictor(weights.read("landmarks5")))


@pytest.fixture(scope="module")
def theirs():
    return dlib.shape_predictor(str(weights.locate("landmarks5")))


@pytest.fixture(scope="module")
def find_faces():
    return dlib.get_frontal_face_detector()


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8)


def points_of_dlib(predictor, pixels, boxes):
    shapes = (predictor(pixels, dlib.rectangle(*map(int, box))) for box in boxes)
    return np.array([[(point.x, point.y) for point in shape.parts()] for shape in shapes])


def scattered(random, pixels, count):
    """Boxes anywhere, of 20 pixels to the whole picture, half of them hanging over its border."""
    height, width = pixels.shape[:2]
    side = random.integers(20, max(height, width), count)
    left = random.integers(-side // 2, width - side // 2)
    top = random.integers(-side // 2, height - side // 2)
    return np.stack([left, top, left + side, top + side + random.integers(-3, 4, count)], 1)


@pytest.mark.parametrize("side", (250, 600, 1000))
def test_points_of_real_faces_are_dlibs_to_the_pixel(ours, theirs, find_faces, photos, side):
    random = np.random.default_rng(side)
    compared = 0
    for path in photos:
        pixels = opened(path, side)
        faces = [
            (face.left(), face.top(), face.right(), face.bottom()) for face in find_faces(pixels)
        ]
        boxes = np.array([*faces, *scattered(random, pixels, 8)])

        np.testing.assert_array_equal(
            ours.predict(pixels, boxes), points_of_dlib(theirs, pixels, boxes)
        )
        compared += len(faces)
    assert compared >= 7 or side == 250


def test_a_grey_picture_gives_dlibs_points_too(ours, theirs, photos):
    pixels = np.asarray(Image.fromarray(opened(photos[0], 500)).convert("L"))
    boxes = scattered(np.random.default_rng(1), pixels, 12)

    np.testing.assert_array_equal(
        ours.predict(pixels, boxes), points_of_dlib(theirs, pixels, boxes)
    )


@pytest.mark.parametrize(
    "box",
    (
        (-300, -300, -200, -200),  # outside altogether
        (5000, 10, 5100, 110),
        (-2000, -2000, 3000, 3000),  # far larger than the picture
        (10, 10, 10, 10),  # one pixel
        (60, 10, 20, 50),  # inside out
    ),
)
def test_boxes_that_make_no_sense_are_taken_as_dlib_takes_them(ours, theirs, noise, box):
    np.testing.assert_array_equal(
        ours.predict(noise, np.array([box])), points_of_dlib(theirs, noise, [box])
    )


@pytest.mark.parametrize("count", (1, 2, 3, 4, 7, 8, 9, 12, 17))
def test_a_group_gets_the_points_that_each_face_gets_alone(ours, noise, count):
    boxes = scattered(np.random.default_rng(count), noise, count)

    together = ours.predict(noise, boxes)

    assert together.dtype == np.int32
    for box, points in zip(boxes, together, strict=True):
        np.testing.assert_array_equal(ours.predict(noise, box[None])[0], points)


def test_no_box_gives_no_points(ours, noise):
    points = ours.predict(noise, np.zeros((0, 4), np.int64))

    assert points.shape == (0, 5, 2)


def test_part_of_a_picture_needs_no_copy(ours, noise):
    part = noise[10:80, 20:100]
    box = np.array([[5, 5, 60, 60]])

    np.testing.assert_array_equal(ours.predict(part, box), ours.predict(part.copy(), box))


@given(seed=st.integers(0, 2**32), parts=st.integers(2, 9), count=st.sampled_from((1, 6)))
@settings(max_examples=25)
def test_trees_that_were_never_trained_agree_as_well(tmp_path_factory, noise, seed, parts, count):
    # Random trees send points far away and over the border, which trained ones seldom do.
    model = drawn(seed, parts=parts, cascades=3, trees=60, pixels=100)
    path = tmp_path_factory.mktemp("random") / "trees.dat"
    path.write_bytes(written(model))
    boxes = scattered(np.random.default_rng(seed), noise, count)

    np.testing.assert_array_equal(
        LandmarkPredictor(model).predict(noise, boxes),
        points_of_dlib(dlib.shape_predictor(str(path)), noise, boxes),
    )


def test_half_pixels_are_rounded_as_dlib_rounds_them(tmp_path, noise):
    # Trees that move nothing, and points that lie on half pixels in boxes of 64 to 512.
    model = drawn(0, parts=400, cascades=1, trees=1, pixels=4)
    model.leaves[:] = 0
    random = np.random.default_rng(5)
    model.initial[:] = random.integers(0, 257, (400, 2)) / np.float32(256)
    path = tmp_path / "trees.dat"
    path.write_bytes(written(model))
    side = 2 ** random.integers(6, 10, 40)
    left, top = random.integers(-5000, 5000, (2, 40))
    boxes = np.stack([left, top, left + side, top + side], 1)

    ours = LandmarkPredictor(model).predict(noise, boxes)

    np.testing.assert_array_equal(
        ours, points_of_dlib(dlib.shape_predictor(str(path)), noise, boxes)
    )
    exact = model.initial * side[:, None, None] + boxes[:, None, :2]
    assert (exact % 1 == 0.5).mean() > 0.05


def test_trees_of_another_depth_are_refused():
    with pytest.raises(ModelFormat, match="7 splits"):
        LandmarkPredictor(drawn(0, depth=3))
