import numpy as np
import onnx
import pytest
from PIL import Image

from lookwho.core import weights
from lookwho.core.dlibfile import read_network
from lookwho.core.errors import ModelFormat
from lookwho.core.mmod import MmodDetector, build
from lookwho.core.runtime import session
from tests.pictures import opened

dlib = pytest.importorskip("dlib", reason="dlib-bin is not installed to compare with")


@pytest.fixture(scope="module")
def model():
    return build(read_network(weights.read("mmod")))


@pytest.fixture(scope="module")
def ours(model):
    return MmodDetector(session(model), corners_as_landmarks)


@pytest.fixture(scope="module")
def theirs():
    return dlib.cnn_face_detection_model_v1(str(weights.locate("mmod")))


def corners_as_landmarks(pixels, boxes):
    return boxes[:, [0, 1, 2, 1, 0, 3, 2, 3, 0, 1]].reshape(-1, 5, 2)


def assert_found_as_dlib_finds(ours, theirs, pixels, upsample):
    """All boxes equal, scores within a thousandth; returns how many faces there are."""
    # Enlarged photos differ by a grey level in one value of 500, twice enlarged ones in more.
    tolerance = 1e-3 if upsample < 2 else 5e-3
    boxes, scores = ours.search(pixels, upsample)
    expected = theirs(pixels, upsample)
    rectangles = [face.rect for face in expected]
    np.testing.assert_array_equal(
        boxes,
        np.array([(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]).reshape(-1, 4),
    )
    confidences = [face.confidence for face in expected]
    np.testing.assert_allclose(scores, confidences, rtol=0, atol=tolerance)
    return len(expected)


def test_the_graph_is_valid(model):
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)


# dlib takes a second for 500 pixels and four for 1000, or for 500 enlarged.
@pytest.mark.parametrize(
    ("side", "upsample", "every"), ((500, 0, slice(0, 7)), (1000, 0, slice(0, 1)), (500, 1, [-1]))
)
def test_faces_are_those_of_dlib(ours, theirs, photos, side, upsample, every):
    chosen = np.array(photos)[every]

    found = sum(
        assert_found_as_dlib_finds(ours, theirs, opened(path, side), upsample) for path in chosen
    )

    assert found > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("side", "upsample", "step"),
    ((500, 0, 1), (1000, 0, 1), (500, 1, 1), (1000, 1, 3), (300, 2, 3)),
)
def test_faces_of_many_photos_are_those_of_dlib(ours, theirs, photos, side, upsample, step):
    chosen = photos[::step]

    found = sum(
        assert_found_as_dlib_finds(ours, theirs, opened(path, side), upsample) for path in chosen
    )

    assert found >= len(chosen) // 3


@pytest.mark.parametrize("size", ((40, 130), (130, 40), (90, 90), (500, 24), (21, 400)))
def test_pictures_of_odd_shapes_are_searched_as_dlib_searches_them(ours, theirs, photos, size):
    with Image.open(photos[0]) as photo:
        pixels = np.asarray(photo.convert("RGB").resize(size))

    assert_found_as_dlib_finds(ours, theirs, pixels, 0)
    assert_found_as_dlib_finds(ours, theirs, pixels, 1)


@pytest.mark.parametrize("shape", ((1, 1, 3), (1, 500, 3), (4, 6, 3), (300, 1, 3), (7, 7, 3)))
def test_a_picture_too_small_for_a_face_has_none(ours, shape):
    boxes, scores = ours.search(np.full(shape, 128, np.uint8))

    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_a_higher_threshold_keeps_the_better_faces_only(ours, photos):
    pixels = np.zeros((500, 2000, 3), np.uint8)
    for place, path in zip(np.split(pixels, 4, axis=1), photos, strict=False):
        photo = opened(path, 500)
        place[: photo.shape[0], : photo.shape[1]] = photo
    boxes, scores = ours.search(pixels, threshold=-1.0)
    limit = float(np.median(scores))

    better, better_scores = ours.search(pixels, threshold=limit)

    assert len(boxes) > 1
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_array_equal(better, boxes[scores > limit])
    np.testing.assert_array_equal(better_scores, scores[scores > limit])


def test_detections_have_landmarks_and_the_boxes_as_anchors(ours, photos):
    pixels = opened(photos[0], 500)
    boxes, scores = ours.search(pixels)

    found = ours.detect(pixels)

    np.testing.assert_array_equal(found.boxes, boxes)
    np.testing.assert_array_equal(found.anchors, boxes)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(found.landmarks, corners_as_landmarks(pixels, boxes))
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_another_network_is_refused():
    with pytest.raises(ModelFormat, match="not dlib's detector"):
        build(read_network(weights.read("resnet")))
