"""Many ids in one query: each database takes a list of any length as one parameter, in its way."""

from __future__ import annotations

import json
from collections.abc import Iterable

from django.db import connection
from django.db.models.expressions import RawSQL


def listed(ids: Iterable[int]) -> RawSQL:
    """Return ids as what `…__in` takes: SQLite allows a limited number of parameters."""
    if connection.vendor == "postgresql":
        return RawSQL("select unnest(%s::bigint[])", [list(ids)])
    return RawSQL("select value from json_each(%s)", [json.dumps(list(ids))])
