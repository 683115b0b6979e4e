import datetime

import pytest

from lookwho.core.errors import Forbidden, Invalid
from lookwho.library.models import Decision, Person
from lookwho.services import profiles
from lookwho.services.profiles import Sex
from tests.people import a_user

TODAY = datetime.date(2026, 1, 2)


@pytest.mark.parametrize(
    ("day", "reason"),
    (
        (datetime.date(1800, 1, 1), "later than 1800-01-01"),
        (datetime.date(1, 1, 1), "0001-01-01 is not"),
        (datetime.date(2026, 1, 3), "2026-01-03 is still to come"),
    ),
)
def test_a_birth_date_that_cannot_be_is_refused_with_the_reason(day, reason):
    with pytest.raises(Invalid, match=reason):
        profiles.checked_birth_date(day, today=TODAY)


@pytest.mark.parametrize("day", (None, TODAY, datetime.date(1800, 1, 2)))
def test_any_other_birth_date_is_taken(day):
    assert profiles.checked_birth_date(day, today=TODAY) == day


def test_parts_of_a_name_are_kept_as_names_are():
    assert profiles.checked_part("a given name", "  Zoe\u0308  Ann ") == "Zoë Ann"
    assert profiles.checked_part("a given name", "") == ""
    assert len(profiles.checked_part("a given name", "x" * 100)) == 100
    with pytest.raises(Invalid, match="a patronymic has at most 100 characters, not 101"):
        profiles.checked_part("a patronymic", "x" * 101)


@pytest.mark.django_db
@pytest.mark.parametrize("sex", list(Sex))
def test_a_sex_is_kept_as_it_was_told(sex):
    person = Person.objects.create()

    told = profiles.describe(a_user(), person, {"sex": sex})

    assert (profiles.sex_of(told), profiles.sex_of(Person.objects.get())) == (sex, sex)


@pytest.mark.django_db
def test_what_is_not_told_stays_and_nothing_of_it_is_a_decision():
    person = Person.objects.create(given_name="Ann", sex="f", birth_date=TODAY)

    profiles.describe(a_user(), person, {"family_name": "Berg", "birth_date": None})

    person.refresh_from_db()
    assert (person.given_name, person.family_name, person.sex) == ("Ann", "Berg", "f")
    assert (person.birth_date, profiles.full_name(person)) == (None, "Ann Berg")
    assert Decision.objects.count() == 0


@pytest.mark.django_db
def test_of_who_was_merged_it_is_written_down_where_they_went():
    root = Person.objects.create(name="Ann")
    merged = Person.objects.create(name="Anna", root=root, merged_into=root)

    assert profiles.describe(a_user(), merged, {"given_name": "Ann"}) == root

    assert Person.objects.get(pk=merged.pk).given_name == ""


@pytest.mark.django_db
def test_members_write_nothing_down():
    person = Person.objects.create()

    with pytest.raises(Forbidden):
        profiles.describe(a_user("member"), person, {"given_name": "Ann"})
    person.refresh_from_db()
    assert person.given_name == ""
