import numpy as np
import pytest

from bench import decided
from bench.grouping import Agreement
from tests.bench.test_annotator import some_people


def errors(labels, owners):
    agreement = Agreement.of(labels, owners)
    return 1 - agreement.scores(np.ones(len(agreement.sizes), np.int64))[[0, 3]]


@pytest.fixture(scope="module")
def people():
    faces = some_people([7, 6, 5, 4, 3, 3, 2, 1] * 4)
    noise = np.random.default_rng(1).standard_normal(faces.embeddings.shape) * 0.03
    faces.embeddings[:] += noise.astype(np.float32)
    faces.embeddings[:] /= np.linalg.norm(faces.embeddings, axis=1, keepdims=True)
    return faces


def test_without_an_answer_nothing_changes(people):
    before, after = decided.by_answers(people, 0)

    assert before.tolist() == after.tolist()


def test_answers_leave_fewer_errors_and_enough_of_them_none(people):
    left = [errors(decided.by_answers(people, n)[1], people.owners).sum() for n in (0, 15, 400)]

    assert left[0] > left[1] > left[2]
    assert left[2] < 0.01


def test_who_is_found_exactly_stays_so():
    faces = some_people([5] * 12)

    before, after = decided.by_answers(faces, 30)

    assert errors(before, faces.owners).tolist() == errors(after, faces.owners).tolist() == [0, 0]
