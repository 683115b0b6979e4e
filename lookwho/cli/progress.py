"""What a person or a program is told: results, progress, and what could not be read.

Results go to standard output and all else to standard error.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from lookwho.cli import DONE, FAILED, INCOMPLETE
from lookwho.core.batch import Outcome
from lookwho.core.video_batch import VideoOutcome

# Shorter work is over before a bar can be read.
_WORTH_A_BAR = 5
# Of a video, beside its bar.
_LONGEST_NAME = 24

# What moves the cursor or ends a line, and the bytes of names that are no text.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(text: str) -> str:
    r"""Return a file's name, or more, as one line that does nothing to a terminal.

    >>> print(shown("a\nb"))
    a\nb
    """
    return _UNSHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


def clock(seconds: float) -> str:
    """Return a time of a video as hours, minutes and seconds.

    >>> clock(3725.4)
    '1:02:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


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


class _Done(MofNCompleteColumn):
    """How many of how many, and of a video from when on the rest is still to be seen."""

    def render(self, task: Task) -> Text:
        if not task.fields.get("video"):
            return super().render(task)
        reached, length = clock(task.completed), clock(task.total or 0)
        return Text(f"{reached}/{length}", style="progress.download")


def _bar_columns() -> tuple[ProgressColumn, ...]:
    return (
        BarColumn(),
        TaskProgressColumn(),
        _Done(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[rate]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(),
    )


class Progress:
    """Counts outcomes, and shows bars on standard error where that is a terminal.

    There is one for all files, and one for each video that is being looked at.

    Args:
        total: how many files there are.
        what: they are.
    """

    def __init__(self, total: int, what: str = "photos") -> None:
        self.faces = 0
        self.failed = 0
        self.partial = 0
        self.total = total
        self._what = what
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            *_bar_columns(),
            console=console,
            disable=(total < _WORTH_A_BAR and what == "photos") or not console.is_terminal,
            transient=True,
            # `say` and `told` see to that; rich would break long lines.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        worth = total >= _WORTH_A_BAR
        self._task = self._bar.add_task(what, total=total, rate="", visible=worth)
        self._videos: dict[str, TaskID] = {}
        self._lock = threading.Lock()

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

    def told(self, outcome: Outcome | VideoOutcome) -> None:
        """Count one file, and tell what is wrong with it."""
        if outcome.error:
            self.failed += 1
            self._complain(f"{outcome.path}: {outcome.error.code}: {outcome.error.message}")
        elif isinstance(outcome, VideoOutcome):
            self._told_video(outcome)
        elif outcome.faces:
            self.faces += len(outcome.faces)
        with self._lock:
            if (video := self._videos.pop(outcome.path, None)) is not None:
                self._bar.remove_task(video)
        speed = self._bar.tasks[0].speed
        rate = f"{speed:.1f} {self._what}/s" if speed else ""
        self._bar.update(self._task, advance=1, rate=rate)

    def watched(self, path: str, reached: float, length: float, people: int) -> None:
        """Show how far a video is, in seconds, and how many people were followed; in any thread.

        The rate is that of real time.
        """
        with self._lock:
            if path not in self._videos:
                name = shown(os.path.basename(path))
                self._videos[path] = self._bar.add_task(
                    name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
                    total=length,
                    rate="",
                    video=True,
                )
            number = self._videos[path]
            (task,) = (task for task in self._bar.tasks if task.id == number)
            so_far = "1 person" if people == 1 else f"{people} people"
            rate = f"{task.speed:.1f}x, {so_far}" if task.speed else so_far
            self._bar.update(number, completed=min(reached, length), rate=rate)

    def status(self) -> int:
        """Return the exit status that the outcomes call for."""
        if not self.failed:
            return INCOMPLETE if self.partial else DONE
        return FAILED if self.failed == self.total else INCOMPLETE

    def _told_video(self, outcome: VideoOutcome) -> None:
        assert outcome.cast  # an outcome is one or the other
        self.faces += len(outcome.cast.people)
        if outcome.cast.problem:
            self.partial += 1
            self._complain(f"{outcome.path}: not all could be read: {outcome.cast.problem}")

    def _complain(self, text: str) -> None:
        line = shown(text)
        if self._bar.disable:
            click.echo(line, err=True)
        else:
            self._bar.console.print(Text(line), soft_wrap=True)
