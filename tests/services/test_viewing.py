from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from lookwho.core import footage
from lookwho.core.errors import (
    BrokenVideo,
    Cancelled,
    InputError,
    StaleTicket,
    StorageFull,
    WorkerDied,
)
from lookwho.library.models import (
    AlbumItem,
    Analysis,
    Embedding,
    Face,
    Job,
    Media,
    Segment,
    Track,
    Video,
)
from lookwho.services import analysis, crew, videos, viewing, work
from lookwho.services.progress import progress
from tests.gallery import make_album
from tests.people import a_user
from tests.stretches import (
    LEFT,
    PEOPLE,
    RIGHT,
    a_track,
    a_video,
    claim,
    figures,
    found,
    info,
    join,
    look_at,
    look_at_all,
    read,
    state_of,
)
from tests.work import make_job, make_media

pytestmark = pytest.mark.django_db

BROKEN = BrokenVideo("nothing of it can be shown")
DIED = WorkerDied("reading the file crashed its process")


def jobs(kind, **which):
    return Job.objects.filter(kind=kind, **which)


# --- reading ---


def test_a_video_waits_in_a_job_of_its_own_and_a_photo_in_one_with_others():
    photos = [make_media() for _ in range(3)]
    films = [make_media(kind="video") for _ in range(2)]
    parent = make_job("import", state="leased")
    assert analysis.plan([each.pk for each in (*photos, *films)], parent=parent) == 5

    assert [job.payload["media"] for job in jobs("analyse")] == [[each.pk for each in photos]]
    assert [job.payload["media"] for job in jobs("video")] == [each.pk for each in films]
    assert set(Job.objects.exclude(kind="import").values_list("parent", flat=True)) == {parent.pk}
    assert analysis.plan([films[0].pk], parent=None) == 0


def test_what_the_file_says_is_written_down_and_each_stretch_waits():
    media, _ = read()
    media.refresh_from_db()

    assert (media.width, media.height, media.duration) == (640, 360, 130.0)
    assert media.taken_at == datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)
    assert media.day == date(2021, 5, 4)
    video = media.video
    assert (video.container, video.codec, video.frame_rate) == ("MP4", "H.264", 25.0)
    assert (video.has_audio, video.plays) == (True, True)
    assert figures(media) == [
        (0, 0.0, 60.0, "waiting"),
        (1, 60.0, 120.0, "waiting"),
        (2, 120.0, 130.0, "waiting"),
    ]
    assert list(jobs("segment").order_by("part").values_list("part", "parts", "total")) == [
        (0, 3, 600),
        (1, 3, 600),
        (2, 3, 100),
    ]


def test_a_date_that_the_file_does_not_tell_stays_what_it_was():
    media, _ = a_video()
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info(taken_at=None))

    assert Media.objects.get().taken_at == media.taken_at


def test_a_file_that_cannot_be_read_has_failed_and_says_why():
    media, _ = a_video()
    job = claim("video")
    assert viewing.record_error(job.pk, job.ticket, BROKEN)
    work.finish(job.pk, job.ticket)

    assert state_of(media) == ("failed", "broken_video")
    assert Analysis.objects.get().error == "nothing of it can be shown"
    assert (Job.objects.get().state, Job.objects.get().done) == ("done", 1)


def test_what_may_have_been_chance_is_tried_three_times():
    media, _ = a_video()
    now = timezone.now()
    for number in range(3):
        job = work.claim(crew.register_worker(["video"]), ["video"], now=now)
        settled = viewing.record_error(job.pk, job.ticket, DIED, now=now)
        assert settled == (number == 2)
        if not settled:
            work.fail(job.pk, job.ticket, DIED, retry_in=timedelta(), now=now)

    assert state_of(media) == ("failed", "worker_died")


def test_a_machine_that_cannot_is_no_fault_of_a_video():
    media, job = a_video()
    Job.objects.filter(pk=job.pk).update(attempts=9)
    job = claim("video")

    assert not viewing.record_error(job.pk, job.ticket, StorageFull("the disk is full"))
    assert state_of(media) == ("waiting", "")


# --- segments ---


def test_only_whoever_settles_the_last_stretch_lets_the_joining_wait():
    read()
    first, second, third = (claim("segment") for _ in range(3))
    look_at(third)
    look_at(first)
    assert not jobs("join").exists()
    look_at(second)

    assert jobs("join").count() == 1


def test_what_is_found_is_kept_until_it_is_joined():
    read()
    job = claim("segment")
    track = a_track(1, 4, 0)
    look_at(job, track, a_track(2, 3, 1, RIGHT))
    segment = Segment.objects.get(part=0)

    assert (segment.state, segment.people, segment.reached) == ("done", 2, 60.0)
    kept = footage.load_segment(bytes(segment.result))
    np.testing.assert_array_equal(kept.tracks[0].path, track.path)
    assert not Face.objects.exists()
    look_at_all()
    join()

    assert set(Segment.objects.values_list("result", flat=True)) == {b""}


@pytest.mark.django_db(transaction=True)
def test_of_stretches_that_end_at_the_same_moment_exactly_one_is_the_last():
    for _ in range(5):
        media, _ = read()
        held = [claim("segment") for _ in range(3)]
        barrier = Barrier(3)

        def hand_in(job, barrier=barrier):
            try:
                barrier.wait()
                viewing.record_segment(job.pk, job.ticket, found(job))
                work.finish(job.pk, job.ticket)
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as threads:
            list(threads.map(hand_in, held))

        assert jobs("join", payload__media=media.pk).count() == 1


def test_how_far_a_stretch_is_can_be_seen():
    media, _ = read()
    claim("segment")
    job = claim("segment")
    stretch = viewing.stretch_of(job)
    assert not viewing.note(job, stretch, 75.5, 3)

    row = Segment.objects.get(part=1)
    assert (row.reached, row.people) == (75.5, 3)
    assert Job.objects.get(pk=job.pk).done == 155
    assert (stretch.media, stretch.duration, stretch.part) == (media.pk, 130.0, 1)


def test_a_stretch_that_cannot_be_read_costs_itself_and_the_rest_is_joined():
    media, _ = read()
    job = claim("segment")
    assert viewing.record_error(job.pk, job.ticket, BROKEN)
    work.finish(job.pk, job.ticket)
    look_at_all()
    join()

    assert state_of(media) == ("done", "")
    warning = Video.objects.get().warning
    assert warning == "0:00 to 1:00 could not be looked at: nothing of it can be shown"
    assert sorted(Track.objects.values_list("start", "end")) == [(65.0, 75.0), (125.0, 135.0)]


def test_a_video_of_which_nothing_can_be_read_has_failed():
    media, job = read()
    while segment := claim("segment"):
        viewing.record_error(segment.pk, segment.ticket, BROKEN)
        work.finish(segment.pk, segment.ticket)
    last = claim("join")
    with pytest.raises(InputError) as caught:
        viewing.run_join(last)
    assert viewing.record_error(last.pk, last.ticket, caught.value)

    assert state_of(media) == ("failed", "broken_video")
    assert Analysis.objects.get().error == "nothing of it can be shown"
    assert not Segment.objects.exists()
    assert Job.objects.get(pk=job.pk).done == 1


def test_a_worker_that_dies_costs_its_stretch_another_attempt_and_no_more():
    read()
    claim("segment")
    held = claim("segment")
    crew.free(held.worker)

    states = Job.objects.filter(kind="segment").order_by("part").values_list("state", flat=True)
    assert list(states) == ["leased", "waiting", "waiting"]
    again = claim("segment")
    assert (again.pk, again.attempts) == (held.pk, 2)
    with pytest.raises(StaleTicket):
        viewing.record_segment(held.pk, held.ticket, found(held))


def test_a_stretch_that_keeps_killing_its_workers_is_given_up_and_the_rest_is_joined():
    media, _ = read()
    now = timezone.now()
    for _ in range(work.MOST_ATTEMPTS):
        job = work.claim(crew.register_worker(["segment"]), ["segment"], now=now)
        assert job.payload["part"] == 0
        crew.free(job.worker, now=now)
    look_at_all()
    join()

    assert state_of(media) == ("done", "")
    assert "died, 5 times in a row" in Video.objects.get().warning
    assert figures(media)[0][3] == "failed"
    assert not Job.objects.filter(state="failed").exists()


def test_a_video_that_keeps_killing_those_who_read_it_has_failed():
    media, _ = a_video()
    for _ in range(work.MOST_ATTEMPTS):
        crew.free(claim("video").worker)

    assert state_of(media) == ("failed", "worker_died")
    assert (Job.objects.get().state, Job.objects.get().done) == ("done", 1)


def test_what_is_handed_in_twice_counts_once():
    read()
    job = claim("segment")
    viewing.record_segment(job.pk, job.ticket, found(job, a_track(1, 2, 0)))
    viewing.record_segment(job.pk, job.ticket, found(job))

    assert Segment.objects.get(part=0).people == 1


def test_in_a_video_that_keeps_only_who_agreed_no_vector_of_others_is_kept_for_a_moment():
    media, _ = read()
    AlbumItem.objects.create(album=make_album(consenting_only=True), media=media)
    job = claim("segment")
    look_at(job, a_track(1, 4, 0), a_track(10, 14, 0))

    kept = footage.load_segment(bytes(Segment.objects.get(part=0).result))
    for track in kept.tracks:
        assert abs(float(track.views[0].embedding @ PEOPLE[0])) < 0.5
        assert track.views[0].crop == b""
    assert float(kept.tracks[0].views[0].embedding @ kept.tracks[1].views[0].embedding) < 0.5
    look_at_all()
    join()
    assert Face.objects.exists()
    assert not Embedding.objects.exists()


# --- joining ---


def test_the_same_face_in_several_stretches_is_one_person():
    media, job = read()
    look_at(claim("segment"), a_track(50, 62, 0), a_track(10, 20, 1, RIGHT))
    look_at(claim("segment"), a_track(60, 70, 0), a_track(100, 110, 1, RIGHT))
    look_at(claim("segment"))
    join()

    faces = Face.objects.order_by("x1")
    assert [face.box for face in faces] == [pytest.approx(LEFT), pytest.approx(RIGHT)]
    ann, bob = (sorted(face.tracks.values_list("start", "end")) for face in faces)
    assert ann[0][0] == 50.0
    assert ann[-1][1] == 70.0
    assert bob == [(10.0, 20.0), (100.0, 110.0)]
    assert Embedding.objects.count() == 2
    assert state_of(media) == ("done", "")
    assert Job.objects.get(pk=job.pk).done == 1
    assert jobs("group", state="waiting").count() == 1


def test_joining_again_changes_nothing():
    read()
    look_at_all()
    last = claim("join")
    viewing.run_join(last)
    before = list(Face.objects.values_list("pk"))
    viewing.run_join(last)

    assert list(Face.objects.values_list("pk")) == before


def test_damaged_results_are_told_and_nothing_is_stored():
    media, _ = read()
    look_at_all()
    Segment.objects.filter(part=1).update(result=b"nonsense")
    last = claim("join")
    with pytest.raises(InputError) as caught:
        viewing.run_join(last)
    viewing.record_error(last.pk, last.ticket, caught.value)

    assert state_of(media)[0] == "failed"
    assert not Face.objects.exists()


def test_an_import_is_over_when_its_videos_are():
    parent = make_job("import", state="done")
    film = make_media(kind="video")
    analysis.plan([film.pk], parent=parent)
    assert (progress(parent.pk).done, progress(parent.pk).total) == (0, 1)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info())
    work.finish(job.pk, job.ticket)
    assert (progress(parent.pk).done, progress(parent.pk).over) == (0, False)
    look_at_all()
    join()
    told = progress(parent.pk)
    assert (told.done, told.total) == (1, 1)
    Job.objects.filter(kind="group").delete()

    assert progress(parent.pk).over


# --- cancelling meanwhile ---


MOMENTS = ("before it is read", "while it is read", "while it waits", "while it is looked at")


@pytest.mark.parametrize("moment", (*MOMENTS, "when one stretch is done", "while it is joined"))
def test_whenever_a_video_is_cancelled_nothing_but_rows_of_jobs_remains(moment):
    media, held = a_video()[0], None
    if moment != "before it is read":
        held = claim("video")
    if moment not in MOMENTS[:2]:
        viewing.record_info(held.pk, held.ticket, info())
        work.finish(held.pk, held.ticket)
    if moment not in MOMENTS[:3]:
        held = claim("segment")
    if moment not in MOMENTS:
        look_at(held, a_track(1, 4, 0))
        held = claim("segment")
    if moment == "while it is joined":
        look_at(held)
        look_at_all()
        held = claim("join")
    assert videos.cancel_video(a_user("curator"), media)
    late = {
        "video": lambda: viewing.record_info(held.pk, held.ticket, info()),
        "segment": lambda: viewing.record_segment(held.pk, held.ticket, found(held)),
        "join": lambda: viewing.run_join(held),
    }
    if held and moment not in (MOMENTS[0], MOMENTS[2]):
        if held.kind == "join":
            late["join"]()  # there is nothing to join any more
        else:
            with pytest.raises(Cancelled):
                late[held.kind]()
        work.give_back(held.pk, held.ticket)

    assert not Segment.objects.exists()
    assert not Track.objects.exists()
    assert not Face.objects.exists()
    assert not Job.objects.filter(state__in=("waiting", "leased")).exists()
    assert state_of(media) == ("waiting", "")


def test_cancelling_an_import_cancels_its_videos():
    parent = make_job("import", state="done")
    film = make_media(kind="video")
    analysis.plan([film.pk], parent=parent)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info())
    work.finish(job.pk, job.ticket)
    held = claim("segment")
    work.cancel(parent.pk)

    assert work.is_cancelled(held.pk)
    assert jobs("segment", state="cancelled").count() == 2
    assert not Segment.objects.exists()
    with pytest.raises(Cancelled):
        viewing.record_segment(held.pk, held.ticket, found(held))
    work.give_back(held.pk, held.ticket)
    work.retry(parent.pk)
    again = claim("video")
    assert again.pk == job.pk
    viewing.record_info(again.pk, again.ticket, info())
    work.finish(again.pk, again.ticket)
    look_at_all()
    join()

    assert state_of(film) == ("done", "")
    assert jobs("segment").count() == 3


def test_going_on_takes_up_videos_that_were_cancelled():
    media, _ = read()
    assert analysis.resume() == 0
    videos.cancel_video(None, media)

    assert analysis.resume() == 1
    assert claim("video").payload["media"] == media.pk


@pytest.mark.parametrize("state", ("waiting", "done"))
def test_what_comes_too_late_for_a_video_is_dropped(state):
    read()
    job = claim("segment")
    Segment.objects.all().delete()
    Analysis.objects.update(state=state)
    viewing.record_segment(job.pk, job.ticket, found(job, a_track(1, 2, 0)))

    assert viewing.stretch_of(job) is None
    assert not jobs("join").exists()
    assert not Segment.objects.exists()
