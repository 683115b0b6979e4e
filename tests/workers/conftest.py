import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from PIL import Image

from lookwho.workers.attempt import Engine

collect_ignore = [] if connection.vendor == "sqlite" else ["test_full_disk.py"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def outside(transactional_db, monkeypatch):
    """Lets processes that a test starts work on the database of the test."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.workers.settings")
    monkeypatch.setenv("LOOKWHO_TEST_NAME", str(connection.settings_dict["NAME"]))


@pytest.fixture(scope="module")  # other modules look at what processes there are
def engine():
    engine = Engine()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def drawer(photos):
    """Writes small photos into a folder, each a little different from all others."""
    small = []
    for photo in photos:
        with Image.open(photo) as picture:
            picture = picture.convert("RGB")
            picture.thumbnail((320, 320))
            small.append(picture)

    def draw(folder, count):
        folder.mkdir(exist_ok=True)
        paths = []
        for number in range(count):
            picture = small[number % len(small)].copy()
            picture.putpixel((number // 250, number % 250), (255, 0, 255))
            paths.append(folder / f"{number:03}.jpg")
            picture.save(paths[-1], quality=90)
        return paths

    return draw


@pytest.fixture
def a_pool_apart(outside):
    """A pool whose parent is a process of its own, which may be killed."""
    code = "import django; django.setup(); from lookwho.workers.pool import run_pool; run_pool(2)"
    started = []

    def start():
        started.append(subprocess.Popen([sys.executable, "-c", code], cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(30)
