"""A small library, those who ask, and a client that speaks as each of them."""

import datetime
import hashlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from django.test import Client

from lookwho.library import vectors
from lookwho.library.models import Collection, Embedding, Face, Location, Media, Person, User
from lookwho.services import accounts, analysis


@dataclass
class Shelf:
    """Three photos of two people in a closed folder: rows alone, no files."""

    owner: User
    member: User
    collection: Collection
    photos: list[Media] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    groups: list[Person] = field(default_factory=list)


@pytest.fixture
def shelf(db) -> Shelf:
    """Photos 0 and 1 show one person, photo 2 another: two groups that nobody has named."""
    shelf = Shelf(
        owner=accounts.the_owner(),
        member=accounts.make_user("Bert"),
        collection=Collection.objects.create(title="Photos", root="/photos"),
    )
    pack = analysis.current_pack()
    for number, who in enumerate((0, 0, 1)):
        taken_at = datetime.datetime(2025, 8, 20 + number, tzinfo=datetime.UTC)
        media = Media.objects.create(
            payload_hash=hashlib.sha256(bytes([number])).digest(),
            format="JPEG",
            width=400,
            height=300,
            taken_at=taken_at,
            day=taken_at.date(),
        )
        Location.objects.create(collection=shelf.collection, media=media, path=f"{number}.jpg")
        if who == len(shelf.groups):
            shelf.groups.append(Person.objects.create())
        face = Face.objects.create(
            media=media, x1=0.2, y1=0.2, x2=0.4, y2=0.5, quality=0.9, guess=shelf.groups[who]
        )
        vector = np.eye(128, dtype=np.float32)[who]
        Embedding.objects.create(face=face, pack=pack, vector=vector.tobytes())
        vectors.added([(face.pk, pack.pk, vector)])
        shelf.photos.append(media)
        shelf.faces.append(face)
    return shelf


@pytest.fixture
def ask(shelf):
    """Return a function that makes a client of a user; of nobody, for None."""

    def client(user: User | None) -> Client:
        made = Client()
        if user:
            made.force_login(user)
        return made

    return client


@pytest.fixture
def owner(ask, shelf) -> Client:
    """A client that speaks as the owner."""
    return ask(shelf.owner)


@pytest.fixture
def member(ask, shelf) -> Client:
    """A client that speaks as a member who may see nothing of the shelf."""
    return ask(shelf.member)
