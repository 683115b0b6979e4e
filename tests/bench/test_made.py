import numpy as np

from bench.made import SIZES, made
from lookwho.core.vectors import unit
from tests.bench.test_annotator import some_people

PEOPLE = some_people([6] * 120)


def first_of_each(vectors, owners):
    return vectors[np.unique(owners, return_index=True)[1]]


def test_as_many_people_are_made_with_so_many_faces():
    vectors, owners = made(PEOPLE)

    faces, people = np.unique(np.bincount(owners), return_counts=True)
    assert list(zip(faces.tolist(), people.tolist(), strict=True)) == sorted(SIZES)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_their_faces_lie_apart_as_those_of_the_real_ones():
    vectors, owners = made(PEOPLE)

    def middle(vectors, owners):
        one = first_of_each(vectors, owners)[:1000]
        between = (one @ one.T)[np.triu_indices(len(one), 1)]
        some = owners == np.bincount(owners).argmax()
        own = (vectors[some] @ vectors[some].T)[np.triu_indices(some.sum(), 1)]
        return 1 - np.median(between), 1 - np.median(own)

    assert np.allclose(middle(vectors, owners), middle(PEOPLE.embeddings, PEOPLE.owners), rtol=0.1)


def test_other_seeds_make_other_people():
    assert not np.allclose(unit(made(PEOPLE, 1)[0]), unit(made(PEOPLE, 2)[0]))
