import subprocess
import sys

import pytest

from bench.footprint import measured

HOLD = "import time; held = b'x' * 150_000_000; time.sleep(1.5)"
BOTH = f"""
import subprocess, sys, threading
def run():
    subprocess.run([sys.executable, "-c", {HOLD!r}], check=True)
thread = threading.Thread(target=run)
thread.start()
{HOLD}
thread.join()
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of each process")
def test_all_processes_that_a_command_starts_count_also_those_of_threads():
    took = measured([sys.executable, "-c", BOTH], {})

    assert took.output == "done\n"
    assert took.processes == 2
    assert 300 < took.megabytes < 450
    assert took.seconds > 1.5


def test_a_command_that_fails_is_told():
    with pytest.raises(subprocess.CalledProcessError):
        measured([sys.executable, "-c", "raise SystemExit(3)"], {})
