import io
import os
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from PIL import Image

from lookwho.core.errors import Cancelled, FileMissing, Invalid, NotFound
from lookwho.core.video import probe
from lookwho.library.models import Album, AlbumItem, Job, Media, Person, Track
from lookwho.services import moments, montages, people, work
from lookwho.services.montages import FILM, SHEET, run_montage
from tests.films import a_video, seen, somebody
from tests.people import a_user
from tests.videos import drawn, make_clip
from tests.work import claimed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MONTAGES = tmp_path / "montages"
    return settings.MONTAGES


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Ten seconds."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return make_clip(path, drawn(100, (160, 90)), rate=10, keyframes_every=10)


@pytest.fixture
def film(clip, tmp_path):
    """Makes videos, each with a file of its own."""

    def make(number, **more):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(clip.read_bytes())
        media = a_video(path=path, seconds=10, **more)
        Media.objects.filter(pk=media.pk).update(
            taken_at=timezone.now() + timedelta(days=number), payload_hash=bytes([number]) * 32
        )
        media.refresh_from_db()
        return media

    return make


@pytest.fixture
def ann(film):
    """Somebody who is in two videos, in one of them twice."""
    person, _ = somebody("Ann", film(1), (1, 2), (5, 7))
    somebody("Ann", film(2), (3, 9))
    return person


def nothing(done=None):
    pass


def made(by, person, kind=FILM):
    job = montages.ask(by, person, kind)
    run_montage(claimed("montage"), beat=nothing)
    job.refresh_from_db()
    work.finish(job.pk, job.ticket)
    return montages.state(by, job.uuid)


def test_a_film_is_made_of_all_appearances_the_oldest_first(ann):
    by = a_user()

    found = made(by, ann)

    assert (found.state, found.share, found.error) == ("ready", 1, "")
    first, second = Media.objects.order_by("taken_at")
    assert [scene.media for scene in found.scenes] == [first.uuid, first.uuid, second.uuid]
    assert [(scene.start, scene.end) for scene in found.scenes] == [(1, 2), (5, 7), (4.5, 8.5)]
    assert [scene.at for scene in found.scenes] == pytest.approx([0, 1, 3], abs=0.1)
    assert {scene.day for scene in found.scenes} == {first.day, second.day}
    path = montages.path_of(by, found.uuid)
    info = probe(path)
    assert info.duration == pytest.approx(7, abs=0.2)
    assert info.codec == "VP9"


def test_a_contact_sheet_shows_each_appearance(ann):
    by = a_user()

    found = made(by, ann, SHEET)

    assert len(found.scenes) == 3
    with Image.open(io.BytesIO(montages.path_of(by, found.uuid).read_bytes())) as page:
        assert page.format == "WEBP"
        assert page.size[0] > 2 * page.size[1]


def test_who_may_not_tell_people_may_not_ask(ann):
    for user in (a_user("member"), a_user("former"), a_user("owner", is_active=False)):
        with pytest.raises(NotFound):
            montages.ask(user, ann)
    assert Job.objects.count() == 0


def test_members_may_ask_for_themselves(ann, film):
    member, other = a_user("member"), a_user("member")
    Person.objects.filter(pk=ann.pk).update(user=member)
    ann.refresh_from_db()
    open_one = Media.objects.order_by("taken_at").first()
    album = Album.objects.create(title="Film", slug="film")
    AlbumItem.objects.create(album=album, media=open_one)

    for whom in (None, ann):
        found = made(member, whom)
        # Only of what members may see: one of the two videos.
        assert {scene.media for scene in found.scenes} == {open_one.uuid}
    for whom in (None, ann):
        with pytest.raises(NotFound):
            montages.ask(other, whom)


def test_nobody_gets_what_somebody_else_asked_for(ann):
    found = made(a_user(), ann)
    other = a_user()

    for act in (montages.path_of, montages.state, montages.cancel):
        with pytest.raises(NotFound):
            act(other, found.uuid)
        with pytest.raises(NotFound):
            act(other, uuid4())
    assert montages.latest(other, ann) is None


@pytest.mark.parametrize(
    "change",
    (
        lambda by, person: Media.objects.update(hidden=True, present=False),
        lambda by, person: Track.objects.all().delete(),
        lambda by, person: type(by).objects.filter(pk=by.pk).update(role="member"),
        lambda by, person: type(by).objects.filter(pk=by.pk).update(is_active=False),
    ),
)
def test_what_may_not_be_seen_any_more_is_not_given(change, ann):
    by = a_user()
    found = made(by, ann)
    assert montages.path_of(by, found.uuid)

    change(by, ann)
    by.refresh_from_db()

    with pytest.raises(NotFound):
        montages.path_of(by, found.uuid)


def test_a_face_that_turns_out_to_be_somebody_else_is_not_given(ann):
    by = a_user()
    found = made(by, ann)

    people.reject(by, [Track.objects.filter(media__faces__person=ann).first().face], ann)

    with pytest.raises(NotFound, match="new one"):
        montages.path_of(by, found.uuid)


def test_asking_twice_is_asking_once(ann):
    by = a_user()

    first = montages.ask(by, ann)
    assert montages.ask(by, ann) == first
    assert montages.ask(by, ann, SHEET) != first
    assert montages.ask(a_user(), ann) != first

    assert Job.objects.count() == 3


def test_of_whoever_was_merged_it_is_the_same(ann):
    by = a_user()
    merged = Person.objects.create(name="Anny", root=ann)

    assert montages.ask(by, merged) == montages.ask(by, ann)


def test_there_is_none_of_a_person_in_no_video():
    with pytest.raises(NotFound):
        montages.ask(a_user(), Person.objects.create(name="Bob"))


def test_there_are_two_kinds_of_it(ann):
    with pytest.raises(Invalid, match="sheet, montage"):
        montages.ask(a_user(), ann, "poster")


def test_how_far_it_is_is_told(ann):
    by = a_user()
    job = montages.ask(by, ann)
    assert montages.latest(by, ann).state == "waiting"

    job = claimed("montage")
    work.heartbeat(job.pk, job.ticket, done=500)

    found = montages.state(by, job.uuid)
    assert (found.state, found.share) == ("running", 0.5)


def test_cancelling_leaves_nothing(ann, folder):
    by = a_user()
    montages.ask(by, ann)
    job = claimed("montage")

    def beat(done=None):
        montages.cancel(by, job.uuid)
        raise Cancelled("it is to stop")

    with pytest.raises(Cancelled):
        run_montage(job, beat=beat)
    work.give_back(job.pk, job.ticket)

    assert list(folder.iterdir()) == []
    assert montages.state(by, job.uuid).state == "cancelled"


def test_one_that_is_cancelled_in_the_last_moment_is_not_kept(ann, folder):
    by = a_user()
    montages.ask(by, ann)
    job = claimed("montage")

    run_montage(job, beat=lambda done: montages.cancel(by, job.uuid))

    assert list(folder.iterdir()) == []


def test_of_a_person_who_is_forgotten_nothing_is_left(ann, folder):
    found = made(a_user(), ann)
    other = made(a_user(), somebody("Bob", Media.objects.first(), (1, 3))[0])

    assert montages.forget([ann.pk]) == 1

    assert not Job.objects.filter(uuid=found.uuid).exists()
    assert [path.stem for path in folder.iterdir()] == [other.uuid.hex]


def test_of_a_person_who_is_forgotten_while_it_is_made_nothing_is_left(ann, folder):
    montages.ask(a_user(), ann)

    run_montage(claimed("montage"), beat=lambda done: montages.forget([ann.pk]))

    assert list(folder.iterdir()) == []
    assert Job.objects.count() == 0


def test_with_a_video_or_a_user_all_that_is_made_of_it_goes(ann, folder):
    by = a_user()
    made(by, ann)
    second = Media.objects.order_by("taken_at").last()

    assert montages.forget_media([second.pk + 100]) == 0
    assert montages.forget_media([second.pk]) == 1
    assert list(folder.iterdir()) == []
    made(by, ann)
    assert montages.forget_of(a_user()) == 0
    assert montages.forget_of(by) == 1
    assert list(folder.iterdir()) == []


def test_after_some_days_it_is_gone_and_said_to_be(ann, folder):
    by = a_user()
    found = made(by, ann)
    (folder / f"{'ab' * 16}.webm").write_bytes(b"of a job that is gone")
    (folder / "notes.txt").write_bytes(b"not ours")
    now = timezone.now()

    assert montages.go(now - timedelta(days=7), False) == 1
    past = (now - timedelta(days=8)).timestamp()
    os.utime(montages.path_of(by, found.uuid), (past, past))
    assert montages.go(now - timedelta(days=7), True) == 1
    assert montages.go(now - timedelta(days=7), False) == 1

    assert montages.state(by, found.uuid).state == "gone"
    with pytest.raises(FileMissing, match="new one"):
        montages.path_of(by, found.uuid)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_what_nobody_can_read_any_more_is_told(ann, tmp_path):
    for path in tmp_path.glob("*.mp4"):
        path.unlink()
    montages.ask(a_user(), ann)

    with pytest.raises(NotFound, match="read"):
        run_montage(claimed("montage"), beat=nothing)


def test_who_asked_and_is_gone_gets_nothing(ann, folder):
    by = a_user()
    montages.ask(by, ann)
    by.is_active = False
    by.save()

    with pytest.raises(NotFound):
        run_montage(claimed("montage"), beat=nothing)
    assert not folder.exists()


# --- what it is made of ---


def scenes(person, kind=FILM):
    return list(moments.chosen(moments.tracks_of(a_user(), person.pk), kind))


def test_every_video_has_something_in_it_before_one_has_two(film, monkeypatch):
    monkeypatch.setattr(moments, "MOST_SECONDS", 9.0)
    first, second = film(1), film(2)
    person, _ = somebody("Ann", first, (0, 4), (5, 9))
    somebody("Ann", second, (2, 6))
    Track.objects.filter(media=first).update(quality=0.9)

    found = scenes(person)

    assert [media.pk for media, _ in found] == [first.pk, second.pk]


def test_a_scene_is_short_and_around_its_best_picture(film):
    person, face = somebody("Ann", film(1), (0, 10))
    Track.objects.filter(face=face).update(time=6)

    ((_, scene),) = scenes(person)

    assert (scene.start, scene.end, scene.time) == (4.5, 8.5, 6)


def test_a_flash_is_on_the_sheet_and_not_in_the_film(film):
    person, _ = somebody("Ann", film(1), (1, 1.2))

    assert scenes(person) == []
    assert len(scenes(person, SHEET)) == 1


def test_who_did_not_agree_to_be_followed_is_not_shown(film):
    person, face = somebody("Ann", film(1), (1, 4))
    Track.objects.filter(face=face).update(path=b"")

    assert scenes(person, SHEET) == []


def test_what_was_said_to_be_no_face_is_not_shown(film):
    person, face = somebody("Ann", film(1), (1, 4))
    type(face).objects.filter(pk=face.pk).update(dismissed=True)

    assert scenes(person, SHEET) == []


def test_others_in_the_same_video_are_not_in_it(film):
    media = film(1)
    person, _ = somebody("Ann", media, (1, 4))
    seen(media, (5, 9), box=(0.6, 0.1, 0.8, 0.4))

    ((_, scene),) = scenes(person)

    assert scene.box == (0.25, 0.25, 0.5, 0.75)
    assert np.allclose(scene.around, scene.box)
