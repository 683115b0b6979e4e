import cv2
import numpy as np
import pytest
from PIL import Image

from lookwho.core.errors import InputError
from lookwho.core.sightings import Eyes, crop


@pytest.fixture(scope="module")
def eyes():
    return Eyes()


@pytest.fixture(scope="module")
def photo(media):
    path = sorted((media / "identities" / "Al_Gore").glob("*.jpg"))[0]
    return np.asarray(Image.open(path).convert("RGB"))


def placed(photo, x, y, size=(1280, 720), side=300):
    """A picture of that size with the photo in it."""
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    picture[y : y + side, x : x + side] = cv2.resize(photo, (side, side))
    return picture


def middle(box):
    return (box[:2] + box[2:]) / 2


def test_a_face_is_found_and_embedded_as_in_a_photo(eyes, photo, analyzer):
    picture = placed(photo, 500, 200)
    (one,) = eyes.find(1.5, picture)
    (view,) = eyes.views(picture, [one])
    (face,) = analyzer(picture)

    assert one.time == view.time == 1.5
    assert np.abs(one.box - face.box).max() < 6
    assert np.allclose(view.box * np.array([1280, 720] * 2), one.box, atol=0.01)
    assert np.allclose(view.landmarks * np.array([1280, 720]), one.landmarks, atol=0.01)
    assert 1 - view.embedding @ face.embedding < 0.01
    assert view.quality == pytest.approx(face.quality, abs=0.1)
    assert view.crop == b""


@pytest.mark.parametrize("shift", (0, 8, 20))
def test_a_face_that_moved_a_little_is_found_again_where_it_is(eyes, photo, shift):
    (one,) = eyes.find(0.0, placed(photo, 500, 200))
    moved = placed(photo, 500 + shift, 200)
    (again,) = eyes.again(0.1, moved, [one])
    (found,) = eyes.find(0.1, moved)

    assert again is not None
    assert again.time == 0.1
    assert np.abs(middle(again.box) - middle(found.box)).max() < 0.1 * one.side
    assert again.side == pytest.approx(found.side, rel=0.15)


def test_a_face_that_is_gone_is_not_found_again(eyes, photo):
    (one,) = eyes.find(0.0, placed(photo, 500, 200))
    there, gone = eyes.again(0.1, placed(photo, 100, 200), [one, one])
    assert (there, gone) == (None, None)
    assert eyes.again(0.1, placed(photo, 100, 200), []) == []


def test_a_sharp_face_is_worth_more_than_a_blurred_one_and_a_large_more_than_a_small_one(
    eyes, photo
):
    def worth(picture):
        (one,) = eyes.find(0.0, picture)
        return eyes.worth(picture, one)

    sharp = placed(photo, 500, 200)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    assert 1 >= worth(sharp) > worth(placed(photo, 500, 200, side=150)) > 0
    assert worth(sharp) > 1.5 * worth(blurred)


def test_a_face_outside_the_picture_is_worth_nothing(eyes, photo):
    picture = placed(photo, 500, 200)
    (one,) = eyes.find(0.0, picture)

    assert eyes.worth(picture[:, :300].copy(), one) == 0


@pytest.mark.parametrize(
    ("box", "side"),
    (((100, 100, 200, 220), 192), ((0, 0, 40, 40), 64), ((-50, -50, 700, 700), 256)),
)
def test_a_crop_is_a_square_around_the_face_inside_the_picture(photo, box, side):
    picture = placed(photo, 50, 50, (640, 480))
    data = crop(picture, np.array(box, np.float32))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    assert pixels.shape == (side, side, 3)


def test_a_pack_without_such_a_name_is_refused():
    with pytest.raises(InputError, match="no pack"):
        Eyes("nothing")
