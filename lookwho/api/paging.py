"""Paging: a list in pieces, each of which says where the next one begins.

A cursor holds what the last row of a piece was ordered by, so rows that come or go meanwhile
neither repeat others nor push them out, and the thousandth piece is read as fast as the first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any, TypeVar

from django.core.exceptions import FieldError, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from ninja import Field

from lookwho.core.errors import Invalid

MOST = 500
LONGEST = 1000
DEEPEST = 10_000_000

Row = TypeVar("Row", bound=Model)
Limit = Annotated[int, Field(ge=1, le=MOST, description="the most to return at once")]
Cursor = Annotated[
    str, Field(max_length=LONGEST, description="where to go on: `next` of the piece before")
]


def page(
    rows: QuerySet[Row], order: Sequence[str], *, limit: int, cursor: str = ""
) -> tuple[list[Row], str | None]:
    """Return a piece of a list, and the cursor of the next one; None where this is the last.

    Args:
        rows: all of them, in any order.
        order: fields of the table itself, "-" before those that fall; together unique and never
            null.
        limit: the most rows.
        cursor: where the piece before ended; blank for the first.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    names = [field.lstrip("-") for field in order]
    if cursor:
        try:
            rows = rows.filter(_behind(order, _read(cursor, len(order))))
        except (ValueError, TypeError, ValidationError, FieldError, OverflowError) as error:
            raise _wrong() from error
    found = list(rows.order_by(*order)[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], cursor_of([getattr(last, name) for name in names])


def cursor_of(values: Sequence[Any]) -> str:
    """Return the cursor of a place in a list: what the row before it is ordered by."""
    exact = [each.isoformat() if isinstance(each, (date, datetime)) else each for each in values]
    told = json.dumps(exact, cls=DjangoJSONEncoder, separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def piece(rows: Sequence[Any], *, limit: int, cursor: str = "") -> tuple[Sequence[Any], str | None]:
    """Return a piece of a list that is computed as a whole, by its place; see `page`.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    return taken(lambda skip, take: rows[skip : skip + take], limit=limit, cursor=cursor)


def taken(
    read: Callable[[int, int], Sequence[Any]], *, limit: int, cursor: str = ""
) -> tuple[Sequence[Any], str | None]:
    """Return a piece of a list that is read from a place on; see `page`.

    Args:
        read: returns at most so many rows (the second number) behind so many (the first).
        limit: the most rows.
        cursor: where the piece before ended; blank for the first.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    begin = number_in(cursor) or 0
    if begin > DEEPEST:
        raise _wrong()
    found = read(begin, limit + 1)
    return found[:limit], cursor_of([begin + limit]) if len(found) > limit else None


def number_in(cursor: str) -> int | None:
    """Return the one whole number that a cursor holds; None for the blank one.

    Raises:
        Invalid: it holds something else.
    """
    if not cursor:
        return None
    (number,) = _read(cursor, 1)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 63:
        raise _wrong()
    return number


def _behind(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Say of rows that they come behind the one with these values."""
    cases: list[Q] = []
    same = Q()
    for field, value in zip(order, values, strict=True):
        name, way = field.lstrip("-"), "lt" if field.startswith("-") else "gt"
        cases.append(same & Q(**{f"{name}__{way}": value}))
        same &= Q(**{name: value})
    # All of them are so by the first field: the database finds the place by it, in an index.
    first, way = order[0].lstrip("-"), "lte" if order[0].startswith("-") else "gte"
    return Q(**{f"{first}__{way}": values[0]}) & reduce(or_, cases)


def _read(cursor: str, count: int) -> list[Any]:
    try:
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = json.loads(told)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _wrong() from error
    plain = isinstance(values, list) and all(
        isinstance(value, (str, int, float, bool)) for value in values
    )
    if not plain or len(values) != count:
        raise _wrong()
    return values


def _wrong() -> Invalid:
    return Invalid("this cursor is none of this list: begin without one")
