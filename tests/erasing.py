"""Somebody of whom much is kept, and a search of all bytes for what may be left of them."""

import contextlib
import gzip
import hashlib
import json
import os
import sqlite3
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection

from lookwho.library import vectors
from lookwho.library.models import (
    Audit,
    Consent,
    Decision,
    Embedding,
    Face,
    Guest,
    Job,
    Label,
    Like,
    Media,
    Person,
    Project,
    Reference,
    Region,
    Release,
    Request,
    SearchLog,
    Share,
    Task,
    Upload,
    User,
)
from lookwho.services import accounts, consents, people, releases
from lookwho.services.pictures import Pictures
from tests.gallery import draw, make_collection, make_faces, make_pack, make_photo, near
from tests.pictures import encode, four_corners

NAME = "Zdenka Ďurovičová"
OLD_NAME = "Zdenka Nováková-Hrubá"
EMAIL = "zdenka.durovicova@example.org"


@dataclass
class Somebody:
    """Who is to be erased, what tells of them, and somebody else who stays."""

    owner: User
    user: User
    person: Person
    media: list[Media]
    faces: list[int]
    vectors: list[np.ndarray]
    picture: bytes
    crops: list[bytes]
    other: Person
    other_vectors: list[np.ndarray]
    needles: dict[str, bytes] = field(default_factory=dict)


def somebody(folder: Path, *, count=12) -> Somebody:
    """Make a user with a selfie and a person with faces, named, labelled, searched, released."""
    generator = np.random.default_rng(5)
    owner = accounts.the_owner()
    user = accounts.make_user(NAME, email=EMAIL)
    collection = make_collection(root=str(folder))
    pack = make_pack()
    own, another = draw(generator, 2)
    theirs = [near(generator, own, 0.02) for _ in range(count)]
    others = [near(generator, another, 0.02) for _ in range(count)]
    media, faces = [], []
    for number, (vector, stranger) in enumerate(zip(theirs, others, strict=True)):
        path = folder / f"{number}.jpg"
        data = encode(four_corners(), "JPEG") + bytes([number])
        path.write_bytes(data)
        photo = make_photo(collection=collection, width=640, height=480, format="JPEG")
        photo.locations.update(path=path.name, size=len(data), mtime_ns=path.stat().st_mtime_ns)
        [face] = make_faces([(photo, vector)], pack=pack)
        [beside] = make_faces([(photo, stranger)], pack=pack)
        Face.objects.filter(pk=beside.pk).update(x1=0.6, y1=0.6, x2=0.8, y2=0.8)
        media.append(photo)
        faces.append(face)
    # Rows that come later move those before to other pages, and leave copies behind.
    _churn(generator, pack)
    long_ago = near(generator, own, 0.02)
    _deleted_carelessly(long_ago, pack)
    person = _decided(owner, user, faces)
    other = Person.objects.create(name="Bert Beständig")
    Face.objects.filter(media__in=media, x1=0.6).update(person=other)
    picture = os.urandom(20_000)
    reference = _selfie(user, picture, theirs, pack)
    _told(owner, user, person, media, reference, faces)
    _labelled(owner, user, person, faces[:3])
    crops = _pictures(media[:2], folder)
    _churn(generator, pack)
    user.refresh_from_db()
    made = Somebody(
        owner,
        user,
        person,
        media,
        [face.pk for face in faces],
        theirs,
        picture,
        crops,
        other,
        others,
    )
    made.needles = _needles(made)
    made.needles["vector deleted long ago"] = long_ago.astype("<f4").tobytes()[:32]
    return made


def _churn(generator, pack):
    rows = make_photo(*draw(generator, 40), pack=pack).faces.values_list("pk", flat=True)
    ids = list(rows)[::2]
    vectors.removed(ids)
    Face.objects.filter(pk__in=ids).delete()


def _deleted_carelessly(vector, pack):
    """Leave bytes where no row is any more, as each ordinary DELETE does on most systems."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("pragma secure_delete = off")
    faces = make_faces([(make_photo(), vector) for _ in range(60)], pack=pack)
    Embedding.objects.filter(face__in=faces).delete()
    Face.objects.filter(pk__in=[face.pk for face in faces]).delete()


def _decided(owner, user, faces):
    done = people.assign(owner, faces[:6], OLD_NAME)
    person = Person.objects.get(name=OLD_NAME)
    people.rename(owner, person, NAME)
    person.refresh_from_db()
    Face.objects.filter(pk__in=[face.pk for face in faces[6:9]]).update(
        guess=person, probability=0.9
    )  # the rest is found by the selfie alone
    Person.objects.filter(pk=person.pk).update(
        user=user, given_name=NAME.split()[0], family_name=NAME.split()[1]
    )
    wrong = Person.objects.create(name="Karel")
    Decision.objects.create(actor=owner, verb="rename", person=wrong, text="Karel", before=NAME)
    assert done.batch
    return Person.objects.get(pk=person.pk)


def _selfie(user, picture, theirs, pack):
    Path(settings.SELFIES).mkdir(parents=True, exist_ok=True)
    for purpose in consents.PURPOSES:
        Consent.objects.create(user=user, purpose=purpose, version="1", guardian=NAME)
    reference = Reference.objects.create(user=user, file=f"{uuid.uuid4()}.jpg", state="done")
    (settings.SELFIES / reference.file).write_bytes(picture)
    Embedding.objects.create(
        reference=reference, pack=pack, vector=theirs[0].astype("<f4").tobytes()
    )
    return reference


def _told(owner, user, person, media, reference, faces):
    SearchLog.objects.create(user=user, purpose="find_self", matches=3, person=person)
    Like.objects.create(user=user, media=media[0])
    Request.objects.create(user=user, media=media[1], message=f"{NAME} asks")
    Request.objects.create(media=media[1], email=EMAIL, message=f"I am {NAME.upper()}.")
    token = hashlib.sha256(b"a").digest()
    Share.objects.create(
        kind="invitation",
        name=NAME,
        email=EMAIL,
        token_hash=token,
        expires_at=media[0].taken_at,
        created_by=owner,
    )
    share = Share.objects.create(
        kind="person", person=person, token_hash=token[::-1], expires_at=media[0].taken_at
    )
    guest = Guest.objects.create(
        share=share, token_hash=token, email=EMAIL, keep_until=media[0].taken_at
    )
    Reference.objects.create(guest=guest, file="", state="rejected", error=f"{NAME}.jpg is blurred")
    Upload.objects.create(
        user=owner,
        name=f"{NAME}.zip",
        size=1,
        refused=[{"name": f"trip/{NAME}.jpg", "code": "broken_image", "message": "cut short"}],
    )
    Upload.objects.create(user=user, name="mine.zip", size=1)
    Region.objects.create(media=media[0], name=NAME, source="mwg", x1=0.1, y1=0.1, x2=0.3, y2=0.3)
    Region.objects.create(
        media=media[1],
        name=OLD_NAME,
        source="mwg",
        x1=0.5,
        y1=0.1,
        x2=0.7,
        y2=0.3,
        state="declined",
    )
    Job.objects.create(kind="reference", payload={"reference": reference.pk}, state="done")
    Job.objects.create(kind="mail", payload={"user": user.pk, "name": NAME}, state="done")
    Job.objects.create(
        kind="import", payload={"paths": [f"{NAME}/1.jpg"]}, state="failed", error=f"{NAME}: broken"
    )
    ids = [face.pk for face in faces]
    Job.objects.create(kind="embed", payload={"pack": 1, "faces": [*ids, 10**6]}, state="done")
    Job.objects.create(
        kind="group",
        payload={"likely": [[3, person.pk, 0.9], [4, 99, 0.8]], "doubts": [[ids[0], 99, 0.3]]},
        state="done",
    )
    for who, said in ((user, "nothing"), (owner, f"{OLD_NAME} is now called {NAME}.")):
        session = SessionStore()
        session[SESSION_KEY] = str(who.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = who.get_session_auth_hash()
        session["said"] = said
        session.save()
    with contextlib.suppress(ImportError, RuntimeError):
        from allauth.account.models import EmailAddress

        EmailAddress.objects.create(user=user, email=EMAIL)


def _labelled(owner, user, person, faces):
    project = Project.objects.create(title="Faces", created_by=owner)
    for face in faces:
        place = {
            "payload_hash": face.media.payload_hash,
            **{edge: getattr(face, edge) for edge in ("x1", "y1", "x2", "y2")},
        }
        task = Task.objects.create(
            project=project, face=face, person=person, verdict="person", state="settled", **place
        )
        Label.objects.create(task=task, user=user, verdict="person", person=person)
        Audit.objects.create(face=face, person=person, event="x", state="named", **place)
    releases.freeze(owner, project, names_of_annotators=True)


def _pictures(media, folder):
    """Keep crops of faces, and return what they look like."""
    kept = Pictures(settings.PICTURES, limit_bytes=10**9)
    try:
        return [
            kept.crop(
                bytes(photo.payload_hash), folder / "0.jpg", box=(0.1, 0.1, 0.3, 0.3), side=160
            )
            for photo in media
        ]
    finally:
        kept.close()


def _needles(made):
    needles = {"picture": made.picture[5000:5064]}
    for number, vector in enumerate(made.vectors):
        needles[f"vector {number}"] = vector.astype("<f4").tobytes()[:32]
        needles[f"half vector {number}"] = vector.astype("<f2").tobytes()[:16]
    for which, name in (("name", NAME), ("old name", OLD_NAME), ("address", EMAIL)):
        needles[which] = name.encode()
        if json.dumps(name)[1:-1] != name:
            needles[f"{which}, as JSON"] = json.dumps(name)[1:-1].encode()
    for number, crop in enumerate(made.crops):
        needles[f"crop {number}"] = crop[40:104]
    return needles


# --- the search ---


def left(made: Somebody, *folders: Path) -> set[str]:
    """Return what is found of somebody in the database, its files, and these folders."""
    blobs = list(database())
    for folder in folders:
        blobs += [
            (str(path), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()
        ]
    blobs += [
        (f"release {row.pk}", gzip.decompress(bytes(row.content))) for row in Release.objects.all()
    ]
    blobs += [
        (f"session {row.session_key}", json.dumps(row.get_decoded(), ensure_ascii=False).encode())
        for row in SessionStore.get_model_class().objects.all()
    ]
    return {
        f"{needle} in {where}"
        for where, data in blobs
        for needle, wanted in made.needles.items()
        if wanted in data or wanted.hex().encode() in data  # as PostgreSQL writes bytes
    }


def database():
    """All bytes in which the database may hold something, with where they lie."""
    if connection.vendor == "sqlite":
        name = connection.settings_dict["NAME"]
        for path in (Path(f"{name}{end}") for end in ("", "-wal", "-shm", "-journal")):
            if path.exists():
                yield path.name, path.read_bytes()
        return
    with connection.cursor() as cursor:
        for table in [*connection.introspection.table_names(), "lookwho_vector", "pg_statistic"]:
            cursor.execute(f'select t::text from "{table}" t')
            rows = cursor.fetchall()
            yield table, "\n".join(row for (row,) in rows).encode()
        # As the server keeps it: pages, with what is dead in them.
        cursor.execute("checkpoint")
        cursor.execute("show data_directory")
        [(data,)] = cursor.fetchall()
        cursor.execute("select oid from pg_database where datname = current_database()")
        [(oid,)] = cursor.fetchall()
    for path in sorted(Path(data, "base", str(oid)).iterdir()):
        with contextlib.suppress(FileNotFoundError):
            yield f"file {path.name}", path.read_bytes()


def backup(path: Path):
    """Write down the whole database, as a backup does."""
    if connection.vendor == "postgresql":
        path.write_text(connection.creation.serialize_db_to_string())
        return
    source = sqlite3.connect(connection.settings_dict["NAME"])
    copy = sqlite3.connect(path)
    with contextlib.closing(source), contextlib.closing(copy):
        source.backup(copy)


def restore(path: Path):
    """Put a database in the place of the present one, as whoever restores a backup does."""
    if connection.vendor == "postgresql":
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
        connection.creation.deserialize_db_from_string(path.read_text())
        return
    source = sqlite3.connect(path)
    target = sqlite3.connect(connection.settings_dict["NAME"])
    with contextlib.closing(source), contextlib.closing(target):
        source.backup(target)
    connection.close()
