"""Users from the command line."""

import re

from tests.site import command, serving


def test_a_user_is_added_and_enters_by_the_printed_link(tmp_path):
    added = command(tmp_path, "user", "add", "Anna", "--role", "curator")
    assert added.returncode == 0, added.stderr
    path = re.search(r"/enter/\S+", added.stdout)[0]

    with serving(tmp_path, "--no-workers") as site:
        status, _, page = site.enter(site.address + path)

    assert status == 200
    assert "Anna" in page


def test_a_link_for_the_owner_can_be_printed_again(tmp_path):
    with serving(tmp_path, "--no-workers") as site:
        link = command(tmp_path, "login-link").stdout.strip()

        assert link.startswith(site.address)
        assert site.enter(link)[0] == 200


def test_users_are_listed_and_a_name_is_given_once(tmp_path):
    command(tmp_path, "user", "add", "Anna")

    again = command(tmp_path, "user", "add", "Anna")

    assert (again.returncode, "conflict" in again.stderr) == (4, True)
    assert command(tmp_path, "user", "list").stdout == "Anna: member\n"


def test_a_password_is_asked_for_and_not_shown(tmp_path):
    done = command(
        tmp_path, "user", "add", "Anna", "--password", input="correct horse\ncorrect horse\n"
    )

    assert done.returncode == 0, done.stderr
    assert "correct" not in done.stdout


def test_a_token_signs_a_program_in(tmp_path):
    command(tmp_path, "user", "add", "Anna")
    token = command(tmp_path, "user", "token", "Anna").stdout.strip()

    with serving(tmp_path, "--no-workers") as site:
        request = {"headers": {"Authorization": f"Bearer {token}"}}
        assert site._ask("/api/v1/me", **request)[2] == '{"name": "Anna", "role": "member"}'
        assert site._ask("/api/v1/me")[0] == 401


def test_a_name_that_nobody_has_is_refused_with_those_there_are(tmp_path):
    command(tmp_path, "user", "add", "Anna")

    done = command(tmp_path, "login-link", "Bert")

    assert done.returncode == 4
    assert "Anna" in done.stderr
