"""Which address leads where."""

from __future__ import annotations

from django.urls import include, path

from lookwho.api import me, people, photos, work
from lookwho.api.app import api, documentation

for router in (me.router, photos.router, people.router, work.router):
    api.add_router("", router)

urlpatterns = [
    path("api/v1/", api.urls),
    path("docs", documentation, name="docs"),
    path("", include("lookwho.web.urls")),
]
