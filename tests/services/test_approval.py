import os
from uuid import uuid4

import numpy as np
import pytest

from lookwho.core.errors import Conflict, Forbidden
from lookwho.library.models import Collection, Embedding, Reference, Setting
from lookwho.services.approval import approve_selfie, awaiting, decline_selfie, may_look
from lookwho.services.search import my_photos
from lookwho.services.selfies import add_selfie, remove_selfie, run_reference
from tests.faces import faces_of
from tests.gallery import consented, make_collection, make_guest, make_member, make_photo
from tests.services.test_selfies import LARGE, Told, picture, the_job

State = Reference.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.SELFIES = tmp_path / "selfies"
    Setting.objects.create(name="selfies_need_approval", value=True)
    return settings.SELFIES


@pytest.fixture
def mia():
    return consented(make_member())


@pytest.fixture
def curator():
    return make_member("curator", role="curator")


def added(seeker, **more):
    """A selfie that a worker has looked at."""
    reference = add_selfie(seeker, picture(), **more)
    run_reference(the_job(reference), Told(faces_of(LARGE)))
    reference.refresh_from_db()
    return reference


pytestmark = pytest.mark.django_db


def test_nobody_is_found_by_a_selfie_before_somebody_has_approved_it(mia, curator):
    vector = faces_of(LARGE).embeddings[0]
    photo = make_photo(vector, collection=make_collection(policy=Collection.Policy.OWN))
    reference = added(mia)

    assert (list(awaiting()), my_photos(mia)) == ([reference], [])
    approve_selfie(curator, reference.uuid)

    assert [match.media for match in my_photos(mia)] == [photo]
    assert not awaiting().exists()
    reference.refresh_from_db()
    assert reference.approved_by == curator


def test_one_that_is_declined_says_why_and_its_picture_goes(mia, curator, folder):
    reference = added(mia)

    decline_selfie(curator, reference.uuid, "this is  a drawing")

    reference.refresh_from_db()
    assert (reference.state, reference.error) == (State.REJECTED, "this is a drawing")
    assert (reference.file, os.listdir(folder), Embedding.objects.count()) == ("", [], 0)


def test_without_a_reason_the_owner_is_still_told_what_to_do(mia, curator):
    reference = added(mia)

    decline_selfie(curator, reference.uuid)

    reference.refresh_from_db()
    assert "choose another one" in reference.error


def test_only_owners_and_curators_decide(mia):
    reference = added(mia)

    for other in (mia, make_member("annotator", role="annotator"), make_member("max")):
        for decide in (approve_selfie, decline_selfie):
            with pytest.raises(Forbidden):
                decide(other, reference.uuid)

    assert list(awaiting()) == [reference]


@pytest.mark.parametrize("decide", (approve_selfie, decline_selfie))
def test_what_waits_no_more_is_not_decided_about(mia, curator, decide):
    approved, removed, looked_at = added(mia), added(mia), add_selfie(mia, picture())
    approve_selfie(curator, approved.uuid)
    remove_selfie(mia, removed)

    for gone in (approved.uuid, removed.uuid, looked_at.uuid, uuid4()):
        with pytest.raises(Conflict):
            decide(curator, gone)


def test_those_who_approve_and_guests_wait_for_nobody(curator):
    consented(curator)

    assert added(curator).approved
    assert added(make_guest(), agreed=True).approved
    assert not awaiting().exists()


def test_where_it_is_not_asked_for_nothing_waits(mia):
    Setting.objects.all().delete()

    assert added(mia).approved


def test_a_picture_is_for_its_owner_and_for_who_decides_as_long_as_they_do(mia, curator):
    reference = added(mia)
    other, annotator = make_member("max"), make_member("annotator", role="annotator")

    assert [may_look(each, reference) for each in (mia, curator, other, annotator)] == [
        True,
        True,
        False,
        False,
    ]
    approve_selfie(curator, reference.uuid)
    assert [may_look(each, reference) for each in (mia, curator)] == [True, False]


def test_what_was_removed_is_seen_only_by_an_owner_and_only_on_an_account_that_is_flagged(
    mia, curator
):
    Setting.objects.all().delete()
    reference, owner = added(mia), make_member("owner", role="owner")
    remove_selfie(mia, reference)
    reference.refresh_from_db()
    everybody = (mia, curator, owner)

    alone = [may_look(each, reference) for each in everybody]
    row = Reference.objects.create(user=mia, state=State.DONE)
    vector = np.zeros(128, "<f4")
    vector[7] = -1
    pack = Embedding.objects.get().pack
    Embedding.objects.create(reference=row, pack=pack, vector=vector.tobytes())

    assert alone == [False, False, False]
    assert [may_look(each, reference) for each in everybody] == [False, False, True]
