"""What is shown of a question, and how it comes back."""

import pytest

from lookwho.core.errors import Invalid
from lookwho.library.models import Face, Person
from lookwho.services import people, review
from lookwho.services.review import Slip
from tests.asking import a_doubt, asked_of, searched, thought_likely
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    lookalikes,
    some_faces,
    some_media,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def test_a_question_about_somebody_shows_their_faces_of_different_years(owner):
    anna = Person.objects.create(name="Anna")
    for year, quality in ((2021, 0.9), (2021, 0.8), (2023, 0.5), (2019, 0.4), (2022, 0.3)):
        (media,) = some_media(1)
        media.day = media.day.replace(year=year)
        media.save()
        some_faces(1, media=[media], person=anna, quality=quality)
    a_doubt(anna)

    asked = review.next_question(owner)

    assert [face.day.year for face in asked.beside] == [2019, 2021, 2023]


def test_a_large_group_shows_some_and_counts_the_rest(owner):
    _, faces = a_group(40)

    asked = review.next_question(owner)

    assert (len(asked.faces), asked.count, asked.more) == (24, 40, 16)
    assert set(asked.slip.faces) == {face.pk for face in faces}


def test_of_a_large_group_those_least_alike_are_among_the_shown():
    vectors = lookalikes(2, 40)[:41]  # the last one is another person
    group = Person.objects.create()
    faces = faces_of_vectors(vectors, guess=group)

    asked = review.next_question(a_user())

    assert asked.faces[-1].id == faces[-1].pk


def test_a_group_that_the_pass_finds_likely_to_be_somebody_is_asked_about_as_them(owner):
    anna, theirs = a_person("Anna", 5)
    likely, unlikely = a_group(3)[0], a_group(2)[0]
    thought_likely(groups=[(likely, anna, 0.7), (unlikely, anna, 0.3)])

    one, other = asked_of(owner, 2)

    assert (one.uuid, one.person, one.percent) == (likely.uuid, anna, 70)
    assert {face.id for face in one.beside} < {face.pk for face in theirs}
    assert (other.uuid, other.person) == (unlikely.uuid, None)


def test_who_is_near_a_group_is_offered_and_not_asked_about(owner):
    vectors = lookalikes(2, 8)
    anna = Person.objects.create(name="Anna")
    searched(faces_of_vectors(vectors[:5], person=anna), vectors[:5])
    group = Person.objects.create()
    faces_of_vectors(vectors[5:8], guess=group)

    asked = review.next_question(owner)

    assert (asked.uuid, asked.person, asked.percent) == (group.uuid, None, None)
    assert [each.person for each in asked.offered] == [anna]


def test_a_face_without_a_guess_is_asked_about_as_whom_the_pass_finds_likely(owner):
    anna, _ = a_person("Anna")
    likely, unlikely = some_faces(2, quality=0.6)
    thought_likely(faces=[(likely, anna, 0.6), (unlikely, anna, 0.2)])

    asked = {each.face.id: each for each in asked_of(owner, 2)}

    assert (asked[likely.pk].person, asked[likely.pk].percent) == (anna, 60)
    assert asked[unlikely.pk].person is None


@pytest.mark.parametrize("since", ("refused", "hidden", "gone"))
def test_whom_the_pass_found_likely_is_not_asked_about_once_that_cannot_be(owner, since):
    anna, theirs = a_person("Anna")
    group, faces = a_group(3)
    thought_likely(groups=[(group, anna, 0.7)])
    if since == "refused":
        people.reject(owner, faces[:1], anna)
        Face.objects.filter(pk=faces[0].pk).update(guess=group)
    elif since == "hidden":
        people.hide(owner, anna, True)
    else:
        Face.objects.filter(pk__in=[face.pk for face in theirs]).update(person=None, guess=group)
        anna.delete()

    assert review.next_question(owner).person is None


def test_one_face_of_a_doubtful_group_tells_how_many_look_alike(owner):
    group, _ = a_group(6, probability=0.7)

    asked = review.next_question(owner)

    assert (asked.kind, asked.person, asked.alike) == ("face", None, 6)
    assert (asked.slip.group, asked.belongs) == (group.pk, group.pk)


def test_a_slip_says_what_was_asked_and_cannot_be_made_up(owner):
    a_group(3)
    slip = review.next_question(owner).slip

    assert Slip.read(str(slip)) == slip
    for text in ("", "x", str(slip)[:-1]):
        with pytest.raises(Invalid):
            Slip.read(text)
    with pytest.raises(Invalid):
        review.answer(a_user("curator"), slip, "skip")
