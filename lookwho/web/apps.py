"""The Django app of the pages: it has templates and static files, and no tables."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages of Lookwho."""

    name = "lookwho.web"
    label = "pages"
    verbose_name = "Lookwho's pages"
