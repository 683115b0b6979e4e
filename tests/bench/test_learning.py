import re

import numpy as np

from bench import learning
from bench.people import People
from lookwho.core.vectors import unit

PEOPLE, EACH, DIM = 80, 10, 128


def drawn(*shape):
    return np.random.default_rng(len(shape)).standard_normal((*shape, DIM)) / np.sqrt(DIM)


def some_people(*, held_out):
    """People whose faces lie as dlib's do: strangers at a cosine of 0.82, one's own at 0.94."""
    count = PEOPLE * EACH
    common, person, face = drawn(), drawn(PEOPLE, 1), drawn(PEOPLE, EACH, 1)[:, :, 0]
    vectors = np.sqrt(0.82) * common + np.sqrt(0.12) * person + np.sqrt(0.06) * face
    vectors = unit(vectors.reshape(count, DIM).astype(np.float32))
    return People(
        names=tuple(f"person {at}" for at in range(PEOPLE)),
        owners=np.repeat(np.arange(PEOPLE), EACH),
        held_out=np.arange(PEOPLE) < held_out,
        split="by number",
        embeddings=vectors,
        encodings=vectors,
        quality=np.full(count, 0.8, np.float32),
        photos=count,
        photos_held_out=held_out * EACH,
        without=(),
    )


def rows(lines):
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    return {row[0]: row[1:] for row in cells}


def test_figures_improve_round_by_round_and_worse_settings_are_refused():
    told = rows(learning.report(some_people(held_out=PEOPLE)))
    missed = [int(told[str(number)][4]) for number in range(1, learning.ROUNDS + 1)]

    assert missed == sorted(missed, reverse=True)
    assert missed[0] > 10 * max(missed[-1], 1)
    lows = [re.search(r"\((-?[\d.]+) to", told[str(number)][-1]) for number in (2, 3, 4, 5)]
    assert min(float(low[1]) for low in lows) > 0
    assert told["learned here"][-1] == "comes into use"
    assert told["too timid"][-1] == "refused"


def test_nothing_is_compared_with_too_few_faces():
    lines = list(learning.report(some_people(held_out=PEOPLE // 2), quick=True))

    assert any("Not enough yet: 140 of 200" in line for line in lines)
    assert "learned here" not in rows(lines)
