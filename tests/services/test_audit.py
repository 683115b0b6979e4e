import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.db import connection
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid
from lookwho.library.models import Answer, Audit, Claim, Decision, Face, Location, Media, Person
from lookwho.library.queries import fits
from lookwho.services import audit, faces, people, turning
from tests.gallery import make_album, make_collection
from tests.people import NOON, a_user, faces_of_vectors, fresh, lookalikes, some_faces, some_media

pytestmark = pytest.mark.django_db


def answered(user, count, question="face"):
    Answer.objects.bulk_create(
        Answer(user=user, question=question, verdict="yes") for _ in range(count)
    )


def a_library(count=4):
    return faces_of_vectors(lookalikes(count, 1))


def an_audit(face=None):
    if face is not None:
        media = face.media
        return Audit.objects.create(
            face=face, payload_hash=media.payload_hash, x1=face.x1, y1=face.y1, x2=face.x2,
            y2=face.y2, event="photo 1",
        )  # fmt: skip
    return audit.draw(generator=Random(0))


# --- when ---


def test_every_25th_question_of_anybody_is_one_of_the_audit():
    a_library(60)
    user, asked = a_user("annotator"), []
    for number in range(1, 76):
        if found := audit.due(user):
            asked.append(number)
            audit.answer(user, found, "stranger")
        else:
            answered(user, 1)

    assert asked == [25, 50, 75]


def test_questions_that_were_handed_out_count_before_they_are_answered():
    a_library()
    user = a_user()
    answered(user, 22)

    assert audit.due(user, waiting=1) is None
    assert audit.due(user, waiting=2) is not None
    assert audit.due(user, waiting=40) is not None


def test_one_that_was_drawn_is_asked_before_another_is_drawn():
    a_library()
    user, other = a_user(), a_user()
    first = audit.due(user, now=True)

    assert audit.due(user, now=True) == first
    assert audit.due(other, now=True) == first
    Claim.objects.create(user=user, face=first.face, until=timezone.now() + timedelta(minutes=1))
    assert audit.due(user, now=True) == first
    assert audit.due(other, now=True) not in (None, first)


def test_what_somebody_skips_is_asked_of_others():
    a_library()
    user, other = a_user(), a_user()
    found = audit.due(user, now=True)
    audit.answer(user, found, "skip")

    assert audit.due(other, now=True) == found
    assert audit.due(user, now=True) not in (None, found)
    Answer.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert audit.due(user, now=True) == found


@pytest.mark.parametrize("role", ("owner", "curator", "annotator"))
def test_those_who_name_faces_are_asked(role):
    a_library()
    assert audit.due(a_user(role), now=True) is not None


def test_a_member_is_not_asked_and_cannot_answer():
    a_library()
    member = a_user("member")
    found = audit.due(a_user(), now=True)

    assert audit.due(member, now=True) is None
    with pytest.raises(Forbidden):
        audit.answer(member, found, "name", "Anna")
    assert Person.objects.count() == Answer.objects.count() == 0


# --- which face ---


def test_each_face_is_drawn_as_often_as_any_other():
    # With gaps between their ids, and others between them that cannot be drawn.
    found = a_library(40)
    Face.objects.filter(pk__in=[face.pk for face in found[5:15]]).delete()
    some_faces(30)
    can_be = [*found[:5], *found[15:], *a_library(5)]
    generator, drawn, draws = Random(7), Counter(), 1750
    for _ in range(draws):
        row = audit.draw(generator=generator)
        drawn[row.face_id] += 1
        row.delete()

    assert set(drawn) == {face.pk for face in can_be}
    expected = draws / len(can_be)
    squares = sum((count - expected) ** 2 / expected for count in drawn.values())
    assert squares < 58.6  # of 34 degrees of freedom: exceeded in 1 of 200 cases


def test_a_face_far_from_all_others_is_drawn_too():
    [face] = a_library(1)
    row = Face.objects.get(pk=face.pk)
    Face.objects.create(pk=face.pk + 10**7, media=row.media, x1=0, y1=0, x2=1, y2=1)

    assert audit.draw(generator=Random(0)).face_id == face.pk


def test_only_faces_that_can_be_shown_and_compared_are_drawn():
    gone, dismissed, absent, was, good = a_library(5)
    some_faces(1)  # without a vector
    Media.objects.filter(pk=gone.media_id).update(present=False)
    Face.objects.filter(pk=dismissed.pk).update(dismissed=True)
    Face.objects.filter(pk=absent.pk).update(source=Face.Source.ABSENT)
    an_audit(was)

    assert audit.draw(generator=Random(1)).face_id == good.pk
    assert audit.draw(generator=Random(1)) is None


def test_nothing_is_drawn_from_nothing():
    assert audit.draw() is None
    assert audit.due(a_user(), now=True) is None


# --- what is answered ---


def test_a_name_is_a_decision_and_the_truth_of_the_audit():
    [face] = a_library(1)
    user, row = a_user("annotator"), an_audit()
    done = audit.answer(user, row, "name", " Anna ", seconds=2.5)

    row.refresh_from_db()
    anna = Person.objects.get(name="Anna")
    assert (row.state, row.person, row.answered_by, row.batch) == ("named", anna, user, done.batch)
    assert fresh([face])[0].person == anna
    told = Answer.objects.get()
    assert (told.question, told.verdict, told.face, told.seconds) == ("audit", "name", face, 2.5)
    assert (told.batch, told.settled, told.probability) == (done.batch, 1, None)
    assert fits.answers() == 1
    assert fits.audited() == {face.pk}


@pytest.mark.parametrize(
    ("verdict", "state", "counts"),
    (("stranger", "stranger", 1), ("cannot_tell", "unknown", 0), ("skip", "drawn", 0)),
)
def test_without_a_name_nothing_is_decided(verdict, state, counts):
    a_library(1)
    row = an_audit()
    audit.answer(a_user(), row, verdict)

    row.refresh_from_db()
    assert (row.state, fits.answers(), Decision.objects.count()) == (state, counts, 0)


def test_what_is_no_face_is_none_for_everybody():
    [face] = a_library(1)
    row = an_audit()
    audit.answer(a_user(), row, "not_a_face")

    assert fresh([face])[0].dismissed
    assert fits.answers() == 0


@pytest.mark.parametrize("verdict", ("yes", "no", "perhaps", ""))
def test_other_answers_are_refused(verdict):
    a_library(1)
    with pytest.raises(Invalid):
        audit.answer(a_user(), an_audit(), verdict)


def test_an_answer_that_comes_second_changes_nothing():
    a_library(1)
    row = an_audit()
    audit.answer(a_user(), row, "name", "Anna")

    with pytest.raises(Conflict, match="just answered"):
        audit.answer(a_user(), row, "name", "Bea")
    assert not Person.objects.filter(name="Bea").exists()
    assert Answer.objects.count() == 1


def test_a_face_that_is_gone_cannot_be_answered():
    [face] = a_library(1)
    row = an_audit()
    Face.objects.filter(pk=face.pk).delete()

    with pytest.raises(Conflict, match="gone"):
        audit.answer(a_user(), row, "stranger")


# --- what is taken back ---


def test_an_answer_that_is_taken_back_is_asked_again():
    [face] = a_library(1)
    user, row = a_user(), an_audit()
    done = audit.answer(user, row, "name", "Anna")
    people.undo(user, done.batch)

    row.refresh_from_db()
    assert (row.state, row.person, row.batch, row.answered_by) == ("drawn", None, None, None)
    assert fresh([face])[0].person is None
    assert audit.due(user, now=True) == row
    audit.answer(user, row, "stranger")
    assert fits.answers() == 1


def test_where_nothing_was_decided_there_is_still_something_to_take_back():
    a_library(1)
    user, row = a_user(), an_audit()
    done = audit.answer(user, row, "stranger")

    assert audit.take_back(done.batch)
    assert not audit.take_back(done.batch)
    assert audit.due(user, now=True) == row


# --- what a new analysis leaves ---


def test_the_audit_follows_a_face_through_a_new_analysis():
    [face] = a_library(1)
    user, row = a_user(), an_audit()
    audit.answer(user, row, "name", "Anna")
    media = Media.objects.get()
    face.delete()
    near, far = (
        some_faces(1, media=[media], box=box)[0]
        for box in ((0.26, 0.25, 0.51, 0.5), (0.6, 0.6, 0.9, 0.9))
    )
    faces.faces_arrived([media.pk])

    row.refresh_from_db()
    assert row.face_id == near.pk != far.pk
    assert fits.audited() == {near.pk}
    assert fits.answers() == 1


def test_of_two_rows_about_one_face_only_one_finds_it():
    first, second = a_library(2)
    media = first.media
    rows = [an_audit(first), an_audit(second)]
    Audit.objects.update(payload_hash=media.payload_hash)
    Face.objects.all().delete()
    [found] = some_faces(1, media=[media])
    audit.attach([media.pk])

    assert [row.face_id for row in fresh(rows)] == [found.pk, None]


def test_the_box_is_turned_with_its_photo():
    [face] = a_library(1)
    row = an_audit()
    turning.turn([(face.media, 6)])

    row.refresh_from_db()
    turned = fresh([face])[0]
    assert (row.x1, row.y1, row.x2, row.y2) == turned.box != face.box


# --- events ---


def day(number, **more):
    return datetime(2024, 5, number, 10, tzinfo=UTC, **more)


def taken(*times):
    media = some_media(len(times))
    for each, time in zip(media, times, strict=True):
        each.taken_at = time
        each.save()
    return media


def test_photos_of_a_day_are_an_event_where_a_camera_says_the_day():
    one, two, other = taken(day(1), day(1, minute=9), day(2))
    keys = fits.events([one.pk, two.pk, other.pk])

    assert keys[one.pk] == keys[two.pk] == {"day 2024-05-01"}
    assert keys[other.pk] == {"day 2024-05-02"}


def test_the_time_of_a_file_makes_no_event():
    copied, exact = taken(day(1, microsecond=12), day(1))
    Location.objects.create(
        collection=make_collection(), media=exact, path="a.jpg",
        mtime_ns=int(day(1).timestamp()) * 10**9 + 5,
    )  # fmt: skip
    keys = fits.events([copied.pk, exact.pk])

    assert keys == {pk: {f"photo {pk}"} for pk in (copied.pk, exact.pk)}


def test_an_album_is_an_event_if_its_photos_were_uploaded():
    media = taken(*[day(1, microsecond=1)] * 3)
    uploads, folder = make_collection(kind="uploads"), make_collection()
    album = make_album(*media)
    for each, where in zip(media, (uploads, uploads, folder), strict=True):
        Location.objects.create(collection=where, media=each, path=f"{each.pk}.jpg", mtime_ns=1)
    keys = fits.events(each.pk for each in media)

    assert keys[media[0].pk] == keys[media[1].pk] == {f"album {album.pk}"}
    assert keys[media[2].pk] == {f"photo {media[2].pk}"}


def test_a_drawn_face_keeps_the_event_of_its_photo():
    [face] = a_library(1)
    Media.objects.update(taken_at=day(3))

    assert NOON.microsecond == 0
    assert an_audit().event == "day 2024-05-03"
    assert face.pk == Audit.objects.get().face_id


# --- at once ---


@pytest.mark.django_db(transaction=True)
def test_of_many_who_draw_at_once_none_draws_what_another_has():
    a_library(12)
    drawn, wrong = [], []

    def draw():
        try:
            drawn.extend(audit.draw().face_id for _ in range(2))
        except Exception as error:  # whatever it is, the test tells
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(drawn) == len(set(drawn)) == 12
