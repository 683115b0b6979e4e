"""Nobody's answer is put to a question that they were not asked."""

import random
import threading
from collections import Counter

import pytest
from django.db import connection

from lookwho.core.errors import Conflict
from lookwho.library.models import Decision, DecisionFace, Face, Person
from lookwho.services import faces, people
from tests.people import a_group, a_person, a_user, fresh, some_faces, who

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user()


ACTS = {
    "confirm": lambda by, some, bea, seen: people.confirm(by, some, bea, seen=seen),
    "assign": lambda by, some, bea, seen: people.assign(by, some, "Cid", seen=seen),
    "reject": lambda by, some, bea, seen: people.reject(by, some, bea, seen=seen),
    "split": lambda by, some, bea, seen: people.split(by, some, bea, seen=seen),
    "not a face": lambda by, some, bea, seen: people.not_a_face(by, some, seen=seen),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_answer_about_a_face_that_was_just_named_says_so_and_does_nothing(owner, act):
    anna, _ = a_person("Anna", 0)
    bea, _ = a_person("Bea", 0)
    some = some_faces(3)
    seen = {face.pk: None for face in some}
    people.confirm(owner, some[:1], anna)
    before = Decision.objects.count()

    with pytest.raises(Conflict, match=r"^this was just named Anna: 1 of the 3 faces$"):
        act(owner, some, bea, seen)
    with pytest.raises(Conflict, match=r"^this was just named Anna$"):
        act(owner, some[:1], bea, seen)

    assert (who(some), Decision.objects.count()) == ([anna.pk, None, None], before)
    act(owner, some, bea, seen | {some[0].pk: anna.pk})
    assert Decision.objects.count() > before


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_so_does_one_about_a_face_that_has_lost_its_name(owner, act):
    anna, _ = a_person("Anna", 0)
    bea, _ = a_person("Bea", 0)
    some = some_faces(1)
    done = people.confirm(owner, some, anna)
    people.undo(owner, done.batch)

    with pytest.raises(Conflict, match="somebody has just said that this is not Anna"):
        act(owner, some, bea, {some[0].pk: anna.pk})


def test_two_who_say_the_same_agree(owner):
    anna, _ = a_person("Anna", 0)
    some = some_faces(2)
    seen = {face.pk: None for face in some}
    people.confirm(owner, some[:1], anna, seen=seen)

    people.confirm(owner, some, anna, seen=seen)
    people.assign(owner, some, "ANNA", seen=seen)

    assert who(some) == [anna.pk] * 2


def test_a_merge_is_no_other_answer(owner):
    anna, _ = a_person("Anna", 0)
    bea, _ = a_person("Bea", 0)
    annika, _ = a_person("Annika", 0)
    some = some_faces(1)
    people.confirm(owner, some, anna)
    people.merge(owner, anna, annika)

    people.confirm(owner, some, bea, seen={some[0].pk: anna.pk})

    assert who(some) == [bea.pk]


def test_faces_of_which_nothing_was_shown_are_not_asked_about(owner):
    anna, _ = a_person("Anna", 0)
    bea, _ = a_person("Bea", 0)
    some = some_faces(2)
    people.confirm(owner, some, anna)

    people.confirm(owner, some, bea, seen={})
    assert who(some) == [bea.pk] * 2


def test_naming_a_group_confirms_only_the_faces_that_were_shown(owner):
    group, some = a_group(3)
    (late,) = some_faces(1, guess=group)

    people.name_person(owner, group, "Anna", seen={face.pk: None for face in some})

    assert who([*some, late]) == [group.pk] * 3 + [None]


def test_naming_a_group_of_which_one_was_just_named_says_so(owner):
    anna, _ = a_person("Anna", 0)
    group, some = a_group(3)
    seen = {face.pk: None for face in some}
    people.confirm(owner, some[1:2], anna)

    with pytest.raises(Conflict, match="this was just named Anna: 1 of the 3 faces"):
        people.name_person(owner, group, "Bea", seen=seen)
    assert (who(some), fresh([group])[0].name) == ([None, anna.pk, None], "")
    people.name_person(owner, group, "Anna", seen=seen)
    assert who(some) == [anna.pk] * 3


def test_a_merge_of_somebody_who_was_just_merged_or_named_says_so(owner):
    one, two, three = a_group()[0], a_group()[0], a_group()[0]
    seen = {one.pk: "", two.pk: "", three.pk: ""}
    people.merge(owner, one, two, seen=seen)

    with pytest.raises(Conflict, match="this was just merged into another group"):
        people.merge(owner, one, three, seen=seen)
    people.name_person(owner, two, "Anna")
    with pytest.raises(Conflict, match="this was just named Anna"):
        people.merge(owner, three, two, seen=seen)
    with pytest.raises(Conflict, match="this was just merged into Anna"):
        people.merge(owner, three, one, seen=seen)
    assert fresh([three])[0].root is None


# --- two at once ---


def answers(by, everyone, some, count, seed, told):
    """Answer so many questions about faces, each as it was just shown."""
    chance = random.Random(seed)
    try:
        for _ in range(count):
            face = chance.choice(some)
            shown = Face.objects.values_list("person_id", flat=True).get(pk=face.pk)
            verb = chance.choice(("confirm", "confirm", "reject", "assign"))
            whom = chance.choice(everyone)
            seen = {face.pk: shown}
            try:
                if verb == "assign":
                    done = faces.assign(by, [face], whom.name, seen=seen)
                else:
                    done = getattr(faces, verb)(by, [face], whom, seen=seen)
                told.append((face.pk, shown, done.batch))
            except Conflict:
                told.append((face.pk, shown, None))
    finally:
        connection.close()


def both_answer(count):
    """Let two annotators answer at once; check that each answer met what its author saw."""
    users = [a_user("annotator"), a_user("annotator")]
    everyone = [Person.objects.create(name=name) for name in ("Anna", "Bea", "Cid")]
    some = some_faces(4)
    told = [[], []]
    threads = [
        threading.Thread(target=answers, args=(users[at], everyone, some, count, at, told[at]))
        for at in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [len(each) for each in told] == [count, count]  # none lost
    shown = {batch: (face, was) for each in told for face, was, batch in each if batch}
    state = dict.fromkeys([face.pk for face in some])
    written = set()
    for decision in Decision.objects.order_by("pk"):
        (about,) = DecisionFace.objects.filter(decision=decision)
        face, was = shown[decision.batch]
        agreed = decision.verb == "confirm" and state[face] == decision.person_id
        assert state[face] == was or agreed
        assert (about.face_id, decision.actor) == (face, users[decision.batch in batches(told[1])])
        written.add(decision.batch)
        if decision.verb == "confirm":
            state[face] = decision.person_id
        elif state[face] == decision.person_id:
            state[face] = None
    assert dict(Face.objects.values_list("pk", "person_id")) == state
    # What is not written down said what was so already.
    quiet = set(shown) - written
    assert len(quiet) < len(shown) / 2
    return Counter(batch is None for each in told for *_, batch in each)


def batches(told):
    return {batch for *_, batch in told}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_answer_at_once_no_answer_is_lost_or_meets_what_its_author_did_not_see():
    both_answer(40)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_nor_of_five_hundred_answers_each():
    assert both_answer(500)[True]  # some met what the other had just said
