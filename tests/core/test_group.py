import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookwho.core.density import densities
from lookwho.core.errors import InputError
from lookwho.core.group import ALONE, NEW, REACH, churn, group, suitable_limit
from lookwho.core.linkage import COMMON_MOST, COMMON_POWER, DENSITY_WEIGHT, SIZE_POWER
from lookwho.core.vectors import unit

SEEDS = st.integers(0, 10_000)


def crowd(seed, people=8, faces=5, spread=0.25, dim=16):
    """Unit vectors around so many random directions, and whose each is."""
    generator = np.random.default_rng(seed)
    centres = unit(generator.standard_normal((people, dim)).astype(np.float32))
    whose = np.repeat(np.arange(people), faces)
    noise = generator.standard_normal((people * faces, dim)) * spread / np.sqrt(dim)
    return unit((centres[whose] + noise).astype(np.float32)), whose


def partition(labels):
    """The groups as sets, faces alone as sets of one."""
    sets = {}
    for index, label in enumerate(np.asarray(labels).tolist()):
        sets.setdefault(label if label != ALONE else f"alone {index}", set()).add(index)
    return {frozenset(members) for members in sets.values()}


def by_definition(embeddings, limit):
    """Unite all groups that are each other's closest, round after round."""
    vectors = embeddings.astype(np.float64)
    dense = densities(embeddings, embeddings, limit)
    groups = [[index] for index in range(len(embeddings))]
    looked_at = vectors @ vectors.T >= 1 - REACH * limit

    def closeness(a, b):
        one, two = unit(vectors[a].sum(axis=0)), unit(vectors[b].sum(axis=0))
        size = ((1 / len(a) + 1 / len(b)) / 2) ** SIZE_POWER
        common = min(max(len(a), len(b)), COMMON_MOST) ** COMMON_POWER
        crowded = np.exp(DENSITY_WEIGHT * (dense[a].mean() + dense[b].mean()))
        return 1 - (1 - one @ two) * crowded / (limit * size * common)

    while True:
        near = np.array([[closeness(a, b) for b in groups] for a in groups])
        looked_at &= (near >= 0) & ~np.eye(len(groups), dtype=bool)
        near[~looked_at] = -1
        best = near.argmax(axis=1)
        pairs = [(i, j) for i, j in enumerate(best) if i < j and best[j] == i and near[i, j] >= 0]
        if not pairs:
            return {frozenset(members) for members in groups}
        for i, j in pairs:
            groups[i] += groups[j]
            looked_at[i] |= looked_at[j]
            looked_at[:, i] |= looked_at[:, j]
        left = sorted(set(range(len(groups))) - {j for _, j in pairs})
        groups, looked_at = [groups[i] for i in left], looked_at[np.ix_(left, left)]


@pytest.mark.parametrize("seed", range(12))
def test_groups_that_are_each_others_closest_become_one(seed):
    embeddings, _ = crowd(seed, people=5, faces=5, spread=0.5, dim=32)

    labels = group(embeddings, limit=0.2)

    expected = by_definition(embeddings, 0.2)
    assert partition(labels) == expected
    assert 1 < len(expected) < len(embeddings)


@given(SEEDS)
def test_two_faces_of_one_photo_are_two_people(seed):
    embeddings, _ = crowd(seed, people=3, faces=6, spread=0.4)
    photos = np.random.default_rng(seed).integers(0, 6, len(embeddings))

    labels = group(embeddings, photos=photos, limit=0.5)

    for members in partition(labels):
        shown = photos[sorted(members)]
        assert len(set(shown)) == len(shown)


def test_people_who_are_far_apart_are_found_exactly():
    embeddings, whose = crowd(1, people=30, faces=7, dim=128)

    labels = group(embeddings, limit=0.2)

    assert partition(labels) == partition(whose)


@given(SEEDS)
def test_the_order_of_the_faces_changes_nothing(seed):
    embeddings, _ = crowd(seed, spread=0.5)
    order = np.random.default_rng(seed).permutation(len(embeddings))

    shuffled = group(embeddings[order], limit=0.2)

    there = {frozenset(order[sorted(members)].tolist()) for members in partition(shuffled)}
    assert there == partition(group(embeddings, limit=0.2))


def test_the_largest_group_is_number_nought_and_faces_alone_have_no_number():
    embeddings = unit(
        np.float32([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0.01], [0, 1, 0.02], [1, 0.01, 0]])
    )

    assert group(embeddings, limit=0.1).tolist() == [ALONE, 1, 0, 0, 0, 1]


def test_one_look_alike_does_not_chain_two_people_together():
    angles = np.concatenate([np.full(5, 0.0), [0.35], np.full(5, 0.7)])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    labels = group(embeddings, limit=0.1)

    assert labels[0] != labels[-1]


def test_equal_faces_are_grouped_whatever_their_number():
    labels = group(np.tile(np.float32([[1, 0]]), (3000, 1)))

    assert labels.tolist() == [0] * 3000


def test_equal_faces_of_one_photo_are_as_many_people():
    labels = group(np.tile(np.float32([[1, 0]]), (300, 1)), photos=np.zeros(300, np.int64))

    assert labels.tolist() == [ALONE] * 300


@pytest.mark.parametrize("count", (0, 1))
def test_no_face_and_one_face_make_no_group(count):
    embeddings = np.ones((count, 4), np.float32) / 2
    told = np.zeros(count, np.int64)

    assert group(embeddings).tolist() == [ALONE] * count
    everything = group(
        embeddings, photos=told, quality=np.ones(count), people=told, before=told + NEW
    )
    assert everything.tolist() == [ALONE] * count


def test_vectors_of_zeros_resemble_nobody():
    assert group(np.zeros((5, 8), np.float32)).tolist() == [ALONE] * 5


@pytest.mark.parametrize("wrong", (np.nan, np.inf))
def test_a_number_that_is_not_finite_is_refused_by_its_place(wrong):
    embeddings, _ = crowd(0)
    embeddings[7, 3] = wrong

    with pytest.raises(InputError, match="embedding 7 "):
        group(embeddings)


@pytest.mark.parametrize(
    "wrong",
    (
        {"photos": np.zeros(3, np.int64)},
        {"people": np.zeros(40)},
        {"quality": np.ones(2)},
        {"before": np.zeros((40, 1), np.int64)},
        {"must": [(0, 40)]},
        {"cannot": [(-1, 0)]},
        {"must": [(1, 2, 3)]},
    ),
    ids=("photos", "people", "quality", "before", "must", "cannot", "triples"),
)
def test_what_does_not_fit_the_faces_is_refused(wrong):
    embeddings, _ = crowd(0)

    with pytest.raises(InputError):
        group(embeddings, **wrong)


def test_a_larger_library_is_grouped_more_strictly():
    limits = [suitable_limit(faces) for faces in (0, 1, 100, 3_252, 13_233, 100_000, 10**9)]

    assert limits == sorted(limits, reverse=True)
    assert limits[-1] > 0


# Quality


def test_a_poor_face_joins_a_group_but_founds_none():
    embeddings = unit(np.float32([[1, 0, 0], [1, 0.01, 0], [1, 0, 0.01], [0, 1, 0], [0, 1, 0.01]]))

    labels = group(embeddings, quality=np.array([0.8, 0.8, 0.1, 0.1, 0.8]), limit=0.1)

    assert labels.tolist() == [0, 0, 0, ALONE, ALONE]


def test_a_poor_face_does_not_bridge_two_people():
    angles = np.array([0, 0.01, 0.02, 0.5, 0.51, 0.52, 0.26, 0.26])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def labels(quality):
        return group(embeddings, quality=np.array([0.9] * 6 + [quality] * 2), limit=0.08)

    assert labels(0.1)[0] != labels(0.1)[3]
    # What good faces between them would do.
    assert labels(0.9)[6] in labels(0.9)[:6]
    assert labels(0.9)[6] == labels(0.9)[7]


@given(SEEDS)
def test_without_the_poor_faces_the_others_are_grouped_alike(seed):
    embeddings, _ = crowd(seed, spread=0.6)
    good = np.random.default_rng(seed).random(len(embeddings)) < 0.7

    labels = group(embeddings, quality=np.where(good, 0.9, 0.2), limit=0.2)

    assert partition(labels[good]) == partition(group(embeddings[good], limit=0.2))


def test_a_poor_face_of_a_photo_does_not_join_who_is_in_it_already():
    embeddings = np.tile(np.float32([[1, 0]]), (5, 1))
    photos = np.array([0, 1, 0, 2, 2])

    labels = group(embeddings, photos=photos, quality=np.array([0.9, 0.9, 0.1, 0.1, 0.1]))

    assert labels.tolist() == [0, 0, ALONE, 0, ALONE]


# What humans said


def links(generator, count, many=6):
    return generator.integers(0, count, (many, 2))


@given(SEEDS)
@settings(max_examples=60)
def test_what_is_known_is_kept(seed):
    generator = np.random.default_rng(seed)
    embeddings, whose = crowd(seed, spread=0.8, dim=6)
    count = len(embeddings)
    people = np.where(generator.random(count) < 0.3, generator.permutation(whose), -1)
    photos = generator.integers(0, count // 2, count)
    cannot = links(generator, count)

    labels = group(embeddings, photos=photos, people=people, cannot=cannot, limit=0.3)

    for person in set(people[people >= 0].tolist()):
        of = labels[people == person]
        assert len(set(of.tolist())) == 1
        assert len(of) == 1 or of[0] != ALONE
    for members in partition(labels):
        inside = people[sorted(members)]
        assert len(set(inside[inside >= 0].tolist())) <= 1
    for a, b in cannot.tolist():
        if people[a] < 0 or people[a] != people[b]:
            assert a == b or labels[a] == ALONE or labels[a] != labels[b]


@given(SEEDS)
def test_must_is_kept_wherever_it_does_not_unite_two_people(seed):
    generator = np.random.default_rng(seed)
    embeddings, _ = crowd(seed)
    count = len(embeddings)
    must, cannot = links(generator, count), links(generator, count)
    photos = np.zeros(count, np.int64)

    labels = group(embeddings, photos=photos, must=must, cannot=np.concatenate([must, cannot]))

    assert all(a == b or labels[a] == labels[b] != ALONE for a, b in must.tolist())
    people = np.full(count, -1)
    people[must[0]] = 1, 2
    if must[0, 0] != must[0, 1]:
        labels = group(embeddings, photos=photos, people=people, must=must)
        assert labels[must[0, 0]] != labels[must[0, 1]] or labels[must[0, 0]] == ALONE


def test_a_chain_of_musts_does_not_unite_two_people():
    embeddings = np.tile(np.float32([[1, 0]]), (4, 1))

    labels = group(embeddings, people=np.array([5, -1, -1, 6]), must=[(0, 1), (1, 2), (2, 3)])

    assert labels.tolist() == [0, 0, 0, ALONE]


def test_a_cannot_holds_for_all_whom_a_must_unites():
    embeddings = np.tile(np.float32([[1, 0]]), (5, 1))

    labels = group(embeddings, must=[(0, 1)], cannot=[(1, 2)])

    assert labels[0] == labels[1] != labels[2]


def test_confirmed_people_draw_those_who_resemble_them():
    embeddings, whose = crowd(3, people=6, faces=6, dim=64)
    people = np.where(np.arange(36) % 6 == 0, whose, -1)

    assert partition(group(embeddings, people=people, limit=0.2)) == partition(whose)


# Again, with more


@st.composite
def histories(draw):
    """Faces that are known at first, all of them, and what is said about them."""
    seed = draw(SEEDS)
    generator = np.random.default_rng(seed)
    embeddings, whose = crowd(seed, people=6, faces=6, spread=0.7, dim=8)
    order = generator.permutation(len(embeddings))
    count = len(embeddings)
    told = {
        "photos": generator.integers(0, count, count),
        "people": np.where(generator.random(count) < 0.3, whose[order], -1),
        "quality": generator.random(count),
        "limit": draw(st.sampled_from([0.1, 0.3])),
    }
    return embeddings[order], told, draw(st.integers(0, count)), links(generator, count)


def first_of(told, there):
    return {name: value if name == "limit" else value[:there] for name, value in told.items()}


@given(histories())
def test_grouping_again_changes_nothing(history):
    embeddings, told, _, cannot = history
    labels = group(embeddings, **told, cannot=cannot)

    again = group(embeddings, **told, cannot=cannot, before=labels)

    assert again.tolist() == labels.tolist()


@given(histories())
def test_confirmed_faces_never_change_company_and_nothing_known_is_broken(history):
    embeddings, told, there, cannot = history
    before = group(embeddings[:there], **first_of(told, there))
    was = np.concatenate([before, np.full(len(embeddings) - there, NEW)])

    after = group(embeddings, **told, cannot=cannot, before=was)

    people = told["people"]
    confirmed = people >= 0
    known = confirmed & (was != NEW)
    assert churn(was[known], after[known]) == 0
    for members in partition(after):
        inside = people[sorted(members)]
        assert len(set(inside[inside >= 0].tolist())) <= 1
    for a, b in cannot.tolist():
        if a != b and (people[a] < 0 or people[a] != people[b]):
            assert after[a] == ALONE or after[a] != after[b]
    assert (after >= ALONE).all()


@given(histories())
def test_groups_keep_their_labels_when_faces_are_added(history):
    embeddings, told, there, _ = history
    told["people"][there:] = -1  # or one could be somebody who is in the photo already
    before = group(embeddings[:there], **first_of(told, there))
    was = np.concatenate([before, np.full(len(embeddings) - there, NEW)])

    after = group(embeddings, **told, before=was)

    # Who was together still is: nothing that was said tears them apart.
    for members in partition(before):
        assert len(members) == 1 or len(set(after[sorted(members)].tolist())) == 1
    names = set(before[before >= 0].tolist())
    for label in set(after[after >= 0].tolist()):
        of = set(was[after == label].tolist()) & names
        assert label in of if of else label > max(names, default=-1)


def test_new_faces_join_the_group_that_is_there_and_others_found_one():
    embeddings, whose = crowd(2, people=4, faces=6, dim=64)
    was = np.where(whose == 3, NEW, 3 - whose)
    was[whose == 1] = [2, 2, 2, 2, NEW, NEW]

    labels = group(embeddings, before=was, limit=0.2)

    assert labels.tolist() == np.where(whose == 3, 4, 3 - whose).tolist()


def test_a_group_that_somebody_took_apart_is_grouped_anew_and_others_are_not():
    embeddings, whose = crowd(2, people=3, faces=6, dim=64)
    before = np.where(whose == 2, 1, 0)  # two people in one group

    labels = group(embeddings, before=before, people=np.where(whose == 2, -1, whose), limit=0.2)

    assert partition(labels) == partition(whose)
    assert (labels[whose == 2] == 1).all()
    assert {0, 2} == set(labels[whose != 2].tolist())


def test_who_was_left_alone_stays_so_until_a_new_face_comes():
    embeddings = np.tile(np.float32([[1, 0]]), (3, 1))

    assert group(embeddings, before=np.full(3, ALONE)).tolist() == [ALONE] * 3
    assert group(embeddings, before=np.array([ALONE, ALONE, NEW])).tolist() == [0, 0, 0]


def test_a_label_stays_with_the_confirmed_faces_that_had_it():
    embeddings = np.tile(np.float32([[1, 0]]), (6, 1))
    people = np.array([7, 7, -1, -1, -1, -1])
    rejected = [(0, face) for face in range(2, 6)]

    labels = group(embeddings, people=people, cannot=rejected, before=np.full(6, 3))

    assert labels.tolist() == [3, 3, 4, 4, 4, 4]


def test_churn_counts_those_whose_company_changed():
    before = np.array([0, 0, 0, 1, 1, ALONE, NEW])

    assert churn(before, before) == 0
    assert churn(before, np.array([5, 5, 5, 2, 2, ALONE, 5])) == 0
    assert churn(before, np.array([0, 0, ALONE, 1, 1, ALONE, 1])) == 3 / 6
    assert churn(before, np.array([0, 0, 0, 0, 0, 0, 0])) == 1
    assert churn(np.full(3, NEW), np.zeros(3, np.int64)) == 0


def test_real_people_are_told_apart(media, analyzer):
    folders = sorted(
        path for path in (media / "identities").iterdir() if len(list(path.iterdir())) >= 6
    )
    photos = [
        (folder.name, path) for folder in folders[:4] for path in sorted(folder.iterdir())[:6]
    ]
    vectors = np.stack([analyzer(path)[0].embedding for _, path in photos])

    labels = group(vectors)

    names = np.unique([name for name, _ in photos], return_inverse=True)[1]
    for label in set(labels.tolist()) - {ALONE}:
        assert len(set(names[labels == label])) == 1
    assert (labels == ALONE).mean() < 0.2
