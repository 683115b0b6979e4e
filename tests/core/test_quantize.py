import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.graph import Graph
from lookwho.core.quantize import Arithmetic, shipped_ranges
from lookwho.core.runtime import run, session


def convolved(pixels, kernel, bias, ranges):
    graph = Graph("one convolution")
    arithmetic = Arithmetic(graph, ranges)
    value = arithmetic.pixels(graph.input("x", np.uint8, ("n", 3, 9, 9)))
    value = arithmetic.settle(arithmetic.conv(value, kernel, bias, 1, 1), "out")
    graph.output(graph.named("y", value), np.float32, ("n", 4, 9, 9))
    return run(session(graph.to_bytes()), x=pixels)[0]


@given(st.integers(0, 1000), st.floats(1e-3, 10))
def test_a_convolution_in_eight_bits_is_off_by_little_of_its_range(seed, size):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (2, 3, 9, 9), dtype=np.uint8)
    kernel = (generator.standard_normal((4, 3, 3, 3)) * size).astype(np.float32)
    bias = (generator.standard_normal(4) * size).astype(np.float32)
    exact = convolved(pixels, kernel, bias, None)
    low, high = float(exact.min()), float(exact.max())

    rounded = convolved(pixels, kernel, bias, {"out": (low, high)})

    # Half a step of the output, and the rounding of 27 weights.
    assert np.abs(rounded - exact).max() < 0.02 * (max(high, 0) - min(low, 0))


def test_zero_stays_zero_in_eight_bits():
    pixels = np.zeros((1, 3, 9, 9), np.uint8)
    kernel, bias = np.ones((4, 3, 3, 3), np.float32), np.zeros(4, np.float32)

    assert not convolved(pixels, kernel, bias, {"out": (-3.3, 7.7)}).any()


def test_what_leaves_the_measured_range_is_cut_off():
    pixels = np.full((1, 3, 9, 9), 255, np.uint8)
    kernel, bias = np.ones((4, 3, 3, 3), np.float32), np.zeros(4, np.float32)

    assert convolved(pixels, kernel, bias, {"out": (0, 100)}).max() == pytest.approx(100, abs=0.5)


def test_the_shipped_ranges_are_ranges():
    ranges = shipped_ranges("resnet")

    assert len(ranges) == 47
    assert all(low < high for low, high in ranges.values())
    # What follows a rectifier is never negative.
    assert all(low == 0 for key, (low, _) in ranges.items() if key.startswith(("block", "middle")))
