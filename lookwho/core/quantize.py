"""Eight-bit arithmetic: what an ONNX graph needs so that onnxruntime computes in integers.

A value is rounded to an integer between 0 and 255 and back: the runtime sees that it may then
multiply integers. Activations are unsigned with one scale a tensor; weights are signed and
symmetric with one scale a channel; biases are 32-bit. The ranges of activations are measured once
on photos (`python -m bench calibrate`) and shipped, so that int8 gives the same vectors everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from lookwho.core.graph import Graph
from lookwho.core.measured import measured
from lookwho.core.types import FloatArray

# The least and the greatest value that each activation took, by its place in the network.
Ranges: TypeAlias = Mapping[str, tuple[float, float]]

_WEIGHT_LIMIT = 127
_LEVELS = 255


class Arithmetic:
    """Adds convolutions to a graph, in float32 or, given the ranges of activations, in int8.

    Args:
        graph: what to add to.
        ranges: None for float32.
    """

    def __init__(self, graph: Graph, ranges: Ranges | None = None) -> None:
        self._graph = graph
        self._ranges = ranges
        self._scales: dict[str, np.float32] = {}
        self.settled: dict[str, str] = {}

    def pixels(self, value: str) -> str:
        """Begin with uint8 pixels (n, 3, h, w), which as integers need no rounding."""
        if self._ranges is None:
            return self._graph.node("Cast", value, to=1)
        return self._dequantized(value, np.float32(1), 0)

    def settle(self, value: str, key: str) -> str:
        """Name an activation, and in int8 round it; what convolutions read must be settled."""
        self.settled[key] = value
        if self._ranges is None:
            return value
        low, high = self._ranges[key]
        low, high = min(low, 0.0), max(high, 0.0)
        scale = np.float32(max(high - low, 1e-6) / _LEVELS)
        zero = round(-low / float(scale))
        constants = self._graph.constant(scale), self._graph.constant(np.array(zero, np.uint8))
        rounded = self._graph.node("QuantizeLinear", value, *constants)
        return self._dequantized(rounded, scale, zero)

    def conv(
        self, value: str, kernel: FloatArray, bias: FloatArray, stride: int, padding: int
    ) -> str:
        """Add a square convolution; kernel (outputs, inputs, side, side), bias (outputs,)."""
        graph = self._graph
        attributes = {"strides": [stride] * 2, "pads": [padding] * 4}
        if self._ranges is None:
            parts = graph.constant(kernel), graph.constant(bias)
            return graph.node("Conv", value, *parts, **attributes)
        greatest = np.abs(kernel).max(axis=(1, 2, 3))
        scales = (np.maximum(greatest, 1e-12) / _WEIGHT_LIMIT).astype(np.float32)
        whole = np.rint(kernel / scales[:, None, None, None]).astype(np.int8)
        weights = self._per_channel(whole, scales)
        bias_scales = scales * self._scales[value]
        limit = np.iinfo(np.int32).max
        whole = np.rint(np.clip(bias / bias_scales.astype(np.float64), -limit, limit))
        biases = self._per_channel(whole.astype(np.int32), bias_scales)
        return graph.node("Conv", value, weights, biases, **attributes)

    def _dequantized(self, value: str, scale: np.float32, zero: int) -> str:
        constants = self._graph.constant(scale), self._graph.constant(np.array(zero, np.uint8))
        name = self._graph.node("DequantizeLinear", value, *constants)
        self._scales[name] = scale
        return name

    def _per_channel(self, whole: np.ndarray, scales: FloatArray) -> str:
        zeros = self._graph.constant(np.zeros(len(scales), whole.dtype))
        parts = self._graph.constant(whole), self._graph.constant(scales), zeros
        return self._graph.node("DequantizeLinear", *parts, axis=0)


def shipped_ranges(network: str) -> Ranges:
    """Return the measured ranges of a network's activations that come with Lookwho."""
    ranges = measured()["ranges"][network]
    return {key: (low, high) for key, (low, high) in ranges.items()}


def shipped_digest() -> str:
    """Return what tells these ranges from others, for the names of what is made with them."""
    ranges = json.dumps(measured()["ranges"], sort_keys=True)
    return hashlib.sha256(ranges.encode()).hexdigest()[:8]
