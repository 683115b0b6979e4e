"""Many are asked at once, and no two about the same."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from lookwho.core.errors import Conflict
from lookwho.library.models import (
    Answer,
    Claim,
    Decision,
    DecisionFace,
    Face,
)
from lookwho.services import people, review
from tests.asking import a_doubt, say
from tests.people import (
    a_group,
    a_person,
    a_user,
    some_faces,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def test_no_two_are_asked_the_same_until_the_first_has_gone(owner):
    a_group(3)
    other, later = a_user("annotator"), timezone.now() + timedelta(minutes=2, seconds=1)
    asked = review.next_question(owner)

    assert review.next_question(other) is None
    assert review.left(other)
    assert review.next_question(other, now=later).uuid == asked.uuid


def test_a_claim_is_renewed_while_somebody_looks_and_given_up_when_they_leave(owner):
    a_group(3)
    other = a_user("annotator")
    asked = review.next_question(owner, now=timezone.now() - timedelta(minutes=1, seconds=59))

    assert review.renew(other, [asked.uuid]) == 0
    assert review.renew(owner, [asked.uuid]) == 1
    assert review.next_question(other, now=timezone.now() + timedelta(minutes=1)) is None
    assert review.release(other, [asked.uuid]) == 0
    assert review.release(owner, [asked.uuid]) == 1
    assert review.next_question(other).uuid == asked.uuid


def test_what_is_answered_while_the_next_is_sought_is_not_asked_again(owner):
    a_group(3)
    asked = review.next_question(owner)
    review.answer(owner, asked.slip, "skip")

    assert review.next_question(owner, holding=[asked.uuid]) is None


def test_an_answer_gives_the_claim_up(owner):
    a_group(3)
    say(owner, "skip")

    assert Claim.objects.count() == 0


def test_a_page_that_was_left_does_not_keep_its_questions_from_the_same_user(owner):
    a_group(3)
    first = review.next_question(owner)

    assert review.next_question(owner, holding=[first.uuid]) is None
    assert review.next_question(owner).uuid == first.uuid


def test_all_of_a_person_and_one_of_their_faces_are_not_asked_about_at_once(owner):
    anna, _ = a_person("Anna")
    for step in range(6):
        a_doubt(anna, 0.6 + step / 20)
    other = a_user("annotator")

    mixed = review.next_question(owner)
    assert mixed.kind == "mixed"
    assert review.next_question(other) is None
    review.release(owner, [mixed.uuid])
    Claim.objects.create(user=owner, face_id=mixed.face.id, until=timezone.now() + timedelta(1))

    assert review.next_question(other).kind == "face"


def test_one_face_of_a_group_and_all_of_it_are_not_asked_about_at_once(owner):
    group, faces = a_group(6, probability=0.7)
    other = a_user("annotator")

    one = review.next_question(owner)
    assert (one.kind, review.next_question(other)) == ("face", None)
    review.release(owner, [one.uuid])
    Claim.objects.create(user=owner, person=group, until=timezone.now() + timedelta(1))

    assert review.next_question(other) is None
    assert len(faces) == 6


def at_once(users, work):
    """Let each user work in a thread with a connection of its own; return what went wrong."""
    wrong = []
    barrier = threading.Barrier(len(users))

    def begin(by):
        try:
            barrier.wait()
            work(by)
        except BaseException as error:
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=begin, args=[user]) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def names_given():
    """How often each face was given a name, in decisions that stand."""
    said = DecisionFace.objects.filter(decision__verb=Decision.Verb.CONFIRM)
    return Counter(said.values_list("face", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("annotators", "answers"),
    ((4, 12), pytest.param(2, 500, marks=(pytest.mark.long, pytest.mark.timeout(900)))),
)
def test_many_at_once_lose_nothing_and_are_never_asked_about_the_same_face(annotators, answers):
    """Beside them somebody names faces elsewhere, as on the page of a person or of a photo."""
    anna, _ = a_person("Anna")
    total = annotators * answers
    for step in range(total // 2):
        a_group(2 + step % 3, probability=0.99)
    for step in range(total // 4):
        a_doubt(anna if step % 2 else a_person(f"Doubted {step}")[0], 0.5 + step % 40 / 100)
    some_faces(total // 2)
    users = [a_user("annotator") for _ in range(annotators)]
    curator = a_user("curator")
    met, done, late, elsewhere = Counter(), [], [], []

    def work(by):
        if by == curator:
            for face in Face.objects.filter(person=None).order_by("-uuid")[: total // 10]:
                try:
                    people.assign(by, [face], "Elsewhere", seen={face.pk: None})
                    elsewhere.append(face.pk)
                except Conflict:  # an annotator was faster
                    pass
            return
        for _ in range(answers):
            asked = review.next_question(by)
            if asked is None:
                return
            met.update(asked.slip.faces)
            name = "Ben" if asked.kind == "face" else f"Person {asked.uuid}"
            try:
                done.append(review.answer(by, asked.slip, "name", name=name))
            except Conflict:  # the curator was faster: nothing is written
                late.append(asked)
                met.subtract(asked.slip.faces)

    assert at_once([*users, curator], work) == []

    assert max(met.values()) == 1
    rows = Answer.objects.all()
    assert {row.uuid for row in rows} == {each.answer for each in done}
    assert sum(row.settled for row in rows) + len(elsewhere) == sum(names_given().values())
    assert set(names_given().values()) == {1}  # nobody's name was written over
    assert set(names_given()) == set(met - Counter()) | set(elsewhere)
    assert Face.objects.filter(person__name="Elsewhere").count() == len(elsewhere)
    assert len(done) + len(late) == total or not review.left(users[0])
