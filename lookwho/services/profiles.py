"""Profiles: what is written down of a person beside what they are called; nothing about faces."""

from __future__ import annotations

import unicodedata
from datetime import date
from enum import StrEnum
from typing import TypedDict

from django.utils import timezone

from lookwho.core.errors import Invalid
from lookwho.library.models import Person, User
from lookwho.services.decisions import acting
from lookwho.services.identity import root_of

# Of a given name, a family name or a patronymic, in characters.
LONGEST = 100
# Whoever was born before is in no photo.
EARLIEST = date(1800, 1, 1)


class Sex(StrEnum):
    """What is written down as somebody's sex, where it is."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = ""


_LETTERS = {Sex.FEMALE: "f", Sex.MALE: "m", Sex.OTHER: "o", Sex.UNKNOWN: ""}
_OF_LETTER = {letter: sex for sex, letter in _LETTERS.items()}


class Told(TypedDict, total=False):
    """What is to be written down; what is left out stays."""

    given_name: str
    family_name: str
    patronymic: str
    sex: str
    birth_date: date | None


def describe(by: User, person: Person, told: Told) -> Person:
    """Write down what is told of a person; return their row, or that of whom they were merged into.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Invalid: something of it cannot be; then nothing is written down.
    """
    with acting(by):
        root = root_of(person)
        if "given_name" in told:
            root.given_name = checked_part("a given name", told["given_name"])
        if "family_name" in told:
            root.family_name = checked_part("a family name", told["family_name"])
        if "patronymic" in told:
            root.patronymic = checked_part("a patronymic", told["patronymic"])
        if "sex" in told:
            root.sex = _LETTERS[checked_sex(told["sex"])]
        if "birth_date" in told:
            root.birth_date = checked_birth_date(told["birth_date"])
        root.save(update_fields=list(told))
        return root


def sex_of(person: Person) -> Sex:
    """Return what is written down as somebody's sex."""
    return _OF_LETTER.get(person.sex, Sex.UNKNOWN)


def full_name(person: Person) -> str:
    """Return the name that the parts of it make; blank where there are none."""
    return " ".join(filter(None, (person.given_name, person.patronymic, person.family_name)))


def checked_part(what: str, name: str) -> str:
    """Return a part of a name as it is kept; it may be blank.

    Args:
        what: which part, for the error.
        name: as it was typed.

    Raises:
        Invalid: it is too long, or holds what is no letter.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if len(name) > LONGEST:
        raise Invalid(f"{what} has at most {LONGEST} characters, not {len(name)}")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise Invalid(f"{what} cannot hold control characters")
    return name


def checked_sex(told: str) -> Sex:
    """Return a sex.

    Raises:
        Invalid: there is none of that name.
    """
    try:
        return Sex(told)
    except ValueError:
        known = ", ".join(sex for sex in Sex if sex)
        raise Invalid(f"a sex is {known} or blank, not {told[:20]!r}") from None


def checked_birth_date(day: date | None, *, today: date | None = None) -> date | None:
    """Return a day on which somebody in a photo may have been born.

    Raises:
        Invalid: nobody was.
    """
    if day is None:
        return None
    if day <= EARLIEST:
        raise Invalid(f"a birth date is later than {EARLIEST}, and {day} is not")
    if day > (today or timezone.localdate()):
        raise Invalid(f"{day} is still to come")
    return day
