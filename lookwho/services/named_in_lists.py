"""Named in lists: which user a row of a list of members is about."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

from allauth.account.models import EmailAddress

from lookwho.core.errors import Conflict, Invalid
from lookwho.core.memberlist import Row
from lookwho.library.models import User
from lookwho.library.models.accounts import Role

NUMBER_LENGTH = 200


class People:
    """All users, by what a list may call them.

    Attributes:
        names: what each user is called, by their id.
        members: the same of those who are members and may sign in.
        new_numbers: the external ids that were learned, by user.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.members: dict[int, str] = {}
        self.new_numbers: dict[int, str] = {}
        self._numbers: dict[int, str] = {}
        self._by_number: defaultdict[str, set[int]] = defaultdict(set)
        self._by_name: defaultdict[str, set[int]] = defaultdict(set)
        self._by_email: defaultdict[str, set[int]] = defaultdict(set)
        # An address that somebody wrote down and has not confirmed may be anybody's.
        addresses = EmailAddress.objects.values_list("user", "email", "verified")
        stated = {(user, email.casefold()): verified for user, email, verified in addresses}
        for (user, email), verified in stated.items():
            if verified:
                self._by_email[email].add(user)
        rows = User.objects.order_by("pk")
        for user, name, email, number, role, active in rows.values_list(
            "pk", "username", "email", "external_id", "role", "is_active"
        ):
            self.names[user] = name
            if active and role == Role.MEMBER:
                self.members[user] = name
            self._by_name[_folded(name)].add(user)
            if email and stated.get((user, email.casefold()), True):
                self._by_email[email.casefold()].add(user)
            if number:
                self._numbers[user] = number
                self._by_number[number].add(user)

    def find(self, row: Row, *, seen: set[int]) -> int | None:
        """Return the id of the user whom a row is about; None where nobody here is.

        Args:
            row: of the list.
            seen: takes whoever it may be about.

        Raises:
            Invalid: it names nobody.
            Conflict: it may be about several, or is about somebody with another external id.
        """
        if not (row.user or row.email or row.external_id):
            raise Invalid("the row says not whom it is about")
        by_number = self._by_number.get(row.external_id, set())
        by_name = self._by_name.get(_folded(row.user), set())
        by_email = self._by_email.get(row.email.casefold(), set())
        found = by_number | by_name | by_email
        seen |= found
        if len(found) > 1:
            names = sorted(self.names[user] for user in found)
            raise Conflict(f"this may be any of {', '.join(names[:5])}")
        for user in found:
            self.number(user, row.external_id)
            return user
        return None

    def number(self, user: int, number: str) -> None:
        """Note the external id of a user, if there is one to note.

        Raises:
            Invalid: it cannot be one.
            Conflict: they have another one.
        """
        known = self._numbers.get(user, "")
        if not number or number == known:
            return
        if known:
            raise Conflict(f"{self.names[user]} has the external id {known!r}, not {number!r}")
        if len(number) > NUMBER_LENGTH:
            raise Invalid(f"an external id has at most {NUMBER_LENGTH} characters")
        self._numbers[user] = self.new_numbers[user] = number
        self._by_number[number].add(user)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
