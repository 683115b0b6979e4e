"""A disk or a database that cannot is told with what to do."""

import errno

import pytest
from django.db import OperationalError

from lookwho.core.errors import SetupError, StorageFull, StorageReadOnly
from lookwho.services.storage import storage_problem


@pytest.mark.parametrize(
    ("error", "kind"),
    (
        (OperationalError("database or disk is full"), StorageFull),
        (OperationalError("could not extend file: No space left on device"), StorageFull),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OperationalError("attempt to write a readonly database"), StorageReadOnly),
        (OSError(errno.EROFS, "Read-only file system"), StorageReadOnly),
        (OperationalError("connection refused"), SetupError),
    ),
)
def test_the_storages_errors_are_ours_with_a_reason(error, kind):
    problem = storage_problem(error)

    assert type(problem) is kind
    assert str(error) in problem.message


@pytest.mark.parametrize(
    "error", (ValueError("is full"), OSError(errno.ENOENT, "no such file"), KeyError("readonly"))
)
def test_errors_that_are_not_the_storages_are_left_alone(error):
    assert storage_problem(error) is None


@pytest.mark.django_db(transaction=True)
def test_pages_and_api_say_that_nothing_can_be_written(client):
    from django.db import connection

    from lookwho.library.models import Person
    from lookwho.services import accounts

    owner = accounts.the_owner()
    person = Person.objects.create()
    client.force_login(owner)
    only_read, again = {
        "sqlite": ("pragma query_only = 1", "pragma query_only = 0"),
        "postgresql": (
            "set session characteristics as transaction read only",
            "set session characteristics as transaction read write",
        ),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(only_read)
    try:
        page = client.post(f"/people/{person.uuid}/name", {"name": "Anna"})
        told = client.patch(f"/api/v1/people/{person.uuid}", {"name": "Anna"}, "application/json")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(again)

    assert "nothing can be written" in page.content.decode().lower()
    assert (told.status_code, told.json()["code"]) == (page.status_code, "storage_read_only")
