"""Privacy: what is known of whoever asks, what they agreed to, and how all of it goes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import FileResponse, HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Router, Schema, Status

from lookwho.api import paging
from lookwho.api.app import user_of
from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Erasure, SearchLog, User
from lookwho.library.queries import privacy as queries
from lookwho.services import consents, erasure, events, held, receipts

router = Router(tags=["privacy"])

_ZIP = {"responses": {200: {"description": "OK", "content": {"application/zip": {}}}}}


class TextOut(Schema):
    """One version of what people are asked."""

    version: int
    text: str
    written_at: datetime | None = Field(description="null for the one that came with Lookwho")


class ConsentOut(Schema):
    """How the asker stands to a purpose."""

    purpose: str
    text: TextOut = Field(description="what would be agreed to now")
    agreed: bool
    version: str | None = Field(description="that was agreed to")
    given_at: datetime | None
    asks_again: bool = Field(description="the text was changed since it was agreed to")
    needs_guardian: bool


class ConsentIn(Schema):
    """That somebody agrees."""

    version: int = Field(ge=1, le=10**6, description="of the text that they were shown")
    guardian: Annotated[str, Field(max_length=200)] = ""
    guardian_email: Annotated[str, Field(max_length=254)] = ""


class ErasureOut(Schema):
    """What was erased."""

    uuid: UUID
    state: str = Field(description="waiting, until all is overwritten, or done")
    created_at: datetime
    done_at: datetime | None
    counts: dict[str, int]
    receipt: str = Field(description="signed; blank while waiting")
    page: str = Field(description="where the receipt is shown for a day, without an account")


class OutlookOut(Schema):
    """What an erasure would take away."""

    names: list[str]
    selfies: int
    faces: int
    photos: int
    decisions: int
    searches: int
    account: bool
    elsewhere: int = Field(
        description="faces like theirs that somebody else is taken to be: these stay"
    )


class SearchOut(Schema):
    """That the asker was searched for."""

    at: datetime
    purpose: str
    by: str = Field(description="who searched; blank for all but owners")


class Searches(Schema):
    """A piece of a list of searches."""

    searches: list[SearchOut]
    next: str | None


class Sure(Schema):
    """That what goes was read."""

    sure: bool = Field(description="true, or nothing is erased")


class CostOut(Schema):
    """What looking again for somebody who agrees now takes."""

    boxes: int
    seconds: float


# --- oneself ---


@router.get("/me/consents", response=list[ConsentOut])
def own_consents(request: HttpRequest) -> list[ConsentOut]:
    """List the purposes, and how the asker stands to each."""
    return [_consent(each) for each in consents.standings(user_of(request))]


@router.get("/me/consents/cost", response=CostOut)
def cost(request: HttpRequest) -> CostOut:
    """Say what looking again takes where one agrees to events that keep only who agreed."""
    found = events.cost()
    return CostOut(boxes=found.boxes, seconds=found.seconds)


@router.put("/me/consents/{purpose}", response=ConsentOut)
def agree(request: HttpRequest, purpose: str, asked: ConsentIn) -> ConsentOut:
    """Agree to the newest text of a purpose."""
    user = user_of(request)
    known(purpose)
    consents.give(
        user,
        purpose,
        version=asked.version,
        guardian=asked.guardian,
        guardian_email=asked.guardian_email,
    )
    return next(_consent(each) for each in consents.standings(user) if each.purpose == purpose)


@router.delete("/me/consents/{purpose}", response={200: ErasureOut, 204: None})
def withdraw(request: HttpRequest, purpose: str) -> Status[ErasureOut | None]:
    """Withdraw a consent, and have erased what was kept because of it."""
    known(purpose)
    done = consents.withdraw(user_of(request), purpose)
    return Status(204, None) if done is None else Status(200, erasure_out(request, done))


@router.get("/me/searches", response=Searches)
def searches(
    request: HttpRequest, limit: paging.Limit = 100, cursor: paging.Cursor = ""
) -> Searches:
    """List when the asker was searched for by somebody else, the newest first."""
    user = user_of(request)
    rows, further = paging.page(
        queries.searches_for(user), ("-created_at", "-pk"), limit=limit, cursor=cursor
    )
    return Searches(searches=[_search(user, row) for row in rows], next=further)


@router.get("/me/export", openapi_extra=_ZIP)
def export(request: HttpRequest) -> FileResponse:
    """Return everything that is kept about the asker, as a zip."""
    response = FileResponse(
        held.export(user_of(request)),
        as_attachment=True,
        filename=f"lookwho-{timezone.localdate():%Y-%m-%d}.zip",
        content_type="application/zip",
    )
    response["Cache-Control"] = "no-store"
    return response


@router.get("/me/erasure", response=OutlookOut)
def outlook(request: HttpRequest) -> OutlookOut:
    """Say what erasing oneself would take away."""
    return outlook_out(erasure.outlook(user=user_of(request)))


@router.post("/me/erasure", response=ErasureOut)
def erase(request: HttpRequest, asked: Sure) -> ErasureOut:
    """Erase all about the asker, with their account: for good."""
    checked(asked)
    return erasure_out(request, erasure.erase_account(user_of(request)))


# --- what they give ---


def known(purpose: str) -> None:
    """Return where there is such a purpose.

    Raises:
        NotFound: there is none.
    """
    if purpose not in consents.PURPOSES:
        raise NotFound(f"there is no such purpose; there are {', '.join(consents.PURPOSES)}")


def checked(asked: Sure) -> None:
    """Return where somebody says that they are sure.

    Raises:
        Invalid: they do not.
    """
    if not asked.sure:
        raise Invalid("say that you are sure: nothing was erased")


def text_out(text: consents.Text) -> TextOut:
    """Return a version of a text as it is told."""
    return TextOut(version=text.version, text=text.text, written_at=text.written_at)


def _consent(each: consents.Standing) -> ConsentOut:
    held = each.consent
    return ConsentOut(
        purpose=each.purpose,
        text=text_out(each.text),
        agreed=held is not None,
        version=held.version if held else None,
        given_at=held.given_at if held else None,
        asks_again=each.asks_again,
        needs_guardian=each.needs_guardian,
    )


def erasure_out(request: HttpRequest, done: Erasure) -> ErasureOut:
    """Return an erasure as it is told."""
    path = reverse("receipt", args=[receipts.token_of(done)])
    return ErasureOut(
        uuid=done.uuid,
        state=done.state,
        created_at=done.created_at,
        done_at=done.done_at,
        counts=done.counts,
        receipt=done.receipt,
        page=request.build_absolute_uri(path),
    )


def outlook_out(found: erasure.Outlook) -> OutlookOut:
    """Return as it is told what an erasure would take away."""
    return OutlookOut(
        names=list(found.names),
        selfies=found.selfies,
        faces=found.faces,
        photos=found.photos,
        decisions=found.decisions,
        searches=found.searches,
        account=found.account,
        elsewhere=found.elsewhere,
    )


def _search(user: User, row: SearchLog) -> SearchOut:
    told = queries.told(user, row)
    return SearchOut(at=told.at, purpose=told.purpose, by=told.by)
