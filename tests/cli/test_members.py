"""A list of members from the command line."""

from tests.site import command


def test_a_list_is_tried_and_taken(used_home, tmp_path):
    command(used_home, "user", "add", "Anna")
    path = tmp_path / "members.csv"
    path.write_text("user;since\nAnna;2024-09-01\nBen;2025-01-01\n")

    dry = command(used_home, "member", "list", path, "--dry-run", "--make")
    assert "nothing is changed yet" in dry.stdout
    assert "new: Ben" in dry.stdout
    without = command(used_home, "member", "list", path)
    assert (without.returncode, "unknown: line 3, Ben" in without.stderr) == (3, True)
    done = command(used_home, "member", "list", path, "--make")
    assert (done.returncode, "new: Ben" in done.stdout) == (0, True), done.stderr
    path.write_text("user;since\nAnna;2024-09-01\n")
    left = command(used_home, "member", "list", path)

    assert "former: Ben: 2025-01-01 to" in left.stdout
    assert command(used_home, "user", "list").stdout == "Anna: member\nBen: member\n"
    missing = command(used_home, "member", "list", tmp_path / "none.csv")
    assert (missing.returncode, "file_missing" in missing.stderr) == (4, True)
