"""The rearranged networks are compared with the layers computed plainly in numpy."""

import numpy as np
import onnx
import pytest

from lookwho.core import weights
from lookwho.core.mtcnn_graphs import NETWORKS, OUTPUT_SIDE, REFINE_SIDE, build
from lookwho.core.runtime import run, session

GENERATOR = np.random.default_rng(0)


def conv(x, kernel, bias):
    side = kernel.shape[0]
    rows, columns = x.shape[0] - side + 1, x.shape[1] - side + 1
    out = np.zeros((rows, columns, kernel.shape[3])) + bias
    for y in range(side):
        for z in range(side):
            out += x[y : y + rows, z : z + columns] @ kernel[y, z]
    return out


def prelu(x, slope):
    return np.where(x > 0, x, x * slope.ravel())


def pool(x, side, *, same):
    rows = -(-x.shape[0] // 2) if same else (x.shape[0] - side) // 2 + 1
    columns = -(-x.shape[1] // 2) if same else (x.shape[1] - side) // 2 + 1
    # "Same" puts the odd one of the missing rows at the end.
    before = [
        max((n - 1) * 2 + side - size, 0) // 2
        for n, size in ((rows, x.shape[0]), (columns, x.shape[1]))
    ]
    padded = np.full((x.shape[0] + 2 * side, x.shape[1] + 2 * side, x.shape[2]), -np.inf)
    padded[before[0] : before[0] + x.shape[0], before[1] : before[1] + x.shape[1]] = x
    out = np.empty((rows, columns, x.shape[2]))
    for row in range(rows):
        for column in range(columns):
            out[row, column] = padded[2 * row : 2 * row + side, 2 * column : 2 * column + side].max(
                (0, 1)
            )
    return out


def plain(name, arrays, crop):
    arrays = [array.astype(np.float64) for array in arrays]
    pools = {
        "pnet": [(2, True)],
        "rnet": [(3, True), (3, False)],
        "onet": [(3, True), (3, False), (2, True)],
    }[name]
    x = (crop.astype(np.float64) - 127.5) / 128
    layers = 3 if name == "pnet" else len(pools) + 1
    for layer in range(layers):
        kernel, bias, slope = arrays[3 * layer : 3 * layer + 3]
        x = prelu(conv(x, kernel, bias), slope)
        if layer < len(pools):
            x = pool(x, pools[layer][0], same=pools[layer][1])
    rest = arrays[3 * layers :]
    if name == "pnet":
        return conv(x, rest[0], rest[1]), conv(x, rest[2], rest[3])
    # Keras flattens columns, rows, channels after swapping the first two.
    flat = x.transpose(1, 0, 2).ravel()
    flat = prelu(flat @ rest[0] + rest[1], rest[2])
    heads = [flat @ rest[i] + rest[i + 1] for i in range(3, len(rest), 2)]
    margin = heads[-1][1] - heads[-1][0]
    return heads[0], margin, *heads[1:-1]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_is_valid_onnx(name):
    model = onnx.load_from_string(build(name, weights.read_arrays(name)))

    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("size", ((12, 12), (25, 40), (31, 18)))
def test_the_proposal_network_answers_as_its_plain_layers_do(size):
    arrays = weights.read_arrays("pnet")
    level = GENERATOR.integers(0, 256, (*size, 3), dtype=np.uint8)

    answer = run(session(build("pnet", arrays)), crops=level[None])[0][0].transpose(1, 2, 0)

    shift, classes = plain("pnet", arrays, level)
    np.testing.assert_allclose(answer[..., :4], shift, atol=1e-4)
    np.testing.assert_allclose(answer[..., 4:], classes, atol=1e-4)


@pytest.mark.parametrize(("name", "side"), (("rnet", REFINE_SIDE), ("onet", OUTPUT_SIDE)))
def test_the_networks_for_crops_answer_as_their_plain_layers_do(name, side):
    arrays = weights.read_arrays(name)
    crops = GENERATOR.integers(0, 256, (3, side, side, 3), dtype=np.uint8)

    answers = run(session(build(name, arrays)), crops=crops)

    for index, crop in enumerate(crops):
        for got, wanted in zip(answers, plain(name, arrays, crop), strict=True):
            np.testing.assert_allclose(got[index], wanted, atol=1e-4)
