"""Entrants: whom an OpenID provider signs in, and who they are here."""

from __future__ import annotations

import logging

from allauth.account.models import EmailAddress
from django.db import transaction

from lookwho.core.errors import Conflict, Invalid
from lookwho.library.models import Membership, User
from lookwho.services import accounts, memberships

_log = logging.getLogger(__name__)


def by_external_id(told: object) -> User | None:
    """Return the one user whom the list of members calls so.

    Raises:
        Conflict: several are called so, and which of them it is cannot be told.
    """
    external_id = _identifier(told)
    users = list(User.objects.filter(external_id=external_id)[:2]) if external_id else []
    if len(users) > 1:
        raise Conflict(
            f"several users have the number {external_id!r}: an owner can put that right"
        )
    return users[0] if users else None


def by_confirmed_address(email: str) -> User | None:
    """Return the user who has confirmed that this address is theirs.

    An address that nobody confirmed says nothing: anybody can write down anybody's.
    """
    addresses = EmailAddress.objects.filter(email=email.lower(), verified=True)
    address = addresses.select_related("user").first()
    return address.user if address else None


@transaction.atomic
def new_member(names: list[str], *, email: str = "", external_id: object = "") -> User:
    """Make a member of somebody whom we did not know.

    Args:
        names: what they may be called, the best first; a number is added where all are taken.
        email: their address, confirmed by the provider; or blank.
        external_id: what the list of members calls them; or blank.
    """
    user = _named(names, email)
    user.external_id = _identifier(external_id)
    user.save(update_fields=["external_id"])
    accounts.let_members_look()
    return user


def recognise(user: User, external_id: object) -> None:
    """Note what the list of members calls somebody who signs in, where that was not known."""
    known = _identifier(external_id)
    if known and not user.external_id:
        user.external_id = known
        user.save(update_fields=["external_id"])


def take_membership(user: User, claim: object) -> None:
    """Note when somebody who signs in was a member, as the provider says it.

    Whoever it says nothing of is no member. What cannot be read changes nothing for those of whom
    more was known; others are none either: too little is shown rather than too much.
    """
    try:
        memberships.take_claim(user, [] if claim is None else claim)
    except Invalid as error:
        _log.warning("the membership of user %s cannot be read: %s", user.pk, error)
        if not Membership.objects.filter(user=user).exists():
            memberships.take_claim(user, [])


def _named(names: list[str], email: str) -> User:
    for name in [*names, "member"]:
        if not name.strip():
            continue
        for number in range(1, 1000):
            called = name if number == 1 else f"{name[: accounts.NAME_LENGTH - 4]} {number}"
            try:
                return accounts.make_user(called, email=email)
            except Conflict:
                continue
            except Invalid:
                break  # it cannot be a name at all
    raise Conflict("no name could be found for you: ask an owner for an invitation")


def _identifier(told: object) -> str:
    return str(told).strip()[:200] if isinstance(told, str | int) else ""
