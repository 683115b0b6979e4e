"""People: who is there, and what humans say about their faces."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.paging import Cursor, Limit, piece, taken
from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Face, Person
from lookwho.library.queries import people as queries
from lookwho.library.queries.people import Part, Portrait
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import faces as said
from lookwho.services import people as services
from lookwho.services import profiles
from lookwho.services.decisions import Done

router = Router(tags=["people"], auth=gate(names_faces))


@router.get("/people", response=schemas.PeopleOut)
def people(
    request: HttpRequest,
    part: Part = Part.NAMED,
    q: schemas.Words = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> schemas.PeopleOut:
    """List one part of the people, those in most photos first."""
    portraits = queries.census(naming_scope(request)).part(part)
    if q.strip():
        portraits = queries.matching(portraits, q)
    some, following = piece(portraits, limit=limit, cursor=cursor)
    return schemas.PeopleOut(
        total=len(portraits),
        people=[_listed(each) for each in queries.with_covers(some)],
        next=following,
    )


@router.get("/people/{uuid}", response=schemas.PersonDetail)
def person(request: HttpRequest, uuid: UUID) -> schemas.PersonDetail:
    """Return a person; of somebody who was merged, whom they were merged into."""
    scope = naming_scope(request)
    found = queries.person(scope, uuid)
    years = dict(queries.years(scope, found))
    return schemas.PersonDetail(
        uuid=found.uuid,
        name=found.name,
        photos=sum(years.values()),
        hidden=found.hidden,
        given_name=found.given_name,
        family_name=found.family_name,
        patronymic=found.patronymic,
        sex=profiles.sex_of(found),
        birth_date=found.birth_date,
        cover=found.cover.uuid if found.cover else None,
        years=years,
    )


@router.get("/people/{uuid}/faces", response=schemas.FacesOut)
def faces(
    request: HttpRequest,
    uuid: UUID,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> schemas.FacesOut:
    """List the faces of a person, those of the newest photos first."""
    scope = naming_scope(request)
    found = queries.person(scope, uuid)
    some, following = taken(
        lambda skip, take: queries.faces_of_person(scope, found, skip=skip, take=take),
        limit=limit,
        cursor=cursor,
    )
    theirs = [
        schemas.FaceOfPerson(
            uuid=face.uuid, photo=face.media, day=face.day, probability=face.probability
        )
        for face in some
    ]
    return schemas.FacesOut(faces=theirs, next=following)


@router.patch("/people/{uuid}", response=schemas.PersonDetail)
def change(request: HttpRequest, uuid: UUID, asked: schemas.PersonChange) -> schemas.PersonDetail:
    """Name, rename, hide or show a person, choose their cover, or write down who they are."""
    user, scope = user_of(request), naming_scope(request)
    found = queries.person(scope, uuid)
    told = asked.dict(exclude_unset=True)
    with transaction.atomic():  # all of it or nothing
        if "name" in told:
            if not asked.name:
                raise Invalid("a name is needed")
            found = services.name_person(user, found, asked.name, before=asked.before).person
        if asked.hidden is not None:
            services.hide(user, found, asked.hidden)
        if written := _written(asked):
            profiles.describe(user, found, written)
        if asked.cover:
            services.set_cover(user, found, faces_chosen(scope, [asked.cover])[0])
    return person(request, found.uuid)


@router.post("/people/{uuid}/merge", response=schemas.Done)
def merge(request: HttpRequest, uuid: UUID, asked: schemas.Merge) -> schemas.Done:
    """Say that a person is another one."""
    scope = naming_scope(request)
    one, other = _as_named(scope, uuid), _as_named(scope, asked.into)
    told = asked.seen or {}
    seen = {each.pk: told[each.uuid] for each in (one, other) if each.uuid in told}
    return done_of(services.merge(user_of(request), one, other, seen=seen))


@router.post("/faces/confirm", response=schemas.Done)
def confirm(request: HttpRequest, asked: schemas.FacesOfPerson) -> schemas.Done:
    """Say that these faces are this person."""
    scope = naming_scope(request)
    who = queries.person(scope, asked.person)
    chosen = faces_chosen(scope, asked.faces)
    return done_of(said.confirm(user_of(request), chosen, who, seen=_seen(asked, chosen)))


@router.post("/faces/name", response=schemas.Done)
def assign(request: HttpRequest, asked: schemas.FacesNamed) -> schemas.Done:
    """Say who these faces are, by name."""
    scope = naming_scope(request)
    chosen = faces_chosen(scope, asked.faces)
    done = said.assign(user_of(request), chosen, asked.name, seen=_seen(asked, chosen))
    return done_of(done)


@router.post("/faces/reject", response=schemas.Done)
def reject(request: HttpRequest, asked: schemas.FacesOfPerson) -> schemas.Done:
    """Say that these faces are not this person."""
    scope = naming_scope(request)
    who = queries.person(scope, asked.person)
    chosen = faces_chosen(scope, asked.faces)
    return done_of(said.reject(user_of(request), chosen, who, seen=_seen(asked, chosen)))


@router.post("/faces/split", response=schemas.Done)
def split(request: HttpRequest, asked: schemas.FacesSplit) -> schemas.Done:
    """Say that these faces are not this person, but all of them one other."""
    scope = naming_scope(request)
    who = queries.person(scope, asked.person)
    chosen = faces_chosen(scope, asked.faces)
    done = said.split(user_of(request), chosen, who, name=asked.name, seen=_seen(asked, chosen))
    return done_of(done)


@router.post("/faces/not-a-face", response=schemas.Done)
def not_a_face(request: HttpRequest, asked: schemas.FacesChosen) -> schemas.Done:
    """Say that these are no faces."""
    scope = naming_scope(request)
    chosen = faces_chosen(scope, asked.faces)
    return done_of(said.not_a_face(user_of(request), chosen, seen=_seen(asked, chosen)))


@router.post("/undo", response=schemas.Done)
def undo(request: HttpRequest, asked: schemas.Undo) -> schemas.Done:
    """Take back what was done in one act."""
    return done_of(services.undo(user_of(request), asked.batch))


def naming_scope(request: HttpRequest) -> Scope:
    """Return what the asker may name.

    Raises:
        NotFound: nothing: to them there are no people.
    """
    scope = scope_of(user_of(request), Purpose.NAME)
    if not scope.names:
        raise NotFound("there is no such page, or it is not for you to see")
    return scope


def faces_chosen(scope: Scope, uuids: Sequence[UUID]) -> list[Face]:
    """Return these faces.

    Raises:
        NotFound: one of them is not there, or not in the scope.
    """
    found = {face.uuid: face for face in scope.faces().filter(uuid__in=uuids)}
    if len(found) < len(set(uuids)):
        raise NotFound("one of these faces is not there any more, or not for you to see")
    return list(found.values())


def _written(asked: schemas.PersonChange) -> profiles.Told:
    """Return what is to be written down of a person, beside what they are called."""
    found: profiles.Told = {}
    if asked.given_name is not None:
        found["given_name"] = asked.given_name
    if asked.family_name is not None:
        found["family_name"] = asked.family_name
    if asked.patronymic is not None:
        found["patronymic"] = asked.patronymic
    if asked.sex is not None:
        found["sex"] = asked.sex
    if "birth_date" in asked.dict(exclude_unset=True):
        found["birth_date"] = asked.birth_date
    return found


def _seen(asked: schemas.FacesChosen, chosen: Sequence[Face]) -> dict[int, int | None] | None:
    """Return whom the asker saw confirmed for each face, by ids."""
    if asked.seen is None:
        return None
    people = dict(
        Person.objects.filter(uuid__in=set(asked.seen.values()) - {None}).values_list("uuid", "pk")
    )
    told = {face.pk: asked.seen[face.uuid] for face in chosen if face.uuid in asked.seen}
    # Somebody who is gone is nobody's person any more.
    return {face: None if who is None else people.get(who, 0) for face, who in told.items()}


def _as_named(scope: Scope, uuid: UUID) -> Person:
    """Return the person of this uuid, even where they were merged.

    Raises:
        NotFound: there is none, or the asker may not be told who people are.
    """
    queries.person(scope, uuid)
    return Person.objects.get(uuid=uuid)


def _listed(portrait: Portrait) -> schemas.PersonOut:
    return schemas.PersonOut(
        uuid=portrait.uuid,
        name=portrait.name,
        photos=portrait.photos,
        cover=portrait.cover,
        hidden=portrait.hidden,
    )


def done_of(done: Done) -> schemas.Done:
    """Return what was done, as it is told."""
    return schemas.Done(batch=done.batch, message=done.message)
