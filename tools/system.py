"""See that the programs which some tests drive are on this machine: Chromium and exiftool.

Where this may be done without asking (as root, with apt-get) they are installed. Otherwise it is
said which tests will be skipped, and how to get them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# What is looked for, the Debian package that brings it, and the tests that need it.
PROGRAMS = (
    (("chromium", "chromium-browser", "google-chrome"), "chromium", "of pages in a browser"),
    (("exiftool",), "libimage-exiftool-perl", "of names in files and of tagged files"),
)


def missing() -> list[tuple[str, str]]:
    """Return the package and the tests of each program that is not here."""
    return [
        (package, tests)
        for names, package, tests in PROGRAMS
        if not any(shutil.which(name) for name in names)
    ]


def install(packages: list[str]) -> None:
    """Install Debian packages, as far as that works."""
    print("Installing", *packages, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(
            ["apt-get", "-q", *command], env=environment, stdout=subprocess.DEVNULL, check=False
        )


def main() -> int:
    """Return 0 always: what is missing skips tests, and in CI a skipped test is a failure."""
    wanted = missing()
    if wanted and hasattr(os, "getuid") and os.getuid() == 0 and shutil.which("apt-get"):
        install([package for package, _ in wanted])
        wanted = missing()
    for package, tests in wanted:
        print(f"Tests {tests} are skipped. On Debian and Ubuntu: sudo apt install {package}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
