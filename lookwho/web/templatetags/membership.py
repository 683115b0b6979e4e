"""What a former member is told on their pages: of which time they see the photos."""

from __future__ import annotations

from typing import Any

from django import template

from lookwho.library.queries import members as queries

register = template.Library()


@register.inclusion_tag("lookwho/_former.html", takes_context=True)
def former_notice(context: dict[str, Any]) -> dict[str, Any]:
    """Say to a former member when they were one; nothing to anybody else."""
    return {"former": queries.former_of(context["request"].user)}
