"""What is asked, in which order, and what is asked later or never again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from lookwho.library.models import Answer, Claim, Face, Person
from lookwho.library.queries import review as queries
from lookwho.services import audit, review
from lookwho.services.review import Part
from tests.asking import a_doubt, asked_of, say, thought_likely, uuids
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    fresh,
    lookalikes,
    some_faces,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def test_the_largest_group_comes_first_then_the_uncertain_then_the_mixed(owner):
    small, _ = a_group(2)
    large, _ = a_group(5)
    anna, _ = a_person("Anna")
    doubts = [a_doubt(anna, probability) for probability in (0.9, 0.4)]

    one, two, three, four, five = asked_of(owner, 5)

    assert [each.kind for each in (one, two, three)] == ["group", "group", "face"]
    assert (one.uuid, two.uuid) == (large.uuid, small.uuid)
    assert (three.face.id, three.person, three.percent) == (doubts[1].pk, anna, 40)
    assert (four.kind, four.face.id) == ("face", doubts[0].pk)
    assert five is None  # all of Anna's are being looked at


def test_many_doubts_of_one_person_are_asked_at_once(owner):
    anna, _ = a_person("Anna")
    doubts = [a_doubt(anna, probability) for probability in (0.6, 0.8, 0.7, 0.75, 0.9)]

    asked = review.next_question(owner)

    assert (asked.kind, asked.person, asked.uuid) == ("mixed", anna, anna.uuid)
    least_first = sorted(doubts, key=lambda face: face.probability)
    assert [face.id for face in asked.faces] == [face.pk for face in least_first]


def test_a_bad_face_that_resembles_nobody_is_asked_about_after_all_others(owner):
    anna, _ = a_person("Anna")
    (bad,), (good,) = some_faces(1, quality=0.1), some_faces(1, quality=0.8)
    doubt = a_doubt(anna, 0.94)

    asked = asked_of(owner, 4)

    assert [each and each.face.id for each in asked] == [good.pk, doubt.pk, bad.pk, None]
    assert [each.faint for each in asked[:3]] == [False, False, True]


def test_a_bad_face_that_resembles_somebody_is_not_kept_for_the_end(owner):
    anna, _ = a_person("Anna")
    stranger, like_anna = some_faces(2, quality=0.1)
    thought_likely(faces=[(like_anna, anna, 0.3)])

    assert [each.face.id for each in asked_of(owner, 2)] == [like_anna.pk, stranger.pk]


def test_of_a_doubtful_group_its_best_face_is_asked_about_and_the_rest_waits_for_a_pass(owner):
    _, faces = a_group(6, probability=0.7)
    Face.objects.filter(pk=faces[3].pk).update(quality=0.9)
    sure, _ = a_group(2, probability=0.99)

    one = review.next_question(owner)
    review.answer(owner, one.slip, "name", name="Anna")
    two = review.next_question(owner)
    review.answer(owner, two.slip, "name", name="Ben")
    three = review.next_question(owner)

    assert (one.kind, one.face.id) == ("face", faces[3].pk)
    assert (two.kind, two.uuid) == ("group", sure.uuid)
    assert three.alike == 5  # nothing else is left
    review.release(owner, [three.uuid])
    another, _ = a_group(2, probability=0.99)
    assert review.next_question(owner).uuid == another.uuid
    Claim.objects.all().delete()
    thought_likely()  # a pass
    assert review.next_question(owner).alike == 5


@pytest.mark.parametrize("verdict", ("stranger", "cannot_tell"))
def test_of_a_group_whose_face_one_cannot_tell_all_are_shown_next(owner, verdict):
    group, _ = a_group(6, probability=0.7)

    say(owner, verdict)
    asked = review.next_question(owner)

    assert (asked.kind, asked.uuid, asked.count) == ("group", group.uuid, 6)


def test_where_strangers_are_many_whoever_resembles_somebody_comes_first(owner):
    anna, _ = a_person("Anna")
    doubt = a_doubt(anna, 0.55)
    stray, *others = some_faces(21, quality=0.7)

    assert review.next_question(owner).face.id != doubt.pk
    Claim.objects.all().delete()
    for face in others:
        Answer.objects.create(user=owner, face=face, question="face", verdict="stranger")

    assert [each.face.id for each in asked_of(owner, 2)] == [doubt.pk, stray.pk]


def test_more_groups_than_are_looked_at_are_asked_about_in_the_end(owner, monkeypatch):
    monkeypatch.setattr(queries, "GROUPS", 2)
    groups = [a_group(size)[0] for size in (5, 4, 3, 2)]

    asked = []
    for _ in groups:
        asked.append(review.next_question(owner))
        review.answer(owner, asked[-1].slip, "skip")

    assert [each.uuid for each in asked] == [group.uuid for group in groups]


def test_a_group_of_which_only_the_audit_asks_is_not_open(owner):
    group = Person.objects.create()
    faces_of_vectors(lookalikes(1, 1), guess=group)
    audit.draw()

    assert review.next_question(owner) is None
    assert not review.left(owner)


def test_doubts_are_found_among_any_number_of_faces_of_groups_and_of_nobody(owner, monkeypatch):
    monkeypatch.setattr(queries, "DOUBTS", 2)
    anna, _ = a_person("Anna")
    merged = Person.objects.create(name="", root=anna)
    a_group(4, probability=0.5)
    some_faces(4, probability=0.01)
    doubts = [a_doubt(merged, 0.6), a_doubt(anna, 0.7)]
    a_doubt(anna, 0.97)  # sure

    asked = asked_of(owner, 2, part=Part(person=anna))

    assert {face for each in asked if each for face in each.slip.faces} >= {
        face.pk for face in doubts
    }


@pytest.mark.parametrize("verdict", ("cannot_tell", "stranger"))
def test_what_one_cannot_tell_one_is_not_asked_again_and_after_two_nobody_is(owner, verdict):
    some_faces(1)
    a_group(2)
    second, third = a_user("annotator"), a_user("curator")

    for by in (owner, second):
        say(by, verdict)
        say(by, verdict)
        assert review.next_question(by) is None

    assert review.next_question(third) is None


def test_what_one_person_cannot_tell_another_is_asked(owner):
    (face,) = some_faces(1)
    say(owner, "cannot_tell")

    assert review.next_question(a_user("annotator")).face.id == face.pk


def test_what_was_skipped_comes_back_when_nothing_else_is_left(owner):
    a_group(3)
    a_group(2)
    first = review.next_question(owner)
    review.answer(owner, first.slip, "skip")
    second = review.next_question(owner)
    review.answer(owner, second.slip, "skip")

    again = [review.next_question(owner).uuid for _ in range(2)]

    assert second.uuid != first.uuid
    assert again == [first.uuid, second.uuid]


def test_what_was_skipped_comes_back_after_an_hour(owner):
    large, _ = a_group(5)
    small, _ = a_group(2)
    say(owner, "skip")
    soon, later = timezone.now(), timezone.now() + timedelta(hours=1, seconds=1)

    assert review.next_question(owner, now=soon).uuid == small.uuid
    Claim.objects.all().delete()
    assert review.next_question(owner, now=later).uuid == large.uuid


def test_whom_a_face_is_not_is_settled_at_once_and_who_it_is_asked_later(owner):
    anna, _ = a_person("Anna")
    face = a_doubt(anna)
    (other,) = some_faces(1, quality=0.3)

    say(owner, "no")

    assert review.next_question(owner).face.id == other.pk
    then = review.next_question(owner)
    assert (then.face.id, then.person) == (face.pk, None)


def test_what_is_no_face_is_not_asked_about_again(owner):
    _, faces = a_group(4)

    say(owner, "not_a_face", odd=uuids(faces[:1]))
    say(owner, "not_a_face")

    assert [face.dismissed for face in fresh(faces)] == [True] * 4
    assert review.next_question(owner) is None
