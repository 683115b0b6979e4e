"""What a person or a program is told: results, progress, and what could not be read.

Results go to standard output and all else to standard error.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from lookwho.cli import DONE, FAILED, INCOMPLETE
from lookwho.core.batch import Outcome

# Shorter work is over before a bar can be read.
_WORTH_A_BAR = 5

# What moves the cursor or ends a line, and the bytes of names that are no text.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(text: str) -> str:
    r"""Return a file's name, or more, as one line that does nothing to a terminal.

    >>> print(shown("a\nb"))
    a\nb
    """
    return _UNSHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


def say(line: str) -> None:
    """Print a result at once; a reader that went away, such as `head`, ends the command quietly."""
    try:
        click.echo(line)
    except OSError as error:
        # What Python holds back would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(DONE)
        click.echo(f"The results cannot be written: {error.strerror}", err=True)
        sys.exit(FAILED)


@contextmanager
def counting(what: str) -> Generator[Callable[[int, int], None]]:
    """Yield a function that shows how many of how many are done, on a terminal as a bar."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), *_bar_columns())
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} {what}/s" if speed else ""
            bar.update(task, completed=done, total=total or None, rate=rate)

        yield show


def _bar_columns() -> tuple[ProgressColumn, ...]:
    return (
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )


class Progress:
    """Counts outcomes, and shows a bar on standard error where that is a terminal.

    Args:
        total: how many photos there are.
    """

    def __init__(self, total: int) -> None:
        self.faces = 0
        self.failed = 0
        self.total = total
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            *_bar_columns(),
            console=console,
            disable=total < _WORTH_A_BAR or not console.is_terminal,
            transient=True,
            # `say` and `told` see to that; rich would break long lines.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("photos", total=total, rate="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self.failed and kind is None:
            click.echo(f"{self.failed} of {self.total} files could not be read.", err=True)

    def say(self, line: str) -> None:
        """Print a result, above the bar where both are on a terminal."""
        if self._bar.disable or not sys.stdout.isatty():
            say(line)
        else:
            self._bar.console.print(Text(line), soft_wrap=True)

    def told(self, outcome: Outcome) -> None:
        """Count one photo, and tell what is wrong with it."""
        if outcome.error:
            self.failed += 1
            line = shown(f"{outcome.path}: {outcome.error.code}: {outcome.error.message}")
            if self._bar.disable:
                click.echo(line, err=True)
            else:
                self._bar.console.print(Text(line), soft_wrap=True)
        elif outcome.faces:
            self.faces += len(outcome.faces)
        speed = self._bar.tasks[0].speed
        rate = f"{speed:.1f} photos/s" if speed else ""
        self._bar.update(self._task, advance=1, rate=rate)

    def status(self) -> int:
        """Return the exit status that the outcomes call for."""
        if not self.failed:
            return DONE
        return FAILED if self.failed == self.total else INCOMPLETE
