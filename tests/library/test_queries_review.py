"""What is open is read in a few sums, whatever there is, and only for whoever names people."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.library.models import Answer, Face, Person
from lookwho.library.queries import review as queries
from lookwho.library.scope import Purpose, scope_of
from tests.asking import a_doubt, thought_likely
from tests.people import a_group, a_person, a_user, some_faces

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def open_to(by, **more):
    return queries.Open(scope_of(by, Purpose.NAME), by, **more)


def test_a_group_is_its_faces_its_doubt_its_best_face_and_whom_it_may_be(owner):
    anna, _ = a_person("Anna")
    group, faces = a_group(4, probability=0.9)
    Face.objects.filter(pk=faces[2].pk).update(quality=0.95, probability=None)
    thought_likely(groups=[(group, anna, 0.4)])

    (found,) = open_to(owner).groups

    assert (found.person, found.faces, found.face) == (group.pk, 4, faces[2].pk)
    assert found.doubt == pytest.approx(0.3)
    assert found.candidate == anna.pk


def test_groups_that_were_merged_are_one(owner):
    (one, some), (other, more) = a_group(2, probability=0.9), a_group(3, probability=0.8)
    Person.objects.filter(pk=other.pk).update(root=one)
    Face.objects.filter(pk=more[1].pk).update(quality=0.95)

    (found,) = open_to(owner).groups

    assert (found.person, found.faces, found.face) == (one.pk, len(some) + 3, more[1].pk)
    assert found.doubt == pytest.approx(0.8)


def test_the_largest_groups_come_first_but_those_for_later(owner):
    small, middle, large = (a_group(size)[0] for size in (2, 3, 4))

    found = open_to(owner, later=[large.pk]).groups

    assert [each.person for each in found] == [middle.pk, small.pk, large.pk]


def test_single_faces_are_doubts_and_those_who_may_be_somebody_or_nobody(owner):
    anna, _ = a_person("Anna")
    doubt = a_doubt(anna, 0.6)
    may_be, nobody = some_faces(2, quality=0.5)
    thought_likely(faces=[(may_be, anna, 0.3)])
    a_doubt(anna, 0.99)
    a_group(2, probability=0.5)

    found = {each.face: each for each in open_to(owner).faces}

    told = {face: (each.person, each.guessed, each.probability) for face, each in found.items()}
    assert told == {
        doubt.pk: (anna.pk, True, 0.6),
        may_be.pk: (anna.pk, False, 0.3),
        nobody.pk: (None, False, 0.0),
    }


def test_whoever_names_nobody_has_nothing_open():
    group, _ = a_group(3)
    some_faces(2)
    found = open_to(a_user("member"))

    assert (found.groups, found.faces) == ([], [])
    assert Face.objects.filter(guess=group).count() == 3


@pytest.mark.parametrize("what", ("groups", "faces"))
def test_what_is_open_takes_as_many_queries_however_much_there_is(owner, what):
    def count():
        with CaptureQueriesContext(connection) as captured:
            assert getattr(open_to(owner), what)
        return len(captured)

    def more():
        a_group(3)
        a_doubt(a_person(f"Person {Person.objects.count()}")[0])
        some_faces(1)

    more()
    before = count()
    for _ in range(5):
        more()

    assert count() == before


def test_how_often_those_who_resemble_nobody_were_named_is_known(owner):
    group, _ = a_group(2)
    faces = some_faces(5)
    for face, verdict in zip(faces, ("name", "name", "stranger", "skip", "no"), strict=True):
        Answer.objects.create(user=owner, face=face, question="face", verdict=verdict)
    Answer.objects.create(
        user=owner, face=faces[0], person=group, question="face", verdict="stranger"
    )

    assert queries.named_of_strays() == (3, 2)


def test_a_group_of_which_a_face_was_named_is_passed_on_by_all_until_a_pass(owner):
    group, (face, _) = a_group(2)
    Answer.objects.create(user=owner, face=face, person=group, question="face", verdict="name")
    since = timezone.now() - timedelta(hours=1)
    other = a_user("annotator")

    assert list(queries.passed_on(other, since=since)) == [("person", group.pk)]
    thought_likely()
    assert queries.passed_on(other, since=since) == {}
