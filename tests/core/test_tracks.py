import numpy as np

from lookwho.core.tracks import robust_encoding, robust_mean
from tests.tracks import somebody, view


def test_the_mean_is_where_most_views_are_whatever_one_of_them_shows():
    views = [view(somebody(0, off=0.02, seed=seed), 1.0) for seed in range(4)]
    mean = robust_mean(views)

    assert np.isclose(np.linalg.norm(mean), 1)
    assert mean @ somebody(0) > 0.99
    assert np.array_equal(robust_mean([*views, view(7, 2.0)]), mean)


def test_good_views_count_before_poor_ones():
    good, poor = somebody(0, off=0.02, seed=1), somebody(0, off=0.02, seed=2)
    mean = robust_mean([view(good, 0.0, quality=0.9), view(poor, 1.0, quality=0.1)])

    assert mean @ good > mean @ poor


def test_the_mean_of_one_view_is_that_view_however_poor_it_is():
    one = somebody(3, off=0.1)

    assert np.allclose(robust_mean([view(one, 0.0, quality=0.0)]), one, atol=1e-6)


def test_descriptors_keep_their_length_and_leave_out_the_same_views():
    views = [view(somebody(0, off=0.02, seed=seed), 1.0) for seed in range(4)]
    mean = robust_encoding(views)

    assert mean is not None
    assert np.allclose(mean, np.mean([view.encoding for view in views], axis=0), atol=1e-6)
    assert np.array_equal(robust_encoding([*views, view(7, 2.0)]), mean)
    assert robust_encoding([*views, view(0, 2.0, encoded=False)]) is None
