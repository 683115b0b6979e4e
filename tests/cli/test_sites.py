import subprocess
import sys

from tests.concrexit import TOKEN, members_site
from tests.site import command, environment


def test_a_site_is_added_from_the_command_line_once_it_answers(tmp_path):
    with members_site() as there:
        there.add("gala", 1)

        def add(token):
            return subprocess.run(
                [sys.executable, "-m", "lookwho", "site", "add", there.address, "--title", "Club"],
                env={**environment(tmp_path), "LOOKWHO_SITE_TOKEN": token},
                capture_output=True,
                text=True,
                timeout=60,
            )

        refused, added, again = add("wrong"), add(TOKEN), add(TOKEN)

    assert (refused.returncode, "refuses the token" in refused.stderr) == (4, True)
    assert (added.returncode, "Club answers" in added.stdout) == (0, True)
    assert (again.returncode, "is here already" in again.stderr) == (4, True)
    assert TOKEN not in added.stdout + added.stderr + again.stderr
    assert b"--plain" in command(tmp_path, "site", "add", "--help").stdout.encode()
