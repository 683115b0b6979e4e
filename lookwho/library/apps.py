"""The one Django app that has tables."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connection
from django.db.models.signals import post_migrate


class LibraryConfig(AppConfig):
    """Media, faces, people and the work on them; its tables are called lookwho_…."""

    name = "lookwho.library"
    label = "lookwho"
    verbose_name = "Lookwho"

    def ready(self) -> None:
        """See to it that a migration also makes what Django's models cannot tell."""
        post_migrate.connect(_make_vectors, sender=self)


def _make_vectors(**_: Any) -> None:
    # Imported here, since models can be imported only once all apps are known.
    from lookwho.library.vectors import postgres

    if connection.vendor == "postgresql":
        postgres.create()
