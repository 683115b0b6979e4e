"""Who is asked, of what part of a library; taking answers back; and the audit among them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.core.errors import Conflict, Forbidden, NotFound
from lookwho.library.models import Album, AlbumItem, Answer, Audit, Claim, Face, Person
from lookwho.services import audit, people, review
from lookwho.services.review import Part, Slip
from tests.asking import a_doubt, asked_of, say, uuids
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    guessed,
    lookalikes,
    some_faces,
    who,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def test_nothing_is_asked_where_nothing_is_open(owner):
    a_person("Anna")
    a_doubt(a_person("Ben")[0], probability=0.99)

    assert review.next_question(owner) is None


def test_hidden_people_and_dismissed_absent_or_missing_faces_are_not_asked_about(owner):
    hidden, _ = a_group(5)
    people.hide(owner, hidden, True)
    some_faces(1, dismissed=True)
    some_faces(1, source=Face.Source.ABSENT)
    (gone,) = some_faces(1)
    gone.media.present = False
    gone.media.save()

    assert review.next_question(owner) is None


def test_one_can_ask_for_the_doubts_of_a_person_or_for_an_album(owner):
    a_group(5)
    anna, _ = a_person("Anna")
    a_doubt(a_person("Ben")[0])
    hers = a_doubt(anna)
    (in_album,) = some_faces(1)
    album = Album.objects.create(title="Party", slug="party")
    AlbumItem.objects.create(album=album, media=in_album.media)

    of_anna = asked_of(owner, 2, part=Part(person=anna))
    of_album = asked_of(owner, 2, part=Part(album=album))

    assert [asked and asked.face.id for asked in of_anna] == [hers.pk, None]
    assert [asked and asked.face.id for asked in of_album] == [in_album.pk, None]


def queries_of(by):
    with CaptureQueriesContext(connection) as captured:
        assert review.next_question(by) is not None
    return len(captured)


@pytest.mark.parametrize("kind", ("group", "face"))
def test_asking_takes_as_many_queries_however_much_there_is(owner, kind):
    def more():
        if kind == "group":
            a_group(3)
        else:
            a_doubt(a_person(f"Person {Person.objects.count()}")[0])

    more()
    before = queries_of(owner)
    Claim.objects.all().delete()
    for _ in range(5):
        more()

    assert queries_of(owner) == before


def test_an_answer_is_taken_back_and_asked_again(owner):
    group, faces = a_group(3)
    done = say(owner, "name", name="Anna", odd=uuids(faces[:1]))

    undone = review.undo(owner, done.answer)

    assert who(faces) == [None] * 3
    assert guessed(faces) == [group.pk] * 3
    assert (undone.asked.kind, undone.asked.uuid, undone.asked.count) == ("group", group.uuid, 3)
    assert Claim.objects.get().person == group


def test_several_answers_are_taken_back_one_after_the_other(owner):
    anna, _ = a_person("Anna")
    faces = [a_doubt(anna, 0.5), a_doubt(anna, 0.6)]
    say(owner, "yes")
    say(owner, "cannot_tell")

    last, first = review.undo(owner), review.undo(owner)

    assert [last.asked.face.id, first.asked.face.id] == [faces[1].pk, faces[0].pk]
    assert who(faces) == [None, None]
    with pytest.raises(NotFound):
        review.undo(owner)
    Claim.objects.all().delete()
    assert {asked.face.id for asked in asked_of(owner, 2)} == {face.pk for face in faces}


def test_one_takes_back_only_ones_own_and_only_once(owner):
    a_group(3)
    done = say(owner, "name", name="Anna")

    with pytest.raises(NotFound):
        review.undo(a_user("curator"), done.answer)
    review.undo(owner, done.answer)
    with pytest.raises(Conflict):
        review.undo(owner, done.answer)


def test_counts_say_how_far_naming_is_and_forget_what_was_taken_back(owner):
    a_person("Anna", 3)
    a_doubt(Person.objects.get(name="Anna"), 0.99)
    a_group(4)
    some_faces(1)

    done = say(owner, "name", name="Ben")
    told = review.counts(owner)
    assert (told.faces, told.confirmed, told.guessed, told.named) == (9, 7, 1, 8)
    assert (told.answers, told.settled) == (1, 4)
    review.undo(owner, done.answer)

    assert review.counts(owner).settled == 0


def a_library(count=6):
    return faces_of_vectors(lookalikes(count, 1))


def answered(by, count):
    """So many answers of a user, of which nothing follows."""
    for _ in range(count):
        Answer.objects.create(user=by, question="face", verdict="skip")


def test_every_25th_question_is_the_audits_and_shows_no_guess(owner):
    anna, _ = a_person("Anna")
    faces = a_library()
    Face.objects.update(guess=anna, probability=0.7)
    answered(owner, audit.EVERY - 1)

    asked = review.next_question(owner)
    then = review.next_question(owner)

    assert (asked.kind, asked.person, asked.percent) == ("audit", None, None)
    assert (list(asked.beside), list(asked.offered), asked.face.probability) == ([], [], None)
    assert asked.face.id in {face.pk for face in faces}
    assert then.kind != "audit"


def test_what_the_audit_is_answered_is_kept_and_taken_back(owner):
    a_library()
    answered(owner, audit.EVERY - 1)
    asked = review.next_question(owner)

    done = review.answer(owner, asked.slip, "name", name="Anna", seconds=4)
    row = Audit.objects.get()
    assert (row.state, row.person.name, row.batch) == ("named", "Anna", done.batch)
    again = review.undo(owner, done.answer).asked

    row.refresh_from_db()
    assert (row.state, who([row.face])) == ("drawn", [None])
    assert (again.kind, again.uuid) == ("audit", asked.uuid)
    assert Answer.objects.get(uuid=done.answer).seconds == 4


def test_nobody_known_is_an_answer_to_the_audit_and_is_taken_back(owner):
    a_library()
    answered(owner, audit.EVERY - 1)
    say(owner, "stranger")
    assert Audit.objects.get().state == "stranger"

    assert review.undo(owner).asked.kind == "audit"

    assert Audit.objects.get().state == "drawn"
    with pytest.raises(NotFound):
        review.undo(owner)


def test_one_can_ask_for_the_audit_alone(owner):
    faces = a_library(3)
    a_group(4)

    asked = asked_of(owner, 4, part=Part(audit=True))

    assert [each and each.kind for each in asked] == ["audit"] * 3 + [None]
    assert {each.face.id for each in asked[:3]} == {face.pk for face in faces}
    assert review.next_question(owner).kind == "group"


def test_two_who_ask_for_the_audit_are_asked_about_different_faces(owner):
    a_library(2)
    other = a_user("annotator")

    one = review.next_question(owner, part=Part(audit=True))
    two = review.next_question(other, part=Part(audit=True))

    assert one.uuid != two.uuid
    assert review.next_question(a_user("curator"), part=Part(audit=True)) is None
    assert review.left(owner, part=Part(audit=True))
    review.answer(owner, one.slip, "name", name="Anna")
    review.answer(other, two.slip, "stranger")
    assert not review.left(owner, part=Part(audit=True))
    assert review.audited() == (2, 200)


def test_what_was_skipped_in_the_audit_is_not_asked_again_at_once(owner):
    a_library(2)
    skipped = review.next_question(owner, part=Part(audit=True))
    review.answer(owner, skipped.slip, "skip")

    asked = asked_of(owner, 2, part=Part(audit=True))

    assert asked[0].uuid != skipped.uuid
    assert asked[1] is None


def test_faces_of_the_audit_are_asked_about_by_nobody_else(owner):
    group = Person.objects.create()
    faces = faces_of_vectors(lookalikes(1, 4), guess=group)
    drawn = audit.draw()

    asked = review.next_question(owner)

    assert set(asked.slip.faces) == {face.pk for face in faces} - {drawn.face_id}


@pytest.mark.parametrize("by", ("member", "left"))
def test_members_and_those_who_left_are_asked_nothing_and_answer_nothing(owner, by):
    group, faces = a_group(3)
    wrong = a_user("member") if by == "member" else a_user("owner", is_active=False)
    asked = review.next_question(owner)
    forged = Slip(wrong.pk, "group", asked.slip.faces, 3, group.pk)

    for act in (
        lambda: review.next_question(wrong),
        lambda: review.answer(wrong, forged, "name", name="Anna"),
        lambda: review.undo(wrong),
        lambda: review.counts(wrong),
        lambda: review.renew(wrong, [asked.uuid]),
        lambda: review.release(wrong, [asked.uuid]),
    ):
        with pytest.raises(Forbidden):
            act()

    assert (who(faces), Answer.objects.count()) == ([None] * 3, 0)


@pytest.mark.parametrize("role", ("owner", "curator", "annotator"))
def test_whoever_names_people_may_answer(role):
    _, faces = a_group(3)

    say(a_user(role), "name", name="Anna")

    assert None not in who(faces)
