import os
import subprocess
import sys
from dataclasses import replace

import pytest

from lookwho.core import quantize, weights
from lookwho.core.errors import ModelMismatch, ModelMissing


def test_every_model_file_on_record_is_here_and_is_the_published_one():
    for name in weights.FILES:
        assert len(weights.read(name)) > 10_000


def test_an_altered_model_file_is_refused_with_both_checksums(monkeypatch):
    altered = replace(weights.FILES["pnet"], sha256="0" * 64)
    monkeypatch.setitem(weights.FILES, "pnet", altered)

    with pytest.raises(ModelMismatch, match=f"{'0' * 64}.*force-reinstall mtcnn"):
        weights.read("pnet")


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    missing = replace(weights.FILES["pnet"], package="no_such_package_of_models")
    monkeypatch.setitem(weights.FILES, "pnet", missing)

    with pytest.raises(ModelMissing, match="pip install no_such_package_of_models"):
        weights.read("pnet")


def test_what_was_built_once_is_not_built_again(tmp_path):
    assert weights.built("thing", lambda: b"content", tmp_path) == b"content"

    assert weights.built("thing", lambda: b"other", tmp_path) == b"content"


@pytest.mark.parametrize(
    "damage",
    (
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:40] + b"\x00" + data[41:],
        lambda data: b"version https://git-lfs.github.com/spec/v1\n",
    ),
)
def test_a_damaged_file_in_the_cache_is_built_anew(tmp_path, damage):
    weights.built("thing", lambda: b"x" * 100, tmp_path)
    (path,) = (tmp_path / "models").iterdir()
    path.write_bytes(damage(path.read_bytes()))

    assert weights.built("thing", lambda: b"y" * 100, tmp_path) == b"y" * 100
    assert weights.built("thing", lambda: b"z" * 100, tmp_path) == b"y" * 100


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")

    assert weights.built("thing", lambda: b"content", tmp_path) == b"content"


def test_a_build_that_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError):
        weights.built("thing", lambda: bytes(1 // 0), tmp_path)

    assert not list(tmp_path.rglob("*.bin*"))


def test_processes_that_start_at_once_do_not_clash(tmp_path):
    code = (
        "import sys, pathlib; from lookwho.core import packs, stages;"
        "cache = pathlib.Path(sys.argv[1]);"
        "stages.load(packs.find_pack('default'), packs.find_preset('fast'), int8=True, threads=1,"
        " cache=cache)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, os.fspath(tmp_path)]) for _ in range(4)
    ]

    assert [process.wait() for process in started] == [0, 0, 0, 0]
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    int8 = f"resnet-int8-{quantize.shipped_digest()}"
    assert names == [
        f"{n}-{weights.REVISION}.bin" for n in ("landmarks5", "onet", "pnet", int8, "rnet")
    ]
