"""Writes ONNX graphs without the `onnx` package, which the bare install does not need otherwise.

An ONNX file is one protocol-buffer message; writing it takes a tag, a length and the bytes. Field
numbers are those of onnx.proto (opset 17, IR version 8). Every graph that Lookwho builds is
checked by `onnx.checker` in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 17
IR_VERSION = 8

# TensorProto.DataType
_TYPES = {
    np.dtype(np.float32): 1,
    np.dtype(np.uint8): 2,
    np.dtype(np.int8): 3,
    np.dtype(np.int32): 6,
    np.dtype(np.int64): 7,
    np.dtype(np.bool_): 9,
}

Dimension = int | str
Attribute = int | float | str | Sequence[int]


def type_code(dtype: Any) -> int:
    """Return ONNX's number for a numpy type, as `Cast` wants it."""
    return _TYPES[np.dtype(dtype)]


class Graph:
    """A graph under construction; values are known by their names.

    >>> graph = Graph("twice")
    >>> x = graph.input("x", np.float32, ("n",))
    >>> graph.output(graph.node("Add", x, x), np.float32, ("n",))
    >>> len(graph.to_bytes()) > 50
    True
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, dtype: Any, shape: Sequence[Dimension]) -> str:
        """Declare an input; a dimension given as text is free."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype: Any, shape: Sequence[Dimension]) -> None:
        """Declare that the value `name` is an output."""
        self._outputs.append(_value_info(name, dtype, shape))

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        """Store an array in the file and return its value's name."""
        name = self._fresh("c")
        body = b"".join(_varint_field(1, size) for size in array.shape)
        body += _varint_field(2, type_code(array.dtype)) + _text_field(8, name)
        body += _bytes_field(9, np.ascontiguousarray(array).tobytes())
        self._constants.append(body)
        return name

    def node(self, op_type: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operation with one output and return that value's name."""
        return self.nodes(op_type, *inputs, names=(self._fresh("v"),), **attributes)[0]

    def named(self, name: str, value: str) -> str:
        """Give a value a name that is known from outside, and return it."""
        return self.nodes("Identity", value, names=(name,))[0]

    def nodes(
        self, op_type: str, *inputs: str, names: Sequence[str], **attributes: Attribute
    ) -> Sequence[str]:
        """Add an operation with several outputs, called `names`."""
        body = b"".join(_text_field(1, value) for value in inputs)
        body += b"".join(_text_field(2, value) for value in names)
        body += _text_field(3, f"{op_type}_{len(self._nodes)}") + _text_field(4, op_type)
        body += b"".join(_bytes_field(5, _attribute(*item)) for item in attributes.items())
        self._nodes.append(body)
        return names

    def to_bytes(self) -> bytes:
        """Return the whole model as the bytes of an .onnx file."""
        graph = b"".join(_bytes_field(1, body) for body in self._nodes)
        graph += _text_field(2, self._name)
        graph += b"".join(_bytes_field(5, body) for body in self._constants)
        graph += b"".join(_bytes_field(11, body) for body in self._inputs)
        graph += b"".join(_bytes_field(12, body) for body in self._outputs)
        opset = _text_field(1, "") + _varint_field(2, OPSET)
        return _varint_field(1, IR_VERSION) + _bytes_field(7, graph) + _bytes_field(8, opset)

    def _fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"


def _varint(number: int) -> bytes:
    if number < 0:  # protocol buffers write negative numbers as 64-bit two's complement
        number += 1 << 64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varint_field(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes_field(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text_field(field: int, text: str) -> bytes:
    return _bytes_field(field, text.encode())


def _attribute(name: str, value: Attribute) -> bytes:
    # AttributeProto: the value's field, then `type` (FLOAT 1, INT 2, STRING 3, INTS 7) in field 20
    if isinstance(value, float):
        body, kind = _varint(2 << 3 | 5) + np.float32(value).tobytes(), 1
    elif isinstance(value, int):
        body, kind = _varint_field(3, value), 2
    elif isinstance(value, str):
        body, kind = _text_field(4, value), 3
    else:
        body, kind = b"".join(_varint_field(8, item) for item in value), 7
    return _text_field(1, name) + body + _varint_field(20, kind)


def _value_info(name: str, dtype: Any, shape: Sequence[Dimension]) -> bytes:
    dimensions = b"".join(
        _bytes_field(1, _text_field(2, size) if isinstance(size, str) else _varint_field(1, size))
        for size in shape
    )
    tensor = _varint_field(1, type_code(dtype)) + _bytes_field(2, dimensions)
    return _text_field(1, name) + _bytes_field(2, _bytes_field(1, tensor))
