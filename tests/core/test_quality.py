import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import quality
from lookwho.core.group import LEAST_QUALITY
from lookwho.core.mtcnn import USUAL_LANDMARKS

FRONTAL = np.float32([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]])


@pytest.fixture(scope="module")
def chip(photos):
    pixels = cv2.cvtColor(cv2.imread(str(photos[0])), cv2.COLOR_BGR2RGB)
    return cv2.resize(pixels, (150, 150), interpolation=cv2.INTER_AREA)


def test_a_larger_face_is_worth_more_and_one_of_20_pixels_nothing():
    sides = np.float32([5, 20, 24, 40, 100, 400])
    boxes = np.stack([np.zeros(6), np.zeros(6), sides, sides], axis=1).astype(np.float32)

    worth = quality.of_size(boxes)

    assert worth[0] == worth[1] == 0
    assert list(worth) == sorted(worth)
    assert worth[3] == pytest.approx(0.5)
    assert worth[-1] < 1


def test_the_more_a_face_is_blurred_the_less_it_is_worth(chip):
    blurred = [chip] + [cv2.GaussianBlur(chip, (0, 0), sigma) for sigma in (1, 2, 4, 8)]

    worth = quality.of_sharpness(np.stack(blurred))

    assert list(worth) == sorted(worth, reverse=True)
    assert worth[0] > 0.8
    assert worth[-1] < 0.3


def test_a_chip_of_one_tone_is_worth_nothing():
    assert quality.of_sharpness(np.full((1, 150, 150, 3), 90, np.uint8))[0] == 0


def test_the_further_a_face_turns_away_the_less_it_is_worth():
    turned = np.stack([FRONTAL] * 4)
    turned[:, 2, 0] += [0, 8, 15, 30]

    worth = quality.of_pose(turned)

    assert worth[0] == 1
    assert list(worth) == sorted(worth, reverse=True)
    assert worth[-1] == 0


def test_tilting_the_head_or_mirroring_the_face_costs_nothing():
    turn = np.float32([[0.8, -0.6], [0.6, 0.8]])
    mirrored = (FRONTAL * [-1, 1] + [100, 0])[[1, 0, 2, 4, 3]]

    worth = quality.of_pose(np.stack([FRONTAL @ turn.T, mirrored, FRONTAL * 3]))

    np.testing.assert_allclose(worth, 1)


def test_landmarks_that_all_lie_in_one_place_do_not_break_it():
    assert np.isfinite(quality.of_pose(np.ones((1, 5, 2), np.float32))).all()


# --- cut off by the picture's edge ---


def placed(x, y, side, degrees=0.0):
    """The landmarks (1, 5, 2) of a face whose square has its middle at x, y."""
    turn = np.exp(1j * np.radians(degrees))
    points = (USUAL_LANDMARKS @ (1, 1j) - 0.5 - 0.5j) * side * turn
    return np.stack([points.real + x, points.imag + y], axis=1)[None]


FACES = st.tuples(
    st.floats(-60, 260), st.floats(-60, 160), st.floats(20, 120), st.floats(-180, 180)
)


@pytest.mark.parametrize(
    ("face", "shares"),
    (
        # A picture of 200 x 100 pixels reaches from -0.5 to 199.5 and 99.5.
        (placed(99.5, 49.5, 100), (0, 0, 0, 0)),
        (placed(-0.5, 49.5, 100), (0.5, 0, 0, 0)),
        (placed(99.5, 24.5, 100), (0, 0.25, 0, 0)),
        (placed(199.5, 89.5, 50), (0, 0, 0.5, 0.3)),
        (placed(19.5, 19.5, 50), (0.1, 0.1, 0, 0)),
        (placed(99.5, 49.5, 200), (0, 0.25, 0, 0.25)),
        (placed(-400, 49.5, 100), (1, 0, 0, 0)),
        # Turned by an eighth: beyond the edge is a corner as deep as 0.2 of the side.
        (placed(99.5, 30 * 2**0.5 - 12 - 0.5, 60, 45), (0, 0.04, 0, 0)),
        (placed(-0.5, 49.5, 60, 30), (0.5, 0, 0, 0)),
    ),
)
def test_how_much_of_a_face_lies_beyond_each_edge(face, shares):
    np.testing.assert_allclose(quality.beyond(face, 200, 100)[0], shares, atol=2e-4)


@given(FACES)
def test_it_is_as_much_as_counting_points_of_the_square_gives(face):
    x, y, side, degrees = face
    steps = (np.arange(120) + 0.5) / 120 - 0.5
    square = (steps[:, None] + 1j * steps) * side * np.exp(1j * np.radians(degrees)) + x + 1j * y
    sides = (square.real < -0.5, square.imag < -0.5, square.real > 199.5, square.imag > 99.5)
    counted = [side.mean() for side in sides]

    np.testing.assert_allclose(quality.beyond(placed(*face), 200, 100)[0], counted, atol=0.01)


@given(FACES, st.floats(0.1, 20))
def test_the_size_of_the_picture_does_not_matter(face, scale):
    x, y, side, degrees = face
    larger = placed((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, side * scale, degrees)

    worth = quality.of_frame(placed(*face), 200, 100)

    assert 0 <= worth[0] <= 1
    # As much of everything, the picture's sides included.
    np.testing.assert_allclose(quality.of_frame(larger, 200 * scale, 100 * scale), worth, atol=1e-4)


@given(FACES, st.integers(1, 200), st.integers(1, 200))
def test_the_more_is_cut_off_the_less_the_face_is_worth(face, width, other):
    narrow, wide = sorted((width, other))

    assert (
        quality.of_frame(placed(*face), narrow, 100)
        <= quality.of_frame(placed(*face), wide, 100) + 1e-6
    )


@given(st.floats(80, 119), st.floats(80, 119), st.floats(20, 110), st.floats(-180, 180))
def test_a_face_that_lies_wholly_inside_loses_nothing(x, y, side, degrees):
    assert quality.of_frame(placed(x, y, side, degrees), 200, 200)[0] == 1


def test_a_portrait_that_is_cut_close_is_worth_more_than_half_a_face():
    # A detector's box is 0.7 of the square wide, and as high as it.
    close, half = placed(34.5, 49.5, 100), placed(-0.5, 49.5, 100)

    assert quality.of_frame(close, 200, 100)[0] == pytest.approx(1, abs=1e-3)
    assert 0.8 < quality.of_frame(close, 70, 100)[0] < 1
    assert quality.of_frame(half, 200, 100)[0] < LEAST_QUALITY


def test_faces_whose_landmarks_lie_in_one_place_are_inside_or_outside():
    points = np.float32([[[50, 50]] * 5, [[-9, 50]] * 5])

    assert list(quality.of_frame(points, 200, 100)) == [1, 0]


# --- unrecognisable to the embedder ---


@pytest.fixture(scope="module")
def smooth_noise():
    """What `noise.json` was made of: (60, 150, 150, 3) uint8 that show nothing."""
    random = np.random.default_rng(0)
    drawn = np.empty((60, 150, 150, 3), np.uint8)
    for index, chip in enumerate(drawn):
        smooth = cv2.GaussianBlur(random.normal(size=chip.shape), (0, 0), (4, 8, 16)[index // 20])
        low, high = smooth.min(), smooth.max()
        chip[:] = (smooth - low) / (high - low) * 255
    return drawn


def test_what_is_shipped_is_what_the_embedder_makes_of_noise(analyzer, smooth_noise):
    made = analyzer._stages.embedder.embed(smooth_noise)[0].mean(axis=0)

    assert made @ quality.noise() / np.linalg.norm(made) > 0.999
    assert np.linalg.norm(quality.noise()) == pytest.approx(1, abs=1e-6)


def test_a_picture_that_shows_nothing_is_worth_nothing(analyzer, smooth_noise):
    assert quality.of_embedding(analyzer._stages.embedder.embed(smooth_noise)[0]).mean() < 0.05


def test_the_nearer_an_embedding_is_to_that_of_noise_the_less_it_is_worth():
    noise = quality.noise()
    aside = np.roll(noise, 1)
    aside -= aside @ noise * noise
    aside /= np.linalg.norm(aside)
    cosines = np.float32([-1, 0.9, 0.915, 0.92, 0.925, 0.93, 0.935, 1])[:, None]

    worth = quality.of_embedding(cosines * noise + np.sqrt(1 - cosines**2) * aside)

    np.testing.assert_allclose(worth, [1, 1, 1, 0.75, 0.5, 0.25, 0, 0], atol=1e-4)


def test_people_who_pose_for_their_photo_lose_nothing(analyzer, photos):
    for path in photos:
        if path.name in {"obama.jpg", "biden.jpg"}:
            assert quality.of_embedding(analyzer(path).embeddings) == [1]


@pytest.mark.parametrize("part", ("eyes", "mouth"))
def test_a_face_most_of_which_is_behind_something_founds_no_group(analyzer, photos, part):
    (path,) = [path for path in photos if path.name == "obama.jpg"]
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    (box,) = analyzer(pixels).boxes
    high, low = int(box[1]), int(box[3])
    third = (low - high) // 3
    hidden = slice(0, low - third) if part == "eyes" else slice(high + third, None)
    pixels[hidden] = (60, 50, 45)

    assert quality.of_embedding(analyzer.embed(pixels, box[None]).embeddings)[0] < LEAST_QUALITY


# --- all together ---


@pytest.fixture
def somebody(analyzer, photos):
    (path,) = [path for path in photos if path.name == "obama.jpg"]
    return analyzer(path).embeddings[:1]


def test_the_weakest_part_decides(chip, somebody):
    boxes = np.float32([[0, 0, 40, 40]] + [[0, 0, 400, 400]] * 3)
    landmarks, chips = np.stack([FRONTAL] * 4), np.stack([chip] * 4)
    landmarks[2] -= [60, 0]
    embeddings = np.concatenate([somebody, somebody, somebody, quality.noise()[None]])

    worth = quality.assess(boxes, landmarks, chips, embeddings, width=500, height=500)

    assert worth[0] == pytest.approx(0.5)
    assert worth[1] == pytest.approx(min(quality.of_sharpness(chips)[1], 0.95))
    assert worth[2] == pytest.approx(quality.of_frame(landmarks, 500, 500)[2])
    assert worth[2] < 0.3
    assert worth[3] == 0
    assert worth.dtype == np.float32


def test_no_faces_have_no_quality():
    nothing = np.zeros((0, 150, 150, 3), np.uint8)
    boxes, landmarks, embeddings = np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros((0, 128))

    worth = quality.assess(boxes, landmarks, nothing, embeddings, width=9, height=9)

    assert worth.shape == (0,)
