"""What all commands share that analyse files: how well, with how many processes, what is kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from lookwho.cli import INTERRUPTED
from lookwho.core import packs
from lookwho.files.results import Results

Command = Callable[..., int]


def engine_options(command: Command) -> Command:
    """Give a command the options of the engine; it gets `engine` and `work`."""

    @click.option(
        "--pack",
        default="default",
        show_default=True,
        type=click.Choice(list(packs.PACKS)),
        help="; ".join(f"{pack.name}: {pack.description}" for pack in packs.PACKS.values()) + ".",
    )
    @click.option(
        "--preset",
        default="balanced",
        show_default=True,
        type=click.Choice(list(packs.PRESETS)),
        help="How hard to look: fast passes over small faces, thorough looks for smaller ones.",
    )
    @click.option(
        "--int8/--fp32",
        default=None,
        help="Embed in eight bits: 2.7 times as fast, slightly less exact.",
    )
    @click.option(
        "-j", "--processes", type=click.IntRange(1), help="How many; one a core if not said."
    )
    @click.option("--no-cache", is_flag=True, help="Neither use nor keep results in the cache.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        pack: str,
        preset: str,
        int8: bool | None,
        processes: int | None,
        no_cache: bool,
        **kwargs: Any,
    ) -> int:
        settings = packs.settings(pack, preset, int8)
        results = None if no_cache else Results(settings)
        engine = {"pack": pack, "preset": preset, "int8": int8}
        work = {"processes": processes, "results": results}
        try:
            return command(*args, engine=engine, work=work, **kwargs)
        except KeyboardInterrupt:
            kept = results is not None and not results.problem
            again = " What was finished is remembered: run it again to go on." if kept else ""
            click.echo(f"\nInterrupted.{again}", err=True)  # beside the terminal's own ^C
            return INTERRUPTED
        finally:
            if results:
                results.close()
                if results.problem:
                    click.echo(f"Warning: {results.problem}", err=True)

    return wrapped


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
paths_argument = click.argument("paths", nargs=-1, required=True, type=click.Path())
