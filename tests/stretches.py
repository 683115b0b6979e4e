"""Videos that wait, and what is found in their segments: rows and numbers, without a model."""

from datetime import datetime

import numpy as np

from lookwho.core import segments
from lookwho.core.segments import SegmentResult
from lookwho.core.tracks import Track, View
from lookwho.core.video import VideoInfo
from lookwho.library.models import Analysis, Job
from lookwho.services import analysis, viewing, work
from tests.people import lookalikes
from tests.work import make_media, make_worker

LEFT = (0.1, 0.2, 0.3, 0.6)
RIGHT = (0.6, 0.2, 0.8, 0.6)
PEOPLE = lookalikes(8, 1)


def a_video(**fields):
    """A video that nobody has read yet, planned as an import plans it; with the job for it."""
    media = make_media(kind="video", **fields)
    analysis.plan([media.pk], parent=None)
    return media, Job.objects.get(kind="video", payload__media=media.pk)


def info(duration=130.0, **more):
    """What a video's file says."""
    told = {
        "duration": duration,
        "width": 640,
        "height": 360,
        "frame_rate": 25.0,
        "codec": "H.264",
        "container": "MP4",
        "rotation": 0,
        "has_audio": True,
        "plays": True,
        "taken_at": datetime(2021, 5, 4, 3, 2, 1),
    }
    return VideoInfo(**{**told, **more})


def claim(*kinds, worker=None):
    """The next job of a video, leased to a worker; None where none waits."""
    return work.claim(worker or make_worker(), kinds or ("video", "segment", "join"))


def read(duration=130.0, **fields):
    """A video whose segments wait; with the job that read it."""
    media, _ = a_video(**fields)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info(duration))
    work.finish(job.pk, job.ticket)
    return media, Job.objects.get(pk=job.pk)


def a_track(start, end, person, box=LEFT):
    """A face that was followed; it stays where it is."""
    times = np.arange(start, end + 0.01, 0.5)
    path = np.column_stack([times, np.tile(box, (len(times), 1))]).astype(np.float32)
    view = View(
        time=float(times[len(times) // 2]),
        box=np.float32(box),
        landmarks=np.full((5, 2), 0.4, np.float32),
        score=0.9,
        quality=0.8,
        embedding=PEOPLE[person],
        encoding=None,
        crop=b"a crop",
    )
    return Track(float(start), float(end), path, (view,))


def found(job, *tracks, problem=""):
    """What was found in the stretch of a SEGMENT job of a video of 130 seconds."""
    part = job.payload["part"]
    start, end = segments.grid(130.0)[part]
    return SegmentResult(
        part=part,
        start=start,
        end=end,
        width=640,
        height=360,
        tracks=tracks,
        cuts=np.float32([start + 1]),
        problem=problem,
        pack="default",
    )


def look_at(job, *tracks):
    """Hand in what was found in the stretch of a SEGMENT job, and end it."""
    viewing.record_segment(job.pk, job.ticket, found(job, *tracks))
    work.finish(job.pk, job.ticket)


def look_at_all(person=0):
    """Look at all stretches that wait; in each the same person shows for ten seconds."""
    while job := claim("segment"):
        start = segments.grid(130.0)[job.payload["part"]][0]
        look_at(job, a_track(start + 5, start + 15, person))


def join():
    """Carry out the JOIN job that waits."""
    job = claim("join")
    viewing.run_join(job)
    work.finish(job.pk, job.ticket)
    return job


def state_of(media):
    """How far the analysis of a video is, and why it failed."""
    row = Analysis.objects.get(media=media)
    return row.state, row.error_code


def figures(media):
    """For each segment of a video how far it is."""
    rows = media.video.segments.order_by("part")
    return [(row.part, row.start, row.end, row.state) for row in rows]
