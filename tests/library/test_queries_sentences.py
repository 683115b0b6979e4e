from datetime import date
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.library.queries.people import Portrait
from lookwho.library.queries.photos import Together
from lookwho.library.queries.sentences import Sentence, read

NAMES = ("Anna", "Ben", "Zoë Kravitz", "Marianne", "Max Abel", "Max Busch")
ANNA, BEN, ZOE, MARIANNE, _, BUSCH = (UUID(int=number) for number in range(1, 7))
PEOPLE = [Portrait(number, UUID(int=number), name, 1) for number, name in enumerate(NAMES, 1)]


@pytest.mark.parametrize(
    ("text", "people", "together", "without"),
    (
        ("Anna and Ben", (ANNA, BEN), Together.ALL, ()),
        ("anna, ben & zoe", (ANNA, BEN, ZOE), Together.ALL, ()),
        ("Anna or Ben or Zoë", (ANNA, BEN, ZOE), Together.ANY, ()),
        ("only Anna", (ANNA,), Together.ONLY, ()),
        ("Anna and Ben, nobody else", (ANNA, BEN), Together.ONLY, ()),
        ("Anna not Ben", (ANNA,), Together.ALL, (BEN,)),
        ("Anna and Zoe but not Ben", (ANNA, ZOE), Together.ALL, (BEN,)),
        ("Anna or Zoe without Ben", (ANNA, ZOE), Together.ANY, (BEN,)),
        ("without Ben", (), Together.ALL, (BEN,)),
        ("Anna with busch", (ANNA, BUSCH), Together.ALL, ()),
    ),
)
def test_people_are_joined_as_they_are_said(text, people, together, without):
    assert read(text, PEOPLE) == Sentence(people, together, without)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    (
        ("summer 2025", date(2025, 6, 1), date(2025, 8, 31)),
        ("winter 2023", date(2023, 12, 1), date(2024, 2, 29)),
        ("fall 2025", date(2025, 9, 1), date(2025, 11, 30)),
        ("in February 2024", date(2024, 2, 1), date(2024, 2, 29)),
        ("feb 2023", date(2023, 2, 1), date(2023, 2, 28)),
        ("2020", date(2020, 1, 1), date(2020, 12, 31)),
        ("since 2020", date(2020, 1, 1), None),
        ("after 2020", date(2021, 1, 1), None),
        ("until June 2020", None, date(2020, 6, 30)),
        ("before summer 2020", None, date(2020, 5, 31)),
        ("2019-2021", date(2019, 1, 1), date(2021, 12, 31)),
        ("from may 2019 to spring 2021", date(2019, 5, 1), date(2021, 5, 31)),
        ("between 2019 and 2021", date(2019, 1, 1), date(2021, 12, 31)),
    ),
)
@pytest.mark.parametrize("who", ("", "Anna, {}", "Anna {}", "{} Anna"))
def test_times_are_days_from_and_to(text, since, until, who):
    found = read(who.format(text) if who else text, PEOPLE)

    assert found == Sentence((ANNA,) if who else (), since=since, until=until)


@pytest.mark.parametrize(
    "text",
    (
        "",
        "Eve",
        "Anna and Eve",
        "Max and Anna",  # there are two
        "Anna and Ben or Zoe",  # which of both is not said
        "Anna and not Anna",
        "Anna and",
        "only",
        "only Anna or Ben",
        "2021 to 2019",
        "Anna blue",
        "summer",
    ),
)
def test_what_is_not_clear_is_no_sentence(text):
    assert read(text, PEOPLE) is None


def test_a_name_that_somebody_has_is_theirs_even_where_it_is_part_of_another():
    both = [*PEOPLE, Portrait(9, UUID(int=9), "Anna Karenina", 1)]

    assert read("anna 2020", both).people == (ANNA,)
    assert read("karenina 2020", both).people == (UUID(int=9),)


def test_a_sentence_is_a_query_of_the_timeline():
    asked = parse_qsl(read("Anna or Zoe not Ben, since 2020", PEOPLE).query)

    assert asked == [
        ("person", str(ANNA)),
        ("person", str(ZOE)),
        ("together", "any"),
        ("without", str(BEN)),
        ("since", "2020-01-01"),
    ]


words = st.sampled_from([*NAMES, "and", "or", "not", "only", ",", "2020", "summer", "since", "to"])


@given(st.one_of(st.text(), st.lists(words).map(" ".join)))
def test_no_text_is_too_odd_to_be_read(text):
    found = read(text, PEOPLE)

    assert found is None or found.query
    assert found is None or not set(found.people) & set(found.without)
