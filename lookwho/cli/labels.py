"""The commands about labels: labels import, labels list, labels export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lookwho.cli.site import explained, set_up

if TYPE_CHECKING:
    from lookwho.library.models import Project


@click.group()
def labels() -> None:
    """Labels of faces: take in those of other tools, and write out a project's."""


@labels.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--project", default="", help="Its uuid: take the file for labels in this project,")
@click.option("--annotator", default="", help="and for those of this user.")
@click.option("--by", "name", default="", help="The user who does it; the owner, if not told.")
def import_(file: Path, dry_run: bool, project: str, annotator: str, name: str) -> None:
    """Take in a COCO (.json) or CVAT for images 1.1 (.xml) FILE.

    Its names are confirmed in the library, as one act that can be undone; boxes without a face
    are drawn. What cannot be taken over is listed, and stops none of the rest.
    """
    set_up()
    from lookwho.core.errors import FileMissing, Invalid
    from lookwho.services import accounts, labels_in

    with explained():
        if bool(project) != bool(annotator):
            raise Invalid("for labels of a project, name both --project and --annotator")
        user = accounts.find_user(name) if name else accounts.the_owner()
        try:
            with file.open("rb") as opened:
                chunks = iter(lambda: opened.read(2**20), b"")
                plan = labels_in.plan(user, labels_in.read_upload(chunks, None))
        except OSError as error:
            raise FileMissing(f"{file} cannot be read: {error.strerror}") from error
        click.echo(f"{plan.kind}: {plan.boxes:,} named boxes of {plan.people:,} people to add.")
        told = f"{len(plan.confirm):,} faces to name, {len(plan.draw):,} to draw, "
        click.echo(f"{told}{plan.same:,} named so already, {plan.nameless:,} without a name.")
        known = len(plan.problems)
        _complain(plan.problems, plan.more)
        if dry_run:
            return
        if project:
            row, who = _project(project), accounts.find_user(annotator)
            count = labels_in.take_in_as(user, plan, row, who)
            click.echo(f"{count:,} labels of {who.username} taken over.")
            return
        click.echo(labels_in.take_in(user, plan).message)
        _complain(plan.problems[known:], 0)


@labels.command("list")
def list_() -> None:
    """List the labelling projects, with their uuids and releases."""
    set_up()
    from lookwho.library.queries import labelling
    from lookwho.services import accounts

    with explained():
        rows = list(labelling.projects(accounts.the_owner()))
        standings = labelling.standings(rows)
        for row in rows:
            told = standings[row.pk]
            releases = len(labelling.releases_of(row))
            click.echo(
                f"{row.uuid}  {row.title}: {told.done:,} of {told.faces:,} faces done, "
                f"{told.disputed:,} to decide, {releases} releases"
            )


@labels.command()
@click.argument("project")
@click.option("--version", type=int, help="Of the release; the last one, if not told.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv", "parquet", "coco"]),
    default="jsonl",
    show_default=True,
)
@click.option("--split", default="", help="Only people of this part: train, validation or test.")
@click.option("--to", type=click.Path(path_type=Path), help="The file; else named by the release.")
def export(project: str, version: int | None, kind: str, split: str, to: Path | None) -> None:
    """Write a release of PROJECT (its uuid) to a file. The site's page freezes releases."""
    set_up()
    from lookwho.core.errors import FileMissing, NotFound
    from lookwho.library.queries import labelling
    from lookwho.services import releases
    from lookwho.services.release_files import file_of

    with explained():
        row = _project(project)
        if version is None:
            known = labelling.releases_of(row)
            if not known:
                raise NotFound(f"{row.title} has no release yet: freeze one on its page")
            version = known[0].version
        release = releases.release_of(row, version)
        file = file_of(release, "json" if kind == "coco" else kind, split=split)
        path = to or Path(file.name)
        try:
            path.write_bytes(file.content)
        except OSError as error:
            raise FileMissing(f"{path} cannot be written: {error.strerror}") from error
        click.echo(f"{path}: {len(file.content):,} bytes")


def _complain(problems: list[str], more: int) -> None:
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    if more:
        click.echo(f"  and {more:,} more", err=True)


def _project(told: str) -> Project:
    """Return a project by its uuid."""
    from uuid import UUID

    from lookwho.core.errors import Invalid
    from lookwho.library.queries import labelling
    from lookwho.services import accounts

    try:
        uuid = UUID(told)
    except ValueError as error:
        raise Invalid(f"{told!r} is no project's uuid: `lookwho labels list` shows them") from error
    return labelling.project(accounts.the_owner(), uuid)
