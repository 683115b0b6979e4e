"""Reads dlib's model files without dlib: networks and landmark predictors.

A file is one stream: integers of one to eight bytes, floats as mantissa and exponent, texts, and
tensors as plain float32. No index says where a part begins, so the stream is read from its start,
and each count is checked against the bytes that are left before memory is taken for it.

Facts: read from the files of face_recognition_models 0.3.0 and checked against dlib 20.0.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookwho.core.errors import ModelFormat
from lookwho.core.types import FloatArray, IntArray

# An exponent from 32000 on stands for no number: infinite, minus infinite, undefined.
_FIRST_SPECIAL_EXPONENT = 32000

# What the file stores for each kind of layer, in its order: all kinds in dlib's two face networks.
# A tensor is followed by the parts it is cut into; "-" is of use in training only.
_COLOUR = "red:real green:real blue:real"
_KERNEL = "height:int width:int stride_y:int stride_x:int pad_y:int pad_x:int"
_TRAINING = "-:real -:real -:real -:real"
_LAYOUTS = {
    "loss_metric_2": "margin:real distance_threshold:real",
    "loss_mmod_": "-:one width:int height:int loss_per_false_alarm:real loss_per_miss:real"
    " truth_iou:real nms_iou:real nms_covered:real ignore_iou:real ignore_covered:real",
    "input_rgb_image_sized": f"{_COLOUR} height:int width:int",
    "input_rgb_image_pyramid": _COLOUR,
    "con_4": f"all:tensor -:int {_KERNEL} filters:part biases:part {_TRAINING}",
    "affine_": "all:tensor gamma:part beta:part -:int",
    "bn_con2": "all:tensor gamma:part beta:part means:tensor invstds:tensor running_means:tensor"
    f" running_variances:tensor -:int -:int {_TRAINING} epsilon:real",
    "fc_2": f"outputs:int inputs:int all:tensor weights:part biases:part -:int {_TRAINING}",
    "max_pool_2": _KERNEL,
    "avg_pool_2": _KERNEL,
    "relu_": "",
    "add_prev_": "",
}

# Each wrapper around a layer has a version: the innermost layer's, another's, a tag's or skip's.
_INNERMOST, _OUTER, _TAG = 3, 2, 1


@dataclass(frozen=True)
class Layer:
    """One layer of a network: its name in the file, its numbers and its float32 tensors.

    Parts of a tensor keep the file's four sizes: filters (filters, channels, height, width) in the
    order ONNX wants, gamma, beta and biases (1, channels, 1, 1), weights (inputs, outputs, 1, 1);
    running_means and running_variances are flat; a part of no numbers is of shape (0,).
    """

    name: str
    fields: Mapping[str, float]
    tensors: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Network:
    """A network: its loss, its input, and its layers from the input to the output.

    Branches are not told apart: a residual block is its layers, and "add_prev_" where it ends.
    """

    loss: Layer
    input: Layer
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class ShapePredictor:
    """Regression trees that carry points from a mean shape to those of a face.

    Attributes:
        initial: (parts, 2) float32 x, y of the mean shape; 0 and 1 are the sides of the face's box.
        first: (cascades, trees, splits) int64, the pixel from which the second is subtracted.
        second: (cascades, trees, splits) int64, the other pixel.
        thresholds: (cascades, trees, splits) float32 grey levels; a larger difference goes left.
        leaves: (cascades, trees, splits + 1, 2 * parts) float32 x, y, x, y, .. to be added.
        anchors: (cascades, pixels) int64, the point beside which each pixel lies.
        deltas: (cascades, pixels, 2) float32 x, y from that point, in the mean shape's frame.
    """

    initial: FloatArray
    first: IntArray
    second: IntArray
    thresholds: FloatArray
    leaves: FloatArray
    anchors: IntArray
    deltas: FloatArray

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, ready for `numpy.savez`."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ShapePredictor:
        """Return the predictor whose `to_arrays` gave `arrays`, an open .npz file for instance.

        Raises:
            ModelFormat: an array is missing.
        """
        try:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except KeyError as error:
            raise ModelFormat(f"the landmark predictor has no array {error}") from error


def read_network(data: bytes) -> Network:
    """Read a network: dlib's face embedder and its face detector are such files.

    Raises:
        ModelFormat: the bytes are cut short, damaged, or of a network with layers unknown here.
    """
    stream = _Stream(data)
    stream.one("loss")
    loss = stream.layer(stream.integer())
    versions: list[int] = []
    # The input's name follows, a text of 15 letters or more: its length cannot be a version.
    while (number := stream.integer()) <= _INNERMOST:
        versions.append(number)
    if not versions or versions[-1] != _INNERMOST or set(versions[:-1]) - {_OUTER, _TAG}:
        raise ModelFormat("the layers are not nested as dlib nests them")
    source = stream.layer(number)
    layers: list[Layer] = []
    for version in reversed(versions):  # the outermost is told first, the innermost stored first
        if version == _TAG:
            continue
        layers.append(stream.layer(stream.integer()))
        stream.booleans(3)  # set up? gradient stale? outputs disabled?
        for _ in range(3):  # gradients and a cached output, of use in training only
            stream.tensor()
        if version == _INNERMOST:
            stream.integer()  # how many samples an image makes
    stream.end()
    return Network(loss, source, tuple(layers))


def read_shape_predictor(data: bytes) -> ShapePredictor:
    """Read a landmark predictor with any number of points.

    Raises:
        ModelFormat: the bytes are cut short or damaged, or the trees are not all of one depth.
    """
    stream = _Integers(data)
    if (version := stream.next()) != 1:
        raise ModelFormat(f"the landmark predictor is of version {version}; only 1 is read")
    rows, columns = -stream.next(), -stream.next()  # sizes of a matrix are stored negated
    if columns != 1 or rows < 4 or rows % 2:
        raise ModelFormat(f"the mean shape is {rows} x {columns} numbers, not a column of points")
    initial = _floats(stream.take(2 * rows)).reshape(-1, 2)
    forests = [_forest(stream, rows) for _ in range(stream.next())]
    anchors = [stream.take(stream.next()) for _ in range(stream.next())]
    deltas = [_floats(stream.take(4 * stream.next())) for _ in range(stream.next())]
    stream.end()
    pixels = {len(row) for row in anchors} | {len(row) // 2 for row in deltas}
    sizes = {forest[0].shape for forest in forests}
    if not (len(forests) == len(anchors) == len(deltas) and len(pixels) == len(sizes) == 1):
        raise ModelFormat("the cascades differ in size")

    first, second, thresholds, leaves = (np.stack(parts) for parts in zip(*forests, strict=True))
    predictor = ShapePredictor(
        initial, first, second, thresholds, leaves, np.stack(anchors),
        np.stack(deltas).reshape(len(deltas), -1, 2),
    )  # fmt: skip
    for indices, limit in ((first, *pixels), (second, *pixels), (predictor.anchors, rows // 2)):
        if indices.min(initial=0) < 0 or indices.max(initial=0) >= limit:
            raise ModelFormat("a tree looks at a pixel, or a pixel at a point, that does not exist")
    return predictor


def _forest(
    stream: _Integers, coordinates: int
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Read one cascade: for each tree a count of splits, these, a count of leaves, these."""
    trees = stream.next()
    splits = int(stream.peek(0, 1)[0])
    if trees < 1 or splits < 1 or splits & (splits + 1):
        raise ModelFormat(f"{trees} trees of {splits} splits are no forest of complete trees")
    nodes, leaf = 1 + 4 * splits, 2 + 2 * coordinates
    width = nodes + 1 + (splits + 1) * leaf
    table = stream.take(trees * width).reshape(trees, width)
    node = table[:, 1:nodes].reshape(trees, splits, 4)  # two pixels, mantissa, exponent
    leaves = table[:, nodes + 1 :].reshape(trees, splits + 1, leaf)  # two sizes, then the numbers
    counted = (table[:, 0] == splits).all() and (table[:, nodes] == splits + 1).all()
    if not (counted and (leaves[..., 0] == -coordinates).all() and (leaves[..., 1] == -1).all()):
        raise ModelFormat("the trees of a cascade differ in size")
    return node[..., 0], node[..., 1], _floats(node[..., 2:])[..., 0], _floats(leaves[..., 2:])


def _floats(pairs: IntArray) -> FloatArray:
    """Return (..., n) float32 of (..., 2 n), mantissas and exponents in turn."""
    exponents = pairs[..., 1::2]
    if (np.abs(exponents) >= _FIRST_SPECIAL_EXPONENT).any():
        raise ModelFormat("a number of the landmark predictor is not finite")
    with np.errstate(over="ignore", under="ignore"):
        numbers = np.ldexp(pairs[..., ::2], exponents).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ModelFormat("a number of the landmark predictor is too large")
    return numbers


class _Stream:
    """The bytes of a network, read one item after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def layer(self, length: int) -> Layer:
        """Read a layer whose name has `length` letters."""
        name = self._bytes(length).decode("ascii", "backslashreplace")
        if name not in _LAYOUTS:
            raise ModelFormat(f"a layer of an unknown kind: {name[:40]!r}")
        fields: dict[str, float] = {}
        tensors: dict[str, FloatArray] = {}
        rest = np.empty(0, np.float32)
        for item in _LAYOUTS[name].split():
            key, kind = item.split(":")
            if kind == "part":
                tensors[key], rest = self._part(rest)
            elif key == "all":
                rest = self.tensor()
            elif kind == "tensor":
                tensors[key] = self.tensor()
            elif kind == "one":
                self.one(name)
            else:
                fields[key] = self.integer() if kind == "int" else self._real()
        if len(rest):
            raise ModelFormat(f"{len(rest)} numbers of a layer {name} belong to no part of it")
        return Layer(name, {key: fields[key] for key in fields if key != "-"}, tensors)

    def integer(self) -> int:
        """Read a control byte, sign and length in it, then so many bytes, the lowest first."""
        control = self._bytes(1)[0]
        length = control & 0x0F
        if control & 0x70 or not 1 <= length <= 8:
            raise ModelFormat(f"byte {self._at - 1} begins no integer")
        magnitude = int.from_bytes(self._bytes(length), "little")
        return -magnitude if control & 0x80 else magnitude

    def booleans(self, count: int) -> None:
        """Pass so many letters 0 or 1."""
        if set(self._bytes(count)) - set(b"01"):
            raise ModelFormat(f"a byte before byte {self._at} is neither yes nor no")

    def one(self, what: str) -> None:
        """Pass the version number 1."""
        if (version := self.integer()) != 1:
            raise ModelFormat(f"a {what} of version {version}; only 1 is read")

    def tensor(self) -> FloatArray:
        """Read a tensor as a flat array."""
        if (version := self.integer()) != 2:
            raise ModelFormat(f"a tensor of version {version}; only 2 is read")
        numbers = np.frombuffer(self._bytes(4 * math.prod(self._sizes())), "<f4")
        if not np.isfinite(numbers).all():
            raise ModelFormat(f"a number of the tensor before byte {self._at} is not finite")
        return numbers.astype(np.float32)

    def end(self) -> None:
        """Check that nothing is left."""
        if left := len(self._data) - self._at:
            raise ModelFormat(f"{left} bytes follow the end of the network")

    def _bytes(self, count: int) -> bytes:
        if not 0 <= count <= len(self._data) - self._at:
            raise ModelFormat(f"{count} bytes are wanted at byte {self._at} of {len(self._data)}")
        self._at += count
        return self._data[self._at - count : self._at]

    def _real(self) -> float:
        """Read a mantissa and the power of two that scales it."""
        mantissa, exponent = self.integer(), self.integer()
        if abs(exponent) >= _FIRST_SPECIAL_EXPONENT or mantissa.bit_length() + exponent > 1023:
            raise ModelFormat(f"the number before byte {self._at} is not finite, or too large")
        return math.ldexp(mantissa, exponent)

    def _part(self, numbers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Read the sizes of a part, and return that part of `numbers` and what follows it."""
        self.one("part")
        sizes = self._sizes()
        count = math.prod(sizes)
        if count > len(numbers):
            raise ModelFormat(f"the part of a tensor before byte {self._at} is larger than it")
        return numbers[:count].reshape(sizes if count else (0,)), numbers[count:]

    def _sizes(self) -> tuple[int, int, int, int]:
        sizes = self.integer(), self.integer(), self.integer(), self.integer()
        if min(sizes) < 0:
            raise ModelFormat(f"a size before byte {self._at} is negative")
        return sizes


class _Integers:
    """The integers of a landmark predictor, which is made of nothing else, decoded in bulk."""

    # How many bits of a word an integer of so many bytes has.
    _MASKS = np.array([(1 << 8 * min(length, 8)) - 1 for length in range(16)], np.uint64)

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        self._bytes = np.frombuffer(data + bytes(16), np.uint8)  # words may reach past the end
        # A word begins at every byte: this view overlaps itself.
        self._words = np.ndarray(len(data) + 8, "<u8", self._bytes, strides=(1,))
        self._starts = _starts(self._bytes[: self._size])
        self._at = 0

    def next(self) -> int:
        return int(self.take(1)[0])

    def take(self, count: int) -> IntArray:
        """Return (count,) int64, the next integers."""
        numbers = self.peek(0, count)
        self._at += count
        return numbers

    def peek(self, ahead: int, count: int) -> IntArray:
        """Return (count,) int64, integers `ahead` of the next one, without passing any."""
        begin = self._at + ahead
        if not 0 <= count <= len(self._starts) - begin:
            raise ModelFormat(f"{count} numbers are wanted and {len(self._starts) - begin} left")
        starts = self._starts[begin : begin + count]
        control = self._bytes[starts]
        length = control & 0x0F
        magnitude = self._words[starts + 1] & self._MASKS[length]
        broken = (control & 0x70 != 0) | (length < 1) | (length > 8)
        broken |= (starts + length >= self._size) | (magnitude >> np.uint64(63) != 0)
        if broken.any():
            raise ModelFormat(f"byte {starts[broken.argmax()]} begins no integer")
        numbers = magnitude.astype(np.int64)
        return np.where(control & 0x80 != 0, -numbers, numbers)

    def end(self) -> None:
        """Check that nothing is left."""
        if left := len(self._starts) - self._at:
            raise ModelFormat(f"{left} numbers follow the end of the landmark predictor")


def _starts(data: NDArray[np.uint8]) -> IntArray:
    """Return where each integer begins, (n,) int64, as each one's first byte tells its length.

    A chain cannot be entered in its middle, so it is walked, but in leaps of 16 integers: doubling
    the single step four times makes the leap from every byte, whether an integer begins there or
    not. Windows keep these tables in the processor's cache.
    """
    window, leaps = 1 << 16, 4
    steps = (data & 0x0F) + 1
    found = [np.empty(0, np.int64)]
    begin = 0
    while begin < len(data):
        size = min(window, len(data) - begin)
        step = np.arange(size + 16)  # a place behind the window leads to itself
        step[:size] += steps[begin : begin + size]
        leap = step
        for _ in range(leaps):
            leap = leap.take(leap)
        follow, stops, stop = leap.data, list[int](), 0  # faster than an array at single numbers
        while stop < size:
            stops.append(stop)
            stop = follow[stop]
        chain = [np.array(stops)]
        for _ in range((1 << leaps) - 1):
            chain.append(step.take(chain[-1]))
        inside = np.stack(chain, 1).ravel()
        found.append(inside[inside < size] + begin)
        begin += stop
    return np.concatenate(found)
