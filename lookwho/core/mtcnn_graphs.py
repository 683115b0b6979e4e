"""MTCNN's three networks as ONNX graphs, arranged so that onnxruntime runs them fast.

Most of their time goes into PReLU, which onnxruntime runs slowly, on maps that are then pooled to
a quarter. Rearranged as below the refinement network takes half the time, at the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lookwho.core.graph import Graph, type_code
from lookwho.core.types import FloatArray

NETWORKS = ("pnet", "rnet", "onet")
REFINE_SIDE = 24
OUTPUT_SIDE = 48


def build(name: str, arrays: Sequence[NDArray[np.float32]]) -> bytes:
    """Write one of the three networks as an ONNX graph.

    Each takes `crops` (n, h, w, 3) uint8 RGB. The proposal network answers (1, 6, rows, columns):
    four shifts, then the two class logits. The others answer shift (n, 4), margin (n,) (the face's
    logit less the other's) and, the output network only, points (n, 10).

    Args:
        name: one of `NETWORKS`.
        arrays: what the wheel's file of that name holds.
    """
    if name == "pnet":
        return _build_proposal(arrays)
    if name == "rnet":
        return _build_crop_network(name, arrays, REFINE_SIDE, (_POOL_3, _POOL_3_VALID))
    return _build_crop_network(name, arrays, OUTPUT_SIDE, (_POOL_3, _POOL_3_VALID, _POOL_2))


_Pool = Mapping[str, "str | Sequence[int]"]
_POOL_2: _Pool = {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}
_POOL_3: _Pool = {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}
_POOL_3_VALID: _Pool = {"kernel_shape": [3, 3], "strides": [2, 2]}


def _build_proposal(arrays: Sequence[NDArray[np.float32]]) -> bytes:
    graph = Graph("mtcnn proposal")
    value = _input(graph, (1, "height", "width", 3))
    kernel, bias = _normalised(_oihw(arrays[0]), arrays[1])
    value, order = _pooled_prelu_by_negation(graph, value, kernel, bias, arrays[2].ravel(), _POOL_2)
    kernel = _oihw(arrays[3])[:, order]
    value = _prelu(graph, _conv(graph, value, kernel, arrays[4]), arrays[5].ravel())
    value = _prelu(graph, _conv(graph, value, _oihw(arrays[6]), arrays[7]), arrays[8].ravel())
    heads = np.concatenate([_oihw(arrays[9]), _oihw(arrays[11])])
    value = _conv(graph, value, heads, np.concatenate([arrays[10], arrays[12]]))
    graph.output(value, np.float32, (1, 6, "rows", "columns"))
    return graph.to_bytes()


def _build_crop_network(
    name: str, arrays: Sequence[NDArray[np.float32]], side: int, pools: Sequence[_Pool]
) -> bytes:
    graph = Graph(f"mtcnn {name}")
    value = _input(graph, ("n", side, side, 3))
    layers = len(pools) + 1
    for layer in range(layers):
        kernel, bias, slope = arrays[3 * layer : 3 * layer + 3]
        kernel, slope = _oihw(kernel), slope.ravel()
        if layer == 0:
            kernel, bias = _normalised(kernel, bias)
        value = _conv(graph, value, kernel, bias)
        if layer < len(pools):
            value = _pooled_prelu(graph, value, slope, pools[layer])
        else:
            value = _prelu(graph, value, slope)
    # The wheel's dense weights expect rows and columns swapped, channels last.
    value = graph.node("Flatten", graph.node("Transpose", value, perm=[0, 3, 2, 1]))
    dense, bias, slope, *heads = arrays[3 * layers :]
    value = graph.node("Gemm", value, graph.constant(dense), graph.constant(bias))
    value = graph.node("PRelu", value, graph.constant(slope.ravel()))
    shift, classes, points = heads[0:2], heads[-2:], heads[2:-2]
    # The heads in one product; of the two class logits only the difference matters.
    margin = classes[0][:, 1:] - classes[0][:, :1], classes[1][1:] - classes[1][:1]
    sizes = [4, 1] + [10] * bool(points)
    kernel = np.concatenate([shift[0], margin[0], *points[:1]], axis=1)
    bias = np.concatenate([shift[1], margin[1], *points[1:]])
    value = graph.node("Gemm", value, graph.constant(kernel), graph.constant(bias))
    names = ("shift", "margins", "points")[: len(sizes)]
    graph.nodes("Split", value, graph.constant(np.array(sizes)), names=names, axis=1)
    graph.output("shift", np.float32, ("n", 4))
    one = graph.constant(np.array([1]))
    graph.output(graph.named("margin", graph.node("Squeeze", "margins", one)), np.float32, ("n",))
    if points:
        graph.output("points", np.float32, ("n", 10))
    return graph.to_bytes()


def _input(graph: Graph, shape: Sequence[int | str]) -> str:
    value = graph.node("Transpose", graph.input("crops", np.uint8, shape), perm=[0, 3, 1, 2])
    return graph.node("Cast", value, to=type_code(np.float32))


def _oihw(kernel: NDArray[np.float32]) -> FloatArray:
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def _normalised(kernel: FloatArray, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fold (x - 127.5) / 128 into the first layer: exact, since it has no padding."""
    return kernel / 128, bias - kernel.sum(axis=(1, 2, 3)) * np.float32(127.5 / 128)


def _conv(graph: Graph, value: str, kernel: FloatArray, bias: FloatArray) -> str:
    return graph.node("Conv", value, graph.constant(kernel), graph.constant(bias))


def _per_channel(graph: Graph, values: FloatArray) -> str:
    return graph.constant(values.reshape(-1, 1, 1).astype(np.float32))


def _prelu(graph: Graph, value: str, slope: FloatArray) -> str:
    """PReLU as max(x, slope * x), which onnxruntime computes twice as fast as its PRelu.

    True only for slopes up to 1.
    """
    assert slope.max() <= 1
    return graph.node("Max", value, graph.node("Mul", value, _per_channel(graph, slope)))


def _pooled_prelu(graph: Graph, value: str, slope: FloatArray, pool: _Pool) -> str:
    """PReLU and then max-pooling.

    Where a slope is over 1 PReLU is min(x, slope * x) instead. It rises everywhere, so it may as
    well come after the pooling, where there is less of it.
    """
    value = graph.node("MaxPool", _prelu(graph, value, np.minimum(slope, 1)), **pool)
    if slope.max() <= 1:
        return value
    steeper = graph.node("Mul", value, _per_channel(graph, np.maximum(slope, 1)))
    return graph.node("Min", value, steeper)


def _pooled_prelu_by_negation(
    graph: Graph, value: str, kernel: FloatArray, bias: FloatArray, slope: FloatArray, pool: _Pool
) -> tuple[str, NDArray[np.intp]]:
    """A convolution, PReLU and max-pooling, with no work on the unpooled map but the convolution.

    Where a slope is positive PReLU rises and can wait until after the pooling. Where it is
    negative, PReLU is max(x, -|slope| * x), so pooling x and -x apart gives the same; the
    convolution computes both. Worth it where the doubled channels fit into the block of 16 that
    onnxruntime computes anyway: the proposal network's 10 + 6.

    Returns:
        The value's name, and the order in which its channels now come.
    """
    order = np.argsort(slope < 0, kind="stable")
    falling = int((slope < 0).sum())
    rising = len(slope) - falling
    kernel, bias, slope = kernel[order], bias[order], slope[order]
    kernel = np.concatenate([kernel, -kernel[rising:]])
    bias = np.concatenate([bias, -bias[rising:]])
    value = graph.node("MaxPool", _conv(graph, value, kernel, bias), **pool)
    sizes = graph.constant(np.array([rising, falling, falling]))
    up, down, negated = graph.nodes("Split", value, sizes, names=("up", "down", "negated"), axis=1)
    up = graph.node("PRelu", up, _per_channel(graph, slope[:rising]))
    negated = graph.node("Mul", negated, _per_channel(graph, -slope[rising:]))
    return graph.node("Concat", up, graph.node("Max", down, negated), axis=1), order
