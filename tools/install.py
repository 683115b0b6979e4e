"""Install Lookwho into the environment that runs this: for use, or with all that its tests need.

    python tools/install.py [run]

Everything at once if that works. Where a package has no build for this machine, the rest is
installed without it, and what is missing is named: the tests that need it are then skipped.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = ("site", "video", "heif", "parquet")
TEST = (*RUN, "postgres", "dev")


def pip(*requirements: str, quiet: bool = False) -> bool:
    """Install, with the versions on record for this Python, and say whether it worked."""
    pins = ROOT / "constraints" / f"py3{sys.version_info.minor}.txt"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if pins.exists():
        command += ["--constraint", str(pins)]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run([*command, *requirements], stderr=output).returncode == 0


def main() -> int:
    """Return 0 when it can be used, even if some formats or tests will be missing."""
    chosen = RUN if sys.argv[1:] == ["run"] else TEST
    if pip("--editable", f"{ROOT}[{','.join(chosen)}]"):
        return 0
    print("Not everything can be installed here; trying one package after the other.")
    if not pip("--editable", str(ROOT)):
        return 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    wanted = [requirement for name in chosen for requirement in extras[name]]
    if missing := [requirement for requirement in wanted if not pip(requirement, quiet=True)]:
        print("Not installed:", ", ".join(missing))
        print("Tests that need them are skipped. To see why one fails:")
        print(f"    {sys.executable} -m pip install '{missing[0]}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
