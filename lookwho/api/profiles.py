"""Profiles: people of videos, in the words that users of other systems know.

A profile is a person (/people), with `name` for the given name, `surname` for the family name and
`middlename` for the patronymic. Its videos and crops are told as links.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api import video_schemas as told
from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.paging import Cursor, Limit, page, taken
from lookwho.api.people import naming_scope
from lookwho.api.schemas import Next
from lookwho.api.told_videos import Links, appearances_of, in_video_of
from lookwho.api.video_schemas import Plain
from lookwho.api.videos import seen
from lookwho.library.models import Person
from lookwho.library.queries import appearances, people
from lookwho.library.queries.appearances import InVideo
from lookwho.services import erasure, profiles
from lookwho.services import people as services

router = Router(tags=["people"], auth=gate(names_faces))


class ProfileIn(Plain):
    """What is written down of somebody; what is null is forgotten."""

    name: str | None = Field(None, max_length=profiles.LONGEST, description="the given name")
    surname: str | None = Field(None, max_length=profiles.LONGEST, description="the family name")
    middlename: str | None = Field(None, max_length=profiles.LONGEST, description="a patronymic")
    sex: Literal["female", "male", "other"] | None = None
    birth_date: date | None = Field(None, description="later than 1800-01-01")


class Profile(ProfileIn):
    """Somebody, and what is written down of them."""

    id: UUID
    called: str = Field(description="what Lookwho calls them; blank where nobody has said")


class ProfileVideo(Plain):
    """A video that somebody is in, and the best picture of them in it."""

    video: UUID
    video_link: str
    crop_link: str
    appearances: list[told.AppearanceOut]


class ProfileOut(Plain):
    """Somebody, and the videos that they are in, the newest first."""

    profile: Profile
    videos: list[ProfileVideo]


class ProfilesOut(Schema):
    """A piece of the people who are in any video."""

    profiles: list[ProfileOut]
    next: Next


class VideoProfile(Plain):
    """Somebody in a video."""

    profile: Profile
    crop_link: str
    appearances: list[told.AppearanceOut]


class VideoProfiles(Schema):
    """Who is in a video, those who are seen longest first."""

    video_link: str
    profiles: list[VideoProfile]


@router.get("/profiles", response=ProfilesOut)
def listing(request: HttpRequest, limit: Limit = 100, cursor: Cursor = "") -> ProfilesOut:
    """List the people who are in any video, each with their videos."""
    scope = naming_scope(request)
    some, following = page(appearances.people_in_videos(scope), ("pk",), limit=limit, cursor=cursor)
    seen_in = appearances.videos_of_people(scope, some)
    links = Links(request)
    told_all = [_profile_out(links, each, seen_in.get(each.pk, ())) for each in some]
    return ProfilesOut(profiles=told_all, next=following)


@router.get("/profiles/{uuid}", response=ProfileOut)
def profile(request: HttpRequest, uuid: UUID) -> ProfileOut:
    """Return somebody and their videos; of who was merged, whom they were merged into."""
    scope = naming_scope(request)
    found = people.person(scope, uuid)
    return _profile_out(Links(request), found, appearances.videos_of(scope, found))


@router.put("/profiles/{uuid}", response=Profile)
def update(request: HttpRequest, uuid: UUID, asked: ProfileIn) -> Profile:
    """Write down all of this about somebody; nobody who has no name yet gets it as their name."""
    user, scope = user_of(request), naming_scope(request)
    found = people.person(scope, uuid)
    with transaction.atomic():  # all of it or nothing
        before = profiles.full_name(found)
        found = profiles.describe(
            user,
            found,
            {
                "given_name": asked.name or "",
                "family_name": asked.surname or "",
                "patronymic": asked.middlename or "",
                "sex": asked.sex or "",
                "birth_date": asked.birth_date,
            },
        )
        whole = profiles.full_name(found)
        if whole and whole != found.name and found.name in ("", before):
            found = services.name_person(user, found, whole).person
    found.refresh_from_db()
    return _profile(found)


@router.delete("/profiles/{uuid}", response={204: None}, auth=gate(lambda user: user.is_owner))
def delete(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Erase somebody for good: vectors, crops, what was said of them; only an owner may.

    The files stay as they are. POST /people/{uuid}/erasure does the same, with a receipt.
    """
    found = people.person(naming_scope(request), uuid)
    erasure.erase_person(user_of(request), found)
    return Status(204, None)


@router.get("/people/{uuid}/videos", response=told.InVideosOut)
def videos_of_person(
    request: HttpRequest, uuid: UUID, limit: Limit = 100, cursor: Cursor = ""
) -> told.InVideosOut:
    """List the videos that a person is in, and when, the newest first."""
    scope = naming_scope(request)
    found = people.person(scope, uuid)
    some, following = taken(
        lambda skip, take: appearances.videos_of(scope, found, skip=skip, take=take),
        limit=limit,
        cursor=cursor,
    )
    links = Links(request)
    return told.InVideosOut(videos=[in_video_of(links, each) for each in some], next=following)


@router.get("/videos/{uuid}/profiles", response=VideoProfiles, tags=["videos"])
def of_video(request: HttpRequest, uuid: UUID) -> VideoProfiles:
    """List who is in a video, named or not."""
    scope = naming_scope(request)
    media = seen(request, uuid)
    rows = [row for row in appearances.people_of(scope, media) if row.who]
    links = Links(request)
    return VideoProfiles(
        video_link=links.file(media.uuid),
        profiles=[
            VideoProfile(
                profile=_profile(row.who),
                crop_link=links.crop(row.face.uuid),
                appearances=appearances_of(row.appearances),
            )
            for row in rows
            if row.who
        ],
    )


# --- parts ---


def _profile_out(links: Links, person: Person, seen_in: Sequence[InVideo]) -> ProfileOut:
    return ProfileOut(
        profile=_profile(person),
        videos=[
            ProfileVideo(
                video=each.media.uuid,
                video_link=links.file(each.media.uuid),
                crop_link=links.crop(each.face),
                appearances=appearances_of(each.appearances),
            )
            for each in seen_in
        ],
    )


def _profile(person: Person) -> Profile:
    return Profile(
        id=person.uuid,
        called=person.name,
        name=person.given_name or None,
        surname=person.family_name or None,
        middlename=person.patronymic or None,
        sex=profiles.sex_of(person).value or None,
        birth_date=person.birth_date,
    )
