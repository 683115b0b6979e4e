import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.identify import LEAST_EVIDENCE, MOST_REFERENCES, Known, identify
from lookwho.core.match import Query, log_likelihood_ratio
from lookwho.core.vectors import unit


def faces(seed, people, each, spread=0.25, dim=128):
    generator = np.random.default_rng(seed)
    centres = unit(generator.standard_normal((people, dim)).astype(np.float32))
    noise = generator.standard_normal((people * each, dim)) * spread / np.sqrt(dim)
    owners = np.repeat(np.arange(people), each)
    return unit((centres[owners] + noise).astype(np.float32)), owners


def test_a_person_is_known_by_the_mean_of_their_best_faces():
    vectors, _ = faces(1, people=1, each=8)
    quality = np.array([0.1, 0.9, 0.2, 0.8, 0.7, 0.95, 0.6, 0.3], np.float32)

    known = Known.of(vectors, quality, np.zeros(8, np.int64))

    best = [5, 1, 3, 4, 6]
    assert len(best) == MOST_REFERENCES
    np.testing.assert_allclose(known.vectors[0], unit(vectors[best].mean(axis=0)), atol=1e-6)
    assert known.references.tolist() == [5]


def test_people_keep_their_places_whatever_the_order_of_the_faces():
    vectors, owners = faces(2, people=4, each=3)
    order = np.random.default_rng(0).permutation(len(owners))

    there = Known.of(vectors, np.ones(12), owners)
    shuffled = Known.of(vectors[order], np.ones(12), owners[order])

    np.testing.assert_allclose(there.vectors, shuffled.vectors, atol=1e-6)


def test_each_face_of_known_people_is_theirs():
    vectors, owners = faces(3, people=10, each=6)
    known = Known.of(vectors[::2], np.ones(30), owners[::2])

    found = identify(vectors, known)

    sure = found.probabilities > 0.9
    assert found.faces[sure].tolist() == list(range(60))
    assert found.owners[sure].tolist() == owners.tolist()


@given(st.integers(0, 10_000), st.floats(0.1, 0.5), st.integers(1, 7))
def test_one_person_alone_gets_the_probabilities_of_a_search(seed, spread, references):
    vectors, owners = faces(seed, people=6, each=8, spread=spread)
    theirs = vectors[owners == 0][:references]

    found = identify(vectors, Known.of(theirs, np.ones(len(theirs)), np.zeros(len(theirs), int)))

    query = Query.of(theirs[:MOST_REFERENCES])
    searched = query.score(vectors)
    evidence = log_likelihood_ratio(searched.distances, query.references)
    assert found.faces.tolist() == np.flatnonzero(evidence >= LEAST_EVIDENCE).tolist()
    np.testing.assert_allclose(found.probabilities, searched.probabilities[found.faces], atol=0.01)


def test_of_two_who_look_alike_neither_is_sure():
    vectors, _ = faces(4, people=1, each=9, spread=0.1)
    known = Known.of(vectors[:4], np.ones(4), np.array([0, 0, 1, 1]))

    found = identify(vectors, known)

    for face in range(4, 9):
        shares = found.probabilities[found.faces == face]
        assert len(shares) == 2
        assert 0.9 < shares.sum() <= 1
        assert shares.max() < 0.9


def test_nobody_known_is_nobody_found():
    vectors, _ = faces(5, people=2, each=2)
    nobody = Known.of(vectors[:0], np.zeros(0), np.zeros(0, np.int64))

    assert len(identify(vectors, nobody).faces) == 0
    assert len(identify(vectors[:0], Known.of(vectors, np.ones(4), np.arange(4))).faces) == 0
