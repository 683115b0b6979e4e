import io

import numpy as np
import pytest
from PIL import Image

from lookwho.core.contact_sheet import COLUMNS, MOST, SIDE, SPACE, contact_sheet
from lookwho.core.errors import BrokenVideo, InputError
from lookwho.core.scenes import Scene
from tests.videos import make_clip

COLOURS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 30))
# The middle of each quarter of what `drawn` draws.
QUARTERS = (
    (0.1, 0.1, 0.35, 0.35),
    (0.65, 0.1, 0.9, 0.35),
    (0.1, 0.7, 0.3, 0.9),
    (0.7, 0.7, 0.9, 0.9),
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def of(path, box, time=0.5):
    return Scene(str(path), time, time + 0.1, time, box, box, "2024-05-01  0:00")


def sheet(scenes, target):
    work = contact_sheet(scenes, str(target))
    shares = []
    try:
        while True:
            shares.append(next(work))
    except StopIteration as over:
        return over.value, shares


def tile(page, number):
    step = SIDE + SPACE
    top, left = SPACE + number // COLUMNS * step, SPACE + number % COLUMNS * step
    return page[top : top + SIDE, left : left + SIDE]


def test_each_scene_is_a_tile_in_their_order(clip, tmp_path):
    scenes = [of(clip, QUARTERS[number % 4]) for number in range(8)]

    shown, shares = sheet(scenes, tmp_path / "sheet.webp")

    assert shown == list(range(8))
    assert shares == [number / 8 for number in range(8)]
    page = np.asarray(Image.open(tmp_path / "sheet.webp").convert("RGB")).astype(int)
    step = SIDE + SPACE
    assert page.shape == (2 * step + SPACE, 6 * step + SPACE, 3)
    for number in range(8):
        middle = tile(page, number)[SIDE // 3, SIDE // 2]
        assert np.abs(middle - COLOURS[number % 4]).max() < 40


def test_few_make_a_narrow_page(clip, tmp_path):
    sheet([of(clip, QUARTERS[0])], tmp_path / "sheet.webp")

    with Image.open(tmp_path / "sheet.webp") as page:
        assert page.size == (SIDE + 2 * SPACE, SIDE + 2 * SPACE)
        assert page.format == "WEBP"


def test_a_video_that_cannot_be_read_is_passed_over(clip, tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"no video")
    scenes = [
        of(tmp_path / "none.mp4", QUARTERS[0]),
        of(clip, QUARTERS[1]),
        of(tmp_path / "text.mp4", QUARTERS[0]),
    ]

    shown, _ = sheet(scenes, tmp_path / "sheet.webp")

    assert shown == [1]


def test_without_a_single_one_there_is_no_sheet(tmp_path):
    with pytest.raises(BrokenVideo):
        sheet([of(tmp_path / "none.mp4", QUARTERS[0])], tmp_path / "sheet.webp")
    assert not (tmp_path / "sheet.webp").exists()


@pytest.mark.parametrize("count", (0, MOST + 1))
def test_a_page_holds_only_so_many(count, clip, tmp_path):
    with pytest.raises(InputError, match=str(MOST)):
        sheet([of(clip, QUARTERS[0])] * count, tmp_path / "sheet.webp")


def test_it_says_nothing_but_its_pixels(clip, tmp_path):
    sheet([of(clip, QUARTERS[0])], tmp_path / "sheet.webp")

    data = (tmp_path / "sheet.webp").read_bytes()
    assert b"clip.mp4" not in data
    assert not Image.open(io.BytesIO(data)).getexif()
