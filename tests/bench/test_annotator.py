import numpy as np
import pytest

from bench.annotator import Annotator, Habits, Library
from bench.people import People
from lookwho.core.vectors import unit


def some_people(sizes, *, owners=None, quality=None, seed=0):
    """So many faces of each person, as alike and as different as real ones; owners are labels."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    common = generator.standard_normal(128)
    centres = unit(2.0 * unit(common[None]) + unit(generator.standard_normal((len(sizes), 128))))
    noise = unit(generator.standard_normal((len(truth), 128)))
    embeddings = unit(centres[truth] + 0.12 * noise).astype(np.float32)
    owners = truth if owners is None else np.asarray(owners)
    return People(
        names=tuple(f"person {number}" for number in range(owners.max() + 1)),
        owners=owners.astype(np.int64),
        held_out=np.arange(owners.max() + 1) % 2 == 1,
        split="by their number",
        embeddings=embeddings,
        encodings=embeddings,
        quality=np.full(len(truth), 0.8, np.float32) if quality is None else quality,
        photos=len(truth),
        photos_held_out=0,
        without=(),
    )


def the_end(faces, **habits):
    *_, last = Annotator(faces, Habits(**habits)).answer_all()
    return last


def test_faces_that_lie_apart_take_one_name_for_each_person():
    faces = some_people([6, 5, 4, 3, 1])

    last = the_end(faces)

    assert last.answers.tolist() == [1, 1, 1, 1, 1]
    assert last.right.tolist() == [6, 5, 4, 3, 1]
    assert last.wrong.sum() == 0


def test_larger_groups_are_named_first():
    faces = some_people([3, 6, 1, 4])

    named = [step.named.tolist() for step in Annotator(faces, Habits()).answer_all()]

    assert named == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]]


def test_a_face_that_does_not_belong_costs_a_tap_and_a_name():
    # The last of the first six looks like person 0, and is person 1.
    faces = some_people([6, 5], owners=[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])

    last = the_end(faces)

    assert last.right.tolist() == [5, 6]
    assert last.wrong.sum() == 0
    assert last.answers.tolist() == [1, 3]  # the name of each, the tap, and whose face it is


def test_whoever_slips_leaves_names_that_are_wrong():
    faces = some_people([4] * 20)

    last = the_end(faces, slips=0.3)

    assert 8 <= last.wrong.sum() <= 48
    assert last.right.sum() + last.wrong.sum() == 80


def test_whoever_cannot_tell_a_lone_face_is_asked_once_and_leaves_it():
    quality = np.array([0.8] * 5 + [0.45, 0.8], np.float32)
    faces = some_people([5, 1, 1], quality=quality)

    last = the_end(faces, blurred=0.5)

    assert last.answers.tolist() == [1, 1, 1]
    assert last.named.tolist() == [1, 0, 1]
    assert last.right.tolist() == [5, 0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_no_answer_takes_back_what_a_human_said(seed):
    # Labels at random: nothing that the pass thinks is of any help.
    generator = np.random.default_rng(seed)
    faces = some_people([5, 4, 3, 2, 1, 1], owners=generator.integers(0, 6, 16), seed=seed)
    annotator = Annotator(faces, Habits(rounds=1))

    before = np.zeros(16, np.int64)
    given = -1
    for step in annotator.answer_all():
        held = before > 0
        assert (annotator.library.confirmed[held] == before[held]).all()
        assert step.answers.sum() > given
        before, given = annotator.library.confirmed.copy(), step.answers.sum()

    assert step.right.sum() == 16
    assert step.wrong.sum() == 0


def test_the_same_library_is_named_in_the_same_way():
    faces = some_people([5, 4, 4, 2, 1, 1], owners=[*[0] * 4, *[1] * 5, *[2] * 4, 3, 3, 4, 5])
    courses = [
        [
            (step.kind, step.answers.tolist(), step.company.tolist())
            for step in Annotator(faces, Habits(slips=0.2)).answer_all()
        ]
        for _ in range(2)
    ]

    assert courses[0] == courses[1]


def test_a_group_that_gets_a_known_name_becomes_that_person():
    library = Library(some_people([4, 4]))
    library.go_through()
    first, second = library.guesses[0], library.guesses[4]
    named = library.confirm(np.arange(4), 0, int(first))
    library.confirm(np.array([4, 5]), 0, int(second))

    library.go_through()

    assert named == first
    assert not library.unnamed
    assert library.root(int(second)) == first
    assert set(library.names().tolist()) <= {0, -1}
    assert (library.names()[:6] == 0).all()


def test_a_face_that_was_tapped_bears_no_name_even_before_the_next_pass():
    library = Library(some_people([5, 4]))
    library.go_through()
    person = library.confirm(np.arange(3), 0, int(library.guesses[0]))

    assert library.names().tolist() == [0] * 5 + [-1] * 4
    library.reject(np.array([4]), person)
    assert library.names().tolist() == [0] * 4 + [-1] * 5
    library.go_through()
    assert library.names().tolist() == [0] * 4 + [-1] * 5


def test_whoever_slips_overlooks_faces_that_do_not_belong():
    # One face in each group of five is the next person's.
    owners = np.repeat(np.arange(30), 5)
    owners[4::5] = (owners[4::5] + 1) % 30

    careful, careless = (
        the_end(some_people([5] * 30, owners=owners), slips=slips) for slips in (0.0, 0.2)
    )

    assert careful.wrong.sum() == 0
    assert careless.wrong.sum() > 0
    assert (
        careful.answers.sum() == 30 + 30 + 30
    )  # names, taps, and the name of each that was tapped
