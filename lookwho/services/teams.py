"""Teams: users who see an album, or label a project, together. Owners say who is in one."""

from __future__ import annotations

import unicodedata
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from uuid import UUID

from django.db import IntegrityError, transaction

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import Album, Project, Team, User
from lookwho.library.models.accounts import Role

TITLE_LENGTH = 100


def make(by: User, title: str) -> Team:
    """Make a team that nobody is in yet.

    Raises:
        Forbidden: only an owner does that.
        Invalid: the title cannot be.
        Conflict: another team is called so.
    """
    title = _checked_title(title)
    with _changing(by), _called(title):
        return Team.objects.create(title=title)


def rename(by: User, uuid: UUID, title: str) -> Team:
    """Call a team something else.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such team.
        Invalid: the title cannot be.
        Conflict: another team is called so.
    """
    title = _checked_title(title)
    with _changing(by), _called(title, but=uuid):
        team = _found(uuid)
        team.title = title
        team.save(update_fields=["title"])
        return team


def remove(by: User, uuid: UUID) -> Team:
    """Remove a team; whoever was in it stays a user.

    An album or a project that is for a team alone would be for everybody without it, or for
    nobody: somebody has to say first for whom it is.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such team.
        Conflict: an album or a project is for this team.
    """
    with _changing(by):
        team = _found(uuid)
        albums = list(Album.objects.filter(teams=team).order_by("pk")[:1])
        projects = list(Project.objects.filter(team=team).order_by("pk")[:1])
        for thing in (*albums, *projects):
            raise Conflict(f"“{thing.title}” is for {team.title}: say first for whom it is")
        team.delete()
        return team


def add(by: User, uuid: UUID, users: Iterable[User]) -> Team:
    """Put users into a team.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such team.
    """
    with _changing(by):
        team = _found(uuid)
        team.users.add(*users)
        return team


def take_out(by: User, uuid: UUID, users: Iterable[User]) -> Team:
    """Take users out of a team; what is for the team alone they see no more.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such team.
    """
    with _changing(by):
        team = _found(uuid)
        team.users.remove(*users)
        return team


def set_users(by: User, uuid: UUID, users: Iterable[User]) -> Team:
    """Say who is in a team, in place of those who were.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such team.
    """
    with _changing(by):
        team = _found(uuid)
        team.users.set(users)
        return team


def _found(uuid: UUID) -> Team:
    team = Team.objects.filter(uuid=uuid).first()
    if team is None:
        raise NotFound("there is no such team")
    return team


def _checked_title(title: str) -> str:
    title = " ".join(unicodedata.normalize("NFC", title).split())
    if not title:
        raise Invalid("a team needs a name")
    if len(title) > TITLE_LENGTH:
        raise Invalid(f"a team's name has at most {TITLE_LENGTH} characters, not {len(title)}")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in title):
        raise Invalid("a team's name cannot hold control characters")
    return title


@contextmanager
def _changing(by: User) -> Generator[None]:
    with transaction.atomic():
        # As they are now: who asks may have been shut out meanwhile.
        if not User.objects.filter(pk=by.pk, role=Role.OWNER, is_active=True).exists():
            raise Forbidden("only an owner says who is in a team")
        yield


@contextmanager
def _called(title: str, *, but: UUID | None = None) -> Generator[None]:
    """Say that another team is called so, also where it is made at the same time."""
    same = Conflict(f"there is a team called {title} already")
    if Team.objects.filter(title__iexact=title).exclude(uuid=but).exists():
        raise same
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise same from error
