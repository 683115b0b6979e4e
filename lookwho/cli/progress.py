"""Progress on the terminal: how far, how fast, how long still, and what could not be read."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from lookwho.cli import DONE, FAILED, INCOMPLETE
from lookwho.core.batch import Outcome

# Shorter work is over before a bar can be read.
_WORTH_A_BAR = 5


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
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=total < _WORTH_A_BAR or not console.is_terminal,
            transient=True,
            # Lines that a command prints while the bar stands must stay plain.
            redirect_stdout=sys.stdout.isatty(),
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

    def told(self, outcome: Outcome) -> None:
        """Count one photo."""
        if outcome.error:
            self.failed += 1
            if not self._bar.disable:
                message = f"{outcome.path}: {outcome.error.code}: {outcome.error.message}"
                self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)
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
