"""Under CI no test may be skipped quietly; here that rule is tried on a suite of five tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SUITE = """
import pytest

def test_that_passes(): pass
def test_that_is_skipped(): pytest.skip("lazy")
@pytest.mark.skipif(True, reason="lazy")
def test_that_is_marked(): pass
@pytest.mark.xfail
def test_that_is_known_to_fail(): assert False
def test_that_needs_media(media): pass
"""


@pytest.mark.parametrize(
    ("ci", "told"),
    (
        ("", {"passed": 1, "skipped": 3, "xfailed": 1}),
        ("true", {"passed": 1, "skipped": 1, "xfailed": 1, "failed": 1, "error": 1}),
    ),
)
def test_ci_refuses_every_skip_but_for_absent_media(tmp_path, ci, told):
    (tmp_path / "test_five.py").write_text(SUITE)
    nowhere = os.fspath(tmp_path / "nowhere")
    options = ["-p", "tests.conftest", "-c", os.devnull, "--rootdir", tmp_path]

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, tmp_path],
        cwd=ROOT,
        env={**os.environ, "CI": ci, "LOOKWHO_MEDIA": nowhere},
        capture_output=True,
        text=True,
    )

    counts = re.findall(r"(\d+) (\w+)", ran.stdout.splitlines()[-1].partition(" in ")[0])
    assert {word: int(count) for count, word in counts} == told
    assert "1 skipped for want of media" in ran.stdout
