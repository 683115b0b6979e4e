"""Which address leads where."""

from __future__ import annotations

from django.urls import include, path

from lookwho.api import history, labelling, me, members, people, photos, quality, review, work
from lookwho.api.app import api, documentation

NOUNS = (me, photos, people, history, review, quality, labelling, members, work)
for noun in NOUNS:
    api.add_router("", noun.router)

urlpatterns = [
    path("api/v1/", api.urls),
    path("docs", documentation, name="docs"),
    path("", include("lookwho.web.urls")),
]
