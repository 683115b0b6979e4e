import pytest
from click.testing import CliRunner

from bench.__main__ import main


@pytest.mark.parametrize(
    "command",
    (
        *("", "speed", "accuracy", "calibrate", "group", "people", "site", "mine", "event", "load"),
        "video",
    ),
)
def test_every_command_says_what_it_does(command):
    done = CliRunner().invoke(main, [*command.split(), "--help"])

    assert done.exit_code == 0
    assert "--help" in done.output


def test_accuracy_needs_a_folder():
    assert CliRunner().invoke(main, ["accuracy"]).exit_code == 2
