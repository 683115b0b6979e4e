from datetime import date

import pytest
from django.http import QueryDict

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Album, Collection, Person
from lookwho.library.queries import photos as queries
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.queries.photos import Together
from lookwho.library.scope import Purpose, Scope

pytestmark = pytest.mark.django_db

EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True, names=True)
MEMBERS = Scope(purpose=Purpose.BROWSE)


def asked(text, scope=EVERYTHING):
    return narrowed(scope, QueryDict(text))


def named(name, **more):
    return Person.objects.create(name=name, **more)


def test_who_asks_for_nothing_gets_all_without_a_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        narrowing = asked("page=3&person=&since=")

    assert (narrowing.scope, narrowing.wanted) == (EVERYTHING, queries.EVERYTHING)
    assert (narrowing.query, narrowing.chips) == ("", [])


def test_all_that_can_be_asked_for_is_read_and_said_back():
    anna, ben, carl = named("Anna"), named("Ben"), named("Carl")
    album = Album.objects.create(title="Gala", slug="gala")
    folder = Collection.objects.create(title="Pictures", root="/pictures")
    text = (
        f"person={anna.uuid}&person={ben.uuid}&together=only&without={carl.uuid}"
        f"&album={album.uuid}&folder={folder.uuid}&since=2025-01-02&until=2025-03-04&faces=none"
    )

    narrowing = asked(text)

    assert narrowing.query == text
    assert narrowing.scope == EVERYTHING.within(
        albums=frozenset([album.pk]),
        collections=frozenset([folder.pk]),
        since=date(2025, 1, 2),
        until=date(2025, 3, 4),
    )
    assert narrowing.wanted == queries.Wanted(
        people=frozenset([anna.pk, ben.pk]),
        together=Together.ONLY,
        without=frozenset([carl.pk]),
        faceless=True,
    )
    assert [chip.text for chip in narrowing.chips] == [
        "Anna",
        "Ben",
        "nobody else",
        "not Carl",
        "Gala",
        "Pictures",
        "from 2 January 2025",
        "to 4 March 2025",
        "no face found",
    ]


def test_each_chip_leads_to_all_but_itself():
    anna, ben = named("Anna"), named("Ben")
    narrowing = asked(f"person={anna.uuid}&person={ben.uuid}&together=any&since=2025-01-02")

    left = [[chip.text for chip in asked(each.without).chips] for each in narrowing.chips]

    assert [chip.text for chip in narrowing.chips] == ["Anna", "or Ben", "from 2 January 2025"]
    assert left == [
        ["Ben", "from 2 January 2025"],
        ["Anna", "from 2 January 2025"],
        ["Anna", "or Ben"],
    ]


def test_who_was_merged_is_asked_for_as_who_they_are():
    anna = named("Anna")
    annie = named("Annie", merged_into=anna, root=anna)

    narrowing = asked(f"person={annie.uuid}&person={anna.uuid}")

    assert narrowing.people == (anna,)
    assert narrowing.query == f"person={anna.uuid}"


def test_a_group_without_a_name_can_be_asked_for():
    group = named("")

    assert [chip.text for chip in asked(f"person={group.uuid}").chips] == [
        "somebody without a name"
    ]


def test_a_way_of_being_together_without_anybody_is_nothing():
    assert asked("together=only").query == ""
    assert asked("together=nonsense&faces=none").query == "faces=none"


@pytest.mark.parametrize("name", ("person", "without", "album", "folder"))
@pytest.mark.parametrize("value", ("nonsense", "00000000-0000-4000-8000-000000000000"))
def test_what_is_not_there_is_not_found(name, value):
    with pytest.raises(NotFound):
        asked(f"{name}={value}")


@pytest.mark.parametrize("kind", ("person", "without", "album", "folder"))
def test_a_member_cannot_ask_for_what_they_may_not_know_of(kind):
    rows = {
        "person": named("Anna"),
        "without": named("Ben"),
        "album": Album.objects.create(title="Gala", slug="gala", hidden=True),
        "folder": Collection.objects.create(title="Pictures", root="/pictures"),
    }

    with pytest.raises(NotFound):
        asked(f"{kind}={rows[kind].uuid}", MEMBERS)


@pytest.mark.parametrize("day", ("yesterday", "2025-02-30", "20250101T00"))
def test_a_day_that_is_none_is_refused(day):
    with pytest.raises(Invalid, match="is no day"):
        asked(f"since={day}")
