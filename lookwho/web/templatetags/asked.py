"""How much waits for whoever looks after the photos, for the menu."""

from __future__ import annotations

from django import template

from lookwho.library.models import User
from lookwho.library.queries import requests

register = template.Library()


@register.simple_tag
def waiting_requests(user: User) -> int:
    """Return how many requests and selfies wait for this user's answer."""
    return requests.waiting(user)
