"""The command `lookwho`."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

import lookwho
from lookwho.core.errors import LookwhoError

# What each command ends with, besides click's 2 for a wrong call.
DONE = 0
NO = 1
INCOMPLETE = 3
FAILED = 4
INTERRUPTED = 130

# Which module has which command, and what it is called there.
_COMMANDS = {
    "faces": ("files", "faces"),
    "compare": ("files", "compare"),
    "find": ("files", "find"),
    "group": ("files", "group"),
    "video": ("videos", "video"),
    "serve": ("site", "serve"),
    "import": ("site", "import_"),
    "work": ("site", "work"),
    "labels": ("labels", "labels"),
    "member": ("members", "member"),
    "user": ("accounts", "user"),
    "login-link": ("accounts", "login_link"),
    "retention": ("privacy", "retention"),
    "receipt": ("privacy", "receipt"),
    "site": ("sites", "site"),
    "doctor": ("doctor", "doctor"),
}


class _Commands(click.Group):
    """Loads a command's module when it is called, so that `--help` and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        return getattr(importlib.import_module(f"lookwho.cli.{module}"), name)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lookwho.__version__, prog_name="lookwho")
def cli() -> None:
    """Look who is in your photos and videos.

    `serve` starts the site: everybody in your photos, on pages. `faces`, `compare`, `find`,
    `group` and `video` answer on the terminal, about files alone. Nothing leaves this machine,
    and no file is changed.

    Exit status: 0 done; 1 done, and the answer is no (not the same person, no match); 2 wrong
    call; 3 done, but some files could not be read; 4 nothing could be done; 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command and end the process with its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal shows every name
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> Any:
    try:
        return cli.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except LookwhoError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        return FAILED
