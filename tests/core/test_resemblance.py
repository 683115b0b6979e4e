import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.resemblance import BEHIND, FEATURES, SAME_FACE, SHARPNESS, Crowd
from lookwho.core.vectors import unit

ASSUMED = 0.1


def made(seed, people=5, strangers=7, faces=6, dim=16):
    generator = np.random.default_rng(seed)
    common = unit(np.ones(dim, np.float32))

    def some(count):
        return unit(common + 0.4 * generator.standard_normal((count, dim)) / np.sqrt(dim))

    return some(people), some(strangers), some(faces)


def everybody(columns):
    """A line so flat that all are near."""
    return np.tile([0.0, 1.0], (columns, 1))


def found(crowd, faces, lines=None):
    blocks = list(crowd.pairs(faces, everybody(len(crowd.owners)) if lines is None else lines))
    return tuple(np.concatenate(part) for part in zip(*blocks, strict=True))


def crowd_of(means, strangers, more=None, owners=()):
    more = means[:0] if more is None else more
    return Crowd(means, strangers, more, np.array(owners, np.int64))


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 6))
def test_features_are_what_they_are_called(seed, people, strangers):
    means, others, faces = made(seed, people, strangers)

    rows, columns, features = found(crowd_of(means, others), faces)

    assert rows.tolist() == np.repeat(np.arange(6), people).tolist()
    assert columns.tolist() == list(range(people)) * 6
    counted = np.concatenate([means, others]).astype(np.float64)
    mean = counted.sum(axis=0) / (len(counted) + 1)
    centred = unit(counted - mean).astype(np.float64)

    def density(vector, person):
        others = np.delete(np.exp(SHARPNESS * (centred @ unit(vector - mean))), person)
        return np.log((others.sum() + np.exp(SHARPNESS * ASSUMED)) / len(counted)) / SHARPNESS

    for row, column, values in zip(rows, columns, features, strict=True):
        face, person = faces[row].astype(np.float64), counted[column]
        expected = [
            face @ person, unit(face - mean) @ unit(person - mean), face @ mean, person @ mean,
            density(face, column), density(person, column),
        ]  # fmt: skip
        assert len(expected) == len(FEATURES)
        np.testing.assert_allclose(values, expected, atol=2e-4)


def test_a_stranger_is_no_crowd_around_itself():
    means, others, _ = made(1)

    _, _, within = found(crowd_of(means, others), others[:1])
    _, _, apart = found(crowd_of(means, others), unit(others[:1] + 0.02))

    assert apart[0, 0] == pytest.approx(within[0, 0], abs=0.01)
    assert float(unit(others[:1] + 0.02)[0] @ others[0]) < SAME_FACE
    assert within[0, 4] < apart[0, 4] - 0.2


def test_only_who_is_near_by_their_line_is_looked_at_and_somebody_always():
    means, others, faces = made(2)
    crowd = crowd_of(means, others)
    lines = np.array([[-50.0, 60.0], [-60.0, 70.0], [-50.0, 60.0], [-80.0, 90.0], [-50.0, 60.0]])

    rows, columns, _ = found(crowd, faces, lines)

    values = lines[:, 0] + (faces @ means.T) * lines[:, 1]
    near = values >= values.max(axis=1, keepdims=True) - BEHIND
    assert (rows.tolist(), columns.tolist()) == tuple(
        map(list, map(np.ndarray.tolist, near.nonzero()))
    )
    assert 6 <= len(rows) < 30


def test_further_looks_are_their_owners():
    means, others, faces = made(3)
    crowd = crowd_of(means, others, faces[:2], [4, 1])

    _, columns, features = found(crowd, faces[:1])

    assert crowd.owners.tolist() == [0, 1, 2, 3, 4, 4, 1]
    assert columns.tolist() == list(range(7))
    assert features[5, 0] == pytest.approx(1, abs=1e-5)
    # The density without the owner's mean is the same for all looks of theirs.
    assert features[5, 4] == pytest.approx(features[4, 4])
    assert features[6, 4] == pytest.approx(features[1, 4])


def test_blocks_do_not_show():
    means, others, faces = made(4, people=300, faces=700)
    crowd = crowd_of(means, others)

    rows, columns, features = found(crowd, faces)
    _, there, alone = found(crowd, faces[513:514])

    mine = rows == 513
    assert columns[mine].tolist() == there.tolist()
    np.testing.assert_allclose(features[mine], alone, atol=1e-5)
