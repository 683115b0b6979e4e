"""Where the model files come from, and the cache of what is built from them.

The files lie inside two packages that pip brings; neither is imported, since importing one needs
`pkg_resources` and importing the other tensorflow. Nothing is ever downloaded here.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from lookwho.core.errors import ModelFormat, ModelMismatch, ModelMissing

# Part of the name of every cached file: to be raised with each change to what is built.
REVISION = 1

_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A published file of weights.

    Attributes:
        package: the package on PyPI that carries it, also the name of its folder.
        path: where it lies in that folder.
        sha256: of the whole file.
        licence: as published, and what is known of the data it was trained on.
    """

    package: str
    path: str
    sha256: str
    licence: str


FILES = {
    "resnet": ModelFile(
        "face_recognition_models",
        "models/dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "CC0; trained on 3 million faces, FaceScrub and VGG Face (research only) among them",
    ),
    "mmod": ModelFile(
        "face_recognition_models",
        "models/mmod_human_face_detector.dat",
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        "CC0; trained on faces from ImageNet, AFLW, Pascal VOC, VGG Face, WIDER and Face Scrub",
    ),
    "landmarks5": ModelFile(
        "face_recognition_models",
        "models/shape_predictor_5_face_landmarks.dat",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        "CC0; trained on 7,198 faces that dlib's author labelled",
    ),
    "pnet": ModelFile(
        "mtcnn",
        "assets/weights/pnet.lz4",
        "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
        "MIT; trained on WIDER FACE and CelebA (research only)",
    ),
    "rnet": ModelFile(
        "mtcnn",
        "assets/weights/rnet.lz4",
        "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
        "MIT; trained on WIDER FACE and CelebA (research only)",
    ),
    "onet": ModelFile(
        "mtcnn",
        "assets/weights/onet.lz4",
        "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
        "MIT; trained on WIDER FACE and CelebA (research only)",
    ),
}


def default_cache() -> Path:
    """Return the folder of this user for what Lookwho can build again."""
    return platformdirs.user_cache_path("lookwho", appauthor=False)


def locate(name: str) -> Path:
    """Return where a model file lies.

    Raises:
        ModelMissing: its package is not installed, or came without the file.
    """
    file = FILES[name]
    spec = importlib.util.find_spec(file.package)
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0], file.path) if folders else None
    if path is None or not path.is_file():
        raise ModelMissing(
            f"the model file {Path(file.path).name} is not here: pip install {file.package}"
        )
    return path


def read(name: str) -> bytes:
    """Return the bytes of a model file after checking that they are the published ones.

    Raises:
        ModelMissing: see `locate`.
        ModelMismatch: the file is not the one on record.
    """
    path = locate(name)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != FILES[name].sha256:
        raise ModelMismatch(
            f"{path} is not the published file: its sha256 is {found}, not {FILES[name].sha256}; "
            f"pip install --force-reinstall {FILES[name].package}"
        )
    return data


def read_arrays(name: str) -> list[Any]:
    """Return the arrays of one of MTCNN's weight files."""
    import joblib
    import lz4.frame

    # joblib's format can run code when it is read, hence the checksum first; decompressed here
    # because joblib's own reader of .lz4 files warns on Python 3.13 as it closes them.
    return joblib.load(io.BytesIO(lz4.frame.decompress(read(name))))


def built(name: str, build: Callable[[], bytes], cache: Path | None = None) -> bytes:
    """Return what `build` makes, from the cache where it has been made before.

    A cached file holds the sha256 of its content and then the content, and is put in place by
    one rename, so that a reader sees all of it or none, however many processes write at once. A
    damaged file is built anew. Where the cache cannot be written nothing is kept and all works.

    Args:
        name: what is built, a file name without ending.
        build: makes the bytes; called only when needed.
        cache: the folder to keep them in.
    """
    path = (cache or default_cache()) / "models" / f"{name}-{REVISION}.bin"
    try:
        return _unsealed(path.read_bytes(), path)
    except (OSError, ModelFormat):
        content = build()
    # A read-only or full disk costs the time to build it again, nothing else.
    with contextlib.suppress(OSError):
        _write(path, hashlib.sha256(content).digest() + content)
    return content


def _unsealed(data: bytes, path: Path) -> bytes:
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ModelFormat(f"{path} is damaged")
    return content


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
