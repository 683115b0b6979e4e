import numpy as np
import pytest

from lookwho.core.group import ALONE
from lookwho.core.looks import looks_of
from lookwho.services.company import (
    LEAST_QUALITY,
    MEMBER,
    MOST_COMPANY,
    Asked,
    Companies,
    nearness,
    weighed,
)
from tests.people import lookalikes

ANNA, BEA = 101, 102
HALF = 0.5
# One of Anna, three like her, one of Bea, two like her, two that are alike and like neither.
FACES = np.concatenate(
    [lookalikes(1, 4, seed=1), lookalikes(1, 3, seed=2), lookalikes(1, 2, seed=3)]
)
KNOWN = np.array([ANNA, 0, 0, 0, BEA, 0, 0, 0, 0])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])


def companies(labels, *, known=KNOWN, vectors=FACES, rejected=(), quality=None, settled=None):
    count = len(vectors)
    quality = np.full(count, 0.8, np.float32) if quality is None else quality
    return Companies(
        vectors,
        quality,
        looks_of(vectors, quality, known),
        known != 0 if settled is None else settled,
        np.asarray(labels),
        rejected,
        None,
    )


def wished(found, least=HALF):
    faces, roots, probabilities = found.wishes(least)
    assert (probabilities >= least).all()
    return dict(zip(faces.tolist(), roots.tolist(), strict=True))


def asked(people, odds, places=None):
    count = len(people)
    features = np.stack([odds, np.zeros(count), np.zeros(count)], axis=1)
    places = np.zeros(count, np.int64) if places is None else np.asarray(places)
    return Asked(places, np.arange(count), np.asarray(people), features)


BY_ODDS = (0.0, 1.0, 0.0, 0.0)


def test_those_whose_a_face_may_be_compete_for_it():
    two = asked([0, 1], np.log([3.0, 1.0]))

    assert two.chances(BY_ODDS) == pytest.approx([3 / 5, 1 / 5])  # and 1/5 that it is neither


def test_the_looks_of_one_person_do_not_compete():
    two = asked([0, 0, 1], np.log([3.0, 2.0, 1.0]))

    assert two.chances(BY_ODDS) == pytest.approx([3 / 5, 2 / 4, 1 / 5])


def test_other_places_do_not_compete_and_the_best_of_each_is_told():
    four = asked([0, 1, 0, 1], np.log([3.0, 1.0, 1.0, 4.0]), places=[5, 5, 7, 7])
    chances = four.chances(BY_ODDS)

    best = four.best(chances)

    assert best.tolist() == [0, 3]
    assert four.told(chances, best) == {5: (0, pytest.approx(3 / 5)), 7: (3, pytest.approx(4 / 6))}


def test_who_was_grouped_with_somebody_known_is_in_their_company():
    found = companies(LABELS)

    assert found.roots[found.owner[found.owner >= 0]].tolist() == [ANNA] * 4 + [BEA] * 3
    assert wished(found) == {1: ANNA, 2: ANNA, 3: ANNA, 5: BEA, 6: BEA}


def test_who_is_not_them_is_not_in_their_company():
    found = companies(LABELS, rejected=[(2, ANNA), (5, ANNA), (6, 999)])

    assert wished(found) == {1: ANNA, 3: ANNA, 5: BEA, 6: BEA}


def test_nothing_is_said_of_what_is_settled():
    settled = KNOWN != 0
    settled[2] = True

    assert 2 not in wished(companies(LABELS, settled=settled))


def test_faces_and_groups_that_resemble_somebody_enough_are_drawn_into_their_company():
    # Two like Anna are a group, one like Bea is alone.
    found = companies([0, 0, 3, 3, 1, 1, ALONE, 2, 2])

    found.gather(HALF)

    assert wished(found) == {1: ANNA, 2: ANNA, 3: ANNA, 5: BEA, 6: BEA}
    assert (found.owner[7:] == -1).all()


def test_whoever_is_known_by_poor_faces_alone_draws_nobody():
    quality = np.full(len(FACES), 0.8, np.float32)
    quality[KNOWN == ANNA] = LEAST_QUALITY - 0.1
    found = companies([0, 3, 3, ALONE, 1, 1, ALONE, 2, 2], quality=quality)

    found.gather(HALF)

    assert set(wished(found).values()) == {BEA}


def test_what_is_not_probable_enough_stays_out_and_is_told():
    found = companies([0, 0, 3, 3, 1, 1, ALONE, 2, 2])

    found.gather(1.0)

    assert wished(found) == {1: ANNA, 5: BEA}
    group, face = found.likely_groups[3], found.likely_faces[6]
    assert [int(found.roots[each[0]]) for each in (group, face)] == [ANNA, BEA]
    assert HALF < group[1] < 1
    assert HALF < face[1] < 1


def test_a_group_of_which_one_is_not_them_is_not_drawn():
    found = companies([0, 0, 3, 3, 1, 1, 1, 2, 2], rejected=[(3, ANNA)])

    found.gather(HALF)

    assert wished(found) == {1: ANNA, 5: BEA, 6: BEA}
    assert 3 not in found.likely_groups


def test_a_poor_face_is_not_drawn_by_itself():
    quality = np.full(9, 0.8, np.float32)
    quality[6] = LEAST_QUALITY - 0.01
    found = companies([0, 0, 0, 0, 1, 1, ALONE, 2, 2], quality=quality)

    found.gather(HALF)

    assert 6 not in wished(found)


def test_who_belongs_too_little_is_let_go():
    # The last was grouped with Anna, and resembles nobody.
    vectors = np.concatenate([FACES, lookalikes(1, 1, seed=9)])
    known = np.append(KNOWN, 0)
    found = companies([*LABELS, 0], known=known, vectors=vectors)
    assert found.owner[9] >= 0

    assert 9 not in wished(found)
    assert found.owner[9] == -1


def test_with_nobody_known_there_is_no_company():
    found = companies(LABELS, known=np.zeros(9, np.int64))

    found.gather(HALF)

    assert wished(found) == {}
    assert found.roots.tolist() == []


def test_nearness_is_the_mean_cosine_to_the_others_of_a_group():
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1], [1, 0]], np.float32)

    near = nearness(vectors, np.array([0, 1, 2]), np.array([0, 0, 0]))

    np.testing.assert_allclose(near[:, 1], [0.3, 0.7, 0.4], atol=1e-6)
    np.testing.assert_allclose(near[:, 2], np.log(2))
    assert near[:, 0].tolist() == [0, 0, 0]


def test_a_large_company_counts_as_one_of_those_that_were_labelled():
    vectors = np.tile(np.eye(1, 4, dtype=np.float32), (50, 1))

    near = nearness(vectors, np.arange(50), np.zeros(50, np.int64))

    np.testing.assert_allclose(near[:, 2], np.log(MOST_COMPANY))


def test_the_nearer_and_the_likelier_by_itself_the_more_probable():
    features = np.array([[0, 0.90, 1], [0, 0.95, 1], [2, 0.95, 1]])

    chances = weighed(features, MEMBER)

    assert (np.diff(chances) > 0).all()
    assert weighed(features[:1], (1.0, 0.0, 0.0, 0.0)) == pytest.approx([1 / (1 + np.exp(-1))])
