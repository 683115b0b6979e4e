"""Migrations: a library made by an older Lookwho keeps all that it holds."""

import uuid

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from lookwho.library.models import Decision, Fit, Share

FIRST = [("lookwho", "0001_first")]


@pytest.fixture
def the_first(transactional_db):
    """The tables as the first version made them; afterwards they are today's again."""
    executor = MigrationExecutor(connection)
    executor.migrate(FIRST)
    yield executor.loader.project_state(FIRST).apps
    call_command("migrate", verbosity=0)


def test_a_library_of_the_first_version_keeps_its_people_decisions_and_links(the_first):
    def table(name):
        return the_first.get_model("lookwho", name)

    user = table("User").objects.create(username="ann", role="owner")
    person = table("Person").objects.create(name="Anna")
    pack = table("Pack").objects.create(name="default", dim=128)
    table("Fit").objects.create(pack=pack, active=True)
    batch = uuid.uuid4()
    table("Decision").objects.create(actor=user, verb="rename", person=person, batch=batch)
    table("Share").objects.create(
        kind="invitation", token_hash=b"x" * 32, expires_at="2030-01-01T00:00:00Z"
    )

    call_command("migrate", verbosity=0)

    said = Decision.objects.select_related("actor", "person").get()
    assert (said.actor.username, said.person.name, said.batch) == ("ann", "Anna", batch)
    assert Fit.objects.get().learned_until == 0
    assert Share.objects.get().role == "member"


def test_the_migrations_make_the_tables_that_the_models_describe(db):
    call_command("makemigrations", "lookwho", check=True, dry_run=True, verbosity=0)
