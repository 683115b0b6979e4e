import numpy as np
import pytest

from lookwho.core.errors import Conflict, Forbidden, Invalid
from lookwho.core.types import Faces
from lookwho.library.models import Face, Job, Person
from lookwho.library.queries import history
from lookwho.library.scope import Purpose, Scope
from lookwho.services import drawing, embedding, faces, grouping, people
from lookwho.services.tracks import move_tracks, split_tracks
from tests.filmed import RIGHT, a_cast, a_track, a_video, faces_in, somebody, store, times
from tests.gallery import draw, near
from tests.people import a_user
from tests.work import claimed

pytestmark = pytest.mark.django_db

ANNA, BEN, CARLA = draw(np.random.default_rng(3), 3)


@pytest.fixture
def owner():
    return a_user()


@pytest.fixture
def media():
    """A video in which Ben was taken for Anna, from second 20 to 30, and Carla is."""
    media = a_video()
    store(media, found())
    return media


def found(*, later=0.0):
    """What an analysis makes of it."""
    anna = somebody(
        ANNA,
        a_track(1 + later, 4, vector=ANNA),
        a_track(20 + later, 24, vector=BEN, quality=0.9),
        a_track(26, 30 - later, RIGHT, vector=BEN),
        a_track(40, 45 + later, vector=ANNA),
    )
    return a_cast(anna, somebody(CARLA, a_track(2, 8, RIGHT)))


def stretches(face, *starts):
    return list(face.tracks.filter(start__in=starts))


def vector(face):
    return np.frombuffer(face.embeddings.get().vector, "<f4")


def seen(media):
    """When each face is seen, and who it is."""
    return {
        tuple(start for start, _ in times(face)): face.person and face.person.name
        for face in faces_in(media)
    }


def test_stretches_that_are_somebody_else_become_a_face_of_their_own(owner, media):
    both = faces_in(media)[0]
    people.assign(owner, [both], "Anna")
    done = split_tracks(owner, stretches(both, 20, 26), name="Ben")

    assert done.message == "2 stretches are Ben's now."
    assert seen(media) == {(1, 40): "Anna", (2,): None, (20, 26): "Ben"}
    *_, ben = faces_in(media)
    both.refresh_from_db()
    assert (ben.time, ben.quality, ben.source) == (22, 0, "human")
    assert (both.time, both.quality) == (2.5, 0.8)


def test_a_face_whose_stretches_changed_is_looked_at_in_its_best_pictures(owner, media):
    both = faces_in(media)[0]
    split_tracks(owner, stretches(both, 20, 26))
    *_, other = faces_in(media)
    job = claimed("embed")
    first, second = embedding.wanted(job)

    assert {first.face, second.face} == {both.pk, other.pk}
    assert (first.times, second.times) == ((2.5, 42.5), (22.0, 28.0))
    assert np.allclose(second.boxes, [[128, 144, 384, 360], [768, 144, 1024, 360]], atol=0.01)
    embedding.record(job, second, looked_at(BEN, CARLA, quality=(0.9, 0.3)), done=1)
    expected = 0.9 * BEN + 0.3 * CARLA
    other.refresh_from_db()
    assert np.allclose(vector(other), expected / np.linalg.norm(expected), atol=1e-6)
    assert other.quality == pytest.approx(0.9)
    # One that was changed meanwhile waits in another job.
    move_tracks(owner, stretches(other, 20), both)
    embedding.record(job, first, looked_at(CARLA, CARLA), done=2)
    assert not np.allclose(vector(both), CARLA, atol=0.1)


def looked_at(*vectors, quality=(0.9, 0.9)):
    count = len(vectors)
    return Faces(
        boxes=np.zeros((count, 4), np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        scores=np.ones(count, np.float32),
        quality=np.float32(quality),
        embeddings=np.stack(vectors),
        encodings=None,
        width=1280,
        height=720,
        reason=None,
        pack="default",
    )


def test_a_split_survives_another_analysis_with_exact_vectors(owner, media):
    both = faces_in(media)[0]
    split_tracks(owner, stretches(both, 20, 26), name="Ben")
    *_, ben = faces_in(media)
    uuid = ben.uuid
    store(media, found(later=0.3), revision=2)

    assert seen(media) == {(1.3, 40): None, (2,): None, (20.3, 26): "Ben"}
    ben = Face.objects.get(uuid=uuid)
    assert np.allclose(vector(ben), BEN, atol=1e-6)
    (anna,) = [face for face in faces_in(media) if times(face)[0][0] == 1.3]
    assert np.allclose(vector(anna), ANNA, atol=1e-6)
    assert len(ben.landmarks) == 5
    # Nobody takes them for one person again.
    grouping.regroup(beat=lambda rows: None, whole=True)
    anna.refresh_from_db()
    assert anna.guess_id != ben.person_id


def test_whom_a_stretch_was_taken_for_it_is_not_and_is_never_guessed_to_be_again(owner, media):
    generator = np.random.default_rng(1)
    both = faces_in(media)[0]
    people.assign(owner, [both], "Anna")
    for _ in range(3):
        other = a_video()
        store(other, a_cast(somebody(near(generator, BEN, 0.01), a_track(1, 3))))
        people.assign(owner, faces_in(other), "Ben")
    split_tracks(owner, stretches(both, 20, 26))
    store(media, found(), revision=1)
    grouping.regroup(beat=lambda rows: None, whole=True)

    # They are somebody without a name, whom one may merge with Ben; the rest stays Anna.
    assert seen(media) == {(1, 40): "Anna", (2,): None, (20, 26): ""}


def test_of_two_who_look_alike_neither_is_guessed_to_be_the_other_after_a_split(owner):
    media, generator = a_video(), np.random.default_rng(1)
    first, second = (a_track(at, at + 3, vector=near(generator, BEN, 0.01)) for at in (1, 20))
    store(media, a_cast(somebody(BEN, first, second)))
    (both,) = faces_in(media)
    split_tracks(owner, stretches(both, 20), name="Ben")
    store(media, a_cast(somebody(BEN, first, second)))
    grouping.regroup(beat=lambda rows: None, whole=True)

    one, other = (
        face for start in (1, 20) for face in faces_in(media) if times(face)[0][0] == start
    )
    assert (other.person.name, one.person, one.guess) == ("Ben", None, None)


def test_a_split_is_undone_also_after_another_analysis(owner, media):
    both = faces_in(media)[0]
    people.assign(owner, [both], "Anna")
    done = split_tracks(owner, stretches(both, 20, 26), name="Ben")
    store(media, found(later=0.3), revision=2)
    people.undo(owner, done.batch)

    assert seen(media) == {(1.3, 20.3, 26, 40): "Anna", (2,): None}
    assert not Face.objects.filter(person__name="Ben").exists()
    store(media, found(), revision=3)
    assert seen(media) == {(1, 20, 26, 40): "Anna", (2,): None}


def test_a_split_that_is_undone_at_once_leaves_all_as_it_was(owner, media):
    both = faces_in(media)[0]
    people.assign(owner, [both], "Anna")
    before = (both.time, both.box, seen(media))
    done = split_tracks(owner, stretches(both, 20))
    people.undo(owner, done.batch)

    both.refresh_from_db()
    assert (both.time, both.box, seen(media)) == before
    assert both.pk in Job.objects.filter(kind="embed").order_by("pk").last().payload["faces"]
    with pytest.raises(Conflict):
        people.undo(owner, done.batch)


def test_where_nobody_is_to_give_a_stretch_back_to_it_stays_a_face(owner, media):
    both = faces_in(media)[0]
    done = split_tracks(owner, stretches(both, 20, 26), name="Ben")
    # An analysis finds no Anna, and whoever she was is gone.
    store(media, a_cast(somebody(BEN, a_track(20, 24), a_track(26, 30, RIGHT))), revision=2)
    assert seen(media) == {(20, 26): "Ben"}
    people.undo(owner, done.batch)

    assert seen(media) == {(20, 26): None}


def test_what_an_analysis_no_longer_finds_of_a_split_stays_as_it_was(owner, media):
    both = faces_in(media)[0]
    split_tracks(owner, stretches(both, 20, 26), name="Ben")
    store(media, a_cast(somebody(ANNA, a_track(1, 4))), revision=2)

    assert seen(media) == {(20, 26): "Ben", (1,): None}
    # And is looked at by the new models.
    assert Job.objects.filter(kind="embed", state="waiting").exists()


def test_stretches_go_to_another_face_of_the_video_and_back(owner, media):
    both, carla = faces_in(media)
    people.assign(owner, [carla], "Carla")
    done = move_tracks(owner, stretches(both, 20), carla)
    assert done.message == "1 stretch is moved to the other face."
    assert seen(media) == {(1, 26, 40): None, (2, 20): "Carla"}

    uuid = carla.uuid
    store(media, found(later=0.2), revision=2)
    assert seen(media) == {(1.2, 26, 40): None, (2, 20.2): "Carla"}
    assert Face.objects.get(uuid=uuid).person.name == "Carla"
    people.undo(owner, done.batch)
    assert seen(media) == {(1.2, 20.2, 26, 40): None, (2,): "Carla"}
    store(media, found(), revision=3)
    assert seen(media) == {(1, 20, 26, 40): None, (2,): "Carla"}


def test_of_a_stretch_that_was_moved_twice_the_last_counts(owner, media):
    both, carla = faces_in(media)
    split_tracks(owner, stretches(both, 20, 26), name="Ben")
    *_, ben = faces_in(media)
    again = move_tracks(owner, stretches(ben, 20), carla)
    store(media, found(later=0.2), revision=2)
    assert seen(media) == {(1.2, 40): None, (2, 20.2): None, (26,): "Ben"}

    people.undo(owner, again.batch)
    assert seen(media) == {(1.2, 40): None, (2,): None, (20.2, 26): "Ben"}


def test_what_cannot_be_split_or_moved_is_refused_in_words(owner, media):
    both, carla = faces_in(media)
    other = a_video()
    store(other, a_cast(somebody(ANNA, a_track(1, 4), a_track(9, 12))))
    elsewhere = faces_in(other)[0]
    people.assign(owner, [both], "Anna")
    some = stretches(both, 20)

    with pytest.raises(Invalid, match="all stretches of this face: say who it is"):
        split_tracks(owner, both.tracks.all())
    with pytest.raises(Invalid, match="one face at a time"):
        split_tracks(owner, [*some, *carla.tracks.all()])
    with pytest.raises(Invalid, match="Anna cannot be split from Anna"):
        split_tracks(owner, some, name="anna")
    with pytest.raises(Invalid, match="another face of that video"):
        move_tracks(owner, some, elsewhere)
    with pytest.raises(Invalid, match="already"):
        move_tracks(owner, some, both)
    with pytest.raises(Forbidden):
        split_tracks(a_user("member"), some)
    faces.not_a_face(owner, [carla])
    with pytest.raises(Conflict, match="said it is none"):
        move_tracks(owner, some, carla)
    store(media, found(), revision=2)
    with pytest.raises(Conflict, match="analysed anew"):
        split_tracks(owner, some)
    assert Person.objects.exclude(name="").count() == 1


def test_in_a_video_no_box_is_drawn_or_moved(owner, media):
    with pytest.raises(Invalid, match="choose stretches of a face, and say who that is"):
        drawing.draw(owner, media, (0.4, 0.4, 0.6, 0.6), "Dora")
    with pytest.raises(Invalid, match="choose stretches of a face, and say who that is"):
        faces.fix_box(owner, faces_in(media)[0], (0.4, 0.4, 0.6, 0.6))
    done = drawing.absent(owner, media, "Dora")
    assert done.message == "Dora is in this video, with no visible face."


def test_history_says_what_was_done(owner, media):
    both, carla = faces_in(media)
    people.assign(owner, [both], "Anna")
    split_tracks(owner, stretches(both, 20, 26), name="Ben")
    move_tracks(owner, stretches(both, 40), carla)
    split_tracks(owner, stretches(carla, 2))

    told = [
        act.words
        for act in history.acts(Scope(purpose=Purpose.NAME, everything=True, names=True))[:3]
    ]
    assert told == [
        "said that 1 stretch of a video is somebody else",
        "moved 1 stretch of a video to another face",
        "said that 2 stretches of a video are Ben",
    ]
