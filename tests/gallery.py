"""A library made of rows: photos without files, whose faces are vectors that were drawn."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
from django.utils import timezone

from lookwho.core.vectors import unit
from lookwho.library import vectors
from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Embedding,
    Face,
    Guest,
    Location,
    Media,
    Pack,
    Reference,
    Share,
    User,
)
from lookwho.services import consents

DIM = 128
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def draw(generator, *shape):
    """Vectors of unit length, as unlike one another as strangers are."""
    return unit(generator.standard_normal((*shape, DIM)).astype(np.float32))


def near(generator, vector, distance):
    """A vector of unit length at this distance, 1 - cosine."""
    aside = generator.standard_normal(len(vector))
    aside -= (aside @ vector) * vector
    aside /= np.linalg.norm(aside)
    cosine = 1 - distance
    return unit((cosine * vector + np.sqrt(1 - cosine**2) * aside).astype(np.float32))


def make_pack(name="default", dim=DIM):
    pack, _ = Pack.objects.get_or_create(
        name=name, preset="balanced", revision=1, defaults={"dim": dim}
    )
    return pack


def make_collection(**more):
    number = next(_numbers)
    return Collection.objects.create(**{"title": "Photos", "root": f"/photos/{number}", **more})


def make_album(*media, **more):
    number = next(_numbers)
    album = Album.objects.create(**{"title": "Party", "slug": f"party-{number}", **more})
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)
    return album


def make_photo(*embeddings, pack=None, collection=None, taken_at=None, **more):
    """A photo with a face for each embedding."""
    number = next(_numbers)
    taken_at = taken_at or NOON + timedelta(hours=number)
    media = Media.objects.create(
        payload_hash=number.to_bytes(32, "big"), taken_at=taken_at, day=taken_at.date(), **more
    )
    if collection:
        Location.objects.create(collection=collection, media=media, path=f"{number}.jpg")
    make_faces([(media, each) for each in embeddings], pack=pack)
    return media


def make_faces(rows, *, pack=None):
    """Faces in media: (media, embedding) each. They are taken up as services do."""
    pack = pack or make_pack()
    faces = Face.objects.bulk_create(
        Face(media=media, x1=0.1, y1=0.1, x2=0.3, y2=0.3) for media, _ in rows
    )
    found = [(face.pk, pack.pk, vector) for face, (_, vector) in zip(faces, rows, strict=True)]
    Embedding.objects.bulk_create(
        Embedding(face_id=face, pack_id=pack.pk, vector=vector.astype("<f4").tobytes())
        for face, _, vector in found
    )
    vectors.added(found)
    return faces


def face_in(media):
    """The first face of a photo."""
    return media.faces.order_by("pk").first()


def consented(user):
    """The same user, who has agreed to be found by selfies."""
    consents.give(user, consents.FIND, version=consents.newest(consents.FIND).version)
    return user


def make_selfie(user, vector=None, *, pack=None, **more):
    """A selfie that was looked at, of a user or a guest; there is no file."""
    whose = {"guest" if isinstance(user, Guest) else "user": user}
    reference = Reference.objects.create(**{**whose, "state": Reference.State.DONE, **more})
    if vector is not None:
        Embedding.objects.create(
            reference=reference, pack=pack or make_pack(), vector=vector.astype("<f4").tobytes()
        )
    return reference


def make_guest(email="", lasts=timedelta(days=30), **link):
    """Somebody who follows a link, to an album unless it says otherwise."""
    now = timezone.now()
    number = next(_numbers)
    share = Share.objects.create(
        **{"kind": Share.Kind.ALBUM, "only_mine": True, **link},
        token_hash=number.to_bytes(32, "big"),
        expires_at=now + timedelta(days=60),
    )
    return Guest.objects.create(
        share=share, token_hash=number.to_bytes(32, "little"), email=email, keep_until=now + lasts
    )


def make_member(name="mia", role=User.Role.MEMBER, **more):
    return User.objects.create_user(name, role=role, **more)
