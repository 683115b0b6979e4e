import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library import vectors
from lookwho.library.models import Consent, Embedding, Face, Job, Suppression, Track, VectorChange
from lookwho.library.scope import Purpose, Scope
from lookwho.services import consents, events, faces, filmed, grouping, people
from tests.filmed import LEFT, RIGHT, a_cast, a_track, a_video, faces_in, somebody, store, times
from tests.gallery import draw, make_album, make_member, make_pack, make_selfie, near
from tests.people import a_user

pytestmark = pytest.mark.django_db

ANNA, BEN, CARLA = draw(np.random.default_rng(3), 3)


@pytest.fixture
def owner():
    return a_user()


def test_a_person_of_a_video_is_one_face_with_their_tracks_and_one_vector():
    media = a_video()
    anna = somebody(ANNA, a_track(1, 4), a_track(20, 30, quality=0.9))
    ben = somebody(BEN, a_track(2, 8, RIGHT))

    assert store(media, a_cast(anna, ben, cuts=(5, 18)))
    one, other = faces_in(media)
    assert (times(one), times(other)) == ([(1, 4), (20, 30)], [(2, 8)])
    assert (one.time, one.quality, one.score) == (25, 0.9, 0.9)
    assert one.box == pytest.approx(LEFT)
    assert np.allclose(one.landmarks, anna.landmarks)
    stored = np.frombuffer(one.embeddings.get().vector, "<f4")
    assert np.allclose(stored, anna.embedding)
    path = np.frombuffer(one.tracks.get(start=1).path, "<f4").reshape(-1, 5)
    assert np.array_equal(path, anna.tracks[0].path)
    media.refresh_from_db()
    assert np.frombuffer(media.video.cuts, "<f4").tolist() == [5, 18]
    analysis = media.analyses.get()
    assert (analysis.state, analysis.reason) == ("done", "")
    assert analysis.finished_at is not None
    assert Job.objects.filter(kind="group", state="waiting").count() == 1


def test_a_video_in_which_nobody_is_seen_says_so():
    media = a_video()

    assert not store(media, a_cast())
    assert (media.analyses.get().reason, media.faces.count()) == ("nothing", 0)
    assert not Job.objects.exists()


def test_its_faces_are_found_by_the_search_and_go_with_the_video():
    media = a_video()
    store(media, a_cast(somebody(ANNA, a_track(1, 4)), somebody(BEN, a_track(2, 8, RIGHT))))
    everything = Scope(purpose=Purpose.FIND_SELF, everything=True)

    found = vectors.nearest(everything, ANNA, make_pack(), limit=5, within=0.1)
    assert found.face_ids.tolist() == [faces_in(media)[0].pk]
    ids = {face.pk for face in faces_in(media)}
    filmed.clear([media.pk])
    removed = VectorChange.objects.filter(verb="remove")
    assert set(removed.values_list("face_id", flat=True)) == ids
    found = vectors.nearest(everything, ANNA, make_pack(), limit=5, within=0.1)
    assert found.face_ids.tolist() == []
    assert (Face.objects.count(), Track.objects.count(), Embedding.objects.count()) == (0, 0, 0)


def test_the_same_cast_stored_twice_is_there_once(owner):
    media = a_video()
    cast = a_cast(
        somebody(ANNA, a_track(1, 4), a_track(9, 12)), somebody(BEN, a_track(2, 8, RIGHT))
    )
    store(media, cast)
    store(media, cast)

    assert [times(face) for face in faces_in(media)] == [[(1, 4), (9, 12)], [(2, 8)]]
    assert Embedding.objects.count() == 2


def test_as_many_queries_for_one_person_as_for_ten():
    store(a_video(), a_cast(somebody(ANNA, a_track(1, 4))))  # the first of all asks for a pass
    counts = []
    for some in (draw(np.random.default_rng(1), 1), draw(np.random.default_rng(1), 10)):
        media = a_video()
        people_ = [somebody(each, a_track(3 * at, 3 * at + 2)) for at, each in enumerate(some)]
        with CaptureQueriesContext(connection) as queries:
            store(media, a_cast(*people_))
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- what was said holds through another analysis ---


def moved(by=0.02):
    """The same faces as another detector frames them."""
    return tuple(np.asarray(LEFT) + by), tuple(np.asarray(RIGHT) + by)


def test_who_was_confirmed_is_so_after_another_analysis_also_by_another_best_picture(owner):
    media = a_video()
    store(
        media, a_cast(somebody(ANNA, a_track(1, 9, LEFT, to=RIGHT)), somebody(BEN, a_track(20, 30)))
    )
    anna, ben = faces_in(media)
    assert people.assign(owner, [anna], "Anna").message == "1 video is now Anna's."
    people.assign(owner, [ben], "Ben")
    people.reject(owner, [ben], Face.objects.get(pk=anna.pk).person)

    # Ten times as good where she is elsewhere, and she comes second.
    again = somebody(ANNA, a_track(1.2, 9.1, LEFT, to=RIGHT, at=8.5))
    store(media, a_cast(somebody(BEN, a_track(20, 30, moved()[0])), again), revision=2)
    ben, anna = faces_in(media)
    assert (ben.person.name, anna.person.name) == ("Ben", "Anna")
    assert anna.time == 8.5


def test_a_decision_is_about_the_place_at_its_time_and_not_at_another(owner):
    media = a_video()
    store(media, a_cast(somebody(ANNA, a_track(1, 4)), somebody(BEN, a_track(10, 14))))
    people.assign(owner, faces_in(media)[:1], "Anna")

    store(media, a_cast(somebody(BEN, a_track(10, 14))), revision=2)
    assert [face.person for face in faces_in(media)] == [None]
    store(
        media, a_cast(somebody(BEN, a_track(10, 14)), somebody(ANNA, a_track(0.5, 4))), revision=3
    )
    assert [face.person and face.person.name for face in faces_in(media)] == [None, "Anna"]


def test_what_is_no_face_does_not_come_back_and_is_a_face_again_once_that_is_taken_back(owner):
    media = a_video()
    poster = somebody(CARLA, a_track(0, 10, RIGHT), a_track(20, 24, RIGHT))
    store(media, a_cast(somebody(ANNA, a_track(1, 4)), poster))
    done = faces.not_a_face(owner, faces_in(media)[1:])
    assert len(faces_in(media)) == 1

    # It is cut otherwise by now, and without the best pictures of before.
    parts = [
        a_track(6.5, 10, moved()[1], at=9),
        a_track(0, 4.2, RIGHT, at=1),
        a_track(21, 24, RIGHT),
    ]
    here = somebody(ANNA, a_track(1, 4))
    store(media, a_cast(here, somebody(CARLA, *parts)), revision=2)
    assert [times(face) for face in faces_in(media)] == [[(1, 4)]]
    people.undo(owner, done.batch)
    assert [times(face) for face in faces_in(media)] == [[(0, 10), (20, 24)], [(1, 4)]]
    assert not Suppression.objects.exists()
    # Its vector by the new models is asked for.
    assert Job.objects.filter(kind="embed", payload__faces=[faces_in(media)[0].pk]).exists()


def test_two_confirmed_people_whom_an_analysis_takes_for_one_stay_two(owner):
    media = a_video()
    first = somebody(ANNA, a_track(1, 4), a_track(40, 45))
    store(media, a_cast(first, somebody(BEN, a_track(10, 14))))
    anna, ben = faces_in(media)
    people.assign(owner, [anna], "Anna")
    people.assign(owner, [ben], "Ben")

    tracks = [a_track(1, 4, vector=ANNA), a_track(10, 14, vector=BEN), a_track(40, 45, vector=ANNA)]
    tracks.append(a_track(50, 51, vector=ANNA))
    store(media, a_cast(somebody(ANNA, *tracks)), revision=2)
    who = {face.person and face.person.name: face for face in faces_in(media)}
    assert {name: times(face) for name, face in who.items()} == {
        "Anna": [(1, 4), (40, 45), (50, 51)],
        "Ben": [(10, 14)],
    }
    stored = {
        name: np.frombuffer(face.embeddings.get().vector, "<f4") for name, face in who.items()
    }
    assert np.allclose(stored["Anna"], ANNA, atol=1e-6)
    assert np.allclose(stored["Ben"], BEN, atol=1e-6)


def test_who_is_not_somebody_is_put_apart_from_them(owner):
    media = a_video()
    store(media, a_cast(somebody(ANNA, a_track(1, 4)), somebody(BEN, a_track(10, 14))))
    anna, ben = faces_in(media)
    people.assign(owner, [anna], "Anna")
    anna.refresh_from_db()
    people.reject(owner, [ben], anna.person)

    store(media, a_cast(somebody(ANNA, a_track(1, 4), a_track(10, 14))), revision=2)
    assert sorted((times(face), bool(face.person)) for face in faces_in(media)) == [
        ([(1, 4)], True),
        ([(10, 14)], False),
    ]


# --- albums that keep only who agreed ---


def test_of_who_did_not_agree_there_is_when_they_are_seen_and_nothing_that_recognises(owner):
    user = make_member("anna")
    for purpose in (consents.FIND, consents.EVENTS):
        Consent.objects.create(user=user, purpose=purpose, version="1")
    make_selfie(user, near(np.random.default_rng(1), ANNA, 0.01))
    media = a_video()
    make_album(media, consenting_only=True)
    store(media, a_cast(somebody(ANNA, a_track(1, 4)), somebody(BEN, a_track(2, 8, RIGHT))))

    anna, ben = faces_in(media)
    assert (anna.embeddings.count(), len(anna.landmarks)) == (1, 5)
    assert bytes(anna.tracks.get().path)
    assert (ben.embeddings.count(), ben.landmarks) == (0, [])
    assert (times(ben), bytes(ben.tracks.get().path)) == ([(2, 8)], b"")
    # Nor is it looked at again while nobody else agrees.
    assert not Job.objects.filter(kind="embed").exists()


def test_a_video_that_comes_into_such_an_album_later_loses_the_same():
    media = a_video()
    store(media, a_cast(somebody(ANNA, a_track(1, 4))))
    album = make_album(media, consenting_only=True)

    assert events.album_changed(album) == 1
    face = faces_in(media)[0]
    assert (face.embeddings.count(), face.landmarks, bytes(face.tracks.get().path)) == (0, [], b"")
    # And is looked at again once the promise is gone.
    album.consenting_only = False
    album.save()
    assert events.album_changed(album) == 1
    assert Job.objects.get(kind="embed").payload["faces"] == [face.pk]


# --- who they are ---


def guesses(media):
    return [face.guess_id for face in faces_in(media)]


def test_the_same_person_in_two_videos_and_a_photo_is_one_group():
    generator = np.random.default_rng(2)
    one, other = a_video(), a_video()
    for media in (one, other):
        store(media, a_cast(somebody(near(generator, ANNA, 0.02), a_track(1, 4))))
    grouping.regroup(beat=lambda rows: None, whole=True)

    assert guesses(one) == guesses(other) != [None]


def test_two_faces_of_a_video_are_one_person_unless_both_are_seen_at_once():
    generator = np.random.default_rng(2)
    apart, at_once = a_video(), a_video()
    found = []
    for media, when in ((apart, 20), (at_once, 3)):
        here = somebody(near(generator, ANNA, 0.01), a_track(1, 8))
        there = somebody(near(generator, ANNA, 0.01), a_track(when, when + 6, RIGHT))
        store(media, a_cast(here, there))
        grouping.regroup(beat=lambda rows: None, whole=True)
        found.append(guesses(media))

    (one, same), (again, other) = found
    assert one == same == again != other


def test_somebody_confirmed_is_not_guessed_again_at_the_same_time(owner):
    generator = np.random.default_rng(4)
    media, photos = a_video(), [a_video() for _ in range(3)]
    for each in photos:
        store(each, a_cast(somebody(near(generator, ANNA, 0.01), a_track(1, 8))))
        people.assign(owner, faces_in(each), "Anna")
    here = somebody(near(generator, ANNA, 0.01), a_track(1, 8))
    beside = somebody(near(generator, ANNA, 0.01), a_track(3, 6, RIGHT))
    later = somebody(near(generator, ANNA, 0.01), a_track(30, 36, RIGHT))
    store(media, a_cast(here, beside, later))
    anna = faces_in(photos[0])[0].person
    people.confirm(owner, faces_in(media)[:1], anna)
    grouping.regroup(beat=lambda rows: None, whole=True)

    assert [face.guess for face in faces_in(media)[1:]] == [None, anna]


def test_somebody_is_not_guessed_beside_themselves_where_they_have_no_vector(owner):
    generator = np.random.default_rng(4)
    media, others = a_video(), [a_video() for _ in range(3)]
    for each in others:
        store(each, a_cast(somebody(near(generator, ANNA, 0.01), a_track(1, 8))))
        people.assign(owner, faces_in(each), "Anna")
    here = somebody(near(generator, ANNA, 0.01), a_track(1, 8))
    beside = somebody(near(generator, ANNA, 0.01), a_track(3, 6, RIGHT))
    store(media, a_cast(here, beside))
    anna = faces_in(others[0])[0].person
    confirmed, other = faces_in(media)
    people.confirm(owner, [confirmed], anna)
    Embedding.objects.filter(face=confirmed).delete()
    grouping.regroup(beat=lambda rows: None, whole=True)

    other.refresh_from_db()
    assert other.guess is None


def test_a_group_that_is_named_has_a_person_of_a_video_in_it_twice_but_not_at_once(owner):
    anna, group = people.Person.objects.create(name="Anna"), people.Person.objects.create()
    media = a_video()
    store(
        media,
        a_cast(
            somebody(ANNA, a_track(1, 8)),
            somebody(ANNA, a_track(3, 6, RIGHT)),
            somebody(ANNA, a_track(30, 36)),
        ),
    )
    one, beside, later = faces_in(media)
    Face.objects.filter(pk=one.pk).update(person=anna)
    Face.objects.filter(pk__in=[beside.pk, later.pk]).update(guess=group)

    people.name_person(owner, group, "Anna")
    beside.refresh_from_db()
    later.refresh_from_db()
    assert (beside.person, later.person) == (None, anna)
