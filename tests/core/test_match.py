import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.match import (
    EVIDENCE_LIMIT,
    Query,
    compare_embeddings,
    log_likelihood_ratio,
    reach,
    score_nearest,
)
from lookwho.core.vectors import unit

GENERATOR = np.random.default_rng(0)


def vector(distance, base):
    """A unit vector at this distance (1 - cosine) from `base`."""
    other = GENERATOR.standard_normal(len(base))
    other -= (other @ base) * base
    cosine = 1 - distance
    return (cosine * base + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)).astype(
        np.float32
    )


BASE = unit(GENERATOR.standard_normal(128).astype(np.float32))


def test_a_face_is_itself():
    found = compare_embeddings(BASE, BASE)

    assert found.distance == pytest.approx(0, abs=1e-6)
    assert found.probability > 0.999
    assert found.same


def test_faces_at_right_angles_are_two_people():
    found = compare_embeddings(BASE, vector(1.0, BASE))

    assert found.probability < 0.001
    assert not found.same


@given(st.floats(0, 2), st.floats(0, 2), st.sampled_from((1, 2, 3, 4, 5, 50)))
def test_the_nearer_the_likelier(a, b, references):
    near, far = sorted((a, b))

    first, second = log_likelihood_ratio(np.array([near, far]), references)

    assert np.isfinite([first, second]).all()
    assert first >= second


def test_comparing_is_symmetric():
    other = vector(0.07, BASE)

    assert compare_embeddings(BASE, other) == compare_embeddings(other, BASE)


def test_a_search_among_strangers_is_stricter_than_a_comparison_at_even_odds():
    borderline = vector(0.085, BASE)
    strangers = np.stack([vector(0.25, BASE) for _ in range(500)])
    alone = compare_embeddings(BASE, borderline)

    found = Query.of(BASE[None]).score(np.concatenate([borderline[None], strangers]))

    assert found.probabilities[0] < alone.probability
    assert found.prior == pytest.approx(1 / 502, rel=0.7)
    assert not found.same[1:].any()


def test_the_prior_follows_how_often_the_person_is_there():
    mine = np.stack([vector(0.03, BASE) for _ in range(30)])
    strangers = np.stack([vector(0.25, BASE) for _ in range(70)])

    found = Query.of(BASE[None]).score(np.concatenate([mine, strangers]))

    assert found.prior == pytest.approx(0.3, abs=0.01)
    assert found.same.tolist() == [True] * 30 + [False] * 70


def test_a_library_of_one_person_only_has_even_odds_at_most():
    found = Query.of(BASE[None]).score(np.stack([vector(0.02, BASE) for _ in range(50)]))

    assert found.prior == 0.5
    assert found.same.all()


def test_several_references_make_one_query_of_unit_length():
    references = np.stack([vector(0.05, BASE) for _ in range(4)])

    query = Query.of(references)

    assert np.linalg.norm(query.vector) == pytest.approx(1, abs=1e-6)
    assert query.references == 4
    assert 1 - query.vector @ BASE < 0.05


def test_no_distance_makes_it_certain():
    certain = log_likelihood_ratio(np.array([0.0, 2.0]))

    assert certain.tolist() == [EVIDENCE_LIMIT, -EVIDENCE_LIMIT]
    assert compare_embeddings(BASE, BASE).probability < 1


@pytest.mark.parametrize("references", (1, 2, 3, 5))
@pytest.mark.parametrize(("mine", "strangers"), ((0, 400), (3, 30), (40, 2000), (50, 10), (1, 1)))
def test_the_nearest_alone_tell_what_all_faces_tell(references, mine, strangers):
    query = Query(BASE, references)
    far = [*GENERATOR.normal(0.06, 0.02, mine).clip(0), *GENERATOR.normal(0.2, 0.04, strangers)]
    everyone = query.score(np.stack([vector(each, BASE) for each in far]))
    near = everyone.distances <= reach(references)

    found = score_nearest(everyone.distances[near], len(far), references)

    assert found.probabilities == pytest.approx(everyone.probabilities[near], abs=1e-3)
    assert found.prior == pytest.approx(everyone.prior, abs=1e-3)
    # What was left out would not even have been offered as doubtful.
    assert everyone.probabilities[~near].max(initial=0) < 0.01


def test_where_nothing_is_near_nothing_is_scored():
    found = score_nearest(np.zeros(0), 1000)

    assert (len(found.probabilities), found.prior) == (0, 1 / 1001)


def test_more_references_need_a_shorter_reach():
    assert reach(1) > reach(2) > reach(3) == reach(4) > reach(5) == reach(50)
    evidence = [log_likelihood_ratio(np.array([reach(count)]), count) for count in (1, 2, 3, 5)]
    assert np.exp(np.concatenate(evidence)) == pytest.approx([0.005] * 4)


def test_somebody_of_whom_little_shows_is_believed_to_be_there_as_often_as_others_are():
    # One face that may well be theirs, among a thousand of a hundred people.
    distances = np.array([0.07])
    alone = score_nearest(distances, 1000)
    among = score_nearest(distances, 1000, people=100)

    assert among.prior == pytest.approx(1 / 100)
    assert alone.prior < among.prior
    assert alone.probabilities[0] < among.probabilities[0]


def test_somebody_in_many_photos_is_in_as_many_whatever_others_are():
    distances = np.full(300, 0.01)

    assert score_nearest(distances, 1000, people=100).prior == pytest.approx(
        score_nearest(distances, 1000).prior
    )
