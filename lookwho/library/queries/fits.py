"""Fits: what was learned from this library, and what guesses are made with."""

from __future__ import annotations

import json
from collections.abc import Iterable

from lookwho.core.identify import Settings
from lookwho.core.match import SAME
from lookwho.library.models import (
    AlbumItem,
    Audit,
    Collection,
    Decision,
    Fit,
    Location,
    Media,
    Setting,
)

# The name of the setting, whose value is {"probability": …, "before": …}.
THRESHOLD = "threshold"
# A guess that is less likely than not is never shown as a name, whatever is chosen.
LEAST_THRESHOLD, MOST_THRESHOLD = SAME, 0.99
THRESHOLDS = tuple(round(LEAST_THRESHOLD + step / 100, 2) for step in range(50))
_Verb = Decision.Verb
_SAID = (_Verb.CONFIRM, _Verb.REJECT, _Verb.MERGE, _Verb.NOT_A_FACE)
# Ids in one statement: SQLite takes up to 32,766 parameters.
_CHUNK = 1000


def active_fit(pack_id: int) -> Fit | None:
    """Return the fit that guesses of this pack are made with; None for what is shipped."""
    return Fit.objects.filter(pack=pack_id, active=True).first()


def newest_fit(pack_id: int) -> Fit | None:
    """Return the fit that was made last, whatever became of it."""
    return Fit.objects.filter(pack=pack_id).order_by("-pk").first()


def decisions_since(fit: Fit | None) -> int:
    """Return how many decisions were made that a fit did not know; None for all."""
    said = Decision.objects.filter(verb__in=_SAID)
    return said.filter(pk__gt=fit.learned_until if fit else 0).count()


def answers() -> int:
    """Return of how many faces of the audit is known whose they are."""
    told = Audit.objects.filter(state__in=(Audit.State.NAMED, Audit.State.STRANGER))
    told = told.filter(face__dismissed=False)
    return told.exclude(state=Audit.State.NAMED, face__person=None).count()


def active_settings(pack_id: int) -> Settings | None:
    """Return the settings that were learned and are in use; None for those that are shipped."""
    fit = active_fit(pack_id)
    return None if fit is None else settings_of(fit)


def settings_of(fit: Fit) -> Settings:
    """Return what a fit has learned: a few numbers, and no vector of anybody.

    One that another version of Lookwho kept in another form counts as what is shipped.
    """
    try:
        return Settings.from_json(json.loads(bytes(fit.state)))
    except (KeyError, TypeError, ValueError):
        return Settings.default()


def threshold() -> float:
    """Return the least probability at which a guess is shown as a name; below, it is a question.

    What the owner chose; else a half: likelier than not.
    """
    row = Setting.objects.filter(name=THRESHOLD).first()
    return SAME if row is None else float(row.value["probability"])


def audited() -> frozenset[int]:
    """Return the ids of all faces that were drawn for the audit, whatever was answered.

    Nothing is ever learned from them, nor is any other face recognised by them.
    """
    faces = Audit.objects.exclude(face=None).values_list("face_id", flat=True)
    return frozenset(face for face in faces if face is not None)


def events(media: Iterable[int]) -> dict[int, frozenset[str]]:
    """Return what each medium belongs to: two that share an event may not help each other.

    The albums as which it was uploaded, and the day on which it was taken. An album that a folder
    was imported into is none, since it may hold a whole archive; nor is the day on which a file
    was last changed, which may be the day of a copy. Where nothing tells, a photo stands alone.
    """
    ids = sorted(set(media))
    found: dict[int, set[str]] = {pk: set() for pk in ids}
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        uploaded = Location.objects.filter(
            media__in=some, collection__kind=Collection.Kind.UPLOADS
        ).values("media")
        for pk, album in AlbumItem.objects.filter(media__in=uploaded).values_list(
            "media_id", "album_id"
        ):
            found[pk].add(f"album {album}")
        changed: dict[int, set[int]] = {}
        for pk, mtime in Location.objects.filter(media__in=some).values_list(
            "media_id", "mtime_ns"
        ):
            changed.setdefault(pk or 0, set()).add(mtime // 1_000_000_000)
        for pk, taken_at in Media.objects.filter(pk__in=some).values_list("pk", "taken_at"):
            # A camera's clock tells whole seconds; file systems tell more.
            if taken_at.microsecond == 0 and int(taken_at.timestamp()) not in changed.get(pk, ()):
                found[pk].add(f"day {taken_at:%Y-%m-%d}")
    return {pk: frozenset(keys or {f"photo {pk}"}) for pk, keys in found.items()}
