import io
import os
import shutil
import signal
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from lookwho.core.errors import (
    BrokenImage,
    FileMissing,
    ImageTooLarge,
    InputError,
    NotAnImage,
    OutOfMemory,
    TimedOut,
    WorkerDied,
)
from lookwho.core.render import MARGIN, Renderer, Renderers, render
from tests.children import children, see_children, wait_until
from tests.media import MEDIA
from tests.pictures import assert_looks_like_corners, encode, jpeg_of, noise, png_of, rotated


def opened(webp):
    image = Image.open(io.BytesIO(webp))
    assert image.format == "WEBP"
    return image


def pixels(webp):
    return np.asarray(opened(webp).convert("RGB"), int)


def ramp(width, height, axis=1):
    """A grey picture that says where each of its pixels lies: along x, or y with axis 0."""
    grey = np.indices((height, width))[axis] * (255 / (max((height, width)[axis], 2) - 1))
    return grey.round().astype(np.uint8)[..., None].repeat(3, 2)


def part_shown(width, height, box):
    """The part of a picture that its crop shows: x1, y1, x2, y2 from 0 to 1."""
    along_x, along_y = (
        pixels(render(ramp(width, height, axis), side=160, box=box)) / 255 for axis in (1, 0)
    )
    return along_x[:, 0].mean(), along_y[0].mean(), along_x[:, -1].mean(), along_y[-1].mean()


@pytest.fixture
def photo(photos, tmp_path):
    """A real photo, in a place of its own."""
    return shutil.copy(photos[0], tmp_path / "photo.jpg")


@pytest.fixture
def renderer():
    made = Renderer()
    yield made
    made.stop()


# --- thumbnails ---


@pytest.mark.parametrize(
    ("size", "expected"),
    (
        ((640, 480), (320, 240)),
        ((480, 640), (240, 320)),
        ((4000, 3000), (320, 240)),
        ((320, 200), (320, 200)),
        ((300, 200), (300, 200)),
        ((1, 1), (1, 1)),
        ((5000, 1), (320, 1)),
        ((640, 427), (320, 214)),
    ),
)
@pytest.mark.parametrize("kind", ("JPEG", "PNG"))
def test_the_longer_side_is_as_long_as_asked_and_no_picture_is_enlarged(size, expected, kind):
    thumbnail = render(encode(Image.new("RGB", size), kind), side=320)

    assert opened(thumbnail).size == expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP", "TIFF"))
def test_thumbnails_are_upright(kind, orientation):
    thumbnail = pixels(render(rotated(kind, orientation), side=48))

    assert thumbnail.shape == (32, 48, 3)
    assert_looks_like_corners(thumbnail)


def test_a_thumbnail_looks_like_its_photo(photos):
    for photo in photos[:7]:
        with Image.open(photo) as original:
            expected = original.convert("RGB")
        expected.thumbnail((320, 320), Image.Resampling.BOX)
        difference = np.abs(pixels(render(photo, side=320)) - np.asarray(expected, int))

        assert difference.mean() < 6


def chunks(webp):
    at, found = 12, []
    while at < len(webp):
        name, length = struct.unpack_from("<4sI", webp, at)
        found.append(name)
        at += 8 + length + length % 2
    return found


@pytest.mark.parametrize("box", (None, (0.4, 0.4, 0.6, 0.6)))
@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP"))
def test_nothing_but_pixels_gets_into_a_picture(kind, box):
    exif = Image.Exif()
    exif[0x010F] = "secret maker"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)  # where it was taken
    options = {"exif": exif, "icc_profile": b"secret profile", "comment": b"secret comment"}
    if kind != "PNG":
        options["xmp"] = b"<x:xmpmeta>secret name</x:xmpmeta>"
    source = encode(noise(640, 480), kind, **options)
    picture = render(source, side=160, box=box)

    assert b"secret" in source
    assert b"secret" not in picture
    assert chunks(picture) == [b"VP8 "]
    assert not opened(picture).getexif()


# --- crops ---


@given(
    size=st.tuples(st.integers(60, 400), st.integers(60, 400)),
    centre=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    extent=st.tuples(st.floats(0.02, 0.9), st.floats(0.02, 0.9)),
)
def test_a_crop_is_the_square_around_the_face_moved_inside(size, centre, extent):
    box = [centre[i % 2] + extent[i % 2] * (i // 2 - 0.5) for i in range(4)]
    x1, y1, x2, y2 = (min(max(edge, 0.0), 1.0) for edge in box)
    width, height = size
    longer = max((x2 - x1) * width, (y2 - y1) * height)
    assume(longer >= 10)
    side = min(MARGIN * longer, *size)
    left = min(max((x1 + x2) / 2 * width - side / 2, 0), width - side)
    top = min(max((y1 + y2) / 2 * height - side / 2, 0), height - side)
    expected = [left / width, top / height, (left + side) / width, (top + side) / height]
    shown = part_shown(*size, tuple(box))

    # A pixel of the picture, one of the crop, and a little that WebP takes away.
    np.testing.assert_allclose(shown, expected, atol=1.5 / min(size) + 0.02)


@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    corner=st.tuples(st.floats(0, 0.98), st.floats(0, 0.98)),
    share=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),  # of what is left to the far edges
    side=st.sampled_from((1, 32, 160)),
)
def test_every_crop_is_a_square_no_larger_than_asked(size, corner, share, side):
    far = [low + (1 - low) * part for low, part in zip(corner, share, strict=True)]
    box = (*corner, *far)
    width, height = opened(render(ramp(*size), side=side, box=box)).size

    assert width == height <= side


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_one_of_the_upright_picture(orientation):
    source = rotated("PNG", orientation)  # of 96 x 64 pixels, with red at the upper left
    crop = pixels(render(source, side=160, box=(0.1, 0.1, 0.2, 0.3)))

    assert np.abs(crop - (220, 30, 30)).max() < 30


def test_a_small_face_is_enlarged_twice_at_most():
    picture = ramp(1000, 1000)

    assert opened(render(picture, side=160, box=(0.5, 0.5, 0.52, 0.52))).size == (64, 64)
    assert opened(render(picture, side=160, box=(0.5, 0.5, 0.56, 0.56))).size == (160, 160)
    assert opened(render(picture, side=480, box=(0.5, 0.5, 0.56, 0.56))).size == (192, 192)


@pytest.mark.parametrize("kind", ("JPEG", "PNG"))
def test_a_face_of_40_pixels_in_a_large_photo_is_sharp(kind):
    stripes = np.full((3000, 4000, 3), 128, np.uint8)
    stripes[1480:1560, 1980:2060] = np.tile([[0], [0], [255], [255]], (20, 3)).astype(np.uint8)
    source = encode(Image.fromarray(stripes), kind, quality=95, compress_level=1)
    box = (2000 / 4000, 1500 / 3000, 2040 / 4000, 1540 / 3000)
    crop = pixels(render(source, side=160, box=box))

    assert crop.shape == (128, 128, 3)
    assert crop.std() > 80  # of stripes two pixels wide; half as large a picture has none


def test_the_crop_of_a_face_shows_that_face(photos, analyzer):
    for photo in photos[:3]:
        faces = analyzer(photo)
        box = faces.boxes[0] / (faces.width, faces.height, faces.width, faces.height)
        crop = pixels(render(photo, side=480, box=tuple(map(float, box)))).astype(np.uint8)
        found = analyzer(crop)
        centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 / len(crop)

        # Where the picture ends, a face need not be in the middle of its crop.
        similar = found.embeddings @ faces.embeddings[0]
        assert similar.max() > 0.9
        assert np.abs(centres[similar.argmax()] - 0.5).max() < 0.25


@pytest.mark.parametrize(
    "box",
    (
        (0.5, 0.5, 0.5, 0.6),
        (0.6, 0.5, 0.5, 0.6),
        (1.1, 0.2, 1.4, 0.3),
        (-0.4, 0.2, 0.0, 0.3),
        (float("nan"), 0.2, 0.5, 0.3),
        (0.1, 0.2, float("inf"), 0.3),
    ),
)
def test_a_box_that_shows_nothing_is_refused(box):
    with pytest.raises(InputError, match="no part of the box"):
        render(ramp(100, 100), side=160, box=box)


@pytest.mark.parametrize("side", (0, -320, 16_384))
@pytest.mark.parametrize("box", (None, (0.1, 0.1, 0.2, 0.2)))
def test_a_side_that_no_picture_has_is_refused(side, box):
    with pytest.raises(InputError, match=f"1 to 16383 pixels, not {side}"):
        render(ramp(100, 100), side=side, box=box)


def test_a_box_of_hardly_any_size_gives_a_picture():
    crop = render(ramp(100, 100), side=160, box=(0.5, 0.5, 0.5 + 1e-15, 0.5 + 1e-15))

    assert opened(crop).size == (2, 2)


# --- in another process ---


@see_children
def test_a_renderer_makes_what_render_makes(photo, renderer):
    before = children()
    box = (0.2, 0.2, 0.5, 0.5)

    assert renderer.render(photo, side=320) == render(photo, side=320)
    assert renderer.render(photo, side=160, box=box) == render(photo, side=160, box=box)
    assert len(children()) == len(before) + 1


@pytest.mark.parametrize(
    ("content", "error"),
    (
        (None, FileMissing),
        (b"<!doctype html>", NotAnImage),
        (b"", NotAnImage),
        (jpeg_of(64, 48)[:500], BrokenImage),
        (png_of(100_000, 100_000), ImageTooLarge),
        (jpeg_of(65_500, 65_500), ImageTooLarge),
    ),
)
def test_what_cannot_be_shown_is_told_and_the_next_picture_is_made(
    content, error, photo, renderer, tmp_path
):
    if content is not None:
        (tmp_path / "odd.jpg").write_bytes(content)

    with pytest.raises(error):
        renderer.render(tmp_path / "odd.jpg", side=320)
    assert renderer.render(photo, side=320) == render(photo, side=320)


MALFORMED = sorted((MEDIA / "malformed").glob("*/*")) if MEDIA else []


def test_every_malformed_file_gives_a_picture_or_a_reason(media, renderer):
    assert len(MALFORMED) > 100
    shown = 0
    for path in MALFORMED:
        for options in ({"side": 320}, {"side": 160, "box": (0.4, 0.4, 0.45, 0.45)}):
            try:
                picture = opened(renderer.render(path, **options))
            except (InputError, OutOfMemory) as error:
                assert not error.message.startswith("unexpected")  # noqa: PT017
            else:
                assert max(picture.size) <= options["side"]
                shown += 1

    assert shown > 100


def test_a_picture_that_needs_too_much_memory_is_told_and_the_next_is_made(photo, tmp_path):
    Image.new("RGB", (9_000, 9_000)).save(tmp_path / "large.png", compress_level=1)
    renderers = Renderers(1, memory=250 << 20)
    try:
        with pytest.raises(OutOfMemory, match="250 MB"):
            renderers.render(tmp_path / "large.png", side=320)
        assert renderers.render(photo, side=320) == render(photo, side=320)
    finally:
        renderers.close()


@pytest.mark.long
@pytest.mark.parametrize("options", ({"side": 1600}, {"side": 480, "box": (0.5, 0.5, 0.51, 0.51)}))
@pytest.mark.parametrize(
    ("size", "mode", "kind", "encoding"),
    (
        ((10_900, 10_900), "RGB", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: 10_900}}),
        ((10_000, 10_000), "RGB", "TIFF", {"compression": "raw", "tiffinfo": {274: 6}}),
        ((7_050, 7_050), "RGBA", "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
        ((7_990, 15_000), "RGBA", "PNG", {"compress_level": 1}),
        ((7_990, 7_990), "RGB", "JPEG", {"progressive": True, "subsampling": 0}),
        ((6_300, 6_300), "RGBA", "WEBP", {"method": 0}),
    ),
)
def test_a_renderer_has_the_memory_that_the_largest_pictures_need(
    size, mode, kind, encoding, options, renderer, tmp_path
):
    Image.new(mode, size, "orange").save(tmp_path / "large", kind, **encoding)

    assert opened(renderer.render(tmp_path / "large", **options)).width > 1


def test_names_of_files_need_not_be_text(photo, renderer, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9\n.jpg")
    shutil.copy(photo, path)

    assert renderer.render(path, side=320) == render(photo, side=320)


# --- several of them ---


@pytest.fixture
def several():
    """Makes renderers, and closes them."""
    made = []

    def make(*arguments, **options):
        made.append(Renderers(*arguments, **options))
        return made[-1]

    yield make
    for renderers in made:
        renderers.close()


@see_children
def test_only_so_many_processes_run_as_there_is_work_for(photo, several):
    before = children()
    renderers = several(3)
    assert children() == before

    for side in (320, 160, 80):
        renderers.render(photo, side=side)
    assert len(children()) == len(before) + 1


@see_children
def test_many_threads_share_a_few_processes(photo, several):
    before = children()
    renderers = several(2)
    sides = list(range(20, 60))
    with ThreadPoolExecutor(8) as threads:
        pictures = list(threads.map(lambda side: renderers.render(photo, side=side), sides))

    assert [max(opened(picture).size) for picture in pictures] == sides
    assert len(children()) == len(before) + 2


@see_children
def test_a_process_without_work_is_ended_and_started_again_when_needed(photo, several):
    before = children()
    renderers = several(2, idle=0.2)
    first = renderers.render(photo, side=320)
    assert len(children()) == len(before) + 1

    wait_until(lambda: children() == before)
    assert renderers.render(photo, side=320) == first
    wait_until(lambda: children() == before)


@see_children
def test_a_killed_process_costs_one_picture(photo, several):
    before = children()
    renderers = several(1)
    first = renderers.render(photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(renderers.render, photo, side=320)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)  # by then it was handed to the process
        os.kill(process, signal.SIGKILL)

        assert isinstance(waiting.exception(30), WorkerDied)
    assert renderers.render(photo, side=320) == first


@see_children
def test_a_picture_that_takes_too_long_is_given_up(photo, several):
    before = children()
    renderers = several(1, seconds=2)
    first = renderers.render(photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)

    with pytest.raises(TimedOut, match="took longer than 2 seconds"):
        renderers.render(photo, side=320)
    assert renderers.render(photo, side=320) == first


@see_children
def test_who_waits_too_long_for_a_process_is_told(photo, several):
    before = children()
    renderers = several(1, wait=0.2)
    renderers.render(photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        working = threads.submit(renderers.render, photo, side=320)
        with pytest.raises(TimeoutError):
            working.result(0.3)
        with pytest.raises(TimedOut, match="none of 1 processes became free"):
            renderers.render(photo, side=320)
        os.kill(process, signal.SIGCONT)

        assert working.result(30) == render(photo, side=320)


@see_children
def test_closing_ends_all_processes_and_all_waiting(photo, several):
    before = children()
    renderers = several(1)
    renderers.render(photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(renderers.render, photo, side=320) for _ in range(3)]
        with pytest.raises(TimeoutError):
            waiting[-1].result(0.3)
        renderers.close()

        assert {type(each.exception(30)) for each in waiting} == {WorkerDied}
    assert children() == before
    with pytest.raises(WorkerDied, match="the work was stopped"):
        renderers.render(photo, side=320)
