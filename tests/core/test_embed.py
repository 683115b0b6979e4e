"""The embedder against dlib itself: on the same crops, and from the photo on."""

from dataclasses import replace

import dlib
import numpy as np
import onnx
import pytest

from lookwho.core import packs, weights
from lookwho.core.align import Aligner
from lookwho.core.dlibfile import read_network, read_shape_predictor
from lookwho.core.embed import BATCH, CHIP_SIDE, Embedder, build
from lookwho.core.errors import ModelFormat
from lookwho.core.image import read
from lookwho.core.landmarks import LandmarkPredictor
from lookwho.core.quantize import shipped_ranges
from lookwho.core.runtime import session
from lookwho.core.vectors import unit


@pytest.fixture(scope="module")
def network():
    return read_network(weights.read("resnet"))


@pytest.fixture(scope="module")
def embedder(network):
    return Embedder(session(build(network)))


@pytest.fixture(scope="module")
def eight_bits(network):
    return Embedder(session(build(network, shipped_ranges("resnet"))))


@pytest.fixture(scope="module")
def aligner():
    return Aligner(LandmarkPredictor(read_shape_predictor(weights.read("landmarks5"))))


@pytest.fixture(scope="module")
def theirs():
    """dlib's detector, landmark predictor and embedder."""
    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(weights.locate("landmarks5"))),
        dlib.face_recognition_model_v1(str(weights.locate("resnet"))),
    )


@pytest.fixture(scope="module")
def faces(photos, theirs):
    """Photos at 500 pixels, and in each the faces that dlib's HOG detector finds."""
    pictures = [read(path, target=500).pixels for path in photos[:12]]
    return [(pixels, list(theirs[0](pixels, 1))) for pixels in pictures]


@pytest.fixture(scope="module")
def chips(faces, theirs):
    cut = [
        dlib.get_face_chip(p, theirs[1](p, box), CHIP_SIDE, 0.25)
        for p, boxes in faces
        for box in boxes
    ]
    assert len(cut) >= 7
    return np.stack(cut)


def test_on_identical_crops_the_descriptors_are_dlibs_within_1e_5(embedder, chips, theirs):
    wanted = np.array([theirs[2].compute_face_descriptor(chip) for chip in chips])

    assert np.abs(embedder.encode(chips) - wanted).max() < 1e-5


def test_from_the_photo_on_the_descriptors_are_dlibs_within_1e_3(embedder, aligner, faces, theirs):
    _, predictor, network = theirs
    compared = 0
    for pixels, boxes in faces:
        anchors = np.array(
            [(box.left(), box.top(), box.right(), box.bottom()) for box in boxes], np.float32
        ).reshape(-1, 4)

        got = embedder.encode(aligner.align(pixels, anchors))

        for box, vector in zip(boxes, got, strict=True):
            wanted = np.array(network.compute_face_descriptor(pixels, predictor(pixels, box)))
            assert np.abs(vector - wanted).max() < 1e-3
            compared += 1
    assert compared >= 7


def test_a_face_gets_the_same_vector_alone_and_among_others(embedder, eight_bits, chips):
    many = np.concatenate([chips] * (BATCH // len(chips) + 2))
    for model in (embedder, eight_bits):
        np.testing.assert_array_equal(model.encode(many)[: len(chips)], model.encode(chips))
        np.testing.assert_array_equal(model.encode(chips[:1]), model.encode(chips)[:1])


def test_eight_bits_move_a_descriptor_by_less_than_a_tenth(embedder, eight_bits, chips):
    drift = np.linalg.norm(eight_bits.encode(chips) - embedder.encode(chips), axis=1)

    assert drift.min() > 0  # it really is another arithmetic
    assert drift.max() < 0.1
    # Two people differ by 0.6.


def test_embeddings_are_of_unit_length_and_blind_to_mirroring(embedder, chips):
    embeddings, encodings = embedder.embed(chips)
    mirrored, _ = embedder.embed(np.ascontiguousarray(chips[:, :, ::-1]))

    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embeddings, mirrored, atol=1e-6)
    np.testing.assert_array_equal(encodings, embedder.encode(chips))
    assert embeddings.dtype == encodings.dtype == np.float32


def test_no_faces_give_no_vectors(embedder):
    embeddings, encodings = embedder.embed(np.zeros((0, CHIP_SIDE, CHIP_SIDE, 3), np.uint8))

    assert embeddings.shape == encodings.shape == (0, 128)


@pytest.mark.parametrize("int8", (False, True))
def test_the_graph_is_valid_onnx(network, int8):
    ranges = shipped_ranges("resnet") if int8 else None

    onnx.checker.check_model(onnx.load_from_string(build(network, ranges)), full_check=True)


def test_another_network_is_refused(network):
    shorter = replace(network, layers=network.layers[1:])

    with pytest.raises(ModelFormat, match="29 convolutions"):
        build(shorter)


def test_a_vector_of_zeros_is_left_as_it_is():
    np.testing.assert_array_equal(unit(np.zeros((2, 128), np.float32)), np.zeros((2, 128)))


def test_packs_say_the_dimension_that_their_embedder_gives():
    assert {pack.dim for pack in packs.PACKS.values()} == {Embedder.dim}
