import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.vectors import unit
from lookwho.services.company import LEAST_QUALITY
from lookwho.services.guesses import NOBODY, Evidence, guess
from tests.people import DIM, lookalikes

ANNA, BEA = 101, 102


def evidence(vectors, **more):
    """Nothing is known, and every face has its own photo, but for what is told."""
    count = len(vectors)
    none = np.zeros(count, np.int64)
    told = {
        "media": np.arange(count),
        "quality": np.full(count, 0.8, np.float32),
        "confirmed": none,
        "guesses": none,
        "roots": {},
        "unnamed": frozenset(),
        "rejected": frozenset(),
        "taken": frozenset(),
        **more,
    }
    return Evidence(embeddings=vectors, **told)


def marked(count, marks):
    array = np.zeros(count, np.int64)
    for place, who in marks.items():
        array[place] = who
    return array


def a_lonely_face(distance=0.08):
    """A face, and one that no group takes but that resembles it a little."""
    axes = np.eye(DIM, dtype=np.float32)
    return unit(np.stack([axes[0], (1 - distance) * axes[0] + np.sqrt(2 * distance) * axes[1]]))


def test_faces_that_resemble_each_other_are_new_people_the_largest_first():
    vectors = np.vstack(
        [lookalikes(1, 2, seed=1), lookalikes(1, 3, seed=2), lookalikes(1, 1, seed=3)]
    )

    guesses = guess(evidence(vectors))

    assert guesses.people.tolist() == [-2, -2, -1, -1, -1, NOBODY]
    assert guesses.fresh == 2
    assert (guesses.probabilities[:5] > 0.9).all()
    assert guesses.probabilities[5] == 0


def test_a_group_with_confirmed_faces_of_one_person_is_that_person():
    guesses = guess(evidence(lookalikes(1, 5), confirmed=marked(5, {0: ANNA, 3: ANNA})))

    assert guesses.people.tolist() == [NOBODY, ANNA, ANNA, NOBODY, ANNA]
    assert (guesses.probabilities[[1, 2, 4]] > 0.9).all()
    assert np.isnan(guesses.probabilities[[0, 3]]).all()


def test_between_two_people_who_resemble_each_other_each_face_is_the_nearer_one():
    axes = np.eye(DIM)
    # Near enough to be one group, were they not confirmed to be two people.
    anna = np.sqrt(0.97) * axes[0] + np.sqrt(0.03) * axes[1]
    bea = np.sqrt(0.97) * axes[0] - np.sqrt(0.03) * axes[1]
    near = [centre + 0.03 * axes[place] for place, centre in enumerate([anna] * 4 + [bea] * 4, 2)]
    vectors = unit(np.vstack(near).astype(np.float32))
    confirmed = marked(8, {0: ANNA, 1: ANNA, 4: BEA, 5: BEA})

    guesses = guess(evidence(vectors, confirmed=confirmed))

    assert guesses.people.tolist() == [0, 0, ANNA, ANNA, 0, 0, BEA, BEA]


def test_a_face_that_no_group_took_is_the_known_person_whom_it_resembles_enough():
    vectors, confirmed = a_lonely_face(), marked(2, {0: ANNA})

    sure, unsure = (
        guess(evidence(vectors, confirmed=confirmed, threshold=threshold))
        for threshold in (0.05, 0.5)
    )

    assert sure.people.tolist() == [NOBODY, ANNA]
    assert sure.probabilities[1] > 0.05
    assert unsure.people.tolist() == [NOBODY, NOBODY]
    assert unsure.doubts == {1: (ANNA, pytest.approx(unsure.probabilities[1]))}
    assert 0.05 < unsure.probabilities[1] < 0.5


def test_without_confirmed_faces_such_a_face_is_nobody():
    guesses = guess(evidence(a_lonely_face(), threshold=0.05))

    assert guesses.people.tolist() == [NOBODY, NOBODY]
    assert guesses.probabilities.tolist() == [0, 0]


@pytest.mark.parametrize(
    "more",
    (
        {"rejected": frozenset({(1, ANNA)})},
        {"quality": np.float32([0.8, LEAST_QUALITY - 0.01])},
        {"media": np.array([4, 4])},  # she is in that photo already
        {"taken": frozenset({(1, ANNA)})},
        {"audited": np.array([True, False])},  # nothing follows from her face
    ),
)
def test_a_lonely_face_is_not_somebody_it_cannot_be(more):
    known = {"confirmed": marked(2, {0: ANNA}), "threshold": 0.05}

    guesses = guess(evidence(a_lonely_face(), **known, **more))

    assert guesses.people[1] == NOBODY


def test_a_group_that_resembles_somebody_as_a_whole_is_them_or_a_question():
    # Two groups of which neither takes the other, a third of the way from one to the other.
    near = lookalikes(1, 6, seed=1, spread=0.1)
    axis = lookalikes(1, 1, seed=2)[0]
    far = unit(lookalikes(1, 6, seed=1, spread=0.1)[::-1] + np.float32(0.42) * axis)
    told = {"confirmed": marked(12, dict.fromkeys(range(6), ANNA))}

    sure = guess(evidence(np.vstack([near, far]), threshold=1e-6, **told))
    unsure = guess(evidence(np.vstack([near, far]), **told))

    assert sure.people[6:].tolist() == [ANNA] * 6
    assert unsure.people[6:].tolist() == [-1] * 6
    (whom, chance) = unsure.likely[-1]
    assert whom == ANNA
    assert 1e-6 < chance < 0.5


def test_faces_of_the_audit_found_no_group_and_are_guessed_like_others():
    vectors = np.vstack([lookalikes(1, 3, seed=1), lookalikes(1, 2, seed=2)])
    audited = np.array([False, False, True, True, True])

    guesses = guess(evidence(vectors, audited=audited))

    assert guesses.people.tolist() == [-1, -1, -1, NOBODY, NOBODY]


def test_a_confirmed_face_of_the_audit_says_nothing_but_is_in_its_photo():
    vectors = lookalikes(1, 4)
    told = {"confirmed": marked(4, {0: ANNA, 3: ANNA}), "media": np.array([0, 1, 2, 2])}

    guesses = guess(evidence(vectors, audited=np.array([False, False, False, True]), **told))
    alone = guess(evidence(vectors, audited=np.array([True, False, False, True]), **told))

    assert guesses.people.tolist() == [NOBODY, ANNA, NOBODY, NOBODY]
    assert ANNA not in alone.people


def test_somebody_of_two_looks_draws_the_faces_of_both():
    vectors = np.vstack([lookalikes(1, 4, seed=1), lookalikes(1, 4, seed=2)])

    guesses = guess(evidence(vectors, confirmed=marked(8, {0: ANNA, 1: ANNA, 4: ANNA, 5: ANNA})))

    assert guesses.people.tolist() == [NOBODY, NOBODY, ANNA, ANNA] * 2


def test_a_face_between_two_known_people_is_not_surely_either():
    axes = np.eye(DIM)
    sides = [np.sqrt(0.97) * axes[0] + sign * np.sqrt(0.03) * axes[1] for sign in (1, -1)]
    vectors = unit(np.stack([*sides, axes[0]]).astype(np.float32))

    guesses = guess(evidence(vectors, confirmed=marked(3, {0: ANNA, 1: BEA})))

    assert guesses.probabilities[2] < 0.6


def test_poor_faces_join_a_group_but_make_none():
    vectors = lookalikes(2, 4)
    quality = np.float32([0.8, 0.8, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1])

    guesses = guess(evidence(vectors, quality=quality))

    assert guesses.people.tolist() == [-1] * 4 + [NOBODY] * 4


def test_a_rejected_face_is_never_guessed_to_be_them_again():
    confirmed = marked(4, {0: ANNA})

    guesses = guess(
        evidence(lookalikes(1, 4), confirmed=confirmed, rejected=frozenset({(2, ANNA)}))
    )

    assert guesses.people.tolist() == [NOBODY, ANNA, NOBODY, ANNA]


def test_of_two_faces_of_one_photo_one_is_guessed_to_be_the_person():
    # `group` keeps them apart, but the confirmed face of the photo lies in another group.
    vectors = np.vstack([lookalikes(1, 4, seed=1), lookalikes(1, 2, seed=2)])
    confirmed = marked(6, {0: ANNA, 4: ANNA})

    guesses = guess(evidence(vectors, confirmed=confirmed, media=np.array([0, 1, 2, 3, 3, 5])))

    assert guesses.people.tolist() == [NOBODY, ANNA, ANNA, NOBODY, NOBODY, ANNA]


def test_of_two_faces_of_one_photo_the_likelier_one_is_the_person():
    vectors = np.vstack([a_lonely_face(0.05), a_lonely_face(0.03)[1:]])
    told = {"confirmed": marked(3, {0: ANNA}), "media": np.array([0, 1, 1])}

    guesses = guess(evidence(vectors, **told))

    assert guesses.people.tolist() == [NOBODY, NOBODY, ANNA]


def test_a_group_keeps_the_person_that_most_of_its_faces_were():
    vectors = lookalikes(1, 6)
    guesses = marked(6, {0: 7, 1: 7, 2: 8, 3: 8, 4: 8})

    found = guess(evidence(vectors, guesses=guesses, unnamed=frozenset({7, 8})))

    assert (found.people.tolist(), found.fresh) == ([8] * 6, 0)


def test_of_two_groups_that_were_one_the_larger_keeps_the_person():
    vectors = np.vstack([lookalikes(1, 2, seed=1), lookalikes(1, 3, seed=2)])

    found = guess(evidence(vectors, guesses=np.full(5, 7), unnamed=frozenset({7}), whole=True))

    assert found.people.tolist() == [-1, -1, 7, 7, 7]


def test_a_group_stays_as_it_is_until_all_is_grouped_anew():
    vectors = np.vstack([lookalikes(1, 2, seed=1), lookalikes(1, 3, seed=2)])
    told = {"guesses": np.full(5, 7), "unnamed": frozenset({7})}

    kept, anew = (guess(evidence(vectors, whole=whole, **told)) for whole in (False, True))

    assert kept.people.tolist() == [7] * 5
    assert anew.people.tolist() == [-1, -1, 7, 7, 7]
    assert (kept.churn, anew.churn) == (0, 0.4)


def test_a_group_does_not_take_over_somebody_who_has_a_name():
    found = guess(evidence(lookalikes(1, 3), guesses=np.full(3, ANNA)))

    assert found.people.tolist() == [-1] * 3


def test_a_merged_group_keeps_its_own_person_so_that_the_merge_can_be_undone():
    found = guess(
        evidence(
            lookalikes(1, 3),
            guesses=np.full(3, 7),
            unnamed=frozenset({7}),
            roots={7: ANNA},
            rejected=frozenset({(1, ANNA)}),
        )
    )

    assert found.people.tolist() == [7, NOBODY, 7]


def test_of_a_group_that_was_merged_those_stay_who_can_be_the_other_one():
    # The other one is in the photos of all but one of them.
    told = {"guesses": np.full(3, 7), "unnamed": frozenset({7, 8}), "roots": {7: 8}}

    found = guess(evidence(lookalikes(1, 3), taken=frozenset({(0, 8), (1, 8)}), **told))

    assert (found.people.tolist(), found.fresh) == ([NOBODY, NOBODY, 7], 0)


def test_a_group_of_whom_all_but_one_are_taken_is_none():
    told = {"guesses": np.full(3, 7), "unnamed": frozenset({7})}

    found = guess(evidence(lookalikes(1, 3), taken=frozenset({(0, 7), (1, 7)}), **told))

    assert (found.people.tolist(), found.fresh) == ([NOBODY] * 3, 0)


def settled(vectors, **told):
    """Guess until nothing changes, as pass follows pass."""
    guesses, unnamed, people = told.pop("guesses"), set(told.pop("unnamed")), None
    for _ in range(3):
        found = guess(evidence(vectors, guesses=guesses, unnamed=frozenset(unnamed), **told))
        now = np.where(found.people < 0, 1000 + len(unnamed) - found.people, found.people)
        unnamed.update(now[found.people < 0].tolist())
        if people is not None:
            assert now.tolist() == people
        guesses, people = now, now.tolist()
    return people


@pytest.mark.parametrize("leave", (2, 4))
def test_faces_rejected_from_a_group_make_one_of_their_own_that_stays(leave):
    rejected = frozenset((face, 7) for face in range(leave))

    people = settled(lookalikes(1, 6), guesses=np.full(6, 7), unnamed={7}, rejected=rejected)

    assert people[leave:] == [7] * (6 - leave)
    assert len(set(people[:leave])) == 1
    assert people[0] not in (7, NOBODY)


def test_faces_rejected_from_somebody_known_make_a_group_of_their_own():
    rejected = frozenset({(3, ANNA), (4, ANNA)})

    found = guess(evidence(lookalikes(1, 5), confirmed=marked(5, {0: ANNA}), rejected=rejected))

    assert found.people.tolist() == [NOBODY, ANNA, ANNA, -1, -1]


@given(st.integers(0, 10_000))
def test_whatever_is_known_no_guess_contradicts_it(seed):
    generator = np.random.default_rng(seed)
    vectors = lookalikes(4, 8, seed=seed, spread=float(generator.uniform(0.1, 0.4)))
    count = len(vectors)
    media = generator.integers(0, 20, count)
    confirmed = np.where(generator.random(count) < 0.2, generator.integers(101, 104, count), 0)
    before = np.where(generator.random(count) < 0.7, generator.integers(1, 7, count), 0)
    roots = {5: 1, 6: 101}
    told = {
        "media": media,
        "quality": generator.random(count).astype(np.float32),
        "confirmed": confirmed,
        "guesses": before,
        "roots": roots,
        "unnamed": frozenset(range(1, 7)),
        "rejected": frozenset(
            (int(face), int(who))
            for face, who in zip(
                generator.integers(0, count, 20),
                generator.choice([1, 2, 3, 101, 102], 20),
                strict=True,
            )
        ),
        "taken": frozenset({(int(media[0]), 101), (int(media[1]), 1)}),
    }

    found = guess(evidence(vectors, **told))

    again = guess(evidence(vectors, **told))
    assert found.people.tolist() == again.people.tolist()
    assert not found.people[confirmed > 0].any()
    pairs = set(told["taken"]) | {
        (int(media[face]), int(confirmed[face])) for face in np.flatnonzero(confirmed)
    }
    for face, who in enumerate(found.people.tolist()):
        root = roots.get(who, who)
        if who != NOBODY:
            assert (face, root) not in told["rejected"]
            assert (int(media[face]), root) not in pairs
            pairs.add((int(media[face]), root))
    assert np.array_equal(np.isnan(found.probabilities), confirmed > 0)
    assert (found.probabilities[confirmed == 0] >= 0).all()
    assert (found.probabilities[confirmed == 0] <= 1).all()
