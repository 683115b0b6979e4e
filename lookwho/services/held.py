"""Held: everything that is kept about one user, as a file that they can take away."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

import numpy as np
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q
from django.utils import timezone

from lookwho.library.models import (
    Answer,
    ApiToken,
    Decision,
    Embedding,
    EntryLink,
    Face,
    Job,
    Label,
    Like,
    Membership,
    Person,
    Reference,
    Request,
    SiteAccount,
    Team,
    Upload,
    User,
)
from lookwho.library.queries import privacy, tracks
from lookwho.services import consents, search

Json = dict[str, Any]
_KEPT = ("x1", "y1", "x2", "y2", "quality", "probability")
# What fits into so many bytes is kept in memory.
_IN_MEMORY = 4 << 20

_READ_ME = """\
Everything that Lookwho keeps about {name}, as of {at:%Y-%m-%d %H:%M} UTC.

held.json     the account, consents, searches, likes, requests, decisions, and the photos and videos
              in which you were found or named; of videos also when, in seconds
vectors.json  what was computed of your face: numbers, by which selfies and photos are compared
selfies/      the pictures that you are found by

The photos themselves are not in it: they show others, too. Download them under My photos.
"""


def held(user: User, *, now: datetime | None = None) -> Json:
    """Return what is kept about a user, without pictures and vectors."""
    now = now or timezone.now()
    family = _family(user)
    return {
        "at": now,
        "account": _account(user),
        "consents": _consents(user),
        "selfies": [
            {
                "uuid": row.uuid,
                "added_at": row.created_at,
                "state": row.state,
                "reason": row.error,
                "approved": row.approved,
                "removed_at": row.deleted_at,
                "file": f"selfies/{row.file}" if row.file else None,
            }
            for row in Reference.objects.filter(user=user).order_by("pk")
        ],
        "photos": _photos(user),
        "person": _person(family),
        "searches": list(privacy.searches_by(user).values("created_at", "purpose", "matches")),
        "searched_for": [
            {"at": row.created_at, "purpose": row.purpose} for row in privacy.searches_for(user)
        ],
        "likes": list(
            Like.objects.filter(user=user).order_by("pk").values("media__uuid", "created_at")
        ),
        "requests": list(
            Request.objects.filter(user=user)
            .order_by("pk")
            .values("media__uuid", "message", "state", "answer", "created_at", "answered_at")
        ),
        "uploads": list(
            Upload.objects.filter(user=user).order_by("pk").values("name", "size", "created_at")
        ),
        "decisions": list(
            Decision.objects.filter(actor=user)
            .order_by("pk")
            .values("uuid", "verb", "text", "created_at")
        ),
        "answers": list(
            Answer.objects.filter(user=user)
            .order_by("pk")
            .values("question", "verdict", "created_at")
        ),
        "labels": list(
            Label.objects.filter(user=user).order_by("pk").values("verdict", "given_at")
        ),
        "sign_ins": _sign_ins(user, now),
        "jobs": list(
            Job.objects.filter(payload__user=user.pk).order_by("pk").values("kind", "created_at")
        ),
        "erased": list(privacy.erasures_of(user).values("uuid", "created_at", "receipt")),
    }


def export(user: User, *, now: datetime | None = None) -> IO[bytes]:
    """Return a zip of everything that is kept about a user, with their selfies; to be closed."""
    now = now or timezone.now()
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  it is what is returned
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _READ_ME.format(name=user.username, at=now))
        archive.writestr("held.json", _text(held(user, now=now)))
        archive.writestr("vectors.json", _text(_vectors(user)))
        for row in Reference.objects.filter(user=user).exclude(file="").order_by("pk"):
            path = settings.SELFIES / row.file
            if path.is_file():
                archive.write(path, f"selfies/{row.file}")
    file.seek(0)
    return file


def _account(user: User) -> Json:
    return {
        "uuid": user.uuid,
        "name": user.username,
        "full_name": user.get_full_name(),
        "email": user.email,
        "role": user.role,
        "external_id": user.external_id,
        "birth_date": user.birth_date,
        "joined_at": user.date_joined,
        "signed_in_at": user.last_login,
        "visited_at": user.visited_at,
        "visited_before": user.visited_before,
        "wants_mail": user.wants_mail,
        "mailed_until": user.mailed_until,
        "teams": list(
            Team.objects.filter(users=user).order_by("title").values_list("title", flat=True)
        ),
        "memberships": list(
            Membership.objects.filter(user=user)
            .order_by("since")
            .values("since", "until", "source")
        ),
    }


def _consents(user: User) -> list[Json]:
    texts = {
        (purpose, str(text.version)): text.text
        for purpose in consents.PURPOSES
        for text in consents.texts(purpose)
    }
    return [
        {
            "purpose": row.purpose,
            "version": row.version,
            "text": texts.get((row.purpose, row.version)),
            "given_at": row.given_at,
            "withdrawn_at": row.withdrawn_at,
            "guardian": row.guardian,
            "guardian_email": row.guardian_email,
        }
        for row in consents.history(user)
    ]


def _photos(user: User) -> list[Json]:
    return [
        {
            "photo": match.media.uuid,
            "day": match.media.day,
            "probability": match.probability,
            "sure": match.mine,
            **({"seen": [list(span) for span in match.times]} if match.times else {}),
        }
        for match in search.my_photos(user)
    ]


def _family(user: User) -> list[Person]:
    linked = Person.objects.filter(user=user).first()
    if linked is None:
        return []
    root = linked.root_id or linked.pk
    return list(Person.objects.filter(Q(pk=root) | Q(root=root)).order_by("pk"))


def _person(family: list[Person]) -> list[Json]:
    """Return who the user is in photos, as far as somebody said so."""
    return [
        {
            "uuid": person.uuid,
            "name": person.name,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "patronymic": person.patronymic,
            "sex": person.sex,
            "birth_date": person.birth_date,
            "faces": _faces(person),
            "decisions": list(
                Decision.objects.filter(person=person)
                .order_by("pk")
                .values("verb", "text", "before", "created_at")
            ),
        }
        for person in family
    ]


def _faces(person: Person) -> list[Json]:
    """Return the faces of a person; of one in a video also when it is seen, in seconds."""
    rows = list(
        Face.objects.filter(Q(person=person) | Q(person=None, guess=person))
        .order_by("pk")
        .values("pk", "uuid", "media__uuid", "time", *_KEPT)
    )
    seen = tracks.times_of([row["pk"] for row in rows])
    for row in rows:
        times = seen.get(row.pop("pk"), ())
        if row["time"] is None:
            del row["time"]
        else:
            row["appearances"] = [{"start": start, "end": end} for start, end in times]
    return rows


def _sign_ins(user: User, now: datetime) -> Json:
    """Return the ways in which somebody can sign in, without what would let others do so."""
    theirs = [
        session.expire_date
        for session in Session.objects.filter(expire_date__gt=now).iterator()
        if str(session.get_decoded().get("_auth_user_id")) == str(user.pk)
    ]
    found: Json = {
        "password": user.has_usable_password(),
        "sessions_until": theirs,
        "entry_links": list(
            EntryLink.objects.filter(user=user).values("created_at", "used_at", "expires_at")
        ),
        "api_tokens": list(
            ApiToken.objects.filter(user=user).values(
                "title", "scopes", "created_at", "used_at", "revoked_at"
            )
        ),
        "sites": list(
            SiteAccount.objects.filter(user=user).values("collection__title", "created_at")
        ),
    }
    # What comes with allauth, as far as it is installed.
    for name, fields in (
        ("emailaddress", ("email", "verified", "primary")),
        ("socialaccount", ("provider", "uid", "date_joined", "last_login", "extra_data")),
        ("authenticator", ("type", "created_at", "last_used_at")),
    ):
        rows = getattr(user, f"{name}_set", None)
        if rows is not None:
            found[name] = list(rows.values(*fields))
    return found


def _vectors(user: User) -> list[Json]:
    family = _family(user)
    mine = Q(reference__user=user) | Q(face__person__in=family)
    mine |= Q(face__person=None, face__guess__in=family)
    rows = Embedding.objects.filter(mine).select_related("reference", "face", "pack")
    return [
        {
            "selfie": row.reference.uuid if row.reference else None,
            "face": row.face.uuid if row.face else None,
            "pack": f"{row.pack.name} {row.pack.preset} {row.pack.revision}",
            "vector": [round(float(number), 7) for number in np.frombuffer(row.vector, "<f4")],
        }
        for row in rows.order_by("pk")
    ]


def _text(told: Mapping[str, Any] | list[Json]) -> str:
    return json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
