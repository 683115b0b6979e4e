"""People: who is there, and what humans say about their faces."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Face
from lookwho.library.queries import people as queries
from lookwho.library.queries.people import Part, Portrait
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import faces as said
from lookwho.services import people as services
from lookwho.services.decisions import Done

router = Router(tags=["people"])


@router.get("/people", response=schemas.PeopleOut)
def people(
    request: HttpRequest,
    part: Part = Part.NAMED,
    q: schemas.Words = "",
    limit: schemas.Limit = 100,
    offset: schemas.Offset = 0,
) -> schemas.PeopleOut:
    """List one part of the people, those in most photos first."""
    portraits = queries.census(_scope(request)).part(part)
    if q.strip():
        portraits = queries.matching(portraits, q)
    shown = queries.with_covers(portraits[offset : offset + limit])
    return schemas.PeopleOut(total=len(portraits), people=[_listed(each) for each in shown])


@router.get("/people/{uuid}", response=schemas.PersonDetail)
def person(request: HttpRequest, uuid: UUID) -> schemas.PersonDetail:
    """Return a person; of somebody who was merged, whom they were merged into."""
    scope = _scope(request)
    found = queries.person(scope, uuid)
    years = dict(queries.years(scope, found))
    return schemas.PersonDetail(
        uuid=found.uuid,
        name=found.name,
        photos=sum(years.values()),
        hidden=found.hidden,
        birth_date=found.birth_date,
        cover=found.cover.uuid if found.cover else None,
        years=years,
    )


@router.get("/people/{uuid}/faces", response=list[schemas.FaceOfPerson])
def faces(
    request: HttpRequest,
    uuid: UUID,
    limit: schemas.Limit = 100,
    offset: schemas.Offset = 0,
) -> list[schemas.FaceOfPerson]:
    """List the faces of a person, those of the newest photos first."""
    scope = _scope(request)
    found = queries.person(scope, uuid)
    return [
        schemas.FaceOfPerson(
            uuid=face.uuid, photo=face.media, day=face.day, probability=face.probability
        )
        for face in queries.faces_of_person(scope, found, skip=offset, take=limit)
    ]


@router.patch("/people/{uuid}", response=schemas.PersonDetail)
def change(request: HttpRequest, uuid: UUID, asked: schemas.PersonChange) -> schemas.PersonDetail:
    """Name, rename, hide or show a person, tell their birth date or choose their cover."""
    user, scope = user_of(request), _scope(request)
    found = queries.person(scope, uuid)
    told = asked.dict(exclude_unset=True)
    with transaction.atomic():  # all of it or nothing
        if "name" in told:
            if not asked.name:
                raise Invalid("a name is needed")
            found = services.name_person(user, found, asked.name, before=asked.before).person
        if asked.hidden is not None:
            services.hide(user, found, asked.hidden)
        if "birth_date" in told:
            services.set_birth_date(user, found, asked.birth_date)
        if asked.cover:
            services.set_cover(user, found, _faces(scope, [asked.cover])[0])
    return person(request, found.uuid)


@router.post("/people/{uuid}/merge", response=schemas.Done)
def merge(request: HttpRequest, uuid: UUID, asked: schemas.Merge) -> schemas.Done:
    """Say that a person is another one."""
    scope = _scope(request)
    one, other = queries.person(scope, uuid), queries.person(scope, asked.into)
    return _done(services.merge(user_of(request), one, other))


@router.post("/faces/confirm", response=schemas.Done)
def confirm(request: HttpRequest, asked: schemas.FacesOfPerson) -> schemas.Done:
    """Say that these faces are this person."""
    scope = _scope(request)
    who = queries.person(scope, asked.person)
    return _done(said.confirm(user_of(request), _faces(scope, asked.faces), who))


@router.post("/faces/name", response=schemas.Done)
def assign(request: HttpRequest, asked: schemas.FacesNamed) -> schemas.Done:
    """Say who these faces are, by name."""
    scope = _scope(request)
    return _done(said.assign(user_of(request), _faces(scope, asked.faces), asked.name))


@router.post("/faces/reject", response=schemas.Done)
def reject(request: HttpRequest, asked: schemas.FacesOfPerson) -> schemas.Done:
    """Say that these faces are not this person."""
    scope = _scope(request)
    who = queries.person(scope, asked.person)
    return _done(said.reject(user_of(request), _faces(scope, asked.faces), who))


@router.post("/faces/not-a-face", response=schemas.Done)
def not_a_face(request: HttpRequest, asked: schemas.FacesChosen) -> schemas.Done:
    """Say that these are no faces."""
    scope = _scope(request)
    return _done(said.not_a_face(user_of(request), _faces(scope, asked.faces)))


@router.post("/undo", response=schemas.Done)
def undo(request: HttpRequest, asked: schemas.Undo) -> schemas.Done:
    """Take back what was done in one act."""
    return _done(services.undo(user_of(request), asked.batch))


def _scope(request: HttpRequest) -> Scope:
    """Return what the asker may name.

    Raises:
        NotFound: nothing: to them there are no people.
    """
    scope = scope_of(user_of(request), Purpose.NAME)
    if not scope.names:
        raise NotFound("there is no such page, or it is not for you to see")
    return scope


def _faces(scope: Scope, uuids: Sequence[UUID]) -> list[Face]:
    """Return these faces.

    Raises:
        NotFound: one of them is not there, or not in the scope.
    """
    found = {face.uuid: face for face in scope.faces().filter(uuid__in=uuids)}
    if len(found) < len(set(uuids)):
        raise NotFound("one of these faces is not there any more, or not for you to see")
    return list(found.values())


def _listed(portrait: Portrait) -> schemas.PersonOut:
    return schemas.PersonOut(
        uuid=portrait.uuid,
        name=portrait.name,
        photos=portrait.photos,
        cover=portrait.cover,
        hidden=portrait.hidden,
    )


def _done(done: Done) -> schemas.Done:
    return schemas.Done(batch=done.batch, message=done.message)
