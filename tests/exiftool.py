"""Files as exiftool writes them; it comes with the system package libimage-exiftool-perl."""

import shutil
import subprocess

import pytest

EXIFTOOL = shutil.which("exiftool")

needs_exiftool = pytest.mark.skipif(
    EXIFTOOL is None,
    reason="exiftool is not installed; the system package libimage-exiftool-perl brings it",
)


def written(path, edits):
    """Copies of a file beside it, each edited by the arguments under its name; in one process.

    An edit that exiftool has nothing to do for, or cannot do to this kind, gives no file.
    """
    folder = path.parent / "edited"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = [EXIFTOOL]
    for name, arguments in edits.items():
        copy = folder / f"{name}{path.suffix}"
        shutil.copyfile(path, copy)
        command += ["-q", "-q", "-m", "-overwrite_original", *arguments, str(copy), "-execute"]
    subprocess.run(command, capture_output=True, check=False)
    original = path.read_bytes()
    copies = {name: folder / f"{name}{path.suffix}" for name in edits}
    return {name: copy for name, copy in copies.items() if copy.read_bytes() != original}
