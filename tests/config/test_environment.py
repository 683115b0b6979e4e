"""What the environment says, and what is refused."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookwho.config import environment
from lookwho.core.errors import SettingInvalid


def test_data_lie_in_the_users_own_folder_unless_told_otherwise(tmp_path):
    assert environment.home({}).name == "lookwho"
    assert environment.home({"LOOKWHO_HOME": str(tmp_path)}) == tmp_path
    assert environment.home({"LOOKWHO_HOME": "~/faces"}) == Path.home() / "faces"


def test_only_this_machine_is_reached_unless_told_otherwise():
    assert environment.hosts({}) == ["localhost", "127.0.0.1", "[::1]"]
    assert environment.hosts({"LOOKWHO_HOSTS": "a.example, b"})[3:] == ["a.example", "b"]


def test_without_an_address_the_database_is_a_file_in_the_home(tmp_path):
    database = environment.database(tmp_path, {})

    assert database["NAME"] == tmp_path / "lookwho.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize(
    ("url", "expected"),
    (
        ("postgresql://anna:s%40cret@db:5433/faces", ("faces", "anna", "s@cret", "db", 5433)),
        ("postgres://db/faces", ("faces", "", "", "db", "")),
        ("postgresql://anna@/faces?host=/run/pg", ("faces", "anna", "", "/run/pg", "")),
    ),
)
def test_the_address_of_a_postgresql_is_read(tmp_path, url, expected):
    database = environment.database(tmp_path, {"LOOKWHO_DATABASE_URL": url})

    assert tuple(database[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")) == expected


@pytest.mark.parametrize("url", ("mysql://db/faces", "postgresql://db", "x", "postgresql://a:b/c"))
def test_an_address_of_no_postgresql_is_refused(tmp_path, url):
    with pytest.raises(SettingInvalid, match="LOOKWHO_DATABASE_URL"):
        environment.database(tmp_path, {"LOOKWHO_DATABASE_URL": url})


def test_the_secret_key_is_made_once_and_for_its_owner_alone(tmp_path):
    folder = tmp_path / "home"

    key = environment.secret_key(folder, {})

    assert environment.secret_key(folder, {}) == key
    assert len(key) >= 50
    assert stat.S_IMODE((folder / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret-key"]


def test_processes_that_start_at_once_agree_on_the_key(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: environment.secret_key(tmp_path, {}), range(32)))

    assert len(keys) == 1


def test_a_secret_key_can_be_told(tmp_path):
    assert environment.secret_key(tmp_path, {"LOOKWHO_SECRET_KEY": "told"}) == "told"
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SettingInvalid, match="file"):
        environment.secret_key(tmp_path / "file", {})


def test_a_damaged_key_is_not_used(tmp_path):
    (tmp_path / "secret-key").write_text("")

    with pytest.raises(SettingInvalid, match="damaged"):
        environment.secret_key(tmp_path, {})


@pytest.mark.parametrize("told", ("-1", "many", "1.5"))
def test_a_number_that_is_none_is_refused(told):
    with pytest.raises(SettingInvalid, match="LOOKWHO_CACHE_MB"):
        environment.number("LOOKWHO_CACHE_MB", 1, {"LOOKWHO_CACHE_MB": told})
