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


# --- the address of the site ---


@pytest.mark.parametrize(
    "told", ("https://photos.example.org", "http://192.0.2.7:8000", "https://photos.example.org/")
)
def test_the_address_of_the_site_is_told_without_a_slash(told):
    assert environment.site_url({"LOOKWHO_SITE_URL": told}) == told.rstrip("/")


@pytest.mark.parametrize(
    "told",
    (
        "photos.example.org",
        "ftp://photos.example.org",
        "https://photos.example.org/lookwho",
        "https://photos.example.org?x=1",
        "https://user@photos.example.org",
        "https://",
        "https://a:b",
    ),
)
def test_what_is_no_address_of_a_site_is_refused(told):
    with pytest.raises(SettingInvalid, match="LOOKWHO_SITE_URL"):
        environment.site_url({"LOOKWHO_SITE_URL": told})


def test_the_site_is_reached_under_the_name_in_its_address():
    told = {"LOOKWHO_SITE_URL": "https://photos.example.org:8443", "LOOKWHO_HOSTS": "other"}

    assert environment.hosts(told)[3:] == ["other", "photos.example.org"]


@pytest.mark.parametrize(("told", "expected"), (("", False), ("0", False), ("1", True)))
def test_a_switch_is_on_or_off(told, expected):
    assert environment.flag("LOOKWHO_BEHIND_PROXY", {"LOOKWHO_BEHIND_PROXY": told}) is expected


def test_a_switch_that_is_neither_is_refused():
    with pytest.raises(SettingInvalid, match="LOOKWHO_BEHIND_PROXY"):
        environment.flag("LOOKWHO_BEHIND_PROXY", {"LOOKWHO_BEHIND_PROXY": "yes"})


# --- mail ---


def test_no_mail_is_sent_unless_a_server_is_told():
    assert environment.mail({}) == environment.Mail()


@pytest.mark.parametrize(
    ("url", "expected"),
    (
        ("smtp://localhost?from=a@b.c", ("localhost", 25, "", "", False, False)),
        ("smtps://u:p%40w@mail?from=a@b.c", ("mail", 465, "u", "p@w", True, False)),
        ("smtp+starttls://u@mail?from=a@b.c", ("mail", 587, "u", "", False, True)),
        ("smtp+starttls://mail:2525?from=a@b.c", ("mail", 2525, "", "", False, True)),
    ),
)
def test_the_address_of_a_mail_server_is_read(url, expected):
    told = environment.mail({"LOOKWHO_MAIL_URL": url})

    assert (told.host, told.port, told.user, told.password, told.ssl, told.starttls) == expected
    assert told.sender == "a@b.c"


def test_a_sender_may_have_a_name():
    url = "smtp://localhost?from=Our%20photos%20%3Cphotos%40example.org%3E"

    assert environment.mail({"LOOKWHO_MAIL_URL": url}).sender == "Our photos <photos@example.org>"


@pytest.mark.parametrize(
    "url",
    (
        "localhost",
        "http://mail?from=a@b.c",
        "smtp://?from=a@b.c",
        "smtp://mail:x?from=a@b.c",
        "smtp://mail",
        "smtp://mail?from=nobody",
    ),
)
def test_an_address_of_no_mail_server_is_refused(url):
    with pytest.raises(SettingInvalid, match="LOOKWHO_MAIL_URL"):
        environment.mail({"LOOKWHO_MAIL_URL": url})


# --- who else signs users in ---

OIDC = {
    "LOOKWHO_OIDC_ISSUER": "https://sign-in.example.org/",
    "LOOKWHO_OIDC_CLIENT_ID": "lookwho",
    "LOOKWHO_OIDC_CLIENT_SECRET": "secret",
}


def test_nobody_else_signs_users_in_unless_told():
    assert environment.oidc({}) is None


def test_a_provider_lets_nobody_new_in_unless_told():
    told = environment.oidc(OIDC)

    assert (told.issuer, told.name) == ("https://sign-in.example.org", "sign-in.example.org")
    assert (told.sign_up, told.id_claim, told.memberships_claim) == (False, "", "")
    assert told.scopes == ("openid", "profile", "email")


def test_all_that_is_told_of_a_provider_is_read():
    told = environment.oidc(
        OIDC
        | {
            "LOOKWHO_OIDC_NAME": "The association",
            "LOOKWHO_OIDC_SIGN_UP": "1",
            "LOOKWHO_OIDC_EXTERNAL_ID_CLAIM": "number",
            "LOOKWHO_OIDC_MEMBERSHIPS_CLAIM": "memberships",
            "LOOKWHO_OIDC_SCOPES": "openid members",
        }
    )

    assert (told.name, told.sign_up) == ("The association", True)
    assert (told.id_claim, told.memberships_claim) == ("number", "memberships")
    assert told.scopes == ("openid", "members")


@pytest.mark.parametrize(
    ("change", "named"),
    (
        ({"LOOKWHO_OIDC_ISSUER": ""}, "LOOKWHO_OIDC_ISSUER"),
        ({"LOOKWHO_OIDC_ISSUER": "http://sign-in.example.org"}, "https"),
        ({"LOOKWHO_OIDC_ISSUER": "sign-in.example.org"}, "LOOKWHO_OIDC_ISSUER"),
        ({"LOOKWHO_OIDC_ISSUER": "https://sign-in.example.org?x=1"}, "LOOKWHO_OIDC_ISSUER"),
        ({"LOOKWHO_OIDC_CLIENT_ID": " "}, "LOOKWHO_OIDC_CLIENT_ID"),
        ({"LOOKWHO_OIDC_CLIENT_SECRET": ""}, "LOOKWHO_OIDC_CLIENT_SECRET"),
        ({"LOOKWHO_OIDC_SIGN_UP": "yes"}, "LOOKWHO_OIDC_SIGN_UP"),
    ),
)
def test_what_a_provider_cannot_be_is_refused_by_name(change, named):
    with pytest.raises(SettingInvalid, match=named):
        environment.oidc(OIDC | change)


def test_a_provider_on_this_machine_needs_no_https():
    assert environment.oidc(OIDC | {"LOOKWHO_OIDC_ISSUER": "http://127.0.0.1:9"})
