import io
import math
import struct
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lookwho.core import weights
from lookwho.core.dlibfile import ShapePredictor, read_network, read_shape_predictor
from lookwho.core.errors import ModelFormat

TENSOR = b"\x01\x02"  # its version


def integer(number):
    length = max(1, (abs(number).bit_length() + 7) // 8)
    return bytes([length | 0x80 * (number < 0)]) + abs(number).to_bytes(length, "little")


def real(number):
    mantissa, exponent = math.frexp(float(number))
    return integer(int(mantissa * 2**24)) + integer(exponent - 24)


def column(numbers):
    return integer(-len(numbers)) + integer(-1) + b"".join(map(real, numbers))


def written(predictor):
    """The file that dlib would write of these arrays."""
    out = [integer(1), column(predictor.initial.ravel()), integer(len(predictor.first))]
    trees = (predictor.first, predictor.second, predictor.thresholds, predictor.leaves)
    for forest in zip(*trees, strict=True):
        out.append(integer(len(forest[0])))
        for first, second, thresholds, leaves in zip(*forest, strict=True):
            out.append(integer(len(first)))
            for one, other, threshold in zip(first, second, thresholds, strict=True):
                out += [integer(int(one)), integer(int(other)), real(threshold)]
            out += [integer(len(leaves)), *map(column, leaves)]
    out.append(integer(len(predictor.anchors)))
    for anchors in predictor.anchors:
        out += [integer(len(anchors)), *(integer(int(anchor)) for anchor in anchors)]
    out.append(integer(len(predictor.deltas)))
    for deltas in predictor.deltas:
        out += [integer(len(deltas)), *map(real, deltas.ravel())]
    return b"".join(out)


def drawn(seed, parts=3, cascades=2, trees=3, depth=4, pixels=20, spread=0.05):
    """A predictor of random trees."""
    random = np.random.default_rng(seed)
    splits = 2**depth - 1
    shape = (cascades, trees, splits)
    return ShapePredictor(
        initial=random.uniform(0.2, 0.8, (parts, 2)).astype(np.float32),
        first=random.integers(0, pixels, shape),
        second=random.integers(0, pixels, shape),
        thresholds=random.normal(0, 30, shape).astype(np.float32),
        leaves=random.normal(0, spread, (*shape[:2], splits + 1, 2 * parts)).astype(np.float32),
        anchors=random.integers(0, parts, (cascades, pixels)),
        deltas=random.normal(0, 0.2, (cascades, pixels, 2)).astype(np.float32),
    )


SMALL = written(drawn(1))


@given(
    st.builds(
        drawn,
        seed=st.integers(0, 2**32),
        parts=st.integers(2, 20),
        cascades=st.integers(1, 3),
        trees=st.integers(1, 20),
        depth=st.integers(1, 5),
        pixels=st.integers(1, 300),
        spread=st.sampled_from((1e-38, 0.1, 1e36)),
    )
)
@settings(max_examples=25)
def test_a_predictor_reads_as_it_was_written(predictor):
    read = read_shape_predictor(written(predictor)).to_arrays()

    for name, array in predictor.to_arrays().items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_dlibs_predictor_of_five_points_is_fifteen_times_five_hundred_trees():
    predictor = read_shape_predictor(weights.read("landmarks5"))

    assert predictor.initial.shape == (5, 2)
    assert predictor.first.shape == predictor.second.shape == (15, 500, 15)
    assert predictor.thresholds.shape == (15, 500, 15)
    assert predictor.leaves.shape == (15, 500, 16, 10)
    assert predictor.anchors.shape == (15, 800)
    assert predictor.deltas.shape == (15, 800, 2)
    # The right eye's outer corner, as dlib's own predictor starts from it.
    assert predictor.initial[0].tolist() == [np.float32(0.7762517), np.float32(0.34553558)]


@pytest.mark.long
def test_the_predictor_of_sixty_eight_points_can_be_read_too():
    path = weights.locate("landmarks5").with_name("shape_predictor_68_face_landmarks.dat")

    predictor = read_shape_predictor(path.read_bytes())

    assert predictor.initial.shape == (68, 2)
    assert predictor.leaves.shape == (15, 500, 16, 136)
    assert predictor.deltas.shape == (15, 500, 2)


def test_a_predictor_survives_being_saved_as_npz():
    predictor, file = drawn(2), io.BytesIO()
    np.savez(file, **predictor.to_arrays())
    file.seek(0)

    again = ShapePredictor.from_arrays(np.load(file))

    assert written(again) == written(predictor)


def test_an_npz_without_all_arrays_is_refused():
    arrays = drawn(2).to_arrays()
    del arrays["leaves"]

    with pytest.raises(ModelFormat, match="leaves"):
        ShapePredictor.from_arrays(arrays)


def test_the_embedder_is_read_from_its_input_to_its_output():
    network = read_network(weights.read("resnet"))

    assert network.loss.name == "loss_metric_2"
    assert network.input.fields["width"] == network.input.fields["height"] == 150
    assert Counter(layer.name for layer in network.layers) == {
        "con_4": 29, "affine_": 29, "relu_": 29, "add_prev_": 14, "avg_pool_2": 5,
        "max_pool_2": 1, "fc_2": 1,
    }  # fmt: skip
    first, last = network.layers[0], network.layers[-1]
    assert first.tensors["filters"].shape == (32, 3, 7, 7)
    assert first.fields == {
        "height": 7, "width": 7, "stride_y": 2, "stride_x": 2, "pad_y": 0, "pad_x": 0
    }  # fmt: skip
    assert last.tensors["weights"].shape == (256, 128, 1, 1)
    assert last.tensors["biases"].size == 0


def test_the_detector_is_read_with_its_settings():
    network = read_network(weights.read("mmod"))

    assert network.loss.fields["width"] == network.loss.fields["height"] == 80
    assert network.loss.fields["nms_iou"] == 0.3382761351109955
    assert [layer.name for layer in network.layers] == ["con_4", "bn_con2", "relu_"] * 6 + ["con_4"]
    assert network.layers[-1].tensors["filters"].shape == (1, 45, 9, 9)
    assert network.layers[1].tensors["running_variances"].min() > 0


@given(st.floats(0, 1, exclude_max=True))
@example(0.0)
def test_a_predictor_cut_short_is_refused(part):
    with pytest.raises(ModelFormat):
        read_shape_predictor(SMALL[: int(part * len(SMALL))])


@pytest.mark.parametrize("part", (0.001, 0.3, 0.9, 0.9999))
def test_dlibs_predictor_cut_short_is_refused(part):
    data = weights.read("landmarks5")

    with pytest.raises(ModelFormat):
        read_shape_predictor(data[: int(part * len(data))])


@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_network_cut_short_is_refused(part, near_the_start):
    data = weights.read("mmod")

    with pytest.raises(ModelFormat):
        read_network(data[: int(part * (500 if near_the_start else len(data)))])


@pytest.mark.parametrize("read", (read_network, read_shape_predictor))
@given(data=st.binary(max_size=200))
def test_what_is_no_model_is_refused(read, data):
    with pytest.raises(ModelFormat):
        read(data)


def damaged(data, places):
    damaged = bytearray(data)
    for place, value in places.items():
        damaged[place % len(damaged)] = value
    return bytes(damaged)


@given(st.dictionaries(st.integers(0, len(SMALL) - 1), st.integers(0, 255), min_size=1, max_size=4))
@settings(max_examples=300)
def test_a_damaged_predictor_is_read_or_refused_and_nothing_else(places):
    try:
        read = read_shape_predictor(damaged(SMALL, places))
    except ModelFormat:
        return
    assert read.first.max() < read.deltas.shape[1]
    assert all(np.isfinite(array).all() for array in read.to_arrays().values())


@given(
    st.dictionaries(
        st.one_of(st.integers(0, 400), st.integers(0, 729_939)),
        st.integers(0, 255),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=300)
def test_a_damaged_network_is_read_or_refused_and_nothing_else(places):
    try:
        network = read_network(damaged(weights.read("mmod"), places))
    except ModelFormat:
        return
    assert len(network.layers) == 19


def test_bytes_after_the_end_are_refused():
    with pytest.raises(ModelFormat, match="follow the end"):
        read_shape_predictor(SMALL + integer(7))
    with pytest.raises(ModelFormat, match="1 bytes follow the end"):
        read_network(weights.read("mmod") + b"\x00")


HUGE = integer(2**62)
UP_TO_A_TENSOR = (
    integer(1) + integer(13) + b"loss_metric_2" + 2 * real(1) + integer(3)
    + integer(23) + b"input_rgb_image_pyramid" + 3 * real(1) + integer(5) + b"con_4"
)  # fmt: skip


@pytest.mark.parametrize(
    ("read", "data"),
    (
        (read_network, UP_TO_A_TENSOR + TENSOR + 4 * HUGE),
        (read_network, UP_TO_A_TENSOR + TENSOR + integer(0) + 3 * HUGE),
        (read_network, integer(1) + HUGE),
        (read_shape_predictor, integer(1) + integer(-(2**62)) + integer(-1)),
        (read_shape_predictor, integer(1) + column([1] * 4) + HUGE),
        (read_shape_predictor, integer(1) + column([1] * 4) + integer(1) + HUGE + integer(15)),
        (read_shape_predictor, integer(1) + column([1] * 4) + integer(1) + integer(1) + HUGE),
    ),
)
def test_a_size_without_the_bytes_for_it_takes_no_memory(read, data):
    tracemalloc.start()
    with pytest.raises(ModelFormat):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**24


@pytest.mark.parametrize("special", (32000, 32001, 32002, -32002))
def test_numbers_that_are_not_finite_are_refused(special):
    infinite = integer(1) + integer(special)
    with pytest.raises(ModelFormat, match="not finite"):
        read_shape_predictor(integer(1) + integer(-4) + integer(-1) + 4 * infinite)
    with pytest.raises(ModelFormat, match="not finite"):
        read_network(integer(1) + integer(13) + b"loss_metric_2" + 2 * infinite)


def test_a_tensor_with_a_number_that_is_not_finite_is_refused():
    numbers = integer(1) + integer(1) + integer(1) + integer(1) + struct.pack("<f", math.nan)
    with pytest.raises(ModelFormat, match="not finite"):
        read_network(UP_TO_A_TENSOR + TENSOR + numbers)


def test_a_layer_of_an_unknown_kind_is_named():
    with pytest.raises(ModelFormat, match="unknown kind: 'con_5'"):
        read_network(UP_TO_A_TENSOR[:-1] + b"5")
