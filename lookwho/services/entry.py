"""Entry: how somebody whom a list made a member comes in for the first time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext as _

from lookwho.core.errors import Conflict, Forbidden
from lookwho.library.models import User
from lookwho.services import accounts, mail

LASTS = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Entry:
    """A link that signs somebody in, once.

    Attributes:
        token: of the link.
        mailed: whether it went to their address.
    """

    token: str
    mailed: bool


def let_in(by: User, user: User, *, here: str = "") -> Entry:
    """Make a link for somebody who was never here, and mail it where that is possible.

    Whoever has been here has ways of their own to come in, and by a link their owner would too.

    Args:
        by: who lets them in.
        user: who never came.
        here: where the site was reached just now, for sites that are not told their address.

    Raises:
        Forbidden: only an owner does that.
        Conflict: they have been here, or were shut out.
    """
    if not by.is_owner:
        raise Forbidden("only an owner lets others in")
    if not user.is_active:
        raise Conflict(f"{user.username} was shut out")
    if user.last_login is not None or user.has_usable_password():
        raise Conflict(f"{user.username} has been here before, and signs in as then")
    token = accounts.entry_link(user, lasts=LASTS)
    mailed = bool(user.email) and mail.send(
        user.email,
        _("You can find yourself in photos"),
        _(
            "%(who)s made you a member. Follow this link to come in:\n\n%(link)s\n\n"
            "It works once, for %(days)d days. If you do not know what this is about, do nothing."
        )
        % {
            "who": by.username,
            "link": mail.absolute(reverse("enter", args=[token]), here),
            "days": LASTS.days,
        },
    )
    return Entry(token, mailed)
