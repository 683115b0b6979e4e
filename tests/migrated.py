"""A database in which all migrations are done: made once, then copied, since they take seconds.

It lies in .cache, or as a database of its own in PostgreSQL, under a name that tells of which
migrations. Where others were added since, those are carried out on the copy, as everywhere.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.apps import apps

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "migrated"
_MIGRATE = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
connection.close()  # which leaves SQLite with one file
"""


def copy_sqlite(path: Path) -> None:
    """Put a database as the first start leaves it at a path."""
    with _alone():
        made = FOLDER / f"{_name()}.sqlite3"
        if not made.exists():
            for other in FOLDER.glob("*.sqlite3"):
                other.unlink()
            with tempfile.TemporaryDirectory(dir=FOLDER) as home:
                _migrate(LOOKWHO_HOME=home)
                os.replace(Path(home, "lookwho.sqlite3"), made)
        shutil.copyfile(made, path)


def postgresql_template() -> str:
    """Return the name of a database to copy, in the server that LOOKWHO_DATABASE_URL tells."""
    import psycopg

    address = os.environ["LOOKWHO_DATABASE_URL"]
    name = _name()
    with _alone(), psycopg.connect(address, autocommit=True) as server:
        there = server.execute("select datname from pg_database where datname like 'migrated%'")
        there = {found for (found,) in there}
        if name not in there:
            for other in there:
                server.execute(f'drop database "{other}"')
            server.execute("create database migrated_in_part")
            in_part = urlsplit(address)._replace(path="/migrated_in_part").geturl()
            _migrate(LOOKWHO_DATABASE_URL=in_part)
            server.execute(f"alter database migrated_in_part rename to {name}")
    return name


def _name() -> str:
    digest = hashlib.sha256(django.__version__.encode())
    for app in apps.get_app_configs():
        for path in sorted(Path(app.path, "migrations").glob("*.py")):
            digest.update(path.read_bytes())
    return f"migrated_{digest.hexdigest()[:16]}"


@contextmanager
def _alone():
    """Of processes that come here at once, the others wait."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrate(**environment: str) -> None:
    told = {name: value for name, value in os.environ.items() if "DATABASE" not in name}
    told |= {"DJANGO_SETTINGS_MODULE": "lookwho.config.settings", **environment}
    subprocess.run([sys.executable, "-c", _MIGRATE], env=told, check=True)
