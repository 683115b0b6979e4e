"""The site as a whole, killed again and again in the middle of an import."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.children import see_children
from tests.site import environment
from tests.workers.processes import below, is_gone, kill, until

KILLS = 30
PHOTOS = 120


@pytest.mark.long
@pytest.mark.timeout(1800)
@see_children
def test_a_site_that_is_killed_thirty_times_takes_everything_in_once(tmp_path, media):
    photos, home = tmp_path / "photos", tmp_path / "home"
    photos.mkdir()
    for number, photo in enumerate(sorted((media / "identities").glob("*/*.jpg"))[:PHOTOS]):
        shutil.copy(photo, photos / f"{number}.jpg")
    choose = random.Random(11)

    def start():
        command = [sys.executable, "-m", "lookwho", "serve", "--port", "0", "--photos", str(photos)]
        return subprocess.Popen(
            command, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def number(question):
        with closing(sqlite3.connect(home / "lookwho.sqlite3", timeout=30)) as database:
            try:
                return database.execute(question).fetchone()[0]
            except sqlite3.OperationalError:  # the tables are only being made
                return 0

    settled = "select count(*) from lookwho_analysis where state <> 'waiting'"
    opened = "select count(*) from lookwho_job where state in ('waiting', 'leased')"
    family = set()
    site = start()
    for round_ in range(KILLS):
        goal = round_ * PHOTOS // (KILLS + 5)
        until(
            lambda goal=goal: (home / "lookwho.sqlite3").exists() and number(settled) >= goal,
            seconds=300,
        )
        running = below(site.pid)
        family.update(running)
        if round_ % 3 and running:
            kill(choose.choice(running))  # a worker, an engine or the web server
        else:
            for each in [site.pid, *running]:
                kill(each)
            site.wait()
            site = start()
    # A photo in whose hands a process was killed three times has failed, and is tried again.
    until(lambda: number(settled) == PHOTOS and not number(opened), seconds=600)
    lost = number("select count(*) from lookwho_analysis where state = 'failed'")
    assert lost <= 2
    family.update(below(site.pid))
    site.send_signal(signal.SIGINT)
    site.wait(60)

    assert number("select count(*) from lookwho_media") == PHOTOS
    assert number("select count(*) from lookwho_location where missing_since is null") == PHOTOS
    faces = number("select count(*) from lookwho_face")
    distinct = "select count(*) from (select distinct media_id, x1, y1, x2, y2 from lookwho_face)"
    assert faces == number(distinct) == number("select count(*) from lookwho_embedding")
    assert faces >= PHOTOS - lost
    until(lambda: all(map(is_gone, family)), seconds=30)
    leftover = {path.name.split(".")[0] for path in home.iterdir()}
    assert leftover <= {"lookwho", "secret-key", "address", "pictures", "uploads", "selfies"}
