import numpy as np
import pytest
from PIL import Image

from lookwho.core import mtcnn, weights
from lookwho.core.boxes import iou
from lookwho.core.image import read
from lookwho.core.mtcnn import Mtcnn
from lookwho.core.mtcnn_graphs import NETWORKS, build
from lookwho.core.packs import Thresholds
from lookwho.core.runtime import session


@pytest.fixture(scope="module")
def networks():
    return [session(build(name, weights.read_arrays(name))) for name in NETWORKS]


@pytest.fixture(scope="module")
def detector(networks):
    return Mtcnn(*networks)


@pytest.fixture(scope="module")
def obama(photos):
    (path,) = [path for path in photos if path.name == "obama.jpg"]
    return read(path, target=400).pixels


def test_the_face_of_a_portrait_is_found_once_with_its_landmarks_in_it(detector, obama):
    found = detector.detect(obama)

    assert len(found.boxes) == len(found.scores) == len(found.landmarks) == len(found.anchors) == 1
    assert found.scores[0] > 0.99
    x1, y1, x2, y2 = found.boxes[0]
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert x1 < left_eye[0] < nose[0] < right_eye[0] < x2
    assert y1 < left_eye[1] < nose[1] < left_mouth[1] < y2
    assert left_mouth[0] < right_mouth[0]


def test_the_mirror_image_gives_the_mirrored_answer(detector, obama):
    width = obama.shape[1]
    mirrored = detector.detect(np.ascontiguousarray(obama[:, ::-1]))

    box = detector.detect(obama).boxes[0]
    assert (
        iou(np.float32([[width - 1 - box[2], box[1], width - 1 - box[0], box[3]]]), mirrored.boxes)
        > 0.8
    )


def test_an_image_computed_in_strips_gives_what_one_run_gives(networks, obama, monkeypatch):
    detector = Mtcnn(*networks)
    in_strips = detector._scan(obama)

    monkeypatch.setattr(mtcnn, "STRIP_ROWS", 10_000)

    np.testing.assert_allclose(detector._scan(obama), in_strips, atol=1e-5)


@pytest.mark.parametrize("size", ((1, 1), (11, 300), (12, 12), (19, 20), (3, 2000), (64, 64)))
def test_images_of_any_size_without_a_face_give_none(detector, size):
    found = detector.detect(np.full((*size, 3), 128, np.uint8))

    assert len(found.boxes) == 0
    assert found.landmarks.shape == (0, 5, 2)
    assert found.anchors.shape == (0, 4)


def test_a_face_smaller_than_the_smallest_wanted_is_passed_over(networks, obama):
    small = np.asarray(Image.fromarray(obama).resize((obama.shape[1] // 4, obama.shape[0] // 4)))
    side = Mtcnn(*networks, min_face=12).detect(small).boxes[0]
    side = side[2] - side[0]

    assert len(Mtcnn(*networks, min_face=3 * side).detect(small).boxes) == 0


def test_a_candidate_that_just_fails_is_told_of(networks, obama):
    strict = Mtcnn(*networks, thresholds=Thresholds(output=0.999999))
    found = strict.detect(obama)

    assert len(found.boxes) == 0
    assert 0.9 < found.best_rejected < 1


def test_landmarks_of_boxes_from_elsewhere_are_those_of_its_own(detector, obama):
    found = detector.detect(obama)

    landmarks = detector.landmarks(obama, found.boxes)

    side = found.boxes[0, 2] - found.boxes[0, 0]
    assert np.abs(landmarks - found.landmarks).max() < 0.05 * side
    assert detector.landmarks(obama, np.zeros((0, 4), np.float32)).shape == (0, 5, 2)


def test_a_group_photo_shows_each_face_once(detector, media):
    pixels = read(media / "compreface" / "016_8.jpg", target=800).pixels

    found = detector.detect(pixels)

    assert len(found.boxes) >= 8
    assert (iou(found.boxes, found.boxes) - np.eye(len(found.boxes))).max() < 0.3
