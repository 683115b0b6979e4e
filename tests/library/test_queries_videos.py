"""Videos in lists: how far they are, who is in them, and what waits."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Analysis, Collection, Job, Location, Media, Person, Segment
from lookwho.library.queries import photos
from lookwho.library.queries import videos as queries
from lookwho.library.queries.photos import Wanted
from lookwho.library.queries.videos import State
from lookwho.library.scope import Purpose, Scope
from lookwho.services.analysis import current_pack
from tests.films import a_video, at_work, seen, somebody
from tests.people import some_media

pytestmark = pytest.mark.django_db

EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True, names=True)


def row(media):
    return queries.row_of(EVERYTHING, media)


def work(media, kind="video", **more):
    told = {"pack": current_pack().pk, "media": media.pk}
    return Job.objects.create(kind=kind, payload=told, **more)


def test_only_videos_are_listed_and_photos_are_not():
    film = a_video()
    some_media(2)

    assert list(queries.videos(EVERYTHING)) == [film]


def test_a_video_is_told_with_its_people_and_its_file():
    media = a_video()
    folder = Collection.objects.create(title="Films", root="/films")
    Location.objects.create(collection=folder, media=media, path="2024/Party.mp4")
    Location.objects.create(collection=folder, media=media, path="copy.mp4")
    ann, face = somebody("Ann", media, (1, 4), (8, 9))
    ben, longer = somebody("Ben", media, (0, 20))
    unnamed = seen(media, (1, 2), guess=Person.objects.create(), probability=0.9)

    found = row(media)

    assert (found.title, found.state, found.share) == ("Party.mp4", State.DONE, 1.0)
    assert [(each.name, each.face) for each in found.people] == [
        ("Ben", longer.uuid),
        ("Ann", face.uuid),
        ("", unnamed.uuid),
    ]
    assert (found.names, found.people_count) == (("Ben", "Ann"), 3)
    Person.objects.filter(pk=ben.pk).update(hidden=True)
    assert row(media).names == ("Ann",)
    member = Scope(purpose=Purpose.BROWSE, everything=False, open_collections=frozenset())
    (shown,) = queries.rows_of(member, [media], named=frozenset({ann.pk}))
    assert (shown.title, shown.names, shown.people_count) == ("", ("Ann",), 1)
    assert queries.row_of(member, media).people == ()


def test_a_file_that_is_gone_names_a_video_only_where_no_other_is_left():
    media = a_video()
    folder = Collection.objects.create(title="Films", root="/films")
    gone = Location.objects.create(
        collection=folder, media=media, path="gone.mp4", missing_since=media.taken_at
    )
    there = Location.objects.create(collection=folder, media=media, path="there.mp4")

    assert row(media).title == "there.mp4"
    there.delete()
    assert row(media).title == gone.path


# --- how far ---


def test_a_failure_says_why():
    media = a_video(state=None)
    Analysis.objects.create(
        media=media, pack=current_pack(), state="failed", error_code="broken_video", error="cut"
    )

    found = row(media)

    assert (found.state, found.code, found.error) == (State.FAILED, "broken_video", "cut")
    assert not found.running


@pytest.mark.parametrize(
    ("jobs", "state"),
    (
        ((), State.CANCELLED),
        ((("video", {"state": "waiting"}),), State.WAITING),
        ((("video", {"state": "leased"}),), State.RUNNING),
        ((("segment", {"state": "waiting"}),), State.WAITING),
        ((("segment", {"state": "leased"}), ("segment", {"state": "waiting"})), State.RUNNING),
        ((("join", {"state": "waiting"}),), State.RUNNING),
        ((("segment", {"state": "leased", "cancel_requested": True}),), State.STOPPING),
        ((("video", {"state": "done"}), ("segment", {"state": "cancelled"})), State.CANCELLED),
        ((("proxy", {"state": "leased"}),), State.CANCELLED),
    ),
)
def test_how_far_a_video_is_that_waits_is_told_by_what_is_open(jobs, state):
    media, other = a_video(state="waiting"), a_video(state="waiting")
    for kind, more in jobs:
        work(media, kind, **more)
    work(other, "segment", state="leased")

    assert row(media).state == state
    assert list(queries.videos(EVERYTHING, states=[state]).filter(pk=media.pk)) == [media]
    others = [each for each in State if each not in (state, State.RUNNING)]
    assert not queries.videos(EVERYTHING, states=others).filter(pk=media.pk).exists()


def test_a_video_that_was_looked_at_is_done_whatever_else_is_open():
    media = a_video()
    work(media, "proxy", state="leased")
    assert row(media).state == State.DONE
    assert a_video(state=None) not in queries.videos(EVERYTHING, states=[State.DONE])


def test_progress_is_the_share_of_the_seconds_that_were_looked_at():
    media = a_video(seconds=180.0)
    at_work(media, 60.0, 90.0, 120.0)
    Segment.objects.filter(part=1).update(people=4)

    found = row(media)

    assert found.state == State.RUNNING
    assert (found.share, found.reached) == (0.5, 90.0)
    assert [(part.state, part.looked_at) for part in found.segments] == [
        ("done", 60.0),
        ("waiting", 30.0),
        ("waiting", 0.0),
    ]
    assert found.people_count == 4
    assert found.seconds_left == pytest.approx(90.0 / found.rate)
    blind = Scope(purpose=Purpose.BROWSE, open_collections=frozenset())
    (shown,) = queries.rows_of(blind, [media])
    # How much is to be done says something about the videos of others.
    assert (shown.share, shown.place, shown.seconds_left, shown.segments) == (0.5, None, None, ())


def test_the_queue_is_in_the_order_in_which_videos_come():
    late, early, running, unread = (a_video(seconds=60.0) for _ in range(4))
    at_work(late, 0.0)
    at_work(early, 0.0)
    at_work(running, 30.0)
    Job.objects.filter(payload__media=early.pk).update(priority=1)
    Analysis.objects.filter(media=unread).update(state="waiting")
    work(unread, priority=-5, state="waiting")

    found = queries.queue(EVERYTHING)

    assert [each.media.pk for each in found] == [running.pk, early.pk, late.pk, unread.pk]
    assert [each.place for each in found] == [None, 1, 2, 3]
    assert queries.queue(Scope(purpose=Purpose.BROWSE, open_collections=frozenset())) == []
    assert [part.part for part in queries.segments_of(EVERYTHING, running)] == [0]


def test_videos_are_narrowed_by_who_is_in_them():
    one, other = a_video(), a_video()
    ann, _ = somebody("Ann", one, (1, 4))
    somebody("Ben", other, (1, 4))

    asked = Wanted(people=frozenset({ann.pk}))

    assert list(queries.videos(EVERYTHING, asked)) == [one]
    assert list(queries.videos(EVERYTHING, asked, [State.FAILED])) == []
    assert list(queries.videos(EVERYTHING, asked, [State.FAILED, State.DONE])) == [one]


def test_a_list_makes_as_many_queries_for_one_as_for_three():
    for state in ("done", "done", "done"):
        somebody("Ann", a_video(state=state), (1, 4))
    for _ in range(3):
        at_work(a_video(seconds=60.0), 30.0)
    media = list(Media.objects.order_by(*photos.NEWEST_FIRST))

    def cost(some):
        with CaptureQueriesContext(connection) as made:
            assert queries.rows_of(EVERYTHING, some)
        return len(made)

    assert cost([media[0], media[-1]]) == cost(media)
