"""Which address leads where."""

from __future__ import annotations

from django.urls import include, path

from lookwho.api import (
    albums,
    history,
    labelling,
    links,
    me,
    members,
    memberships,
    montages,
    people,
    photos,
    privacy,
    profiles,
    quality,
    requests,
    review,
    settings,
    sites,
    teams,
    tokens,
    uploads,
    videos,
    work,
)
from lookwho.api.app import api, documentation

# Albums come before photos: /photos/liked is no photo.
NOUNS = (
    me,
    albums,
    photos,
    people,
    history,
    review,
    quality,
    labelling,
    members,
    memberships,
    teams,
    tokens,
    uploads,
    work,
    links,
    requests,
    privacy,
    settings,
    sites,
    profiles,
    videos,
    montages,
)
for noun in NOUNS:
    api.add_router("", noun.router)

handler404 = "lookwho.api.app.no_such_address"
urlpatterns = [
    path("api/v1/", api.urls),
    path("docs", documentation, name="docs"),
    path("", include("lookwho.web.urls")),
]
