import base64
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.api.paging import cursor_of, page, piece
from lookwho.core.errors import Invalid
from lookwho.library.models import Media

ORDER = ("-day", "-taken_at", "-pk")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def photos(count):
    """Photos, some of them taken at the very same moment."""
    for n in range(count):
        taken = NOON - timedelta(hours=12 * (n // 3), microseconds=n // 2)
        Media.objects.create(payload_hash=b"%032d" % n, taken_at=taken, day=taken.date())
    return list(Media.objects.order_by(*ORDER))


def read(limit, rows=None):
    """The whole list, piece by piece."""
    found, cursor = [], ""
    while cursor is not None:
        some, cursor = page(
            Media.objects.all() if rows is None else rows, ORDER, limit=limit, cursor=cursor
        )
        found.append(some)
    return found


@pytest.mark.parametrize("limit", (1, 2, 3, 7, 20, 100))
def test_the_pieces_make_up_the_list(db, limit):
    expected = photos(20)

    pieces = read(limit)

    assert [row for some in pieces for row in some] == expected
    assert all(len(some) == limit for some in pieces[:-1])


def test_an_empty_list_is_one_empty_piece(db):
    assert read(5) == [[]]


def test_what_comes_meanwhile_neither_repeats_nor_pushes_out(db):
    expected = [row.pk for row in photos(10)]
    first, cursor = page(Media.objects.all(), ORDER, limit=4)
    ids = [row.pk for row in first]

    Media.objects.create(payload_hash=b"new" + bytes(29), taken_at=NOON, day=NOON.date())
    Media.objects.get(pk=expected[1]).delete()
    second, _ = page(Media.objects.all(), ORDER, limit=100, cursor=cursor)

    assert ids + [row.pk for row in second] == expected


def test_each_piece_costs_one_query(db, django_assert_num_queries):
    photos(9)
    _, cursor = page(Media.objects.all(), ORDER, limit=3)

    with django_assert_num_queries(1):
        page(Media.objects.all(), ORDER, limit=3, cursor=cursor)


@pytest.mark.parametrize(
    "cursor",
    (
        "x",
        "ä",
        "{}",
        cursor_of([1]),
        cursor_of([1, 2, 3]),
        cursor_of(["2026-03-01", "noon", 4]),
        cursor_of(["2026-03-01", "2026-03-01T12:00:00+00:00", "four"]),
        base64.urlsafe_b64encode(json.dumps([{"a": 1}, None, []]).encode()).decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
    ),
)
def test_a_cursor_of_something_else_is_refused(db, cursor):
    photos(3)

    with pytest.raises(Invalid, match="begin without one"):
        page(Media.objects.all(), ORDER, limit=2, cursor=cursor)


@given(st.text(max_size=60))
def test_no_cursor_that_anyone_sends_does_more_than_be_refused(cursor):
    try:
        some, _ = piece([1, 2, 3], limit=2, cursor=cursor)
    except Invalid:
        return
    assert set(some) <= {1, 2, 3}


@given(st.integers(0, 30), st.integers(1, 12))
def test_a_list_that_is_computed_comes_in_pieces_too(length, limit):
    rows = list(range(length))
    found, cursor = [], ""
    while cursor is not None:
        some, cursor = piece(rows, limit=limit, cursor=cursor)
        found += some
    assert found == rows


def test_a_day_stays_a_day():
    assert json.loads(base64.urlsafe_b64decode(cursor_of([date(2026, 3, 1)]) + "==")) == [
        "2026-03-01"
    ]
