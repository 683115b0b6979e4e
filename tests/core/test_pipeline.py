import io

import cv2
import numpy as np
import pytest
from PIL import Image

from lookwho.core.boxes import iou
from lookwho.core.errors import InputError
from lookwho.core.group import LEAST_QUALITY
from lookwho.core.packs import PACKS, PRESETS
from lookwho.core.pipeline import Analyzer
from lookwho.core.types import Reason


@pytest.fixture(scope="module")
def obama(photos):
    (path,) = [path for path in photos if path.name == "obama.jpg"]
    return path


@pytest.fixture(scope="module")
def portrait(obama):
    """Head and shoulders: nothing in it but one face."""
    pixels = np.asarray(Image.open(obama).convert("RGB"))
    return np.ascontiguousarray(pixels[: pixels.shape[0] // 2])


CHESSBOARD = np.kron(np.indices((4, 5)).sum(0) % 2, np.full((80, 80), 200))
CHESSBOARD = CHESSBOARD[..., None].repeat(3, 2).astype(np.uint8)


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def test_a_photo_gives_the_same_faces_in_whatever_way_it_is_given(analyzer, obama):
    data = obama.read_bytes()
    by_path = analyzer(obama)

    for source in (str(obama), data):
        np.testing.assert_array_equal(analyzer(source).embeddings, by_path.embeddings)
    pixels = np.asarray(Image.open(obama).convert("RGB"))
    for source in (pixels, Image.open(obama)):
        other = analyzer(source)
        assert (other.width, other.height) == (by_path.width, by_path.height)
        assert (other.embeddings @ by_path.embeddings.T).item() > 0.99


def test_the_arrays_have_the_shapes_and_types_that_are_promised(analyzer, obama):
    faces = analyzer(obama)

    assert len(faces) == 1
    assert faces.boxes.shape == (1, 4)
    assert faces.landmarks.shape == (1, 5, 2)
    assert faces.scores.shape == faces.quality.shape == (1,)
    assert faces.embeddings.shape == faces.encodings.shape == (1, PACKS["default"].dim)
    for name in ("boxes", "landmarks", "scores", "quality", "embeddings", "encodings"):
        assert getattr(faces, name).dtype == np.float32, name
    assert faces.reason is None
    assert faces.pack == "default"
    (face,) = faces
    np.testing.assert_array_equal(face.embedding, faces.embeddings[0])
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert 0 < face.quality <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_is_turned_by_its_orientation_tag_gives_the_same_face(
    analyzer, portrait, orientation
):
    upright = analyzer(jpeg(portrait))
    turned = Image.fromarray(portrait)
    # What undoes each orientation.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    if orientation in undo:
        turned = turned.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation

    faces = analyzer(jpeg(np.asarray(turned), exif=exif))

    assert (faces.width, faces.height) == (upright.width, upright.height)
    assert iou(faces.boxes, upright.boxes).item() > 0.9
    assert (faces.embeddings @ upright.embeddings.T).item() > 0.98


@pytest.mark.parametrize("longest", (700, 1600, 3000, 6000))
def test_boxes_and_landmarks_are_in_pixels_of_the_photo_whatever_its_size(
    analyzer, portrait, longest
):
    small = analyzer(portrait)
    zoom = longest / max(portrait.shape[:2])
    size = (round(portrait.shape[1] * zoom), round(portrait.shape[0] * zoom))

    large = analyzer(jpeg(cv2.resize(portrait, size, interpolation=cv2.INTER_CUBIC)))

    assert (large.width, large.height) == size
    assert iou(large.boxes / zoom, small.boxes).item() > 0.75
    side = small.boxes[0, 2] - small.boxes[0, 0]
    assert np.abs(large.landmarks / zoom - small.landmarks).max() < 0.05 * side


def test_faces_come_largest_first(analyzer, portrait):
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    canvas = np.full((portrait.shape[0], portrait.shape[1] * 2, 3), 90, np.uint8)
    canvas[: half.shape[0], : half.shape[1]] = half
    canvas[:, portrait.shape[1] :] = portrait

    boxes = analyzer(canvas).boxes

    assert len(boxes) == 2
    assert boxes[0, 2] - boxes[0, 0] > 1.5 * (boxes[1, 2] - boxes[1, 0])


@pytest.mark.parametrize(
    ("pixels", "reason"),
    (
        (np.zeros((300, 400, 3), np.uint8), Reason.BLANK),
        (np.full((300, 400, 3), 250, np.uint8), Reason.BLANK),
        (np.full((10, 10, 3), 90, np.uint8), Reason.TOO_SMALL),
        (np.full((1, 1, 3), 90, np.uint8), Reason.TOO_SMALL),
        (CHESSBOARD, Reason.NOTHING),
    ),
)
def test_a_photo_without_a_face_says_why(analyzer, pixels, reason):
    faces = analyzer(pixels)

    assert len(faces) == 0
    assert faces.reason == reason
    assert len(faces.reason.message) > 20
    assert faces.embeddings.shape == (0, 128)


def test_something_that_is_nearly_a_face_is_told_apart_from_nothing(portrait):
    strict = Analyzer()
    strict._stages.detector._thresholds = type(strict.preset.thresholds)(output=0.9999999)

    assert strict(portrait).reason == Reason.UNSURE


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_knows_the_same_person(analyzer, obama, preset):
    faces = Analyzer(preset=preset)(obama)

    assert faces[0].embedding @ analyzer(obama)[0].embedding > 0.98


def test_a_smaller_face_is_found_by_looking_harder(portrait):
    canvas = np.full((1600, 1600, 3), 120, np.uint8)
    small = cv2.resize(
        portrait,
        None,
        fx=60 / portrait.shape[0],
        fy=60 / portrait.shape[0],
        interpolation=cv2.INTER_AREA,
    )
    canvas[700:760, 700 : 700 + small.shape[1]] = small

    assert len(Analyzer(preset="fast")(canvas)) == 0
    assert len(Analyzer(preset="thorough")(canvas)) == 1


def test_eight_bits_can_be_asked_for_and_refused(obama):
    exact, rounded = Analyzer(int8=False)(obama), Analyzer(int8=True)(obama)

    assert not np.array_equal(exact.embeddings, rounded.embeddings)
    assert (exact.embeddings @ rounded.embeddings.T).item() > 0.99
    assert not Analyzer(preset="fast", int8=False).settings["int8"]


def test_dlibs_own_detector_finds_the_same_person(analyzer, obama):
    faces = Analyzer(pack="dlib")(obama)

    assert faces.pack == "dlib"
    assert len(faces) == 1
    assert iou(faces.boxes, analyzer(obama).boxes).item() > 0.4
    assert (faces.embeddings @ analyzer(obama).embeddings.T).item() > 0.97


@pytest.mark.parametrize("options", ({"pack": "arcface"}, {"preset": "slow"}))
def test_a_pack_or_preset_that_does_not_exist_is_refused_with_those_that_do(options):
    with pytest.raises(InputError, match=r"default, dlib|fast, balanced, thorough"):
        Analyzer(**options)


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, obama):
    (tmp_path / "models").write_text("in the way")

    assert len(Analyzer(cache=tmp_path)(obama)) == 1


# --- boxes that somebody drew ---


def test_a_drawn_box_gives_the_face_that_the_detector_would_have_found(analyzer, photos):
    for path in photos[:6]:
        found = analyzer(path)
        drawn = analyzer.embed(path, found.boxes)

        sharp = found.quality > 0.3
        same = (drawn.embeddings * found.embeddings).sum(axis=1)
        assert (same[sharp] > 0.97).all(), path.name
        np.testing.assert_array_equal(drawn.boxes, found.boxes)
        sides = found.boxes[:, 2] - found.boxes[:, 0]
        apart = np.linalg.norm(drawn.landmarks - found.landmarks, axis=2).max(axis=1)
        assert (apart[sharp] < 0.1 * sides[sharp]).all(), path.name
        assert (drawn.quality <= drawn.scores).all()


@pytest.mark.parametrize("aside", (-0.25, 0.25))
@pytest.mark.parametrize("larger", (0.8, 1.5))
def test_a_box_that_is_drawn_loosely_still_is_the_same_person(analyzer, obama, aside, larger):
    found = analyzer(obama)
    (x1, y1, x2, y2), size = found.boxes[0], found.boxes[0][2] - found.boxes[0][0]
    middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + aside * size / 2
    half = larger * size / 2
    drawn = analyzer.embed(obama, np.array([[*(middle - half), *(middle + half)]]))

    assert (drawn.embeddings @ found.embeddings.T).item() > 0.9


def test_boxes_keep_their_order_and_no_box_gives_no_face(analyzer, photos):
    path = max(photos[:7], key=lambda path: len(analyzer(path)))
    found = analyzer(path)
    upside_down = analyzer.embed(path, found.boxes[::-1])

    np.testing.assert_array_equal(upside_down.boxes, found.boxes[::-1])
    assert len(analyzer.embed(path, np.zeros((0, 4)))) == 0


def test_where_no_face_is_the_quality_is_low_and_nothing_fails(analyzer):
    drawn = analyzer.embed(CHESSBOARD, np.array([[0, 0, 90, 90], [-40, 200, 30, 300]]))

    assert drawn.embeddings.shape == (2, PACKS["default"].dim)
    assert np.isfinite(drawn.embeddings).all()
    assert (drawn.quality < 0.4).all()


@pytest.mark.parametrize("edge", range(4))
def test_a_face_that_the_edge_of_the_photo_halves_founds_no_group(analyzer, portrait, edge):
    (box,) = analyzer(portrait).boxes
    middle = ((box[:2] + box[2:]) / 2).astype(int)
    # Left, top, right and bottom half of the face gone.
    rows, columns = (
        slice(middle[axis], None) if edge == axis else slice(0, middle[axis])
        if edge == axis + 2 else slice(None) for axis in (1, 0)
    )  # fmt: skip
    part = np.ascontiguousarray(portrait[rows, columns])
    moved = box - np.array([columns.start or 0, rows.start or 0] * 2)
    inside = np.clip(moved, 0, np.array(part.shape[1::-1] * 2) - 1)

    for drawn in (moved, inside):
        assert analyzer.embed(part, drawn[None]).quality[0] < LEAST_QUALITY
    assert (analyzer(part).quality < LEAST_QUALITY).all()
    assert analyzer.embed(portrait, box[None]).quality[0] > LEAST_QUALITY


@pytest.mark.parametrize(
    "box",
    ((np.nan, 0, 10, 10), (0, 0, np.inf, 10), (10, 10, 10, 20), (9000, 9000, 9100, 9100)),
)
def test_boxes_that_cannot_be_are_refused(analyzer, box):
    with pytest.raises(InputError, match="a box"):
        analyzer.embed(CHESSBOARD, np.array([box]))
