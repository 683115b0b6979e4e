"""Accounts: who may sign in, and the links that let them."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from lookwho.core.errors import Conflict, Forbidden, Invalid, LinkExpired, NotFound
from lookwho.library.models import Collection, EntryLink, Label, Share, User
from lookwho.library.models.accounts import Role
from lookwho.services import mail
from lookwho.services.derived import hashed

ENTRY_LASTS = timedelta(hours=24)
INVITATION_LASTS = timedelta(hours=72)
LONGEST_INVITATION = timedelta(days=90)
INVITED_AS = (Role.MEMBER.value, Role.ANNOTATOR.value, Role.CURATOR.value)
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
    user = User(username=name, email=_checked_email(email), role=role)
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
    EntryLink.objects.create(user=user, token_hash=hashed(token), expires_at=now + lasts)
    return token


def enter(token: str, *, now: datetime | None = None) -> User:
    """Use a link up and return whom it signs in.

    Raises:
        LinkExpired: it is too old, was used before, or there never was such a link.
    """
    now = now or timezone.now()
    links = EntryLink.objects.filter(token_hash=hashed(token))
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


def invite(
    by: User,
    *,
    name: str = "",
    role: str = Role.MEMBER,
    email: str = "",
    lasts: timedelta = INVITATION_LASTS,
    here: str = "",
    now: datetime | None = None,
) -> str:
    """Return the token of an invitation: whoever follows it becomes a user.

    One that is for somebody, or for more than a member, is used up by the first who follows it:
    passed on, it lets nobody else in. One for members in general works until it expires. One with
    an address is mailed there, where mail is sent at all.

    So that they find what they were invited for, members may from now on look for themselves in
    all collections, and in those to come: closed ones become ones where each sees the photos they
    are in, and no others.

    Args:
        by: who invites.
        name: for whom it is; blank for anybody.
        role: what they become.
        email: where the link is mailed to; blank where it is passed on in another way.
        lasts: for how long it can be followed.
        here: where the site was reached just now, for sites that are not told their address.
        now: when.

    Raises:
        Forbidden: only an owner invites.
        Invalid: the name, the role, the address or the time cannot be.
    """
    if not by.is_owner:
        raise Forbidden("only an owner invites others")
    if role not in INVITED_AS:
        raise Invalid(f"one is invited as {', '.join(INVITED_AS)}, not as {role!r}")
    if not timedelta(0) < lasts <= LONGEST_INVITATION:
        raise Invalid(f"an invitation lasts up to {LONGEST_INVITATION.days} days")
    now = now or timezone.now()
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        Share.objects.create(
            kind=Share.Kind.INVITATION,
            token_hash=hashed(token),
            name=_checked_name(name) if name.strip() else "",
            email=_checked_email(email),
            role=role,
            created_by=by,
            expires_at=now + lasts,
        )
        if role == Role.MEMBER:
            let_members_look()
    if email:
        link = mail.absolute(reverse("join", args=[token]), here)
        mail.send(
            _checked_email(email),
            _("You are invited to look for yourself in photos"),
            _(
                "%(who)s invites you. Follow this link to come in:\n\n%(link)s\n\n"
                "It works until %(day)s, for one person.\n"
                "If you do not know what this is about, do nothing."
            )
            % {"who": by.username, "link": link, "day": date_format(now + lasts)},
        )
    return token


def let_members_look() -> None:
    """Let members look for themselves in all collections that were closed to them."""
    closed = Collection.objects.filter(policy=Collection.Policy.CLOSED)
    closed.update(policy=Collection.Policy.OWN)


def revoke_invitation(by: User, uuid: UUID, *, now: datetime | None = None) -> Share:
    """Let an invitation be followed no more.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such invitation.
    """
    if not by.is_owner:
        raise Forbidden("only an owner withdraws invitations")
    shares = Share.objects.filter(kind=Share.Kind.INVITATION, uuid=uuid)
    shares.filter(revoked_at=None).update(revoked_at=now or timezone.now())
    share = shares.first()
    if share is None:
        raise NotFound("there is no such invitation")
    return share


def policy_for_new_collections() -> str:
    """Return what members may do with a collection that is added now: as `invite` promised."""
    # Whoever the provider signs in may come, so members were invited, so to say, all at once.
    come = settings.PROVIDER is not None and settings.PROVIDER.sign_up
    invited = Share.objects.filter(kind=Share.Kind.INVITATION, role=Role.MEMBER).exists()
    return Collection.Policy.OWN if come or invited else Collection.Policy.CLOSED


def invitation(token: str, *, now: datetime | None = None) -> Share:
    """Return the invitation that a token belongs to.

    Raises:
        LinkExpired: it is too old, was revoked, or there never was such an invitation.
    """
    now = now or timezone.now()
    share = Share.objects.filter(
        kind=Share.Kind.INVITATION, token_hash=hashed(token), revoked_at=None, expires_at__gt=now
    ).first()
    if share is None:
        raise LinkExpired("this invitation is too old or was withdrawn: ask for a new one")
    return share


def join(token: str, name: str = "", *, now: datetime | None = None) -> User:
    """Make a user of somebody who was invited, with the role that they were invited to.

    Args:
        token: of the invitation.
        name: what they want to be called; blank for the name that they were invited by.
        now: when.

    Raises:
        LinkExpired: the invitation is too old, was revoked, or was for one and is used up.
        Invalid: the name cannot be.
        Conflict: somebody has that name.
    """
    now = now or timezone.now()
    share = invitation(token, now=now)
    with transaction.atomic():
        if for_one(share):
            # One conditional UPDATE decides which of two that follow it at once becomes the user.
            still = Share.objects.filter(pk=share.pk, revoked_at=None)
            if not still.update(revoked_at=now):
                raise LinkExpired("this invitation was used already: ask for a new one")
        name = name if name.strip() else share.name
        return make_user(name, share.role, email=share.email)


def for_one(share: Share) -> bool:
    """Return whether the first who follows an invitation uses it up."""
    return bool(share.name or share.email or share.role != Role.MEMBER)


def sign_out_everywhere(user: User) -> int:
    """End whatever a user is signed in with, in all browsers; return how many there were.

    Programs that use a token go on.
    """
    EntryLink.objects.filter(user=user, used_at=None).delete()
    # A session does not say whose it is without being read. This is asked for rarely.
    whose = str(user.pk)
    ended = [
        session.session_key
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if str(session.get_decoded().get(SESSION_KEY)) == whose
    ]
    for key in ended:
        Session.objects.filter(session_key=key).delete()
    return len(ended)


def forget_second_factor(user: User) -> bool:
    """Let a user sign in without their second factor, which they lost; say if there was one."""
    from allauth.mfa.models import Authenticator  # its tables are known once all apps are

    return bool(Authenticator.objects.filter(user=user).delete()[0])


def set_role(by: User, user: User, role: str) -> User:
    """Let a user do more or less.

    Raises:
        Forbidden: only an owner does that.
        Invalid: there is no such role.
        Conflict: they are the last owner.
    """
    if role not in Role.values:
        raise Invalid(f"there is no role {role!r}; choose from {', '.join(Role.values)}")
    with _members(by, user) as row:
        if role != Role.OWNER:
            _not_the_last_owner(row)
        row.role = role
        row.save(update_fields=["role"])
        if role == Role.MEMBER:
            _give_up_labels(row)
    return row


def set_active(by: User, user: User, active: bool) -> User:
    """Shut a user out, or let them in again. All that they said stays.

    Raises:
        Forbidden: only an owner does that.
        Conflict: they are the last owner.
    """
    with _members(by, user) as row:
        if not active:
            _not_the_last_owner(row)
            EntryLink.objects.filter(user=row, used_at=None).delete()
            _give_up_labels(row)
        row.is_active = active
        row.save(update_fields=["is_active"])
    return row


@contextmanager
def _members(by: User, user: User) -> Generator[User]:
    """Open a transaction in which nobody else changes an owner, and return the user as they are."""
    with transaction.atomic():
        owners = User.objects.filter(role=Role.OWNER).order_by("pk")
        list(owners.select_for_update())
        # As they are now: who asks may have been shut out meanwhile.
        if not User.objects.filter(pk=by.pk, role=Role.OWNER, is_active=True).exists():
            raise Forbidden("only an owner changes what others may do")
        yield User.objects.get(pk=user.pk)


def _not_the_last_owner(user: User) -> None:
    others = User.objects.filter(role=Role.OWNER, is_active=True).exclude(pk=user.pk)
    if user.is_owner and not others.exists():
        raise Conflict(f"{user.username} is the last owner: make somebody else an owner first")


def _give_up_labels(user: User) -> None:
    """Let others have the faces that somebody was to label and did not."""
    Label.objects.filter(user=user, verdict="").delete()


def _checked_name(name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise Invalid("a name is needed")
    if len(name) > NAME_LENGTH:
        raise Invalid(f"a name has at most {NAME_LENGTH} characters, not {len(name)}")
    if any(unicodedata.category(letter).startswith("C") for letter in name):
        raise Invalid("a name cannot hold control characters")
    return name


def _checked_email(email: str) -> str:
    email = email.strip()
    if email:
        try:
            validate_email(email)
        except ValidationError as error:
            raise Invalid(f"{email!r} is no e-mail address") from error
    # As the tables of addresses have it, which are asked for letters in lower case alone.
    return email.lower()
