"""Videos: what a video's file says, the segments it is analysed in, and the tracks in it.

Times are seconds from the first picture. Boxes are x1, y1, x2, y2 as fractions 0..1 of the upright
picture.
"""

from __future__ import annotations

from datetime import datetime

from django.db import models

from lookwho.library.models.faces import Face, Pack
from lookwho.library.models.media import Media


class Video(models.Model):
    """What a video's file says besides what `Media` keeps of it."""

    class Proxy(models.TextChoices):
        """How far a copy is that browsers can play."""

        NONE = "none"
        WAITING = "waiting"
        READY = "ready"
        FAILED = "failed"

    id: int
    media_id: int
    media = models.OneToOneField(Media, models.CASCADE, related_name="video")
    container = models.CharField(max_length=40, blank=True)
    codec = models.CharField(max_length=40, blank=True)
    frame_rate = models.FloatField(default=0)  # on average, in pictures a second
    has_audio = models.BooleanField(default=False)
    # Whether browsers play the file as it is; else it needs a proxy.
    plays = models.BooleanField(default=False)
    # Where one shot ends and the next begins: ascending little-endian float32, in seconds.
    cuts = models.BinaryField(default=bytes)
    # Stretches that could not be read, and why; blank where all could.
    warning = models.TextField(blank=True)
    proxy = models.CharField(max_length=7, choices=Proxy.choices, default=Proxy.NONE)
    proxy_error = models.TextField(blank=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)


class Segment(models.Model):
    """A stretch of a video that one worker analyses; the grid is set at intake.

    What was found is kept only until all segments of the video are joined.
    """

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    id: int
    video_id: int
    pack_id: int
    video = models.ForeignKey(Video, models.CASCADE, related_name="segments")
    pack = models.ForeignKey(Pack, models.CASCADE, related_name="+")
    part = models.PositiveIntegerField()
    # Of the stretch itself; it is analysed with some overlap on both sides.
    start = models.FloatField()
    end = models.FloatField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    # Up to which time of the video it was looked at, for progress.
    reached = models.FloatField(default=0)
    people = models.PositiveIntegerField(default=0)  # faces followed so far, for progress
    # `core.footage.dump_segment` of what was found; empty before, and again once it is joined.
    result = models.BinaryField(default=bytes)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["video", "pack", "part"], name="segment_once"),
        )


class Track(models.Model):
    """The same face followed through a stretch of one video.

    All tracks of one person in one video belong to one `Face`, which is the best picture of them.
    """

    id: int
    media_id: int
    face_id: int
    media = models.ForeignKey(Media, models.CASCADE, related_name="tracks")
    face = models.ForeignKey(Face, models.CASCADE, related_name="tracks")
    pack = models.ForeignKey(Pack, models.CASCADE, related_name="+")
    start = models.FloatField()
    end = models.FloatField()
    # Its best picture: when, where, and how well the face can be recognised there.
    time = models.FloatField()
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    quality = models.FloatField(default=0)
    # Where the face was at each time it was looked at: (n, 5) little-endian float32 of time and
    # box, in order of time.
    path = models.BinaryField(default=bytes)

    class Meta:
        indexes = (models.Index(fields=["media", "start"], name="track_time"),)
