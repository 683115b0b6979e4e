"""Linking: that a user and a person with a name are one, so that both find the same photos."""

from __future__ import annotations

from lookwho.core.errors import Conflict, Forbidden
from lookwho.library.models import Person, User
from lookwho.services import people
from lookwho.services.decisions import one_at_a_time
from lookwho.services.identity import root_of, tree_of


def link(by: User, user: User, person: Person) -> Person:
    """Say that a user is this person. What the user said to be theirs is this person's then.

    Args:
        by: who says so.
        user: who.
        person: somebody with a name, or a group.

    Raises:
        Forbidden: only owners and curators do that.
        NotFound: the person is gone.
        Conflict: the user is another person, or somebody else is this one.
    """
    _only_curators(by)
    with one_at_a_time():
        root = root_of(person)
        own = Person.objects.filter(user=user).first()
        mine = root_of(own) if own else None
        if mine == root:
            return root
        other = Person.objects.filter(pk__in=tree_of(root)).exclude(user=None).first()
        if other is not None and other.user is not None:
            raise Conflict(f"{other.user.username} is {root}: unlink them first")
        if mine is None:
            root.user = user
            root.save(update_fields=["user"])
        elif mine.name:
            raise Conflict(f"{user.username} is {mine}: unlink them first")
        else:
            # The one without a name, that they made by saying “this is me”.
            people.merge(by, mine, root)
        return root


def unlink(by: User, user: User) -> None:
    """Say that a user is no person that is known; what was said of faces stays.

    Raises:
        Forbidden: only owners and curators do that.
    """
    _only_curators(by)
    with one_at_a_time():
        Person.objects.filter(user=user).update(user=None)


def _only_curators(by: User) -> None:
    if not by.sees_everything:
        raise Forbidden("only owners and curators say which person a user is")
