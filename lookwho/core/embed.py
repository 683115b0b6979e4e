"""Embed: aligned face crops in, vectors out; dlib's ResNet of 29 convolutions on onnxruntime.

Source: the network of dlib's `dnn_face_recognition_ex`, weights as `dlibfile` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lookwho.core.dlibfile import Layer, Network
from lookwho.core.errors import ModelFormat
from lookwho.core.graph import Graph
from lookwho.core.quantize import Arithmetic, Ranges
from lookwho.core.runtime import Session, run
from lookwho.core.types import ByteArray, FloatArray
from lookwho.core.vectors import unit

CHIP_SIDE = 150
DIMENSION = 128
# Crops a run: more gains nothing and costs memory.
BATCH = 16
# dlib divides grey levels by 256, not by 255.
GREY_LEVELS = 256
# Channels of each residual block in turn; a block whose first convolution has stride 2 halves.
BLOCKS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)


class Embedder:
    """Turns chips into vectors.

    Args:
        session: a session of the graph that `build` writes.
    """

    dim = DIMENSION

    def __init__(self, session: Session) -> None:
        self._session = session

    def encode(self, chips: ByteArray) -> FloatArray:
        """Return (n, 128) float32, dlib's own descriptors, not of unit length.

        Args:
            chips: (n, 150, 150, 3) uint8 RGB.
        """
        parts = [
            run(self._session, chips=chips[start : start + BATCH])[0]
            for start in range(0, len(chips), BATCH)
        ]
        return np.concatenate([np.zeros((0, DIMENSION), np.float32), *parts])

    def embed(self, chips: ByteArray) -> tuple[FloatArray, FloatArray]:
        """Return the embeddings and dlib's own descriptors, both (n, 128) float32.

        An embedding is the mean of the descriptors of the face and of its mirror image, scaled to
        unit length. At a false-accept rate of 1e-3 that and the cosine accept 94 of 100 true
        pairs of LFW, the raw descriptor and Euclidean distance 88.

        Args:
            chips: (n, 150, 150, 3) uint8 RGB.
        """
        both = np.empty((2 * len(chips), *chips.shape[1:]), np.uint8)
        both[0::2], both[1::2] = chips, chips[:, :, ::-1]
        vectors = self.encode(both)
        encodings = vectors[0::2]
        return unit(encodings + vectors[1::2]), np.ascontiguousarray(encodings)


def build(network: Network, ranges: Ranges | None = None, *, watched: bool = False) -> bytes:
    """Write the network as an ONNX graph from `chips` (n, 150, 150, 3) uint8 to (n, 128).

    Args:
        network: what dlib's file holds.
        ranges: of the activations, for int8; None for float32.
        watched: every activation that int8 would round is an output too, by its name there.

    Raises:
        ModelFormat: the network is another one.
    """
    kernels = _folded(network)
    graph = Graph("dlib face embedder")
    chips = graph.input("chips", np.uint8, ("n", CHIP_SIDE, CHIP_SIDE, 3))
    arithmetic = Arithmetic(graph, ranges)
    value = arithmetic.pixels(graph.node("Transpose", chips, perm=[0, 3, 1, 2]))

    kernel, bias, _ = next(kernels)
    colour = [network.input.fields[name] for name in ("red", "green", "blue")]
    # (x - colour) / 256 folded into the first convolution: exact, since it has no padding.
    kernel = kernel / np.float32(GREY_LEVELS)
    bias = bias - (kernel.sum(axis=(2, 3)) @ np.array(colour, np.float32))
    value = graph.node("Relu", arithmetic.conv(value, kernel, bias, 2, 0))
    value = graph.node("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
    value = arithmetic.settle(value, "start")

    channels, side = BLOCKS[0], 35
    for number, width in enumerate(BLOCKS):
        kernel, bias, stride = next(kernels)
        skip, conv_side = value, side
        if stride == 2:
            # Padding 0 on this branch, 2x2 pooling on the other: sizes then may differ by one,
            # and missing rows, columns and channels count as zeros.
            conv_side, side = (side - 3) // 2 + 1, side // 2
            skip = graph.node("AveragePool", skip, kernel_shape=[2, 2], strides=[2, 2])
            skip = _padded(graph, skip, (width - channels, 0))
            skip = arithmetic.settle(skip, f"skip{number}")
        branch = graph.node("Relu", arithmetic.conv(value, kernel, bias, stride, stride == 1))
        branch = arithmetic.settle(branch, f"middle{number}")
        kernel, bias, _ = next(kernels)
        branch = arithmetic.conv(branch, kernel, bias, 1, 1)
        branch = arithmetic.settle(branch, f"branch{number}")
        if side > conv_side:
            branch = _padded(graph, branch, (0, side - conv_side))
            branch = arithmetic.settle(branch, f"branch{number}")
        value = graph.node("Relu", graph.node("Add", branch, skip))
        value = arithmetic.settle(value, f"block{number}")
        channels = width

    value = graph.node("Flatten", graph.node("GlobalAveragePool", value))
    weights = network.layers[-1].tensors["weights"].reshape(channels, DIMENSION)
    value = graph.node("MatMul", value, graph.constant(weights))
    graph.output(value, np.float32, ("n", DIMENSION))
    if watched:
        for key, name in arithmetic.settled.items():
            graph.output(graph.named(key, name), np.float32, ("n", "c", "h", "w"))
    return graph.to_bytes()


def _folded(network: Network) -> Iterator[tuple[FloatArray, FloatArray, int]]:
    """Yield kernel, bias and stride of each convolution, the affine layer after it folded in."""
    convolutions = [layer for layer in network.layers if layer.name == "con_4"]
    affines = [layer for layer in network.layers if layer.name == "affine_"]
    expected = 1 + 2 * len(BLOCKS)
    if not len(convolutions) == len(affines) == expected or network.layers[-1].name != "fc_2":
        raise ModelFormat(f"this is no network of {expected} convolutions and one dense layer")
    for convolution, affine in zip(convolutions, affines, strict=True):
        yield (*_fold(convolution, affine), int(convolution.fields["stride_y"]))


def _fold(convolution: Layer, affine: Layer) -> tuple[FloatArray, FloatArray]:
    gamma, beta = affine.tensors["gamma"].ravel(), affine.tensors["beta"].ravel()
    kernel = convolution.tensors["filters"] * gamma[:, None, None, None]
    return kernel, convolution.tensors["biases"].ravel() * gamma + beta


def _padded(graph: Graph, value: str, missing: Sequence[int]) -> str:
    """Append zeros: `missing` channels at the end, and rows and columns at bottom and right."""
    channels, sides = missing
    if not channels and not sides:
        return value
    ends = graph.constant(np.array([0, 0, 0, 0, 0, channels, sides, sides], np.int64))
    return graph.node("Pad", value, ends)
