import av
import numpy as np
import pytest

from lookwho.core.copied_sound import SOUND_RATE, sound_of
from lookwho.core.transcode import MP4, WEBM, transcode
from tests.videos import drawn, make_clip


def copy(source, target, form=MP4):
    for _ in transcode(str(source), str(target), form):
        pass
    return target


def loud(path):
    """Of each tenth of a second whether anything is heard, by the clock of the pictures."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("fltp", "mono", SOUND_RATE)
        heard = np.zeros(SOUND_RATE * 4, np.float32)
        for frame in file.decode(audio=0):
            at = round(float(frame.time) * SOUND_RATE)
            frame.pts = None
            for made in resampler.resample(frame):
                samples = made.to_ndarray()[0]
                start = max(at, 0)
                heard[start : start + len(samples)] = samples[start - at :][: len(heard) - start]
                at += len(samples)
    parts = heard.reshape(-1, SOUND_RATE // 10)
    return (np.sqrt((parts**2).mean(axis=1)) > 0.03).tolist()


def altered(clip, path, change):
    """A clip whose packets of sound are changed, or left out where None is returned."""
    with av.open(str(clip)) as file, av.open(str(path), "w") as written:
        streams = {each.index: written.add_stream_from_template(each) for each in file.streams}
        for packet in file.demux():
            if packet.dts is None:
                continue
            sound = packet.stream.type == "audio"
            packet.stream = streams[packet.stream.index]
            seconds = float(packet.pts * packet.time_base)
            if sound:
                moved = change(seconds)
                if moved is None:
                    continue
                packet.pts = packet.dts = round(moved / packet.time_base)
            written.mux(packet)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds with a tone."""
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mkv", drawn(50), audio=True)


@pytest.mark.parametrize("form", (MP4, WEBM))
def test_sound_is_heard_from_beginning_to_end(form, clip, tmp_path):
    heard = loud(copy(clip, tmp_path / f"copy{form.suffix}", form))

    assert heard[1:19] == [True] * 18
    assert heard[21:] == [False] * 19


def test_sound_that_begins_later_does_so_in_the_copy(clip, tmp_path):
    late = altered(clip, tmp_path / "late.mkv", lambda seconds: seconds + 0.8)

    heard = loud(copy(late, tmp_path / "copy.mp4"))

    assert heard[:7] == [False] * 7
    assert heard[10:27] == [True] * 17


def test_where_sound_is_missing_there_is_silence_and_the_rest_keeps_its_time(clip, tmp_path):
    gap = altered(
        clip, tmp_path / "gap.mkv", lambda seconds: None if 0.5 < seconds < 1.4 else seconds
    )

    heard = loud(copy(gap, tmp_path / "copy.mp4"))

    assert heard[1:4] == [True] * 3
    assert heard[7:13] == [False] * 6
    assert heard[16:19] == [True] * 3


def test_sound_from_before_the_first_picture_is_left_out(tmp_path):
    clip = make_clip(
        tmp_path / "clip.mkv", drawn(25), times=[1 + each / 25 for each in range(25)], audio=True
    )

    heard = loud(copy(clip, tmp_path / "copy.mp4"))

    assert heard[1:9] == [True] * 8
    assert heard[11:] == [False] * 29


def test_a_clock_that_begins_anew_in_the_middle_goes_on(tmp_path):
    once = make_clip(tmp_path / "once.mts", drawn(45), audio=True)
    twice = tmp_path / "twice.mts"
    twice.write_bytes(once.read_bytes() * 2)

    heard = loud(copy(twice, tmp_path / "copy.mp4"))

    assert heard[1:16] == [True] * 15
    assert heard[20:34] == [True] * 14
    assert heard[38:] == [False] * 2


def test_the_first_sound_that_is_read_is_taken(clip, monkeypatch):
    with av.open(str(clip)) as file:
        assert sound_of(file.streams.audio) is file.streams.audio[0]
        monkeypatch.setattr("lookwho.core.copied_sound.SOUND_CODECS", frozenset())
        assert sound_of(file.streams.audio) is None
        assert sound_of([]) is None
