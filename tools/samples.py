"""Fetch seven sample photos, once, and print the folder they are in.

They come from the source archive of face_recognition 1.3.0 (MIT), through pip, so that no photo has
to be committed. `make venv` runs this; the tests and `make demo` only read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ARCHIVE = "face_recognition==1.3.0"
SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
INSIDE = "face_recognition-1.3.0/tests/test_images/"


def folder() -> Path:
    """Return where the photos are, or will be: `LOOKWHO_SAMPLES`, or in the user's cache."""
    if chosen := os.environ.get("LOOKWHO_SAMPLES"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lookwho" / "samples"


def fetch(target: Path) -> None:
    """Download the archive with pip and put its photos into `target`, all or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", ARCHIVE]
        subprocess.run(
            [sys.executable, "-m", "pip", *download, "--dest", temporary],
            check=True,
            stdout=sys.stderr,
        )
        (archive,) = Path(temporary).glob("*.tar.gz")
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            raise ValueError(f"{archive.name} is not the archive on record")
        unpacked = Path(temporary) / "samples"
        unpacked.mkdir()
        with tarfile.open(archive) as tar:
            for member in tar:
                source = tar.extractfile(member) if member.name.startswith(INSIDE) else None
                if source is not None:
                    (unpacked / Path(member.name).name).write_bytes(source.read())
        if target.exists():
            shutil.rmtree(target)
        unpacked.rename(target)


def main() -> int:
    """Print the folder on stdout; whatever goes wrong goes to stderr."""
    target = folder()
    try:
        if not (target / "obama.jpg").is_file():
            fetch(target)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"The sample photos could not be fetched: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
