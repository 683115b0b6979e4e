"""The commands about members: member list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lookwho.cli import DONE, INCOMPLETE
from lookwho.cli.site import explained, set_up

if TYPE_CHECKING:
    from lookwho.services.member_lists import Changed, Refused


@click.group()
def member() -> None:
    """Members of the site: who is one, and from when to when."""


@member.command("list")
@click.argument("path", metavar="FILE.csv", type=click.Path(dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--make", is_flag=True, help="Make members of those who are not known here.")
@click.option(
    "--many-may-leave", is_flag=True, help="It is the whole list, although more than half left."
)
def list_(path: str, dry_run: bool, make: bool, many_may_leave: bool) -> int:
    """Take over a whole list of members, as CSV.

    Its first line names the columns: user (the name here), email or external id; since and until,
    as days such as 2024-09-01, which may be blank; and name, for those who are new. Whoever was in
    an earlier list and is not in this one is a former member from now on.
    """
    set_up()
    from lookwho.services import member_lists

    with explained():
        outcome = member_lists.take_list(
            None,
            member_lists.read(path),
            make=make,
            dry_run=dry_run,
            many_may_leave=many_may_leave,
        )
    click.echo(f"{outcome.rows} rows" + (", and nothing is changed yet." if dry_run else "."))
    for name in outcome.made:
        click.echo(f"new: {name}")
    _say("former", outcome.left)
    _say("changed", outcome.changed)
    click.echo(f"as before: {outcome.same}")
    if outcome.unlisted:
        click.echo(f"in no list, members all the time: {len(outcome.unlisted)}")
    _warn("unknown", outcome.unknown)
    _warn("not taken", outcome.refused)
    return INCOMPLETE if outcome.unknown or outcome.refused else DONE


def _say(what: str, rows: list[Changed]) -> None:
    for each in rows:
        told = ", ".join(str(period) for period in each.after if period.since.year > 1)
        click.echo(f"{what}: {each.name}: {told or 'not a member'}")


def _warn(what: str, rows: list[Refused]) -> None:
    for each in rows:
        click.echo(f"{what}: line {each.line}, {each.who}: {each.reason}", err=True)
