"""Finds faces exactly as dlib's CNN detector does, on onnxruntime.

The network looks for faces of 80 pixels, so the photo is laid out again and again in one tall
picture, each time a sixth smaller, and one run finds faces of all sizes from 80 pixels up. Smaller
faces need an enlarged photo.

Source: King, "Max-Margin Object Detection", arXiv:1502.00046. The layout and its constants are
those of dlib 20.0.1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from lookwho.core.dlibfile import Layer, Network
from lookwho.core.errors import ModelFormat
from lookwho.core.graph import Graph
from lookwho.core.runtime import Session
from lookwho.core.types import ByteArray, Detections, DoubleArray, FloatArray, IntArray

# The window that is looked for, and the greatest overlap of two faces; `build` checks that the
# file says the same.
WINDOW = 80
OVERLAP = 0.3382761351109955
# Grey levels of red, green and blue that count as zero, and fill the gaps of the layout.
MEAN = np.array([122.78199768066406, 117.0009994506836, 104.2979965209961], np.float32)
# dlib divides grey levels by 256, not by 255.
GREY_LEVELS = 256
# Around the layout, and between the copies of the photo in it.
BORDER = 11
GAP = 10
# A copy is the last with fewer rows than this.
LEAST_ROWS = 5
# The network answers on every eighth pixel, first for the window around pixel 14.
STRIDE = 8
FIRST = 14
# Where dlib takes a point p of a copy to lie in the copy that is a sixth larger: 1.2 p + 0.3.
GROWTH = 1.2
GROWTH_SHIFT = 0.3
# Where it takes a point p of a photo enlarged to twice its size to lie in the photo: p / 2 - this.
ENLARGING_SHIFT = np.array([1.25, 0.75])


class MmodDetector:
    """Finds faces of 80 pixels and more, as dlib does.

    Args:
        session: a session of the graph that `build` writes.
        landmarks: gives the five landmarks (n, 5, 2) of faces, from the pixels and boxes (n, 4).
    """

    def __init__(
        self, session: Session, landmarks: Callable[[ByteArray, FloatArray], FloatArray]
    ) -> None:
        self._session = session
        self._landmarks = landmarks

    def detect(self, pixels: ByteArray) -> Detections:
        """Find the faces of one image, with their landmarks.

        Args:
            pixels: (h, w, 3) uint8 RGB, upright.

        Returns:
            As `search` finds them; the boxes are the anchors too, which is what dlib does.
        """
        boxes, scores = self.search(pixels)
        return Detections(boxes, scores, self._landmarks(pixels, boxes), boxes)

    def search(
        self, pixels: ByteArray, upsample: int = 0, threshold: float = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        """Return the boxes and scores that dlib's `cnn_face_detection_model_v1` returns.

        Args:
            pixels: (h, w, 3) uint8 RGB, upright.
            upsample: how many times the image is enlarged to twice its size first.
            threshold: faces score above this; dlib takes 0.

        Returns:
            Boxes (n, 4) float32 and scores (n,) float32, best first. The boxes hold whole numbers:
            x1, y1, x2, y2 are dlib's left, top, right, bottom as they are, the centres of the
            outermost pixels, so that dlib counts x2 - x1 + 1 columns. They may lie outside the
            image.
        """
        for _ in range(upsample):
            pixels = _enlarged(pixels)
        copies = _layout(*pixels.shape[:2])
        answer = self._answer(pixels, copies)
        rows, columns = np.nonzero(answer > threshold)
        scores = answer[rows, columns]
        centres = np.stack([columns, rows], 1) * STRIDE + FIRST
        boxes = _on_photo(centres, copies)
        order = np.argsort(-scores, kind="stable")
        kept = order[_apart(boxes[order])]
        boxes = boxes[kept].reshape(-1, 2, 2)
        for _ in range(upsample):
            boxes = _rounded(boxes / 2 - ENLARGING_SHIFT)
        return boxes.reshape(-1, 4).astype(np.float32), scores[kept]

    def _answer(self, pixels: ByteArray, copies: IntArray) -> FloatArray:
        """Return the (rows, columns) float32 scores of the layout."""
        picture = _drawn(pixels, copies)
        if min(picture.shape[:2]) < 2 * FIRST + 1:
            return np.zeros((0, 0), np.float32)
        return np.asarray(self._session.run(None, {"layout": picture[None]})[0])[0, 0]


def build(network: Network) -> bytes:
    """Write the network as an ONNX graph.

    From `layout` (1, h, w, 3) float32 RGB grey levels to scores (1, 1, rows, columns) float32.

    Args:
        network: what dlib's file holds.

    Raises:
        ModelFormat: the network is another one.
    """
    loss, colours = network.loss.fields, network.input.fields
    if (
        network.loss.name != "loss_mmod_"
        or network.input.name != "input_rgb_image_pyramid"
        or (loss["width"], loss["height"], loss["nms_iou"]) != (WINDOW, WINDOW, OVERLAP)
        or [colours[name] for name in ("red", "green", "blue")] != MEAN.tolist()
    ):
        raise ModelFormat("this is not dlib's detector of human faces")
    graph = Graph("dlib face detector")
    layout = graph.input("layout", np.float32, (1, "height", "width", 3))
    value = graph.node("Transpose", layout, perm=[0, 3, 1, 2])
    for index, layer in enumerate(network.layers):
        following = network.layers[index + 1 : index + 2]
        if layer.name == "con_4":
            kernel, bias = _folded(layer, following)
            if index == 0:
                # (x - mean) / 256 folded into the first convolution: exact, since it has no padding
                kernel = kernel / np.float32(GREY_LEVELS)
                bias = bias - kernel.sum(axis=(2, 3)) @ MEAN
            pads = [int(layer.fields[name]) for name in ("pad_y", "pad_x")] * 2
            strides = [int(layer.fields[name]) for name in ("stride_y", "stride_x")]
            weights = graph.constant(kernel), graph.constant(bias)
            value = graph.node("Conv", value, *weights, pads=pads, strides=strides)
        elif layer.name == "relu_":
            value = graph.node("Relu", value)
        elif layer.name != "bn_con2":
            raise ModelFormat(f"a layer {layer.name} in dlib's detector of human faces")
    graph.output(value, np.float32, (1, 1, "rows", "columns"))
    return graph.to_bytes()


def _folded(convolution: Layer, following: tuple[Layer, ...]) -> tuple[FloatArray, FloatArray]:
    """Return kernel and bias, with the normalisation folded in, if that follows."""
    kernel, bias = convolution.tensors["filters"], convolution.tensors["biases"].ravel()
    for layer in following:
        if layer.name == "bn_con2":
            spread = np.sqrt(layer.tensors["running_variances"] + layer.fields["epsilon"])
            gain = layer.tensors["gamma"].ravel() / spread
            shift = layer.tensors["beta"].ravel() - gain * layer.tensors["running_means"]
            kernel, bias = kernel * gain[:, None, None, None], bias * gain + shift
    return kernel.astype(np.float32), bias.astype(np.float32)


def _layout(height: int, width: int) -> IntArray:
    """Place the copies of a photo, each 5/6 of the one before, in one picture.

    The first column goes down until a copy fits beside the one before; the rest goes up again on
    the right, as far as there is room beside the photo itself.

    Returns:
        (n, 4) int64 left, top, right, bottom, the right column and bottom row included.
    """
    photo_width, photo_height = width, height
    sizes: list[tuple[int, int]] = []
    while not sizes or (height >= LEAST_ROWS and width):
        sizes.append((width, height))
        width, height = 5 * width // 6, 5 * height // 6
    total = sum(height + GAP for _, height in sizes) - 2 * GAP

    copies: list[tuple[int, int, int, int]] = []
    bottom, before, used = BORDER, 0, 0
    for width, height in sizes:
        beside = width <= photo_width - before - GAP
        if beside and 2 * (used - photo_height) >= total - photo_height:
            break
        copies.append((BORDER, bottom, BORDER + width - 1, bottom + height - 1))
        bottom += height + GAP
        used += height + GAP
        before = width
    bottom -= GAP
    right = BORDER + photo_width - 1
    for width, height in sizes[len(copies) :]:
        left, top = right - width + 1, bottom - height
        if left <= copies[0][2] and top <= copies[0][3]:
            break
        copies.append((left, top, right, bottom - 1))
        bottom -= height + GAP
    return np.array(copies, np.int64)


def _drawn(pixels: ByteArray, copies: IntArray) -> FloatArray:
    """Return the layout (h, w, 3) float32 in grey levels, each copy made from the one before."""
    right, bottom = copies[:, 2:].max(0) + BORDER + 1
    picture = np.empty((bottom, right, 3), np.float32)
    picture[:] = MEAN
    copy = pixels.astype(np.float32)
    for left, top, right, bottom in copies.tolist():
        copy = _resized(copy, right - left + 1, bottom - top + 1)
        picture[top : bottom + 1, left : right + 1] = copy
    return picture


def _resized(picture: FloatArray, width: int, height: int) -> FloatArray:
    """Resize with the middles of the corner pixels staying corners, as dlib does."""
    if picture.shape[:2] == (height, width):
        return picture
    x, y = (
        (old - 1) / max(new - 1, 1)
        for old, new in zip(picture.shape[1::-1], (width, height), strict=True)
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    resized = np.empty((height, width, 3), np.float32)
    cv2.warpAffine(
        picture,
        np.array([[x, 0, 0], [0, y, 0]]),
        (width, height),
        dst=resized,
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return resized


def _enlarged(pixels: ByteArray) -> ByteArray:
    """Return the photo at about twice its size, (2 h + 1, 2 w + 2, 3) uint8."""
    height, width = pixels.shape[:2]
    # dlib cuts fractions of grey levels off. Its own float32 arithmetic falls on the other side of
    # a whole number in 2 of 1,000 values, which moves scores by up to 0.002.
    return _resized(pixels.astype(np.float32), 2 * width + 2, 2 * height + 1).astype(np.uint8)


def _on_photo(centres: IntArray, copies: IntArray) -> IntArray:
    """Return the boxes (n, 4) on the photo of windows around centres (n, 2) of the layout."""
    beyond = np.maximum(copies[:, :2] - centres[:, None], centres[:, None] - copies[:, 2:])
    distance = (np.clip(beyond, 0, None) ** 2).sum(2)
    level = distance.argmin(1)  # 0 is inside; in a gap, the nearest copy
    corners = centres[:, None] + np.array([[-1], [1]]) * (WINDOW - 1) / 2 - copies[level, None, :2]
    for step in range(len(copies)):
        corners = np.where((level > step)[:, None, None], corners * GROWTH + GROWTH_SHIFT, corners)
    return _rounded(corners).reshape(-1, 4)


def _apart(boxes: IntArray) -> list[int]:
    """Return the boxes to keep, so that none overlaps a better one before it too much.

    The overlap is the shared area as a part of the smallest rectangle around both; the right column
    and the bottom row belong to a box.
    """
    kept: list[int] = []
    for index, box in enumerate(boxes):
        others = boxes[kept]
        low, high = np.minimum(others, box), np.maximum(others, box)
        shared = np.clip(low[:, 2:] - high[:, :2] + 1, 0, None).prod(1)
        around = (high[:, 2:] - low[:, :2] + 1).prod(1)
        if not (shared > OVERLAP * around).any():
            kept.append(index)
    return kept


def _rounded(numbers: DoubleArray) -> IntArray:
    """Round to the nearest whole numbers, halves away from zero."""
    return np.copysign(np.floor(np.abs(numbers) + 0.5), numbers).astype(np.int64)
