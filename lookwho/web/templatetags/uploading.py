"""Uploads of an album, for whatever page shows it."""

from __future__ import annotations

from typing import Any

from django import template

from lookwho.library.models import Album
from lookwho.library.queries.uploads import shown

register = template.Library()


@register.inclusion_tag("lookwho/_uploads.html", takes_context=True)
def uploads_of(context: dict[str, Any], album: Album) -> dict[str, Any]:
    """Show what was sent to an album, and what became of it."""
    return {
        "album": album,
        "sent": shown(album),
        "user": context["user"],
        "csrf_token": context.get("csrf_token", ""),
    }
