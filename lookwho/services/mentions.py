"""Mentions: where somebody is named beside their own rows: in jobs, sessions, links, releases.

A name is looked for as it is written, as a whole word, whatever the case. In the place of one that
is part of something else there are three dots afterwards.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import Q

from lookwho.core.errors import Conflict
from lookwho.library.models import (
    Analysis,
    Decision,
    Guest,
    Job,
    Person,
    Reference,
    Release,
    Request,
    SearchLog,
    Share,
    Upload,
    User,
)
from lookwho.services import releases

DOTS = "…"
GONE = "annotator-gone"

Json = Any


def names_of(user: User | None, family: Sequence[Person]) -> frozenset[str]:
    """Return all that somebody was ever called here, with their address."""
    found: set[str] = set()
    for person in family:
        found |= {person.name, f"{person.given_name} {person.family_name}"}
    said = Decision.objects.filter(person__in=family, verb=Decision.Verb.RENAME)
    for pair in said.values_list("text", "before"):
        found |= set(pair)
    if user is not None:
        found |= {user.username, user.get_full_name(), user.email, user.external_id}
    found = {name.strip() for name in found if len(name.strip()) > 1}
    # Somebody else may be called the same: what names them stays.
    others = Person.objects.filter(name__in=found).exclude(pk__in=[each.pk for each in family])
    return frozenset(found - set(others.values_list("name", flat=True)))


def forget(
    names: Collection[str], user: User | None, family: Sequence[Person], faces: Sequence[int]
) -> Counter[str]:
    """Take a person out of all that mentions them, in the caller's transaction."""
    counts: Counter[str] = Counter()
    ids = {person.pk for person in family}
    counts["names in decisions"] += _in_decisions(names, ids)
    counts["jobs"] += _in_jobs(names, user, ids, set(faces))
    counts["sessions"] += _in_sessions(names, user)
    counts["releases"] += _in_releases(names, user, family)
    counts["links"] += _in_links(names, user)
    counts["names in messages and lists"] += _in_texts(names)
    return counts


def of_reference(reference: int) -> int:
    """Delete the jobs about a selfie; return how many."""
    return Job.objects.filter(kind=Job.Kind.REFERENCE, payload__reference=reference).delete()[0]


def of_selfies(user: User, *, before: datetime) -> Counter[str]:
    """Forget what was found by a user's selfies, up to a moment."""
    jobs = Job.objects.filter(kind=Job.Kind.MAIL, payload__user=user.pk, created_at__lte=before)
    searches = SearchLog.objects.filter(user=user, created_at__lte=before)
    return Counter({"jobs": jobs.delete()[0], "searches": searches.delete()[0]})


# --- by table ---


def _in_decisions(names: Collection[str], family: Collection[int]) -> int:
    """Blank a name that others once had by mistake."""
    others = Decision.objects.filter(verb=Decision.Verb.RENAME).exclude(person__in=family)
    count = others.filter(text__in=names).update(text=DOTS)
    return count + others.filter(before__in=names).update(before=DOTS)


def _in_jobs(
    names: Collection[str], user: User | None, family: Collection[int], faces: Collection[int]
) -> int:
    count = 0
    if user is not None:
        count += Job.objects.filter(payload__user=user.pk).delete()[0]
    said = _pattern(names)
    for job in Job.objects.only("kind", "payload", "error", "error_code").iterator():
        payload, error = _without(job.payload, said), _cut(job.error, said)
        if job.kind == Job.Kind.GROUP:
            payload = _without_ids(payload, family, faces)
        elif job.kind == Job.Kind.EMBED:
            payload = payload | {"faces": [each for each in payload["faces"] if each not in faces]}
        if payload != job.payload or error != job.error:
            Job.objects.filter(pk=job.pk).update(payload=payload, error=error)
            count += 1
    return count


def _without_ids(payload: Json, family: Collection[int], faces: Collection[int]) -> Json:
    """Take a person out of what a pass keeps for questions: whom groups and faces may be."""
    told = dict(payload)
    for key, own in (("likely", family), ("doubts", faces)):
        if key in told:
            told[key] = [row for row in told[key] if row[0] not in own and row[1] not in family]
    return told


def _in_sessions(names: Collection[str], user: User | None) -> int:
    said = _pattern(names)
    gone: list[str] = []
    for session in Session.objects.all().iterator():
        data = session.get_decoded()
        mine = user is not None and str(data.get("_auth_user_id")) == str(user.pk)
        if mine or _without(data, said) != data:
            gone.append(session.session_key)
    return Session.objects.filter(pk__in=gone).delete()[0]


def _in_releases(names: Collection[str], user: User | None, family: Sequence[Person]) -> int:
    """Take a person out of frozen releases: what names them, and the pseudonym they label by."""
    uuids = {str(person.uuid) for person in family}
    count = 0
    for release in Release.objects.select_related("project"):
        own = {releases.pseudonym(release.project, user.pk)} if user else set[str]()
        if user is not None:
            own.add(user.username)
        try:
            head, faces = releases.rows(release)
        except Conflict:  # damaged, so that nobody can tell what it holds: its content goes
            head, faces = dict[str, Any](format=releases.FORMAT, damaged=True), []
            release.digest = b""
        kept = [_row_without(face, uuids, names, own) for face in faces]
        if kept == faces and release.digest:
            continue
        head["erased"] = head.get("erased", 0) + 1
        lines = b"".join(
            json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            for row in (head, *kept)
        )
        release.content = gzip.compress(lines, mtime=0)
        release.digest = hashlib.sha256(lines).digest()
        release.save(update_fields=["content", "digest"])
        count += 1
    return count


def _row_without(
    face: dict[str, Any], uuids: Collection[str], names: Collection[str], own: Collection[str]
) -> dict[str, Any]:
    """Return a face of a release without what is said of these people, and by them."""
    row = dict(face)
    if row["person"] in uuids or row["name"] in names:
        row |= {"person": None, "name": None, "split": None, "verdict": "", "face": None}
        row |= {"box": [0, 0, 0, 0], "erased": True}
    row["labels"] = [
        label
        | ({"annotator": GONE} if label["annotator"] in own else {})
        | (
            {"person": None, "name": None, "verdict": "", "box": None}
            if label["person"] in uuids or label["name"] in names
            else {}
        )
        for label in row["labels"]
    ]
    return row


def _in_links(names: Collection[str], user: User | None) -> int:
    """Blank for whom invitations were, and where they were sent."""
    theirs = Q(name__in=names)
    if user is not None and user.email:
        theirs |= Q(email__iexact=user.email)
        Request.objects.filter(email__iexact=user.email).update(email="")
        Guest.objects.filter(email__iexact=user.email, references=None).delete()
    return Share.objects.filter(theirs).update(name="", email="")


def _in_texts(names: Collection[str]) -> int:
    said = _pattern(names)
    count = 0
    for kind, fields in (
        (Request, ("message", "answer", "email")),
        (Upload, ("name", "error", "refused")),
        (Analysis, ("error",)),
        (Reference, ("error",)),
    ):
        filled = Q()
        for field in fields:
            filled |= ~Q(**{field: [] if field == "refused" else ""})
        for pk, *values in kind.objects.filter(filled).values_list("pk", *fields).iterator():
            cut = [_without(value, said) for value in values]
            if cut != values:
                kind.objects.filter(pk=pk).update(**dict(zip(fields, cut, strict=True)))
                count += 1
    return count


# --- in texts ---


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds any of some names as a whole word; None where there are none."""
    some = sorted(names, key=len, reverse=True)
    if not some:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, some))})(?!\w)", re.IGNORECASE)


def _cut(text: str, said: re.Pattern[str] | None) -> str:
    """Return a text without the names.

    >>> _cut("anna.jpg is cut short", _pattern({"Anna"}))
    '….jpg is cut short'
    >>> _cut("Annabel is in it", _pattern({"Anna"}))
    'Annabel is in it'
    """
    return said.sub(DOTS, text) if said else text


def _without(value: Json, said: re.Pattern[str] | None) -> Json:
    """Return JSON without the names, wherever in it they are."""
    if isinstance(value, str):
        return _cut(value, said)
    if isinstance(value, list):
        return [_without(each, said) for each in value]
    if isinstance(value, dict):
        return {key: _without(each, said) for key, each in value.items()}
    return value
