"""What follows from an answer, and answers that come too late."""

import pytest

from lookwho.core.errors import Conflict, Invalid
from lookwho.library.models import Answer, Claim, Decision, Face, Person
from lookwho.services import people, review
from lookwho.services.review import Part
from tests.asking import a_doubt, say, thought_likely, uuids
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    guessed,
    lookalikes,
    some_faces,
    who,
    with_vectors,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def test_a_name_for_a_group_names_all_its_faces_but_for_the_odd_ones(owner):
    group, faces = a_group(5)

    done = say(owner, "name", name=" anna  Berg", odd=uuids(faces[:2]))

    group.refresh_from_db()
    assert group.name == "anna Berg"
    assert who(faces) == [None, None, *[group.pk] * 3]
    assert guessed(faces)[:2] == [None, None]
    assert (done.settled, done.message) == (3, "3 faces named anna Berg.")
    row = Answer.objects.get()
    assert (row.question, row.verdict, row.person, row.settled) == ("group", "name", group, 3)
    assert (row.user, row.batch) == (owner, done.batch)


def test_a_face_that_came_after_the_question_is_not_named_with_it(owner):
    group, faces = a_group(3)
    asked = review.next_question(owner)
    (late,) = some_faces(1, guess=group)

    review.answer(owner, asked.slip, "name", name="Anna")

    assert who([*faces, late]) == [group.pk] * 3 + [None]


def test_a_name_that_is_known_makes_the_group_that_person(owner):
    anna, _ = a_person("Anna")
    _, faces = a_group(3)

    say(owner, "name", name="ANNA")

    assert who(faces) == [anna.pk] * 3


def test_a_group_leaves_out_whom_its_person_cannot_be(owner):
    anna, (hers,) = a_person("Anna", 1)
    group, faces = a_group(3)
    people.reject(owner, [faces[0]], anna)
    beside = some_faces(1, media=[hers.media], guess=group)

    done = say(owner, "name", name="Anna")

    assert who([*faces, *beside]) == [None, anna.pk, anna.pk, None]
    assert done.settled == 2


def test_yes_to_a_group_makes_it_the_person_asked_about_and_no_never_again(owner):
    anna, _ = a_person("Anna")
    (one, mine), (other, not_mine) = a_group(4), a_group(3)
    thought_likely(groups=[(one, anna, 0.7), (other, anna, 0.7)])

    yes, no = say(owner, "yes"), say(owner, "no")

    assert who(mine) == [anna.pk] * 4
    assert who(not_mine) == [None] * 3
    assert (yes.settled, no.settled) == (4, 0)
    assert review.next_question(owner).person is None  # who are they then?


def test_a_name_for_one_face_of_a_group_names_that_face_alone(owner):
    group, faces = a_group(6, probability=0.7)

    done = say(owner, "name", name="Anna")

    anna = Person.objects.get(name="Anna")
    assert sorted(who(faces), key=bool) == [None] * 5 + [anna.pk]
    assert (anna != group, done.settled) == (True, 1)
    assert Answer.objects.get().person == group


def test_a_face_of_the_audit_that_was_somebody_elses_is_said_to_have_been(owner):
    (face,) = faces_of_vectors(lookalikes(1, 1))
    people.assign(owner, [face], "Ben")
    asked = review.next_question(owner, part=Part(audit=True))

    done = review.answer(owner, asked.slip, "name", name="Anna")

    assert done.corrected
    assert done.message == "1 photo is now Anna's. This was Ben's until now."
    review.undo(owner, done.answer)
    assert who([face]) == [Person.objects.get(name="Ben").pk]


@pytest.mark.parametrize(("verdict", "name"), (("name", "ben"), ("cannot_tell", "")))
def test_a_face_of_the_audit_that_stays_whose_it_was_is_no_correction(owner, verdict, name):
    _, (face, _) = a_person("Ben")
    with_vectors([face], lookalikes(1, 1))
    asked = review.next_question(owner, part=Part(audit=True))

    done = review.answer(owner, asked.slip, verdict, name=name)

    assert not done.corrected
    assert "until now" not in done.message


def test_yes_and_no_to_a_face_confirm_and_reject(owner):
    anna, _ = a_person("Anna")
    one, other = a_doubt(anna, 0.5), a_doubt(anna, 0.6)

    say(owner, "yes", seconds=2.5)
    say(owner, "no", seconds=-1)

    assert who([one, other]) == [anna.pk, None]
    assert guessed([other]) == [None]
    yes, no = Answer.objects.order_by("pk")
    assert (yes.face_id, yes.person, yes.probability, yes.seconds) == (one.pk, anna, 0.5, 2.5)
    assert (no.settled, no.seconds) == (0, 0.0)


def test_somebody_else_is_told_by_name(owner):
    anna, _ = a_person("Anna")
    face = a_doubt(anna)

    done = say(owner, "name", name="Ben")

    ben = Person.objects.get(name="Ben")
    assert who([face]) == [ben.pk]
    assert done.message == "Named Ben."


def test_of_a_mixed_person_the_odd_ones_are_rejected_and_the_rest_confirmed(owner):
    anna, _ = a_person("Anna")
    doubts = [a_doubt(anna, 0.6 + step / 20) for step in range(6)]

    done = say(owner, "yes", odd=uuids(doubts[:2]))

    assert who(doubts) == [None, None, *[anna.pk] * 4]
    assert guessed(doubts)[:2] == [None, None]
    assert done.settled == 4


@pytest.mark.parametrize(
    ("verdict", "more"),
    (
        ("name", {"name": "  "}),
        ("name", {"name": "x" * 201}),
        ("yes", {}),  # nobody was asked about
        ("maybe", {}),
        ("", {}),
    ),
)
def test_what_is_no_answer_is_refused_and_the_question_stays(owner, verdict, more):
    a_group(3)
    asked = review.next_question(owner)

    with pytest.raises(Invalid):
        review.answer(owner, asked.slip, verdict, **more)

    assert (Answer.objects.count(), Decision.objects.count(), Claim.objects.count()) == (0, 0, 1)


def test_only_what_was_shown_can_be_left_out_and_not_all_of_it(owner):
    _, faces = a_group(3)
    strange = some_faces(1)
    asked = review.next_question(owner)

    for odd in (strange, faces):
        with pytest.raises(Invalid):
            review.answer(owner, asked.slip, "name", name="Anna", odd=uuids(odd))

    assert Decision.objects.count() == 0


def stale(act, verdict="yes", **more):
    """Let somebody act between question and answer; return what is then said of the answer."""
    owner, other = a_user(), a_user("curator")
    anna, _ = a_person("Anna")
    face = a_doubt(anna)
    asked = review.next_question(owner)
    act(other, face, anna)
    before = list(Decision.objects.values()), list(Face.objects.order_by("pk").values())

    with pytest.raises(Conflict) as caught:
        review.answer(owner, asked.slip, verdict, **more)

    assert (list(Decision.objects.values()), list(Face.objects.order_by("pk").values())) == before
    assert (Answer.objects.count(), Claim.objects.count()) == (0, 0)
    return caught.value.message


def test_a_face_that_was_just_named_is_not_named_again():
    def named(by, face, anna):
        people.assign(by, [face], "Ben")

    assert "this was just named Ben" in stale(named)
    assert "this was just named Ben" in stale(named, "no")
    assert "this was just named Ben" in stale(named, "name", name="Cid")
    assert "this was just named Ben" in stale(named, "not_a_face")


def test_what_somebody_just_said_is_not_anna_is_not_confirmed_as_her():
    said = stale(lambda by, face, anna: people.reject(by, [face], anna))

    assert said == "somebody has just said that this is not Anna"


def test_a_person_who_is_called_otherwise_by_now_was_not_asked_about():
    assert "Anna was just made Bea" in stale(lambda by, face, anna: people.rename(by, anna, "Bea"))


def test_a_face_that_is_gone_by_now_is_said_to_be():
    assert "gone" in stale(lambda by, face, anna: people.not_a_face(by, [face]))
    assert "gone" in stale(lambda by, face, anna: face.delete())


def test_a_group_that_was_just_named_is_not_named_again(owner):
    group, faces = a_group(3)
    asked = review.next_question(owner)
    people.name_person(a_user(), group, "Anna")

    with pytest.raises(Conflict, match="this was just named Anna"):
        review.answer(owner, asked.slip, "name", name="Ben")

    assert who(faces) == [group.pk] * 3
    assert Answer.objects.count() == 0
