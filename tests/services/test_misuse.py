import numpy as np
import pytest
from django.utils import timezone

from lookwho.services.misuse import different_faces, flagged, is_flagged
from tests.gallery import draw, make_guest, make_member, make_pack, make_selfie, near

pytestmark = pytest.mark.django_db


@pytest.fixture
def generator():
    return np.random.default_rng(5)


@pytest.fixture
def mia():
    return make_member("mia")


def test_several_selfies_of_one_person_are_of_one(generator, mia):
    face = draw(generator)
    for distance in (0.01, 0.02, 0.03, 0.04):
        make_selfie(mia, near(generator, face, distance))

    assert (different_faces(mia), is_flagged(mia), flagged()) == (1, False, [])


def test_people_who_are_clearly_others_are_counted_also_by_what_was_removed(generator, mia):
    own, friend, stranger = draw(generator, 3)
    kept = [make_selfie(mia, own), make_selfie(mia, near(generator, own, 0.05))]
    removed = [make_selfie(mia, each, deleted_at=timezone.now()) for each in (friend, stranger)]

    [found] = flagged()

    assert (found.user, found.faces, different_faces(mia)) == (mia, 3, 3)
    assert set(found.references) == {*kept, *removed}


def test_each_account_is_judged_by_itself_and_most_people_come_first(generator, mia):
    max_, eva, alone = (make_member(name) for name in ("max", "eva", "alone"))
    for user, people in ((mia, 2), (max_, 4), (eva, 1)):
        for each in draw(generator, people):
            make_selfie(user, each)
    for each in draw(generator, 3):
        make_selfie(make_guest(), each)

    assert [(found.user, found.faces) for found in flagged()] == [(max_, 4), (mia, 2)]
    assert different_faces(alone) == 0


def test_vectors_of_two_packs_say_nothing_of_each_other(generator, mia):
    one, other = draw(generator, 2)
    make_selfie(mia, one, pack=make_pack("old"))
    make_selfie(mia, other, pack=make_pack("new"))

    assert different_faces(mia) == 1


def test_as_many_queries_are_made_for_many_accounts_as_for_one(
    generator, mia, django_assert_num_queries
):
    for each in draw(generator, 2):
        make_selfie(mia, each)
    with django_assert_num_queries(1):
        assert len(flagged()) == 1

    for name in ("eva", "max"):
        user = make_member(name)
        for each in draw(generator, 2):
            make_selfie(user, each)

    with django_assert_num_queries(1):
        assert len(flagged()) == 3
