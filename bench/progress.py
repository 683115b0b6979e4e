"""A bar on the terminal while something is measured; standard output keeps to the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def shown(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items and show how many of them are done, where standard error is a terminal."""
    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(items, what, total=total, console=console, transient=True, disable=hidden)
