import numpy as np
import pytest

from bench import grouping
from bench.grouping import Agreement, chinese_whispers
from tests.bench.test_annotator import some_people


def clusters(seed=0, people=20, faces=6, spread=0.02):
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), faces)
    centres = generator.standard_normal((people, 8))
    noise = generator.standard_normal((len(owners), 8)) * spread
    return (centres[owners] + noise).astype(np.float32), owners


def by_definition(groups, owners):
    """B-cubed F, precision and recall, and the same by pairs, one face and one pair after another.

    Source: Amigo et al., A comparison of extrinsic clustering evaluation metrics, 2009.
    """
    together = (groups[:, None] == groups) & (groups[:, None] >= 0) | np.eye(
        len(groups), dtype=bool
    )
    one = owners[:, None] == owners
    shared = (together & one).sum(axis=1)
    precision, recall = (shared / together.sum(axis=1)).mean(), (shared / one.sum(axis=1)).mean()
    pairs = np.triu_indices(len(groups), 1)
    together, one = together[pairs], one[pairs]
    found = together & one
    by_pairs = found.sum() / together.sum(), found.sum() / one.sum()

    def f(a, b):
        return 2 * a * b / (a + b)

    return [f(precision, recall), precision, recall, f(*by_pairs), *by_pairs]


def test_whispers_find_clusters_that_lie_apart():
    vectors, owners = clusters()

    labels = chinese_whispers(vectors, 0.5)

    assert len(np.unique(labels)) == 20
    assert all(len(np.unique(labels[owners == person])) == 1 for person in range(20))


def test_a_face_without_neighbours_keeps_its_own_label():
    vectors = np.array([[0, 0], [0.1, 0], [5, 5], [9, 9]], np.float32)

    labels = chinese_whispers(vectors, 0.5)

    assert labels[0] == labels[1]
    assert len(set(labels[1:].tolist())) == 3


def test_whispers_agree_with_dlib():
    dlib = pytest.importorskip("dlib")
    vectors, owners = clusters(people=60, faces=5, spread=0.15)

    ours = chinese_whispers(vectors, 0.6)
    rows = [dlib.vector(row.tolist()) for row in vectors]
    theirs = np.array(dlib.chinese_whispers_clustering(rows, 0.6))

    scores = [by_definition(labels, owners)[0] for labels in (ours, theirs)]
    assert 0.3 < scores[1] < 1
    assert scores[0] == pytest.approx(scores[1], abs=0.02)


def test_weighted_whispers_follow_the_nearer_neighbours():
    # Three far ones outvote two near ones only where all votes are equal.
    angles = np.array([0.0, 0.1, 0.1, -0.55, -0.55, -0.55])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    weighted = {tuple(chinese_whispers(vectors, 0.6, weighted=True, seed=s)) for s in range(9)}

    assert all(labels[0] == labels[1] == labels[2] != labels[3] for labels in weighted)


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_the_field(seed):
    generator = np.random.default_rng(seed)
    groups, owners = generator.integers(-1, 6, (2, 40))
    owners += 1
    agreement = Agreement.of(groups, owners)
    scores = agreement.scores(np.ones(len(agreement.sizes), np.int64))

    assert scores == pytest.approx(by_definition(groups, owners))


def test_drawing_everyone_twice_changes_no_share_by_face():
    generator = np.random.default_rng(0)
    groups, owners = generator.integers(0, 6, (2, 40))
    agreement = Agreement.of(groups, owners)
    once = np.ones(len(agreement.sizes), np.int64)

    assert agreement.scores(2 * once)[:3] == pytest.approx(agreement.scores(once)[:3])
    assert agreement.scores(2 * once)[5] == pytest.approx(agreement.scores(once)[5])


def test_someone_who_is_not_drawn_does_not_count():
    # Person 1 is mixed with person 0; without them person 0's group is right in pairs.
    agreement = Agreement.of(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))

    scores = agreement.scores(np.array([1, 0]))

    assert scores[3:].tolist() == [1, 1, 1]
    assert scores[2] == 1


@pytest.fixture(scope="module")
def people():
    return some_people([7, 6, 5, 4, 3, 3] * 4 + [1] * 12)


@pytest.fixture(scope="module")
def lines(people):
    return list(grouping.report(people, quick=True))


def test_the_report_has_a_row_for_each_way(lines):
    firsts = [line.split("|")[1].strip() for line in lines if line.startswith("|")]

    ways = [
        "Lookwho",
        "Chinese whispers, raw Euclidean ",
        "Chinese whispers, raw Euclidean, weighted ",
        "Chinese whispers, embeddings ",
        "Chinese whispers, embeddings, weighted ",
        "average linkage, cosine ",
        "connected components ",
        "DBSCAN ",
        "HDBSCAN, groups of 2 ",
    ]
    assert all(first.startswith(way) for first, way in zip(firsts[2:11], ways, strict=True))


def test_a_difference_is_that_of_the_scores_beside_it(lines):
    rows = [line.split("|")[2:-1] for line in lines if line.startswith("| ")][1:10]
    own = [float(cell.split()[0]) for cell in rows[0][:6]]

    for row in rows[1:]:
        for score, gain in ((0, 6), (3, 7)):
            value = own[score] - float(row[score].split()[0])
            assert float(row[gain].split()[0]) == pytest.approx(value, abs=0.0011)


def test_made_people_fill_the_library_and_the_real_ones_stay(people):
    large = grouping.with_made(people)

    count = len(people.owners)
    assert grouping.LARGE - 530 < len(large.owners) <= grouping.LARGE
    assert (large.owners[:count] == people.owners).all()
    assert (large.embeddings[:count] == people.embeddings).all()
    assert large.owners[count:].min() >= len(people.names)
    assert len(large.embeddings) == len(large.encodings) == len(large.quality) == len(large.owners)
