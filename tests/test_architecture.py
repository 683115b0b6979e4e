"""The rules of CONTRIBUTING.md that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lookwho.core import errors

ROOT = Path(__file__).resolve().parent.parent
# Migrations are written by Django.
MODULES = sorted(
    path for path in (ROOT / "lookwho").rglob("*.py") if not re.match(r"\d{4}_", path.name)
)
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type)]

each_module = pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)


def test_no_layer_imports_one_above_it():
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_importing_lookwho_costs_nothing():
    code = "import sys, lookwho; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()

    heavy = {"numpy", "onnxruntime", "cv2", "PIL", "rich", "click", "django", "asyncio", "http"}
    assert "lookwho" in loaded
    assert heavy.intersection(loaded) == set()


@each_module
def test_every_public_module_says_what_it_is_for(module):
    # An empty __init__.py has nothing to say.
    source = module.read_text("utf-8")
    private = module.stem.startswith("_") and not module.stem.startswith("__")

    docstring = ast.get_docstring(ast.parse(source))

    assert docstring or private or not source.strip()


@each_module
def test_no_module_is_longer_than_400_lines(module):
    length = len(module.read_text("utf-8").splitlines())

    assert length <= 400


@each_module
def test_every_module_is_named_for_its_topic(module):
    names = set(module.relative_to(ROOT).with_suffix("").parts)

    assert names.isdisjoint({"utils", "util", "helpers", "helper", "common", "misc"})


def test_every_error_has_a_code_of_its_own():
    codes = [vars(kind).get("code") for kind in ERRORS]

    assert None not in codes
    assert len(set(codes)) == len(codes)


def drawn(kind):
    """Draw a class and those below it, in the order in which they were written."""
    below = [child for child in kind.__subclasses__() if child in ERRORS]
    lines = [kind.__name__]
    for child in below:
        branch, under = ("└── ", "    ") if child is below[-1] else ("├── ", "│   ")
        first, *rest = drawn(child)
        lines += [branch + first, *(under + line for line in rest)]
    return lines


def test_the_tree_of_errors_is_drawn_as_the_classes_are():
    tree = (errors.__doc__ or "").split("\n\n")[1].splitlines()
    names = [re.sub(r"(?<=\w)  .*", "", line) for line in tree]

    assert names == drawn(errors.LookwhoError)
