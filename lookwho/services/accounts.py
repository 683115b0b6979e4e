"""Accounts: who may sign in, and the links that let them."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid, LinkExpired
from lookwho.library.models import ApiToken, Collection, EntryLink, Share, User
from lookwho.library.models.accounts import Role

ENTRY_LASTS = timedelta(hours=24)
INVITATION_LASTS = timedelta(hours=72)
NAME_LENGTH = 150


def make_user(
    name: str, role: str = Role.MEMBER, *, password: str | None = None, email: str = ""
) -> User:
    """Make a user; without a password they enter by a link.

    Raises:
        Invalid: the name, the role or the password cannot be.
        Conflict: somebody has that name.
    """
    name = _checked_name(name)
    if role not in Role.values:
        raise Invalid(f"there is no role {role!r}; choose from {', '.join(Role.values)}")
    user = User(username=name, email=email, role=role)
    if password is None:
        user.set_unusable_password()
    else:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Invalid(" ".join(error.messages)) from error
        user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise Conflict(f"there is a user {name!r} already: choose another name") from error
    return user


def the_owner() -> User:
    """Return the first owner; on the first start there is none, and one is made."""
    with transaction.atomic():
        owners = User.objects.filter(role=Role.OWNER, is_active=True)
        return owners.order_by("pk").first() or make_user("owner", Role.OWNER)


def find_user(name: str) -> User:
    """Return the active user of that name.

    Raises:
        Invalid: there is none.
    """
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        names = User.objects.filter(is_active=True).order_by("username")
        known = ", ".join(names.values_list("username", flat=True)[:10])
        raise Invalid(f"there is no user {name!r}; there are: {known or 'none yet'}")
    return user


def entry_link(user: User, *, lasts: timedelta = ENTRY_LASTS, now: datetime | None = None) -> str:
    """Return the token of a link that signs this user in, once, until it expires."""
    now = now or timezone.now()
    EntryLink.objects.filter(Q(expires_at__lt=now) | Q(used_at__isnull=False)).delete()
    token = secrets.token_urlsafe(32)
    EntryLink.objects.create(user=user, token_hash=_hash(token), expires_at=now + lasts)
    return token


def enter(token: str, *, now: datetime | None = None) -> User:
    """Use a link up and return whom it signs in.

    Raises:
        LinkExpired: it is too old, was used before, or there never was such a link.
    """
    now = now or timezone.now()
    links = EntryLink.objects.filter(token_hash=_hash(token))
    # One conditional UPDATE decides which of two that follow the link at once is signed in. All it
    # asks for must be in this one table: PostgreSQL would not look at a second one again after
    # waiting for the first of the two.
    used = links.filter(used_at=None, expires_at__gt=now).update(used_at=now)
    user = links.select_related("user").get().user if used else None
    if user is None or not user.is_active:
        raise LinkExpired(
            "this link was used before or is too old: ask for a new one, "
            "or make one with `lookwho login-link`"
        )
    return user


def invite(by: User, *, lasts: timedelta = INVITATION_LASTS, now: datetime | None = None) -> str:
    """Return the token of an invitation: whoever follows it becomes a member.

    So that they find what they were invited for, members may from now on look for themselves in
    all collections, and in those to come: closed ones become ones where each sees the photos they
    are in, and no others.

    Raises:
        Forbidden: only an owner invites.
    """
    if not by.is_owner:
        raise Forbidden("only an owner invites others")
    now = now or timezone.now()
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        Share.objects.create(
            kind=Share.Kind.INVITATION,
            token_hash=_hash(token),
            created_by=by,
            expires_at=now + lasts,
        )
        closed = Collection.objects.filter(policy=Collection.Policy.CLOSED)
        closed.update(policy=Collection.Policy.OWN)
    return token


def policy_for_new_collections() -> str:
    """Return what members may do with a collection that is added now: as `invite` promised."""
    invited = Share.objects.filter(kind=Share.Kind.INVITATION).exists()
    return Collection.Policy.OWN if invited else Collection.Policy.CLOSED


def invitation(token: str, *, now: datetime | None = None) -> Share:
    """Return the invitation that a token belongs to.

    Raises:
        LinkExpired: it is too old, was revoked, or there never was such an invitation.
    """
    now = now or timezone.now()
    share = Share.objects.filter(
        kind=Share.Kind.INVITATION, token_hash=_hash(token), revoked_at=None, expires_at__gt=now
    ).first()
    if share is None:
        raise LinkExpired("this invitation is too old or was withdrawn: ask for a new one")
    return share


def join(token: str, name: str, *, now: datetime | None = None) -> User:
    """Make a member of somebody who was invited.

    Raises:
        LinkExpired: the invitation is too old or was revoked.
        Invalid: the name cannot be.
        Conflict: somebody has that name.
    """
    invitation(token, now=now)
    return make_user(name, Role.MEMBER)


def make_api_token(user: User, title: str) -> str:
    """Return a token by which a program signs in as this user, until it is revoked.

    Raises:
        Invalid: the title cannot be.
    """
    token = secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, title=_checked_name(title)[:100], token_hash=_hash(token))
    return token


def user_of_token(token: str) -> User | None:
    """Return whom a program's token signs in, or None."""
    tokens = ApiToken.objects.filter(token_hash=_hash(token), revoked_at=None, user__is_active=True)
    found = tokens.select_related("user").first()
    return found.user if found else None


def _checked_name(name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise Invalid("a name is needed")
    if len(name) > NAME_LENGTH:
        raise Invalid(f"a name has at most {NAME_LENGTH} characters, not {len(name)}")
    if any(unicodedata.category(letter).startswith("C") for letter in name):
        raise Invalid("a name cannot hold control characters")
    return name


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
