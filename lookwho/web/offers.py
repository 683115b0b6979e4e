"""What the owner is offered on several pages: the names that their files carry already."""

from __future__ import annotations

from lookwho.library.models import User
from lookwho.services import names


def offered_names(user: User) -> names.Offer | None:
    """Return what is offered to this user, None where it is nothing."""
    if not user.sees_everything:
        return None
    return names.offered() or None
