import subprocess
import sys

import pytest

from bench import ROOT
from bench.load import table
from bench.visitors import ALBUM, ME, PICTURE


def test_the_table_has_a_row_for_each_kind_and_for_all():
    times = {PICTURE: [1.0] * 80, ALBUM: [float(n) for n in range(1, 21)], ME: [30.0]}

    heads, rows = table(times, 10)

    assert len(heads) == len(rows[0])
    assert rows == [
        [ME, "1", "0.1", "30", "30", "30"],
        [ALBUM, "20", "2.0", "10", "19", "20"],
        [PICTURE, "80", "8.0", "1", "1", "1"],
        ["all pages", "21", "2.1", "11", "20", "30"],
        ["all requests", "101", "10.1", "1", "16", "30"],
    ]


@pytest.mark.long
def test_members_of_a_site_that_is_served_get_their_pages():
    command = "bench load --faces 1000 --members 3 --seconds 2 --every 0.5"
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        capture_output=True, cwd=ROOT, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("1,000 faces in 300 albums; 3 members") for line in lines)
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ")]
    answers = {row[0].strip(): int(row[1]) for row in rows[1:]}
    assert {"My photos", "Albums", "an Album", "Photos", "all pages"} < set(answers)
    assert answers["a picture"] > 0
    assert "0 errors." in done.stdout
