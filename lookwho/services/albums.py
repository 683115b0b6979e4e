"""Albums: titled sets of media."""

from __future__ import annotations

import unicodedata

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from lookwho.core.errors import Invalid
from lookwho.library.models import Album, User

TITLE_LENGTH = 200


def album_titled(title: str, *, by: User | None) -> Album:
    """Return the album of that title; where there is none, it is made.

    Raises:
        Invalid: the title is empty, too long, or has characters that cannot be seen.
    """
    title = checked_title(title)
    number = 1
    while True:
        if album := Album.objects.filter(title=title).order_by("pk").first():
            return album
        stem = slugify(title)[:TITLE_LENGTH].strip("-_") or "album"
        slug = stem if number == 1 else f"{stem}-{number}"
        if not Album.objects.filter(slug=slug).exists():
            try:
                with transaction.atomic():
                    return Album.objects.create(title=title, slug=slug, created_by=by)
            except IntegrityError:  # somebody made one just now: perhaps the same
                continue
        number += 1


def checked_title(title: str) -> str:
    """Return a title as it is kept.

    Raises:
        Invalid: it is empty, too long, or has characters that cannot be seen.
    """
    title = unicodedata.normalize("NFC", title).strip()
    if not title:
        raise Invalid("a title is needed")
    if len(title) > TITLE_LENGTH:
        raise Invalid(f"the title has {len(title)} characters, and at most {TITLE_LENGTH} fit")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in title):
        raise Invalid(f"the title {title!r} has characters that cannot be seen")
    return title
