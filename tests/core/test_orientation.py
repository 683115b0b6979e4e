import numpy as np
import pytest
from PIL import Image

from lookwho.core.image import read
from lookwho.core.orientation import one_after_the_other, upright_box, upright_point, upright_size
from tests.pictures import ORIENTATION, ROTATED, encode


@pytest.mark.parametrize("orientation", ROTATED)
def test_a_box_goes_where_the_pixels_go(orientation):
    stored = np.zeros((60, 100, 3), np.uint8)
    stored[10:20, 30:70] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    pixels = read(encode(Image.fromarray(stored), "PNG", exif=exif)).pixels
    rows, columns = np.nonzero(pixels[..., 0])
    height, width = pixels.shape[:2]
    truth = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)

    box = upright_box((0.3, 10 / 60, 0.7, 20 / 60), orientation)

    assert upright_size((100, 60), orientation) == (width, height)
    np.testing.assert_allclose(np.multiply(box, (width, height, width, height)), truth, atol=1e-9)


@pytest.mark.parametrize("first", range(1, 9))
@pytest.mark.parametrize("second", range(1, 9))
def test_two_orientations_in_turn_are_one(first, second):
    both = one_after_the_other(first, second)
    for x, y in ((0.0, 0.0), (1.0, 0.25), (0.125, 0.5)):
        in_turn = upright_point(*upright_point(x, y, first), second)

        assert upright_point(x, y, both) == in_turn
