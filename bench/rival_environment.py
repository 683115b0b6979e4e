"""An environment of its own for `face_recognition`, with dlib as pip brings it.

dlib comes from the wheel dlib-bin: what a build from source without BLAS gives, in seconds instead
of ten minutes. `face_recognition` asks for a package called dlib, hence `--no-deps` for it, and its
models need `pkg_resources`, which setuptools has no more from 81 on.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from bench import CACHE

# In this order; what follows `--no-deps` is installed by itself.
_REQUIREMENTS = (
    ("numpy==2.4.6", "pillow==13.0.0", "click==8.5.1", "setuptools==80.10.2"),
    ("dlib-bin==20.0.1.post1",),
    ("face_recognition_models==0.3.0",),
    ("--no-deps", "face_recognition==1.3.0"),
    ("av==18.1.0",),
)
_FOLDER = CACHE / "face_recognition"


class NoRival(click.ClickException):
    """The environment of `face_recognition` cannot be made here."""


def python() -> Path:
    """Return the interpreter of the rival's environment, which is made when it is not there.

    Raises:
        NoRival: a package has no build for this machine, or no package index can be reached.
    """
    interpreter = _FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    mark, wanted = _FOLDER / "installed", f"{sys.version}\n{_REQUIREMENTS}\n"
    if mark.is_file() and mark.read_text("utf-8") == wanted:
        return interpreter
    click.echo("Installing face_recognition and dlib into an environment of their own.", err=True)
    _FOLDER.parent.mkdir(parents=True, exist_ok=True)
    _call(sys.executable, "-m", "venv", "--clear", str(_FOLDER))
    for requirements in _REQUIREMENTS:
        options = ["--quiet", "--disable-pip-version-check", "--no-build-isolation"]
        _call(str(interpreter), "-m", "pip", "install", *options, *requirements)
    _call(str(interpreter), "-W", "ignore", "-c", "import face_recognition")
    mark.write_text(wanted, encoding="utf-8")
    return interpreter


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-8:]
        raise NoRival(
            "face_recognition cannot be installed here, and without it there is nothing to "
            f"measure against.\n  {' '.join(command)}\n  " + "\n  ".join(last)
        )
