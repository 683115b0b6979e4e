"""Vectors on PostgreSQL: a table in half precision that pgvector searches.

Up to `EXACT` vectors of a pack, and wherever a scope is searched that holds few, the search is an
exact scan: 40 ms for 100,000 vectors of 128 numbers. The HNSW index of a larger pack takes as long
for any number, and overlooks a few: of the 100 nearest it finds 999 in 1000, among 100,000 that
vary as the faces of 901 real people do. Searches that want many are exact scans always.

The table is no model of Django, since SQLite has none. `create` makes it after each migration.
"""

from __future__ import annotations

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper

from lookwho.core.errors import SetupError
from lookwho.core.types import FloatArray, IntArray
from lookwho.library.models import Pack

# pgvector's first version whose index goes on looking when a filter leaves too few.
VERSION = (0, 8)
# From so many vectors on a pack gets an index. Below, an exact scan is as fast as one.
EXACT = 200_000
# The index: how many links a vector has, and how many are weighed when it is added and searched;
# 1000 is the most that pgvector takes.
LINKS, BUILD_BREADTH, SEARCH_BREADTH = 16, 64, 1000
# Beyond any distance less 1 that there can be.
FARTHEST = 3.0

_TABLE = """
create table if not exists lookwho_vector (
    pack_id bigint not null, face_id bigint not null, embedding halfvec not null,
    primary key (pack_id, face_id)
);
-- What is a copy must not outlive the truth, whoever deletes that.
create or replace function lookwho_forget_vectors() returns trigger language plpgsql as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from lookwho_vector;
    else
        delete from lookwho_vector where pack_id = old.pack_id and face_id = old.face_id;
    end if;
    return null;
end $$;
create or replace trigger lookwho_forget_vector after delete on lookwho_embedding
    for each row when (old.face_id is not null) execute function lookwho_forget_vectors();
create or replace trigger lookwho_forget_all_vectors after truncate on lookwho_embedding
    for each statement execute function lookwho_forget_vectors();
"""


def create() -> None:
    """Make the table, unless it is there, or the tables of Django's models are not.

    Raises:
        SetupError: pgvector is missing, too old, or this user may not switch it on.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select 1 where to_regclass('lookwho_embedding') is null")
        if cursor.rowcount:
            return
        version = _extension(cursor)
        if version < VERSION:
            raise SetupError(
                f"the PostgreSQL extension vector is of version {'.'.join(map(str, version))}, and "
                f"{'.'.join(map(str, VERSION))} is needed: install a newer pgvector, then run "
                "`alter extension vector update` in this database"
            )
        cursor.execute(_TABLE)


def _extension(cursor: CursorWrapper) -> tuple[int, ...]:
    installed = "select extversion from pg_extension where extname = 'vector'"
    cursor.execute(installed)
    if not cursor.rowcount:
        try:
            with transaction.atomic():
                cursor.execute("create extension if not exists vector")
        except DatabaseError as error:
            raise SetupError(
                "the PostgreSQL extension vector cannot be switched on: install the package "
                "pgvector on the database's machine, then run `create extension vector` in this "
                f"database as a superuser ({str(error).splitlines()[0]})"
            ) from error
        cursor.execute(installed)
    [(version,)] = cursor.fetchall()
    return tuple(int(part) for part in version.split(".")[:2])


def insert(rows: list[tuple[int, int, FloatArray]]) -> None:
    """Store vectors, or store them anew: id of the face, id of the pack, (dim,) vector."""
    faces = [face for face, _, _ in rows]
    packs = [pack for _, pack, _ in rows]
    vectors = [_text(vector) for _, _, vector in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into lookwho_vector (face_id, pack_id, embedding) "
            "select face, pack, vector::halfvec "
            "from unnest(%s::bigint[], %s::bigint[], %s::text[]) as row (face, pack, vector) "
            "on conflict (pack_id, face_id) do update set embedding = excluded.embedding",
            [faces, packs, vectors],
        )


def delete(face_ids: list[int], packs: list[int]) -> None:
    """Forget the vectors of faces, by these packs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from lookwho_vector where pack_id = any(%s) and face_id = any(%s)",
            [packs, face_ids],
        )


def near(
    vector: FloatArray,
    pack: Pack,
    count: int,
    within: float | None,
    allowed: IntArray | None = None,
) -> IntArray:
    """Return (n,) ids of the nearest faces, the nearest first, `count` at most.

    Args:
        vector: (dim,) float32.
        pack: whose vectors are searched.
        count: the most.
        within: the largest distance, as half precision tells it; None for any.
        allowed: ids of the only faces to look at; None for all.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Only what is written as the index is can be looked up in it; anything else is scanned.
        quick = allowed is None and count <= SEARCH_BREADTH and _indexed(cursor, pack)
        kind = f"::halfvec({pack.dim:d})" if quick else ""
        if quick:
            cursor.execute(f"set local hnsw.ef_search = {SEARCH_BREADTH}")
            cursor.execute("set local hnsw.iterative_scan = strict_order")
        only = "" if allowed is None else "and face_id = any(%s)"
        # <#> is the negative inner product: of unit vectors the distance less 1.
        cursor.execute(
            "select face_id from ("
            f"select face_id, embedding{kind} <#> %s::halfvec{kind} as far from lookwho_vector "
            f"where pack_id = {pack.pk:d} {only} order by far limit %s) near "
            "where far <= %s order by far, face_id",
            [
                _text(vector),
                *([] if allowed is None else [allowed.tolist()]),
                count,
                FARTHEST if within is None else within - 1,
            ],
        )
        return np.fromiter((face for (face,) in cursor.fetchall()), np.int64)


def tend(exact: int) -> None:
    """Store what the table lacks, forget what it should not have, and index what is large."""
    packs = list(Pack.objects.all())
    with connection.cursor() as cursor:
        for pack in packs:
            while _complete(cursor, pack):
                pass
        cursor.execute(
            "delete from lookwho_vector v where not exists (select from lookwho_embedding e "
            "where e.face_id = v.face_id and e.pack_id = v.pack_id)"
        )
        for pack in packs:
            cursor.execute("select count(*) from lookwho_vector where pack_id = %s", [pack.pk])
            [(count,)] = cursor.fetchall()
            if count >= exact and not _indexed(cursor, pack):
                _make_index(cursor, pack)


def _complete(cursor: CursorWrapper, pack: Pack) -> bool:
    """Store some vectors that are missing; return whether there were any."""
    cursor.execute(
        "select e.face_id, e.vector from lookwho_embedding e "
        "where e.pack_id = %s and e.face_id is not null and not exists (select from lookwho_vector "
        "v where v.pack_id = e.pack_id and v.face_id = e.face_id) limit 5000",
        [pack.pk],
    )
    missing = [(face, pack.pk, np.frombuffer(stored, "<f4")) for face, stored in cursor.fetchall()]
    if missing:
        insert(missing)
    return bool(missing)


def _indexed(cursor: CursorWrapper, pack: Pack) -> bool:
    cursor.execute(
        "select 1 from pg_index join pg_class on pg_class.oid = indexrelid "
        "where indisvalid and oid = to_regclass(%s)",
        [_index(pack)],
    )
    return bool(cursor.rowcount)


def _make_index(cursor: CursorWrapper, pack: Pack) -> None:
    lock = "hashtextextended(%s, 0)"
    cursor.execute(f"select 1 where pg_try_advisory_lock({lock})", [_index(pack)])
    if not cursor.rowcount:
        return  # somebody else is at it
    try:
        # Without keeping others from writing, where that can be.
        how = "" if connection.in_atomic_block else "concurrently"
        cursor.execute(f"drop index if exists {_index(pack)}")  # one that was never finished
        cursor.execute(
            f"create index {how} {_index(pack)} on lookwho_vector "
            f"using hnsw ((embedding::halfvec({pack.dim:d})) halfvec_ip_ops) "
            f"with (m = {LINKS}, ef_construction = {BUILD_BREADTH}) where pack_id = {pack.pk:d}"
        )
    finally:
        cursor.execute(f"select pg_advisory_unlock({lock})", [_index(pack)])


def _index(pack: Pack) -> str:
    return f"lookwho_vector_of_pack_{pack.pk:d}"


def _text(vector: FloatArray) -> str:
    return "[" + ",".join(map(str, vector.tolist())) + "]"
