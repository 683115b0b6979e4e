"""Runs networks: the only module that knows onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path

# onnxruntime collects telemetry from the moment it is imported, and says so only in its source.
# Nothing leaves this machine: this must come first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from typing import Any, cast

import onnxruntime as ort
from numpy.typing import NDArray

from lookwho.core.errors import ModelFormat

Session = ort.InferenceSession

# Only what stops a run is worth a line on the terminal.
ort.set_default_logger_severity(3)


def session(model: bytes | Path, *, threads: int = 1) -> Session:
    """Open a network for running on the processor.

    Args:
        model: the bytes of an .onnx file, or where it lies.
        threads: threads inside one operation. One process a core with one thread each is faster
            than one process with many threads, so 1 is the default everywhere.

    Raises:
        ModelFormat: onnxruntime does not accept the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Several sessions with spinning threads fight each other for the cores: 124 ms against 56.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Inputs differ in size from photo to photo; a pattern planned for one only holds memory.
    options.enable_mem_pattern = False
    try:
        return ort.InferenceSession(
            model if isinstance(model, bytes) else os.fspath(model),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # onnxruntime's own classes share no public base
        name = "the model" if isinstance(model, bytes) else str(model)
        raise ModelFormat(f"onnxruntime does not accept {name}: {error}") from error


def run(network: Session, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """Return a network's outputs in its order, given its inputs by name."""
    return cast("list[NDArray[Any]]", network.run(None, inputs))
