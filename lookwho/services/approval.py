"""Approval: selfies that a curator looks at before anybody is found by them, where that is set."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from lookwho.core.errors import Conflict, Forbidden
from lookwho.library.models import Embedding, Reference, User
from lookwho.services import events, work
from lookwho.services.misuse import is_flagged
from lookwho.services.selfie_files import unlink


def awaiting() -> QuerySet[Reference]:
    """Return the selfies that wait for a curator, the oldest first."""
    waiting = Reference.objects.filter(
        state=Reference.State.DONE, approved=False, deleted_at=None, guest=None
    )
    return waiting.select_related("user").order_by("created_at", "pk")


def approve_selfie(by: User, uuid: UUID) -> None:
    """Let a selfie be used.

    Raises:
        Forbidden: this user may not.
        Conflict: it is gone, or somebody has decided about it already.
    """
    _check_decides(by)
    # One conditional update decides between two curators, and its owner who removes it.
    if not awaiting().filter(uuid=uuid).order_by().update(approved=True, approved_by=by):
        raise Conflict("this selfie does not wait any more: somebody was faster")
    row = Reference.objects.select_related("user").filter(uuid=uuid).first()
    if row is not None and row.user is not None:
        events.consent_came(row.user)


def decline_selfie(by: User, uuid: UUID, reason: str = "") -> None:
    """Refuse a selfie; its picture and its embedding go, and its owner is told why.

    Raises:
        Forbidden: this user may not.
        Conflict: it is gone, or somebody has decided about it already.
    """
    _check_decides(by)
    reason = work.storable(" ".join(reason.split()))[:500]
    with transaction.atomic():
        row = awaiting().select_for_update(of=("self",)).filter(uuid=uuid).first()
        if row is None:
            raise Conflict("this selfie does not wait any more: somebody was faster")
        Embedding.objects.filter(reference=row).delete()
        Reference.objects.filter(pk=row.pk).update(
            state=Reference.State.REJECTED,
            error_code="declined",
            error=reason or _("somebody looked at it and could not accept it: choose another one"),
            file="",
        )
        unlink(row.file)


def may_look(user: User, reference: Reference) -> bool:
    """Return whether a user may see the picture of a selfie.

    Their own; as a curator one that waits; as an owner those of an account that is flagged.
    """
    if reference.user_id == user.pk and reference.deleted_at is None:
        return True
    if user.sees_everything and awaiting().filter(pk=reference.pk).exists():
        return True
    return user.is_owner and reference.user is not None and is_flagged(reference.user)


def _check_decides(by: User) -> None:
    if not by.sees_everything:
        raise Forbidden("selfies are approved by owners and curators")
