import numpy as np
import pytest

from bench import identification
from bench.identification import Draw, Outcome, draw, nearest, rates, report
from bench.people import People
from lookwho.core.vectors import unit


def people(seed=0, count=60):
    """Faces of people, from one to eight of each, the later half held out."""
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(count), 1 + np.arange(count) % 8)
    common = np.ones(128) / np.sqrt(128)
    middles = unit(common + 0.36 * generator.standard_normal((count, 128)) / np.sqrt(128))
    faces = unit(middles[owners] + 0.25 * generator.standard_normal((len(owners), 128)) / 11.3)
    return People(
        names=tuple(f"{person:03}" for person in range(count)),
        owners=owners,
        held_out=np.arange(count) >= count // 2,
        split="the later half held out",
        embeddings=faces,
        encodings=faces,
        quality=np.ones(len(owners), np.float32),
        photos=len(owners),
        photos_held_out=0,
        without=(),
    )


@pytest.mark.parametrize("references", (1, 3))
def test_nobody_who_is_asked_is_also_learned_from(references):
    faces = people()

    drawn = draw(faces, references, 0)

    known = faces.owners[drawn.references]
    assert (known == known[:, :1]).all()
    asked = faces.owners[drawn.asked]
    strangers, taught = set(asked[drawn.truth < 0]), set(faces.owners[drawn.negatives])
    assert not strangers & taught
    assert not (strangers | taught) & set(known.ravel())
    named = drawn.truth >= 0
    assert (asked[named] == known[drawn.truth[named], 0]).all()
    assert not set(drawn.asked) & (set(drawn.references.ravel()) | set(drawn.negatives))
    assert drawn.weights[~named].sum() == pytest.approx(len(strangers))


def test_a_draw_is_the_same_again_and_another_with_another_seed():
    faces = people()

    one, two, three = (draw(faces, 2, seed) for seed in (4, 4, 5))

    assert one.references.tolist() == two.references.tolist()
    assert one.references.tolist() != three.references.tolist()


def test_rates_are_of_those_better_than_all_strangers_but_so_many():
    strangers = np.arange(100) / 100  # 0.99 is the best; 1 % may pass, then 0.98 may not
    scores = np.concatenate([[0.985, 0.97, 0.995, 0.945, 0.90], strangers])
    truth = np.array([0, 0, 1, 1, 1] + [-1] * 100)
    right = np.array([True, True, False, True, True] + [False] * 100)
    none = np.zeros((2, 1), np.int64)
    drawn = Draw(none, none[:, 0], np.arange(105), truth, np.ones(105))

    found = rates(drawn, Outcome(right, scores), np.ones(105))
    doubled = rates(drawn, Outcome(right, scores), np.append([2.0, 1, 1, 1, 1], np.ones(100)))

    assert found.tolist() == [1 / 5, 3 / 5]
    assert doubled.tolist() == [2 / 6, 4 / 6]


def test_the_nearest_reference_is_the_nearest():
    references = np.array([[[1, 0], [0, 1]], [[0.6, 0.8], [0.6, 0.8]]], np.float32)

    scores = nearest(references, references[0])(np.array([[0, 1], [0.8, 0.6]], np.float32))

    np.testing.assert_allclose(scores, [[1, 0.8], [0.8, 0.96]], atol=1e-6)


def test_what_is_fitted_is_the_same_again(monkeypatch):
    monkeypatch.setattr(identification, "FIT_DRAWS", 2)
    faces = people(count=80)

    settings = identification.fit(faces)

    assert settings == identification.fit(faces)
    assert all(line[1] > 0 for line in settings.lines)
    assert [len(plane) for plane in settings.planes] == [7] * 4


def test_the_report_compares_with_simple_methods():
    text = "\n".join(report(people(count=160), quick=True))

    for word in ("held-out people", "all people", "nearest reference", "mean cosine", "Lookwho"):
        assert word in text
    assert "Expected calibration error" in text
