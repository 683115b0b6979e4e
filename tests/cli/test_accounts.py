"""Users from the command line."""

import json
import re
import subprocess
import sys

import pytest

from tests.site import command, serving


def test_a_user_is_added_and_enters_by_the_printed_link(used_home):
    added = command(used_home, "user", "add", "Anna", "--role", "curator")
    assert added.returncode == 0, added.stderr
    path = re.search(r"/enter/\S+", added.stdout)[0]

    with serving(used_home, "--no-workers") as site:
        status, _, page = site.enter(site.address + path)

    assert status == 200
    assert "Anna" in page


def test_a_link_for_the_owner_can_be_printed_again(used_home):
    with serving(used_home, "--no-workers") as site:
        link = command(used_home, "login-link").stdout.strip()

        assert link.startswith(site.address)
        assert site.enter(link)[0] == 200


def test_users_are_listed_and_a_name_is_given_once(used_home):
    command(used_home, "user", "add", "Anna")

    again = command(used_home, "user", "add", "Anna")

    assert (again.returncode, "conflict" in again.stderr) == (4, True)
    assert command(used_home, "user", "list").stdout == "Anna: member\n"


def test_a_password_is_asked_for_and_not_shown(used_home):
    done = command(
        used_home, "user", "add", "Anna", "--password", input="correct horse\ncorrect horse\n"
    )

    assert done.returncode == 0, done.stderr
    assert "correct" not in done.stdout


def test_a_token_signs_a_program_in(used_home):
    command(used_home, "user", "add", "Anna")
    token = command(used_home, "user", "token", "Anna").stdout.strip()

    with serving(used_home, "--no-workers") as site:
        request = {"headers": {"Authorization": f"Bearer {token}"}}
        told = json.loads(site._ask("/api/v1/me", **request)[2])
        assert (told["name"], told["role"]) == ("Anna", "member")
        assert site._ask("/api/v1/me")[0] == 401


def test_a_name_that_nobody_has_is_refused_with_those_there_are(used_home):
    command(used_home, "user", "add", "Anna")

    done = command(used_home, "login-link", "Bert")

    assert done.returncode == 4
    assert "Anna" in done.stderr


def test_a_lost_second_factor_is_forgotten(tmp_path):
    command(tmp_path, "user", "add", "Anna")

    done = command(tmp_path, "user", "no-second-factor", "Anna")

    assert (done.returncode, done.stdout) == (0, "Anna had no second factor.\n")
    assert command(tmp_path, "user", "no-second-factor", "Ben").returncode == 4


def test_links_lead_to_the_address_that_the_site_was_told(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKWHO_SITE_URL", "https://photos.example.org")

    added = command(tmp_path, "user", "add", "Anna")
    with serving(tmp_path, "--no-workers") as site:
        printed = site.link

    assert "https://photos.example.org/enter/" in added.stdout
    assert printed.startswith("https://photos.example.org/enter/")


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("LOOKWHO_SITE_URL", "photos"),
        ("LOOKWHO_MAIL_URL", "mail.example.org"),
        ("LOOKWHO_OIDC_CLIENT_ID", "lookwho"),
    ),
)
def test_a_setting_that_cannot_be_is_named_at_the_start(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    done = command(tmp_path, "serve", "--no-workers")

    assert done.returncode == 4
    assert done.stderr.startswith("setting_invalid")
    assert name in done.stderr


def test_the_bare_command_loads_no_accounts():
    code = "import sys, lookwho.cli, lookwho.cli.accounts; print([*sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

    assert "lookwho.cli.accounts" in loaded
    assert "allauth" not in loaded
    assert "'django" not in loaded
