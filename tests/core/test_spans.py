from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import spans

# Whole numbers, so that a second at a time can be asked for.
stretches = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 10)).map(
        lambda pair: (float(pair[0]), float(pair[0] + pair[1]))
    ),
    max_size=6,
)


def inside(second, some):
    return any(start <= second and second + 1 <= end for start, end in some)


@given(st.lists(stretches, min_size=1, max_size=3))
def test_what_several_have_in_common_is_in_each_and_nothing_else_is(several):
    found = spans.common(*several)

    for second in range(60):
        assert inside(second, found) == all(
            inside(second, spans.united(some, gap=0)) for some in several
        )
    assert found == sorted(found)


def test_stretches_that_only_touch_have_nothing_in_common():
    assert spans.common([(0.0, 2.0)], [(2.0, 4.0)]) == []
    assert spans.common() == []


@given(st.lists(st.floats(-5, 25)), st.floats(1, 20))
def test_shots_follow_each_other_from_the_first_picture_to_the_last(cuts, duration):
    shots = spans.shots(cuts, duration)

    assert (shots[0][0], shots[-1][1]) == (0.0, duration)
    assert all(one[1] == two[0] for one, two in pairwise(shots))
    assert all(start < end for start, end in shots)
    assert {start for start, _ in shots[1:]} == {cut for cut in cuts if 0 < cut < duration}


def test_the_length_of_stretches_is_that_of_all_together():
    assert spans.length([(0.0, 2.0), (5.0, 5.5)]) == pytest.approx(2.5)
