"""A library of videos made of rows: who is seen in each, when and where, without a model."""

import numpy as np

from lookwho.library.models import (
    Analysis,
    Collection,
    Face,
    Job,
    Location,
    Media,
    Person,
    Segment,
    Track,
    Video,
)
from lookwho.services.analysis import current_pack
from tests.people import some_media
from tests.videos import drawn, make_clip

SIZE = (320, 180)


def a_video(*, seconds=60.0, state="done", plays=True, path=None, **more):
    """A video that was looked at, unless `state` says otherwise; with a file where `path` is."""
    (media,) = some_media(1)
    fields = {"kind": "video", "format": "WEBM", "duration": seconds, **more}
    if path is not None:
        # Of its own content: pictures that other tests made are kept.
        fields["payload_hash"] = str(path).encode()[-32:].rjust(32)
    Media.objects.filter(pk=media.pk).update(width=SIZE[0], height=SIZE[1], **fields)
    media.refresh_from_db()
    Video.objects.create(media=media, container="webm", codec="vp9", frame_rate=25, plays=plays)
    if state is not None:
        Analysis.objects.create(media=media, pack=current_pack(), state=state)
    if path is not None:
        folder, _ = Collection.objects.get_or_create(title="Films", root=str(path.parent))
        Location.objects.create(collection=folder, media=media, path=path.name)
    return media


def a_clip(path, seconds=6.0, rate=10):
    """A clip that browsers play: grey squares that move."""
    count = int(seconds * rate)
    return make_clip(path, drawn(count, SIZE), codec="libvpx-vp9", rate=rate)


def seen(media, *stretches, box=(0.25, 0.25, 0.5, 0.75), **fields):
    """Somebody in a video, from when to when; their face stays where it is."""
    start, end = stretches[0]
    x1, y1, x2, y2 = box
    place = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "quality": 0.8}
    face = Face.objects.create(media=media, time=(start + end) / 2, **place, **fields)
    for since, until in stretches:
        path = np.array([[since, *box], [until, *box]], "<f4")
        Track.objects.create(
            media=media,
            face=face,
            pack=current_pack(),
            start=since,
            end=until,
            time=(since + until) / 2,
            path=path.tobytes(),
            **place,
        )
    return face


def somebody(name, media, *stretches, **more):
    """A person whom a human named, in a video."""
    person, _ = Person.objects.get_or_create(name=name)
    return person, seen(media, *stretches, person=person, **more)


def at_work(media, *reached, length=60.0):
    """The jobs and segments of a video that waits; each segment was looked at up to a time."""
    pack = current_pack()
    Analysis.objects.update_or_create(media=media, pack=pack, defaults={"state": "waiting"})
    told = {"pack": pack.pk, "media": media.pk}
    video = Job.objects.create(
        kind="video", state="done", payload=told, total=1, priority=1000 + media.pk
    )
    for part, until in enumerate(reached):
        start = part * length
        over = until >= start + length
        Segment.objects.create(
            video=media.video,
            pack=pack,
            part=part,
            start=start,
            end=start + length,
            reached=until,
            state="done" if over else "waiting",
        )
        begun = until > start and not over
        Job.objects.create(
            kind="segment",
            state="done" if over else "leased" if begun else "waiting",
            payload={**told, "part": part},
            parent=video,
            part=part,
            parts=len(reached),
            total=round(10 * length),
            done=round(10 * (until - start)),
            priority=1000 + media.pk,
        )
    return video
