from datetime import timedelta

import pytest

from lookwho.core.errors import BrokenVideo, Conflict, NotFound
from lookwho.library.models import Analysis, Face, Job, Segment, Track, Video
from lookwho.library.queries import video_work
from lookwho.library.scope import Purpose, Scope
from lookwho.services import analysis, videos, viewing, work
from tests.gallery import make_album
from tests.people import a_user
from tests.stretches import (
    RIGHT,
    a_track,
    a_video,
    claim,
    found,
    info,
    join,
    look_at,
    look_at_all,
    read,
    state_of,
)
from tests.work import make_analyse_job, make_media

pytestmark = pytest.mark.django_db

ALL = Scope(purpose=Purpose.BROWSE, everything=True, names=True)
LITTLE = Scope(purpose=Purpose.BROWSE, open_albums=frozenset([1]))
BROKEN = BrokenVideo("nothing of it can be shown")


def order():
    """The videos in the order in which workers get to their stretches."""
    met = []
    while job := claim("segment"):
        met.append(job.payload["media"])
    return list(dict.fromkeys(met))


# --- who may ---


@pytest.mark.parametrize(
    "act",
    (
        videos.cancel_video,
        videos.retry_video,
        videos.remove_analysis,
        lambda by, media: videos.move_video(by, media, "first"),
    ),
)
def test_a_member_is_told_of_no_video(act):
    media, _ = read()

    with pytest.raises(NotFound):
        act(a_user("member"), media)
    assert state_of(media) == ("waiting", "")
    assert Segment.objects.count() == 3


# --- again ---


def test_a_video_that_failed_is_looked_at_again():
    media, job = a_video()
    held = claim("video")
    viewing.record_error(held.pk, held.ticket, BROKEN)
    work.finish(held.pk, held.ticket)
    again = videos.retry_video(a_user("curator"), media)

    assert (again.pk, again.state, again.done) == (job.pk, "waiting", 0)
    assert state_of(media) == ("waiting", "")
    assert claim("video").pk == job.pk


def test_all_that_failed_is_tried_again_videos_and_photos():
    film, _ = a_video()
    held = claim("video")
    viewing.record_error(held.pk, held.ticket, BROKEN)
    work.finish(held.pk, held.ticket)
    photo = make_media()
    make_analyse_job(photo, state="done")
    Analysis.objects.filter(media=photo).update(state="failed")
    assert analysis.retry_failures() == 2

    assert claim("video").payload["media"] == film.pk
    assert claim("analyse").payload["media"] == [photo.pk]


def test_a_video_that_was_cancelled_is_looked_at_again_and_shows_all():
    media, _ = read()
    look_at(claim("segment"), a_track(1, 4, 0))
    assert videos.cancel_video(None, media)
    assert not videos.cancel_video(None, media)
    videos.retry_video(None, media)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info())
    work.finish(job.pk, job.ticket)
    look_at_all()
    join()

    assert state_of(media) == ("done", "")
    assert Face.objects.count() == 1
    assert Track.objects.count() == 3


def test_a_video_of_which_a_part_could_not_be_read_is_looked_at_again():
    media, _ = read()
    held = claim("segment")
    viewing.record_error(held.pk, held.ticket, BROKEN)
    work.finish(held.pk, held.ticket)
    look_at_all()
    join()
    assert Track.objects.count() == 2
    videos.retry_video(None, media)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info())
    work.finish(job.pk, job.ticket)
    look_at_all()
    join()

    assert Video.objects.get().warning == ""
    assert (Face.objects.count(), Track.objects.count()) == (1, 3)


def test_there_is_nothing_to_look_at_again_where_all_was_or_will_be():
    media, _ = read()
    with pytest.raises(Conflict, match="waits already"):
        videos.retry_video(None, media)
    look_at_all()
    with pytest.raises(Conflict, match="waits already"):
        videos.retry_video(None, media)
    join()
    with pytest.raises(Conflict, match="all of this video"):
        videos.retry_video(None, media)
    with pytest.raises(NotFound):
        videos.retry_video(None, make_media(kind="video"))


def test_a_worker_that_was_late_for_a_cancelled_video_writes_nothing_into_the_next_attempt():
    media, _ = read()
    late = claim("segment")
    videos.cancel_video(None, media)
    videos.retry_video(None, media)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info())
    with pytest.raises(Exception, match="is to stop"):
        viewing.record_segment(late.pk, late.ticket, found(late, a_track(1, 4, 0)))
    work.give_back(late.pk, late.ticket)

    assert set(Segment.objects.values_list("state", "result")) == {("waiting", b"")}
    assert Job.objects.filter(kind="segment", state="waiting").count() == 3


# --- forgetting ---


def test_what_is_known_of_a_video_can_be_forgotten_and_found_again():
    media, _ = read()
    look_at_all()
    join()
    videos.remove_analysis(a_user("owner"), media)

    assert not Face.objects.exists()
    assert not Track.objects.exists()
    assert state_of(media) == ("waiting", "")
    assert not Job.objects.filter(state__in=("waiting", "leased")).exclude(kind="group").exists()
    videos.retry_video(None, media)
    job = claim("video")
    viewing.record_info(job.pk, job.ticket, info())
    look_at_all()
    join()
    assert Track.objects.count() == 3


# --- the queue ---


def test_videos_are_looked_at_in_the_order_in_which_they_came():
    films = [read(60.0)[0].pk for _ in range(3)]

    assert order() == films


@pytest.mark.parametrize(
    ("move", "to", "expected"),
    (
        (2, "first", [2, 0, 1, 3]),
        (0, "last", [1, 2, 3, 0]),
        (3, 0, [0, 3, 1, 2]),
        (0, 2, [1, 2, 0, 3]),
        (1, 1, [0, 1, 2, 3]),
        (0, "first", [0, 1, 2, 3]),
    ),
)
def test_a_video_can_be_given_another_place(move, to, expected):
    films = [read()[0] for _ in range(4)]
    videos.move_video(a_user("curator"), films[move], to if isinstance(to, str) else films[to])

    assert order() == [films[index].pk for index in expected]


def test_places_hold_for_whoever_comes_later():
    first, second = read(60.0)[0], read(60.0)[0]
    videos.move_video(None, first, "last")
    third = read(60.0)[0]
    videos.move_video(None, third, first)
    videos.move_video(None, third, "first")
    fourth = read(60.0)[0]

    assert order() == [third.pk, second.pk, first.pk, fourth.pk]


def test_a_video_that_was_not_read_yet_keeps_the_place_it_is_given():
    first = read(60.0)[0]
    unread, _ = a_video()
    videos.move_video(None, unread, "first")
    while job := claim("video"):
        viewing.record_info(job.pk, job.ticket, info())

    assert order() == [unread.pk, first.pk]


def test_what_does_not_wait_has_no_place():
    media, _ = read()
    done, _ = read()
    videos.cancel_video(None, done)

    with pytest.raises(NotFound):
        videos.move_video(None, done, "first")
    with pytest.raises(NotFound):
        videos.move_video(None, media, done)
    with pytest.raises(NotFound):
        videos.move_video(None, media, "nowhere")


def test_photos_come_before_videos_wherever_these_are_moved():
    film, _ = read()
    videos.move_video(None, film, "first")
    make_analyse_job(make_media())

    assert claim("segment", "analyse").kind == "analyse"


# --- how long it takes, and what is found so far ---


def test_how_long_it_will_take_is_told_before_it_starts():
    read(130.0)
    read(60.0)
    a_video()
    told = video_work.estimate(ALL)

    assert (told.videos, told.unread, told.seconds, told.looked_at) == (3, 1, 190.0, 0.0)
    assert not told.measured
    assert told.needed == pytest.approx(190 / told.rate)
    assert video_work.estimate(LITTLE) == video_work.Estimate()


def test_how_long_it_will_take_follows_what_was_measured():
    read(130.0)
    job = claim("segment")
    look_at(job)
    took = timedelta(seconds=12)
    Job.objects.filter(pk=job.pk).update(finished_at=job.started_at + took)
    told = video_work.estimate(ALL)

    assert told.measured
    assert (told.seconds, told.looked_at) == (130.0, 60.0)
    assert told.needed == pytest.approx(70 / 5)


def test_nothing_takes_no_time():
    read()
    look_at_all()
    join()
    told = video_work.estimate(ALL)

    assert (told.videos, told.seconds, told.needed) == (0, 0.0, 0.0)


def test_who_was_found_so_far_can_be_seen():
    media, _ = read()
    assert video_work.partial_people(ALL, media) == ()
    look_at(claim("segment"), a_track(1, 9, 0), a_track(3, 4, 1, RIGHT))
    first = video_work.partial_people(ALL, media)
    look_at(claim("segment"), a_track(70, 75, 1))
    second = video_work.partial_people(ALL, media)

    assert [len(person.tracks) for person in first] == [1, 1]
    assert [len(person.tracks) for person in second] == [1, 2]
    assert first[0].crop == b"a crop"
    assert video_work.partial_people(LITTLE, media) == ()
    look_at_all()
    join()
    assert video_work.partial_people(ALL, media) == ()


def test_of_a_video_that_keeps_only_who_agreed_nobody_is_shown_meanwhile():
    media, _ = read()
    look_at(claim("segment"), a_track(1, 9, 0))
    make_album(consenting_only=True).media.add(media)

    assert video_work.partial_people(ALL, media) == ()
