"""The commands retention and receipt, and what a start does about erasures that came back."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment_of(home):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DJANGO_SETTINGS_MODULE", "LOOKWHO_DATABASE_URL")
    }
    return {**kept, "LOOKWHO_HOME": os.fspath(home)}


def command(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "lookwho", *map(os.fspath, arguments)],
        env=environment_of(home),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


SCRIPT = """
import django, os, shutil
os.environ["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
django.setup()
from django.db import connection
from lookwho.services import accounts, erasure
accounts.the_owner()
user = accounts.make_user("Zdenka")
connection.cursor().execute("pragma wal_checkpoint(truncate)")
home = os.environ["LOOKWHO_HOME"]
shutil.copyfile(f"{home}/lookwho.sqlite3", f"{home}/before")
print(erasure.erase_account(user).receipt, end="")
"""


def test_a_receipt_is_verified_and_a_backup_that_is_restored_is_erased_again(used_home):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment_of(used_home),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    receipt = used_home / "receipt.txt"
    receipt.write_text(done.stdout, "utf-8")

    genuine = command(used_home, "receipt", "verify", receipt)
    assert (genuine.returncode, "Genuine: erasure" in genuine.stdout) == (0, True)
    receipt.write_text(done.stdout.replace("accounts: 1", "accounts: 2"), "utf-8")
    altered = command(used_home, "receipt", "verify", receipt)
    assert altered.returncode == 4
    assert "no receipt of this site" in altered.stderr

    for name in ("lookwho.sqlite3-wal", "lookwho.sqlite3-shm"):
        (used_home / name).unlink(missing_ok=True)
    shutil.copyfile(used_home / "before", used_home / "lookwho.sqlite3")
    with sqlite3.connect(used_home / "lookwho.sqlite3") as database:
        assert database.execute("select count(*) from lookwho_user").fetchone() == (2,)

    told = command(used_home, "doctor")

    assert "1 were not finished, or came back with a backup: 1 were done again" in told.stdout
    with sqlite3.connect(used_home / "lookwho.sqlite3") as database:
        assert database.execute("select username from lookwho_user").fetchall() == [("owner",)]
    assert "nothing has come back" in command(used_home, "doctor").stdout
    assert b"Zdenka" not in (used_home / "lookwho.sqlite3").read_bytes()


def test_a_dry_run_of_retention_says_what_would_go(used_home):
    done = command(used_home, "retention", "--dry-run")

    assert done.returncode == 0
    assert "Removed selfies: 0 would go" in done.stdout
