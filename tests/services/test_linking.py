import pytest

from lookwho.core.errors import Conflict, Forbidden
from lookwho.library.models import Decision, Person
from lookwho.services import people
from lookwho.services.linking import link, unlink
from tests.gallery import make_member
from tests.people import a_group, a_person, a_user, fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def curator():
    return a_user("curator")


def of(user):
    """Who a user is, with whatever that person was merged into."""
    row = Person.objects.filter(user=user).select_related("root").first()
    return row and (row.root or row)


def test_a_user_is_linked_with_a_person_and_unlinked(curator):
    anna, (person, _) = make_member("Anna"), a_person("Anna Smit")

    assert link(curator, anna, person) == person
    assert link(curator, anna, person) == person  # nothing more happens
    assert of(anna) == person

    unlink(curator, anna)
    assert of(anna) is None
    assert not Decision.objects.exists()


def test_what_somebody_said_to_be_theirs_is_the_persons_then(curator):
    anna, (person, _) = make_member("Anna"), a_person("Anna Smit")
    own = Person.objects.create(user=anna)

    link(curator, anna, person)

    (own,) = fresh([own])
    assert (of(anna), own.root) == (person, person)
    people.undo(curator, Decision.objects.get().batch)
    assert of(anna) == own


def test_who_was_merged_stands_for_whom_they_were_merged_into(curator):
    anna, ben = make_member("Anna"), make_member("Ben")
    (person, _), (twin, _) = a_person("Anna Smit"), a_group()
    people.merge(curator, twin, person)

    assert link(curator, anna, *fresh([twin])) == person
    with pytest.raises(Conflict, match="Anna is Anna Smit"):
        link(curator, ben, person)


def test_nobody_is_two_people_and_no_person_two_users(curator):
    anna, ben = make_member("Anna"), make_member("Ben")
    (first, _), (second, _) = a_person("Anna Smit"), a_person("Ben Smit")
    link(curator, anna, first)

    with pytest.raises(Conflict, match="unlink"):
        link(curator, anna, second)
    with pytest.raises(Conflict, match="unlink"):
        link(curator, ben, first)

    assert (of(anna), of(ben)) == (first, None)


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_only_owners_and_curators_link(curator, role):
    eve, (person, _) = a_user(role), a_person("Anna Smit")
    link(curator, make_member("Anna"), person)

    with pytest.raises(Forbidden):
        link(eve, eve, person)
    with pytest.raises(Forbidden):
        unlink(eve, make_member("Ben"))

    assert Person.objects.filter(user__username="Anna").exists()
