"""What is shipped: the wheel, its licences, and the versions that the tests ran with."""

import email
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import lookwho

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def name_of(requirement):
    """Return the normalised name that a requirement begins with."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", target], cwd=ROOT, check=True, capture_output=True)
    (path,) = target.glob("lookwho-*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}

    assert tops == {"lookwho", f"lookwho-{PROJECT['version']}.dist-info"}


def test_the_wheel_holds_every_module(wheel):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "lookwho").rglob("*.py")}

    assert modules <= set(wheel.namelist())


def test_the_wheel_brings_no_model_and_no_photo(wheel):
    suffixes = {Path(name).suffix for name in wheel.namelist()}

    assert suffixes.isdisjoint({".onnx", ".dat", ".lz4", ".npz", ".jpg", ".png", ".mp4"})


def test_the_bare_install_asks_for_nothing_of_the_extras(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    fields = email.message_from_bytes(wheel.read(metadata))
    bare = {name_of(line) for line in fields.get_all("Requires-Dist") if "extra ==" not in line}

    assert bare == {name_of(requirement) for requirement in PROJECT["dependencies"]}
    assert set(fields.get_all("Provides-Extra")) == set(EXTRAS)


def test_the_package_says_the_version_that_is_built():
    assert getattr(lookwho, "__version__", PROJECT["version"]) == PROJECT["version"]


def test_the_licence_table_names_every_package_that_is_asked_for():
    table = (ROOT / "docs" / "LICENSES.md").read_text("utf-8")
    named = {name_of(name) for name in re.findall(r"^\| `([\w.-]+)`", table, re.MULTILINE)}
    asked = [PROJECT["dependencies"], *EXTRAS.values()]

    assert {name_of(line) for lines in asked for line in lines} <= named


@pytest.mark.parametrize("minor", (11, 12, 13))
def test_every_package_that_tests_need_has_a_version_on_record(minor):
    lines = (ROOT / "constraints" / f"py3{minor}.txt").read_text("utf-8").splitlines()
    pinned = {name_of(line) for line in lines if not line.startswith("#")}
    asked = [*PROJECT["dependencies"], *EXTRAS["heif"], *EXTRAS["dev"]]

    assert {name_of(requirement) for requirement in asked} <= pinned
    assert [line for line in lines if "/" in line] == []
