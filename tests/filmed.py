"""Videos without files: rows, and casts made of numbers, as an analysis hands them in."""

import hashlib
import itertools

import numpy as np

from lookwho.core.cast import Cast, VideoPerson, VideoTrack
from lookwho.core.vectors import unit
from lookwho.library.models import Analysis, Media, Video
from lookwho.services import filmed
from tests.gallery import NOON, make_pack

LEFT = (0.1, 0.2, 0.3, 0.5)
RIGHT = (0.6, 0.2, 0.8, 0.5)
_LANDMARKS = np.float32([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]])
_numbers = itertools.count(1)


def a_video(*, duration=60.0, **more):
    """A video that waits to be analysed."""
    number = next(_numbers)
    media = Media.objects.create(
        **{
            "payload_hash": hashlib.sha256(f"video {number}".encode()).digest(),
            "kind": Media.Kind.VIDEO,
            "width": 1280,
            "height": 720,
            "duration": duration,
            "taken_at": NOON,
            "day": NOON.date(),
            **more,
        }
    )
    Video.objects.create(media=media, plays=True)
    return media


def a_track(start, end, box=LEFT, *, to=None, quality=0.8, vector=None, at=None):
    """A face that is followed from one place to another, its best picture in the middle."""
    times = np.linspace(start, end, max(2, 1 + round((end - start) / 0.25)))
    share = ((times - start) / max(end - start, 1e-6))[:, None]
    boxes = np.asarray(box) * (1 - share) + np.asarray(to or box) * share
    at = (start + end) / 2 if at is None else at
    middle = np.array([np.interp(at, times, edge) for edge in boxes.T], np.float32)
    return VideoTrack(
        start=float(start),
        end=float(end),
        time=float(at),
        box=middle,
        landmarks=middle[:2] + _LANDMARKS * (middle[2:] - middle[:2]),
        score=0.9,
        quality=quality,
        embedding=np.zeros(128, np.float32) if vector is None else vector,
        path=np.column_stack([times, boxes]).astype(np.float32),
    )


def somebody(vector, *tracks):
    """A person of a video; of tracks that bring no vector it is theirs."""
    own = tuple(
        track if track.embedding.any() else _with(track, vector)
        for track in sorted(tracks, key=lambda track: track.start)
    )
    best = max(own, key=lambda track: track.quality)
    weights = np.array([[track.quality] for track in own])
    mean = unit((np.stack([track.embedding for track in own]) * weights).sum(axis=0))
    return VideoPerson(
        time=best.time,
        box=best.box,
        landmarks=best.landmarks,
        score=best.score,
        quality=best.quality,
        embedding=mean.astype(np.float32),
        encoding=None,
        crop=b"",
        tracks=own,
    )


def _with(track, vector):
    told = {name: getattr(track, name) for name in VideoTrack.__slots__}
    return VideoTrack(**{**told, "embedding": vector})


def a_cast(*people, cuts=()):
    return Cast(tuple(people), np.float32(cuts), 1280, 720, "", "default")


def store(media, cast, *, revision=1, dim=128):
    """Let an analysis by a pack of that revision find a cast; return whether anything changed."""
    pack = make_pack(dim=dim) if revision == 1 else _revised(revision, dim)
    analysis, _ = Analysis.objects.get_or_create(media=media, pack=pack)
    return filmed.store_cast(analysis, media.video, cast, pack)


def _revised(revision, dim):
    from lookwho.library.models import Pack

    pack, _ = Pack.objects.get_or_create(name="default", revision=revision, dim=dim)
    return pack


def faces_in(media):
    """The faces of a video that show, those that were found first first."""
    return list(media.faces.filter(dismissed=False).order_by("pk"))


def times(face):
    """From when to when a face is followed."""
    return sorted(face.tracks.values_list("start", "end"))
