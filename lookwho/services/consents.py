"""Consents: what people agreed to, by purpose, in which version of its text, and since when.

Each purpose has a text, in versions. The first ones come with Lookwho; owners write later ones. A
new version is asked about at the next use, and the consent to an older one holds until its giver
says something else: nobody is shut out because a comma was moved, and nobody agreed to what they
were not shown, since what was agreed to is kept with its version.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from lookwho.core.errors import Conflict, ConsentNeeded, Forbidden, Invalid
from lookwho.library.models import Consent, ConsentText, Erasure, Person, Setting, User

FIND = "find_me"
NAMES = "names"
EVENTS = "consenting_events"
PURPOSES = (FIND, NAMES, EVENTS)

# What withdrawing one of them withdraws as well: without a selfie nobody can be told apart.
_NEEDED_BY = {FIND: (EVENTS,)}

# The first version of each text.
_FIRST = {
    FIND: (
        "I want to be found by my selfies. Lookwho makes a vector of the face in each selfie that "
        "I add, and compares it with the faces in the photos that I may look for myself in. Only I "
        "see what is found. A selfie that I remove is used no more, and kept for as long as is "
        "stated beside them, to look into misuse. When I withdraw this, all of it goes at once."
    ),
    NAMES: (
        "Other members may see my name at my face in photos that they may see. Without this, they "
        "see that somebody is in the photo and not who it is."
    ),
    EVENTS: (
        "Some events keep vectors of nobody who has not agreed to it. In those, my face may be "
        "kept where it looks like my selfies, so that I am found there, too. Whoever else is in "
        "these photos is forgotten as soon as the photo was looked at."
    ),
}
LONGEST_TEXT = 5000
# How old somebody has to be to agree by themselves, in years; an owner may choose another age.
CONSENT_AGE = "consent_age"
DEFAULT_AGE = 16


@dataclass(frozen=True, slots=True)
class Text:
    """One version of what people are asked.

    Attributes:
        purpose: what for.
        version: counted from 1.
        text: in plain English.
        written_at: when; None for the one that came with Lookwho.
    """

    purpose: str
    version: int
    text: str
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one user stands to one purpose.

    Attributes:
        text: its newest version: what would be agreed to now.
        consent: the one that holds, or None.
        agreed_text: what was agreed to.
        needs_guardian: whether somebody has to agree for them.
    """

    text: Text
    consent: Consent | None
    agreed_text: Text | None
    needs_guardian: bool

    @property
    def purpose(self) -> str:
        """What for."""
        return self.text.purpose

    @property
    def asks_again(self) -> bool:
        """Whether the text was changed since it was agreed to."""
        return self.agreed_text is not None and self.agreed_text.version < self.text.version


# --- texts ---


def texts(purpose: str) -> list[Text]:
    """Return all versions of a text, the newest first.

    Raises:
        Invalid: there is no such purpose.
    """
    _check(purpose)
    rows = ConsentText.objects.filter(purpose=purpose).order_by("-version")
    later = [Text(purpose, row.version, row.text, row.created_at) for row in rows]
    return [*later, Text(purpose, 1, _FIRST[purpose])]


def newest(purpose: str) -> Text:
    """Return the text that is asked now.

    Raises:
        Invalid: there is no such purpose.
    """
    return texts(purpose)[0]


def write_text(by: User, purpose: str, text: str) -> Text:
    """Ask something else from now on; whoever agreed already is asked again at the next use.

    Raises:
        Forbidden: only an owner does that.
        Invalid: there is no such purpose, the text is empty, too long or the same as before.
        Conflict: somebody else wrote one at the same moment.
    """
    if not by.is_owner:
        raise Forbidden("only an owner changes what people are asked to agree to")
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    if not 0 < len(text) <= LONGEST_TEXT:
        raise Invalid(f"a text has between 1 and {LONGEST_TEXT} characters, not {len(text)}")
    _check_letters(text)
    last = newest(purpose)
    if text == last.text:
        raise Invalid(f"this is version {last.version} of the text already: change something")
    try:
        with transaction.atomic():
            row = ConsentText.objects.create(
                purpose=purpose, version=last.version + 1, text=text, created_by=by
            )
    except IntegrityError as error:
        raise Conflict("somebody else changed this text at the same time: read it first") from error
    return Text(purpose, row.version, row.text, row.created_at)


# --- who agreed ---


def agreed(user: User, purpose: str) -> bool:
    """Return whether this user agreed, in any version of the text, and did not withdraw it."""
    _check(purpose)
    return Consent.objects.filter(user=user.pk, purpose=purpose, withdrawn_at=None).exists()


def require(user: User, purpose: str) -> None:
    """Do nothing where this user agreed.

    Raises:
        ConsentNeeded: they did not, or withdrew it.
    """
    if not agreed(user, purpose):
        raise ConsentNeeded(_NEEDED[purpose])


_NEEDED = {
    FIND: "this needs your consent to be found by selfies: give it under Selfies & privacy",
    NAMES: "this needs consent to show a name: it is given under Selfies & privacy",
    EVENTS: "this needs consent for events that keep only who agreed: give it under Selfies & "
    "privacy",
}


def standings(user: User, *, today: date | None = None) -> list[Standing]:
    """Return how a user stands to each purpose."""
    held = {row.purpose: row for row in Consent.objects.filter(user=user.pk, withdrawn_at=None)}
    minor = needs_guardian(user, today=today)
    found: list[Standing] = []
    for purpose in PURPOSES:
        versions = texts(purpose)
        consent = held.get(purpose)
        agreed_to = consent and next(
            (each for each in versions if str(each.version) == consent.version), None
        )
        found.append(Standing(versions[0], consent, agreed_to, minor))
    return found


def history(user: User) -> list[Consent]:
    """Return all that a user ever agreed to, the newest first."""
    return list(Consent.objects.filter(user=user.pk).order_by("-given_at", "-pk"))


def give(
    user: User,
    purpose: str,
    *,
    version: int,
    guardian: str = "",
    guardian_email: str = "",
    now: datetime | None = None,
) -> Consent:
    """Write down that a user agreed to the text of a purpose.

    Args:
        user: who agrees.
        purpose: to what.
        version: of the text that they were shown: the newest.
        guardian: who agrees for a minor: their name.
        guardian_email: and their address.
        now: when.

    Raises:
        Forbidden: nobody is signed in.
        Invalid: there is no such purpose; or a minor, and nobody who agrees for them.
        Conflict: the text was changed since they were shown it; what they agree to now is another.
    """
    if not (user.is_authenticated and user.is_active):
        raise Forbidden("sign in to agree to something")
    now = now or timezone.now()
    text = newest(purpose)
    if version != text.version:
        raise Conflict(
            f"the text was changed meanwhile: version {text.version} holds, and you were shown "
            f"{version}. Read it again"
        )
    guardian, guardian_email = " ".join(guardian.split()), guardian_email.strip()
    if needs_guardian(user, today=timezone.localdate(now)):
        _check_guardian(guardian, guardian_email)
    else:
        guardian = guardian_email = ""  # of nobody more is kept than is needed
    with transaction.atomic():
        # One at a time, so that of two at once both do not find that none holds.
        User.objects.select_for_update().get(pk=user.pk)
        held = Consent.objects.filter(user=user.pk, purpose=purpose, withdrawn_at=None)
        same = held.filter(version=str(version), guardian=guardian).first()
        if same is not None:
            return same
        replaced = held.update(withdrawn_at=now)
        consent = Consent.objects.create(
            user=user,
            purpose=purpose,
            version=str(version),
            guardian=guardian,
            guardian_email=guardian_email,
        )
        # The moment at which an older one ended, so that a reader sees it was replaced.
        consent.given_at = now
        consent.save(update_fields=["given_at"])
    if purpose in (EVENTS, FIND) and not replaced:
        # Here, since it asks who agreed: it cannot be imported above.
        from lookwho.services import events

        events.consent_came(user)
    return consent


def withdraw(user: User, purpose: str, *, now: datetime | None = None) -> Erasure | None:
    """Take a consent back, and erase what was kept because of it, at once.

    Of being found: all selfies, their vectors and what was found by them. Of events that keep only
    who agreed: the vectors in those. Returns what says so, with its receipt as soon as it is done;
    None where nothing was agreed to.
    """
    # Here, since selfies ask for consent, and erasing removes them.
    from lookwho.services import erasure

    _check(purpose)
    now = now or timezone.now()
    gone = (purpose, *_NEEDED_BY.get(purpose, ()))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        held = Consent.objects.filter(user=user.pk, purpose__in=gone, withdrawn_at=None)
        purposes = set(held.values_list("purpose", flat=True))
        held.update(withdrawn_at=now)
    return erasure.withdrawn(user, purposes, now=now) if purposes else None


def may_be_named() -> frozenset[int]:
    """Return the root people whose names members may see: their users agreed to it."""
    people = Person.objects.filter(
        user__is_active=True,
        user__consents__purpose=NAMES,
        user__consents__withdrawn_at=None,
        hidden=False,
    )
    return frozenset(people.values_list(Coalesce("root", "pk"), flat=True))


# --- minors ---


def needs_guardian(user: User, *, today: date | None = None) -> bool:
    """Return whether somebody has to agree for this user: they are too young to do it themselves.

    Whose birth date nobody knows is taken to be old enough.
    """
    born = user.birth_date
    if born is None:
        return False
    today = today or timezone.localdate()
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return age < consent_age()


def consent_age() -> int:
    """Return how old somebody has to be to agree by themselves, in years."""
    row = Setting.objects.filter(name=CONSENT_AGE).first()
    return row.value if row is not None and isinstance(row.value, int) else DEFAULT_AGE


def _check_letters(text: str) -> None:
    """Refuse what is no text, and what no database takes."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text if letter != "\n"):
        raise Invalid("a text cannot hold control characters")


def _check_guardian(name: str, email: str) -> None:
    _check_letters(name)
    if not name:
        raise Invalid(
            _("you are too young to agree by yourself: a parent or guardian gives their name")
        )
    if len(name) > 200:
        raise Invalid(f"a name has at most 200 characters, not {len(name)}")
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(
            _("a parent or guardian gives an e-mail address at which they can be asked")
        ) from error


def _check(purpose: str) -> None:
    if purpose not in PURPOSES:
        raise Invalid(f"there is no purpose {purpose!r}; choose from {', '.join(PURPOSES)}")
