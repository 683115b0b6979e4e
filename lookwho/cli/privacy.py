"""The commands about what is kept: retention, and receipts of erasures."""

from __future__ import annotations

from pathlib import Path

import click

from lookwho.cli import DONE
from lookwho.cli.site import explained, set_up
from lookwho.core.errors import FileMissing


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say how much would go.")
def retention(dry_run: bool) -> int:
    """Let go what was kept for long enough; the site does so by itself, once a day.

    For how long things are kept is chosen on the page Settings.
    """
    set_up()
    from lookwho.services import retention as service

    with explained():
        went = service.run(dry_run=dry_run)
    would = "would go" if dry_run else "gone"
    for each in went:
        click.echo(f"{each.rule.title}: {each.count} {would}")
    return DONE


@click.group()
def receipt() -> None:
    """Receipts of erasures: tell whether one is genuine."""


@receipt.command()
@click.argument("file", type=click.Path(dir_okay=False))
def verify(file: str) -> int:
    """Say whether a receipt is one of this site and was not altered.

    Exit status 4 where it is not.
    """
    set_up()
    from lookwho.library.models import Erasure
    from lookwho.services import receipts

    try:
        text = Path(file).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise FileMissing(f"{file} cannot be read: {error.strerror}") from error
    number = receipts.check(text)
    with explained():
        known = Erasure.objects.filter(uuid=number).exists()
    click.echo(f"Genuine: erasure {number} was signed with this site's key.")
    if not known:
        click.echo("This database does not list it; the ledger may.")
    return DONE
