import av
import numpy as np
import pytest

from lookwho.core.errors import BrokenVideo, Cancelled
from lookwho.core.montage import FILM, HEIGHT, SHEET, WIDTH, made, montage
from lookwho.core.scenes import Scene
from tests.videos import drawn, make_clip

RED, BLUE = (0.05, 0.1, 0.25, 0.3), (0.05, 0.7, 0.25, 0.9)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(folder / "clip.mp4", drawn(75, (320, 180)), keyframes_every=10)


def of(path, box=RED, start=0.5, end=1.5):
    return Scene(str(path), start, end, (start + end) / 2, box, box, "2024-05-01  0:00")


def film(scenes, target):
    work = montage(scenes, str(target))
    shares = []
    try:
        while True:
            shares.append(next(work))
    except StopIteration as over:
        return over.value, shares


def pictures_of(path):
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name.removeprefix("lib") == "vp9"
        assert not file.streams.audio
        return [
            (float(frame.time), frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)
        ]


def test_scenes_follow_one_another(clip, tmp_path):
    shown, shares = film([of(clip, RED), of(clip, BLUE, 2.0, 2.6)], tmp_path / "film.webm")

    assert [number for number, _ in shown] == [0, 1]
    assert shown[0][1] == 0
    assert shown[1][1] == pytest.approx(1.0, abs=0.05)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    frames = pictures_of(tmp_path / "film.webm")
    assert len(frames) == 25 + 15
    assert frames[-1][0] == pytest.approx(1.6, abs=0.06)
    assert {pixels.shape for _, pixels in frames} == {(HEIGHT, WIDTH, 3)}
    red, blue = frames[5][1], frames[-5][1]
    assert red[20, 20, 0] > 180 > 80 > red[20, 20, 2]
    assert blue[HEIGHT // 2, 20, 2] > 180 > 80 > blue[HEIGHT // 2, 20, 0]


def test_many_pictures_a_second_become_thirty(tmp_path):
    fast = make_clip(tmp_path / "fast.mp4", drawn(240), rate=120)

    film([of(fast, start=0, end=2)], tmp_path / "film.webm")

    assert 50 <= len(pictures_of(tmp_path / "film.webm")) <= 66


def test_a_portrait_stands_between_black_bars(tmp_path):
    tall = make_clip(tmp_path / "tall.mp4", (np.full((320, 180, 3), 200, np.uint8),) * 25)

    film([of(tall, (0.1, 0.4, 0.9, 0.6), 0, 0.5)], tmp_path / "film.webm")

    middle = pictures_of(tmp_path / "film.webm")[3][1][HEIGHT // 2].astype(int)
    assert middle[WIDTH // 2].min() > 180
    assert middle[5].max() < 30
    assert middle[-5].max() < 30


def test_a_video_that_is_to_be_turned_is_shown_upright(tmp_path):
    turned = make_clip(tmp_path / "turned.mp4", drawn(25, (320, 180)), rotation=180)

    film([of(turned, (0.1, 0.1, 0.3, 0.3), 0, 0.5)], tmp_path / "film.webm")

    corner = pictures_of(tmp_path / "film.webm")[3][1][20, 20]  # yellow was below, on the right
    assert corner[0] > 180
    assert corner[1] > 180
    assert corner[2] < 90


def test_what_cannot_be_read_is_passed_over(clip, tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"no video")

    shown, _ = film(
        [
            of(tmp_path / "none.mp4"),
            of(clip),
            of(tmp_path / "text.mp4"),
            of(clip, start=90, end=91),
        ],
        tmp_path / "film.webm",
    )

    assert shown == [(1, 0.0)]


def test_without_a_single_one_there_is_no_film(tmp_path):
    with pytest.raises(BrokenVideo):
        film([of(tmp_path / "none.mp4")], tmp_path / "film.webm")


@pytest.mark.parametrize(("kind", "begins"), ((SHEET, b"RIFF"), (FILM, b"\x1aE\xdf\xa3")))
def test_it_is_made_in_a_process_of_its_own(kind, begins, clip, tmp_path):
    shown = made(kind, [of(clip)], tmp_path / "made", lambda share: None)

    assert shown == ([0] if kind == SHEET else [[0, 0.0]])
    assert (tmp_path / "made").read_bytes().startswith(begins)


def test_whoever_has_enough_stops_it(clip, tmp_path):
    def stop(share):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        made(FILM, [of(clip, start=0, end=3)] * 50, tmp_path / "film.webm", stop)
