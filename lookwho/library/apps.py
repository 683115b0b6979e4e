"""The one Django app that has tables."""

from __future__ import annotations

from django.apps import AppConfig


class LibraryConfig(AppConfig):
    """Media, faces, people and the work on them; its tables are called lookwho_…."""

    name = "lookwho.library"
    label = "lookwho"
    verbose_name = "Lookwho"
