import numpy as np
import onnx
import pytest

from lookwho.core.graph import Graph
from lookwho.core.runtime import run, session


def test_a_graph_holds_what_was_put_into_it():
    graph = Graph("linear")
    x = graph.input("x", np.float32, ("n", 3))
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    product = graph.node("Gemm", x, graph.constant(weights), alpha=0.5, transA=0)
    graph.output(graph.named("y", product), np.float32, ("n", 2))

    data = graph.to_bytes()

    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["x"]
    assert [value.name for value in model.graph.output] == ["y"]
    given = np.ones((4, 3), np.float32)
    np.testing.assert_allclose(run(session(data), x=given)[0], given @ weights / 2)


@pytest.mark.parametrize("number", (0, 1, 127, 128, -1, -(1 << 40), (1 << 62) + 5))
def test_whole_numbers_of_any_size_and_sign_survive(number):
    graph = Graph("shift")
    x = graph.input("x", np.int64, (1,))
    graph.output(graph.node("Gather", x, graph.constant(np.array([0])), axis=0), np.int64, (1,))
    attribute = onnx.load_from_string(graph.to_bytes()).graph.node[0].attribute[0]
    assert attribute.i == 0

    other = Graph("attribute")
    x = other.input("x", np.int64, (1,))
    other.output(
        other.node("Gather", x, other.constant(np.array([0])), axis=number), np.int64, (1,)
    )

    assert onnx.load_from_string(other.to_bytes()).graph.node[0].attribute[0].i == number


@pytest.mark.parametrize("dtype", (np.float32, np.uint8, np.int8, np.int32, np.int64, np.bool_))
def test_constants_of_each_type_come_back_as_they_were(dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    graph = Graph("constant")
    name = graph.constant(values)

    stored = onnx.load_from_string(graph.to_bytes()).graph.initializer[0]

    assert stored.name == name
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored), values)


def test_a_scalar_keeps_having_no_dimension():
    graph = Graph("scalar")
    graph.constant(np.float32(0.25))

    stored = onnx.numpy_helper.to_array(
        onnx.load_from_string(graph.to_bytes()).graph.initializer[0]
    )

    assert stored.shape == ()
    assert stored == np.float32(0.25)
