import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.segments import OVERLAP, SECONDS, grid


@given(st.floats(0, 100_000))
def test_a_grid_covers_the_video_in_stretches_that_follow_each_other(duration):
    stretches = grid(duration)

    assert stretches[0][0] == 0
    assert stretches[-1][1] == duration
    assert all(before[1] == after[0] for before, after in itertools.pairwise(stretches))
    assert all(end - start == SECONDS for start, end in stretches[:-1])
    last = stretches[-1][1] - stretches[-1][0]
    assert last <= SECONDS + OVERLAP
    assert len(stretches) == 1 or last > OVERLAP


@pytest.mark.parametrize(
    ("duration", "ends"),
    (
        (0.0, [0.0]),
        (59.9, [59.9]),
        (62.0, [62.0]),
        (62.1, [60.0, 62.1]),
        (122.5, [60.0, 120.0, 122.5]),
    ),
)
def test_what_is_left_over_belongs_to_the_last_stretch(duration, ends):
    assert [end for _, end in grid(duration)] == ends
