"""Videos that tests make: short real clips of each kind, and clips in which known people move.

`make_clip` writes what a camera or an editor would: any codec and container that PyAV can write,
interlaced, turned, at times of its own, with sound. `KINDS` names those that people have. What is
broken is made from them: `cut_off`, `sound_only`, `without_pictures`.

`faces_clip` moves real photos of people over a drawn background, and says who is there and when.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

# What each encoder takes, and how it is made quick. No entry: yuv420p and no options.
_FORMATS = {
    "prores_ks": "yuv422p10le",
    "mjpeg": "yuvj420p",
    "rawvideo": "yuv420p",
    "ffv1": "yuv420p",
}
_QUICK = {
    "libx264": {"preset": "ultrafast", "crf": "20"},
    "libx265": {"preset": "ultrafast", "crf": "20", "x265-params": "log-level=none:pools=1"},
    "libsvtav1": {"preset": "12", "crf": "30", "svtav1-params": "lp=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
    "mpeg2video": {"qscale": "2", "b": "8000000"},
    "mpeg4": {"b": "8000000"},
    "mjpeg": {"q": "3", "b": "20000000"},
}
# Which sound goes into which container.
_SOUND = {
    ".webm": "libopus",
    ".avi": "mp2",
    ".vob": "mp2",
    ".mpg": "mp2",
    ".mxf": "pcm_s16le",
    ".dv": "pcm_s16le",
    ".wmv": "wmav2",
}
_MUXERS = {".mts": "mpegts", ".m2ts": "mpegts", ".vob": "vob", ".wmv": "asf", ".h264": "h264"}


class Kind(NamedTuple):
    """A codec in a container, as people have it."""

    name: str
    suffix: str
    codec: str
    size: tuple[int, int] = (96, 64)
    rate: int = 25
    interlaced: bool = False


# One of each codec and of each container.
KINDS = (
    Kind("H.264 in MP4", ".mp4", "libx264"),
    Kind("H.265 in MP4", ".mp4", "libx265"),
    Kind("H.265 in MOV", ".mov", "libx265"),
    Kind("AV1 in MP4", ".mp4", "libsvtav1"),
    Kind("AV1 in WebM", ".webm", "libsvtav1"),
    Kind("VP9 in WebM", ".webm", "libvpx-vp9"),
    Kind("VP9 in MKV", ".mkv", "libvpx-vp9"),
    Kind("H.264 in MKV", ".mkv", "libx264"),
    Kind("H.264 in MTS, interlaced", ".mts", "libx264", interlaced=True),
    Kind("H.264 in M2TS", ".m2ts", "libx264"),
    Kind("MPEG-2 in VOB, interlaced", ".vob", "mpeg2video", interlaced=True),
    Kind("MPEG-2 in MPG", ".mpg", "mpeg2video"),
    Kind("MPEG-2 in MXF", ".mxf", "mpeg2video"),
    Kind("DV in AVI", ".avi", "dvvideo", (720, 576), 25, True),
    Kind("DV", ".dv", "dvvideo", (720, 576), 25, True),
    Kind("ProRes in MOV", ".mov", "prores_ks"),
    Kind("MJPEG in AVI", ".avi", "mjpeg"),
    Kind("MJPEG in MOV", ".mov", "mjpeg"),
    Kind("MPEG-4 in AVI", ".avi", "mpeg4"),
    Kind("MPEG-4 in 3GP", ".3gp", "mpeg4"),
    Kind("Flash video", ".flv", "flv"),
    Kind("Windows Media", ".wmv", "wmv2"),
)


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def clip_of(kind: Kind, folder: Path, *, count: int = 25, audio: bool = False) -> Path:
    """Write a drawn clip of one of `KINDS`."""
    path = folder / f"{kind.name.replace(' ', '-').replace(',', '')}{kind.suffix}"
    return make_clip(
        path,
        drawn(count, kind.size),
        codec=kind.codec,
        rate=kind.rate,
        interlaced=kind.interlaced,
        audio=audio,
    )


def drawn(count: int = 25, size: tuple[int, int] = (96, 64)) -> Iterator[np.ndarray]:
    """Yield pictures with a colour in each quarter, and a white bar that moves to the right.

    The quarters are red, green, blue and yellow, as in `tests.pictures.four_corners`.
    """
    width, height = size
    still = np.zeros((height, width, 3), np.uint8)
    halves = (slice(0, (height + 1) // 2), slice((height + 1) // 2, None))
    sides = (slice(0, (width + 1) // 2), slice((width + 1) // 2, None))
    colours = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 30))
    for colour, (rows, columns) in zip(colours, itertools.product(halves, sides), strict=True):
        still[rows, columns] = colour
    bar = max(2, width // 24)
    for number in range(count):
        picture = still.copy()
        left = number * max(width - bar, 1) // max(count, 1)
        if min(size) > 8:
            picture[height * 7 // 16 : height * 9 // 16, left : left + bar] = 255
        yield picture


def make_clip(
    path: Path,
    frames: Iterable[np.ndarray] | None = None,
    *,
    codec: str = "libx264",
    rate: float | Fraction = 25,
    pixel_format: str | None = None,
    audio: bool = False,
    rotation: int = 0,
    interlaced: bool = False,
    times: Sequence[float] | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    keyframes_every: int | None = None,
    metadata: dict[str, str] | None = None,
    container: str | None = None,
    index_first: bool = False,
) -> Path:
    """Write a video and return its path; the suffix says the container.

    Args:
        path: to be written.
        frames: (h, w, 3) uint8 RGB as they are stored; `drawn` if None.
        codec: one of FFmpeg's encoders.
        rate: pictures a second.
        pixel_format: how pictures are stored; what suits the encoder if None.
        audio: whether a tone goes with it.
        rotation: by how many degrees a player is to turn it to the right: 0, 90, 180 or 270.
        interlaced: whether each two pictures become the fields of one, the upper field first; at
            twice as many pictures as frames.
        times: of each picture in seconds, for a variable frame rate.
        pixel_aspect: width : height of a pixel, where that is not 1.
        options: of the encoder, besides those that make it quick.
        keyframes_every: so many pictures; what the encoder likes if None.
        metadata: of the file, such as {"creation_time": "2024-05-01T10:00:00Z"}.
        container: FFmpeg's name of it, where the suffix does not say.
        index_first: whether the index of an MP4 stands before its pictures.
    """
    pictures = iter(drawn() if frames is None else frames)
    if interlaced:
        pictures = _woven(pictures)
    first = next(pictures)
    height, width = first.shape[:2]
    form = container or _MUXERS.get(path.suffix)
    order = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", format=form, container_options=order) as file:
        file.metadata.update(metadata or {})
        stream = file.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height = width, height
        stream.pix_fmt = pixel_format or _FORMATS.get(codec, "yuv420p")
        context = stream.codec_context
        context.thread_count = 1
        if keyframes_every:
            context.gop_size = keyframes_every
        if pixel_aspect is not None:
            context.sample_aspect_ratio = pixel_aspect
        if times is not None:
            context.time_base = Fraction(1, 1000)
        chosen = {**_QUICK.get(codec, {}), **(options or {})}
        if interlaced and codec == "libx264":
            chosen["x264-params"] = "tff=1"
            chosen["flags"] = "+ilme+ildct"
        elif interlaced and codec == "mpeg2video":
            chosen["flags"] = "+ilme+ildct"
            chosen["top"] = "1"
        stream.options = chosen
        if rotation:
            stream.set_display_rotation(-rotation % 360)
        tone = _Tone(file, path) if audio else None
        for number, picture in enumerate(itertools.chain((first,), pictures)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame = frame.reformat(format=stream.pix_fmt, dst_colorspace="ITU601")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = number, 1 / Fraction(rate).limit_denominator(1001)
            file.mux(stream.encode(frame))
            if tone is not None:
                seconds = times[number] if times is not None else (number + 1) / float(rate)
                tone.until(seconds)
        file.mux(stream.encode(None))
        if tone is not None:
            tone.end()
    return path


def sound_only(path: Path, seconds: float = 1.0) -> Path:
    """Write a file of a video's kind in which there is a tone and no picture."""
    with av.open(str(path), "w", format=_MUXERS.get(path.suffix)) as file:
        tone = _Tone(file, path)
        tone.until(seconds)
        tone.end()
    return path


def without_pictures(path: Path, folder: Path) -> Path:
    """Write an MP4 whose header promises pictures: there is not one."""
    whole = make_clip(folder / "whole.mp4", drawn(3), index_first=True)
    data = bytearray(whole.read_bytes())
    at = data.find(b"mdat")
    data[at - 4 : at] = (8).to_bytes(4, "big")  # of the box: nothing but its own head
    path.write_bytes(data[: at + 4])
    return path


def cut_off(clip: Path, path: Path, share: float = 0.6) -> Path:
    """Write the beginning of a clip, so many of its bytes."""
    data = clip.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damaged(clip: Path, path: Path, *, start: float = 0.5, end: float = 0.7) -> Path:
    """Write a clip with noise in the place of some of its bytes."""
    data = bytearray(clip.read_bytes())
    first, last = int(len(data) * start), int(len(data) * end)
    data[first:last] = np.random.default_rng(0).integers(0, 256, last - first, np.uint8).tobytes()
    path.write_bytes(data)
    return path


def eight_k(path: Path, count: int = 3) -> Path:
    """Write a video of 7680x4320 pixels that takes hardly any bytes."""
    shades = ((40 + 60 * number) % 256 for number in range(count))
    frames = (np.full((4320, 7680, 3), shade, np.uint8) for shade in shades)
    return make_clip(path, frames, codec="libx264", rate=25, options={"g": "1"})


def _woven(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield frames of two fields: even rows of one picture, odd rows of the next."""
    for upper, lower in itertools.zip_longest(pictures, pictures):
        frame = upper.copy()
        frame[1::2] = (upper if lower is None else lower)[1::2]
        yield frame


class _Tone:
    """A tone of 440 Hz, written beside the pictures as they are written."""

    def __init__(self, file, path):
        self._file = file
        self._stream = file.add_stream(_SOUND.get(path.suffix, "aac"), rate=48_000)
        context = self._stream.codec_context
        context.layout = "stereo"
        if _SOUND.get(path.suffix) == "wmav2":
            context.bit_rate = 128_000
        context.open()
        self._size = context.frame_size or 1920
        self._kind = context.format.name
        self._done = 0

    def until(self, seconds):
        while self._done < seconds * 48_000:
            start, self._done = self._done, self._done + self._size
            wave = np.sin(np.arange(start, self._done) * (2 * math.pi * 440 / 48_000)) * 0.2
            if self._kind == "fltp":
                samples = np.stack([wave, wave]).astype(np.float32)
            else:
                samples = np.repeat(wave, 2)[None]
                whole = self._kind == "s16"
                samples = (samples * 32_767).astype(np.int16) if whole else np.float32(samples)
            frame = av.AudioFrame.from_ndarray(samples, self._kind, "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
            self._file.mux(self._stream.encode(frame))

    def end(self):
        self._file.mux(self._stream.encode(None))


# --- people in videos ---


class Label(NamedTuple):
    """A stretch in which somebody shows, in seconds."""

    person: str
    start: float
    end: float


# Each has at least seven photos in identities/. Tune on none of them.
PEOPLE = ("Jennifer_Lopez", "John_Kerry", "Julianne_Moore", "Junichiro_Koizumi", "Jose_Maria_Aznar")


def faces_clip(
    path: Path,
    media_folder: Path,
    people: Sequence[str | Sequence[str]] = PEOPLE[:3],
    seconds: float = 6.0,
    size: tuple[int, int] = (640, 360),
    cuts: Sequence[float] | None = None,
    *,
    rate: int = 25,
    seed: int = 0,
    **options,
) -> tuple[Path, list[Label]]:
    """Write a clip in which photos of people pan and zoom; return it with who shows when.

    Args:
        path: to be written, by `make_clip`.
        media_folder: the fixture `media`.
        people: who is in each shot: a name, or several who stand side by side, or none. Who comes
            back does so with the next photo of theirs.
        seconds: of the whole clip.
        size: of its pictures.
        cuts: when the second shot begins, and each after it; all are equally long if None.
        rate: pictures a second.
        seed: of the ways in which the photos move.
        **options: of `make_clip`.
    """
    shots = [[each] if isinstance(each, str) else list(each) for each in people]
    if cuts is None:
        cuts = [seconds * number / len(shots) for number in range(1, len(shots))]
    edges = [0.0, *cuts, seconds]
    assert len(edges) == len(shots) + 1, "there is one cut less than there are shots"
    numbers: dict[str, int] = {}
    scenes = []
    for names in shots:
        scenes.append([_photo(media_folder, name, numbers) for name in names])
    labels = [
        Label(name, start, end)
        for names, (start, end) in zip(shots, itertools.pairwise(edges), strict=True)
        for name in names
    ]
    make_clip(path, _filmed(scenes, edges, size, rate, seed), rate=rate, **options)
    return path, labels


def _photo(media_folder: Path, name: str, numbers: dict[str, int]) -> np.ndarray:
    found = sorted((media_folder / "identities" / name).glob("*.jpg"))
    number = numbers[name] = numbers.get(name, -1) + 1
    return np.asarray(Image.open(found[number % len(found)]).convert("RGB"))


def _filmed(scenes, edges, size, rate, seed) -> Iterator[np.ndarray]:
    width, height = size
    for number in range(round(edges[-1] * rate)):
        now = number / rate
        shot = max(0, int(np.searchsorted(edges, now + 1e-9, "right")) - 1)
        shot = min(shot, len(scenes) - 1)
        start, end = edges[shot], edges[shot + 1]
        moves = np.random.default_rng((seed, shot))
        shade = moves.integers(30, 200, 3)
        ramp = np.linspace(0.6, 1.0, width)[None, :, None]
        picture = np.broadcast_to(shade * ramp, (height, width, 3)).astype(np.uint8).copy()
        share = (now - start) / max(end - start, 1e-9)
        for place, photo in enumerate(scenes[shot]):
            room = width // len(scenes[shot])
            side = min(room, height)
            way = moves.uniform(-0.08, 0.08, (2, 2)) * side
            zoom = moves.uniform(0.72, 0.95, 2)
            scale = side * (zoom[0] + (zoom[1] - zoom[0]) * share)
            x, y = way[0] + (way[1] - way[0]) * share
            _put(picture, photo, round(scale), place * room + room / 2 + x, height / 2 + y)
        yield picture


def _put(picture, photo, side, x, y):
    """Draw a photo, `side` pixels wide, with its middle at x, y."""
    height, width = picture.shape[:2]
    whole = np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BILINEAR))
    left, top = round(x - side / 2), round(y - side / 2)
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + side, width), min(top + side, height)
    if x1 < x2 and y1 < y2:
        picture[y1:y2, x1:x2] = whole[y1 - top : y2 - top, x1 - left : x2 - left]
