"""Rewrite constraints/py3XX.txt: the versions that one Python resolves today.

    python tools/constraints.py python3.11 python3.12 python3.13

Each argument is a Python interpreter; each gets a fresh environment with all that `make venv`
installs, and its versions are written down. Run the tests afterwards, on each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "site,video,heif,parquet,postgres,dev"


def output(*command: str) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def resolve(python: str) -> None:
    """Write the constraints of one interpreter."""
    minor = output(python, "-c", "import sys; print(sys.version_info.minor)").strip()
    with tempfile.TemporaryDirectory() as temporary:
        output(python, "-m", "venv", temporary)
        pip = str(Path(temporary) / "bin" / "pip")
        output(pip, "install", "--quiet", f"{ROOT}[{EXTRAS}]")
        output(pip, "check")
        frozen = output(pip, "freeze", "--exclude", "lookwho").splitlines()
    if elsewhere := [line for line in frozen if "==" not in line]:
        raise SystemExit(f"not from a package index: {elsewhere}")
    target = ROOT / "constraints" / f"py3{minor}.txt"
    header = f"# lookwho[{EXTRAS}] as Python 3.{minor} resolves it; written by `make constraints`."
    target.write_text("\n".join([header, *frozen]) + "\n", "utf-8")
    print(f"{target.relative_to(ROOT)}: {len(frozen)} packages")


if __name__ == "__main__":
    for interpreter in sys.argv[1:]:
        resolve(interpreter)
