"""`python -m bench`: the commands. Tables go to standard output, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from bench import (
    accuracy,
    albums,
    crowds,
    event,
    grouping,
    guessing,
    identification,
    imports,
    learning,
    load,
    measure,
    mine,
    naming,
    passes,
    scale,
    site,
    speed,
    video,
)
from bench.people import read

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_faces = click.option(
    "--faces", type=_FOLDER, required=True, help="A folder of folders, one for each person."
)
_crowds = click.option(
    "--crowds",
    "crowd",
    type=_FOLDER,
    help="Street photos and a labels.json with boxes.  [default: ../shared/media/crowds if there]",
)
_quick = click.option("--quick", is_flag=True, help="Measure less, in about a minute.")


@click.group(invoke_without_command=True)
@click.option("--faces", type=_FOLDER, help="The same as the command accuracy.")
@_crowds
@_quick
@click.pass_context
def main(context: click.Context, faces: Path | None, crowd: Path | None, quick: bool) -> None:
    """Measure Lookwho: speed beside face_recognition, accuracy on labelled photos.

    Without a command: speed; with --faces: accuracy.
    """
    if context.invoked_subcommand:
        return
    if faces:
        context.invoke(accuracy_, faces=faces, crowd=crowd, quick=quick)
    else:
        context.invoke(speed_, quick=quick)


@main.command("speed")
@_quick
def speed_(quick: bool) -> None:
    """Time Lookwho beside face_recognition, on the same photos and cores, in turn."""
    _print(speed.report(quick=quick))


@main.command("accuracy")
@_faces
@_crowds
@_quick
def accuracy_(faces: Path, crowd: Path | None, quick: bool) -> None:
    """Print TAR at FAR, grouping, probabilities and detection, with intervals."""
    if crowd is None and crowds.FOLDER.is_dir():
        crowd = crowds.FOLDER
    _print(accuracy.report(faces, crowd, quick=quick))


@main.command("calibrate")
@_faces
def calibrate_(faces: Path) -> None:
    """Measure ranges for int8 and lines for probabilities, and write measured.json."""
    _print(measure.calibrate(faces))


@main.command("group")
@_faces
def group_(faces: Path) -> None:
    """Print what other limits of grouping would give, for libraries of several sizes."""
    _print(accuracy.limits(faces))


@main.command("people")
@_faces
@_quick
def people_(faces: Path, quick: bool) -> None:
    """Print how many answers naming takes, how well people are told apart, and time at scale."""
    found = read(faces)
    told = f"{len(found.owners)} faces of {len(found.names)} people; {found.split}."
    _print([told, "", "### Faces named against answers given", ""])
    _print(naming.report(found, quick=quick))
    _print(["", "### Identifying people among strangers", ""])
    _print(identification.report(found, quick=quick))
    _print(["", "### Grouping without decisions, beside other ways", ""])
    _print(grouping.report(found, quick=quick))
    if not quick:
        _print(["", "### Time and memory of grouping", ""])
        _print(scale.report())


@main.command("scale")
@click.option(
    "--faces",
    "sizes",
    type=click.IntRange(2),
    multiple=True,
    default=scale.SIZES,
    help="How many; may be given several times.  [default: 13,000, 100,000 and 1,000,000]",
)
def scale_(sizes: tuple[int, ...]) -> None:
    """Time grouping of many faces, which are made, and what adding more takes."""
    _print(scale.report(sizes))


@main.command("guessing")
@_faces
@_quick
def guessing_(faces: Path, quick: bool) -> None:
    """Print what guesses are weighed by, fitted anew, and how far they can be believed."""
    _print(guessing.report(read(faces), quick=quick))


@main.command("learning")
@_faces
@_quick
def learning_(faces: Path, quick: bool) -> None:
    """Print what naming round by round brings, as an audit shows it, and what is refused."""
    _print(learning.report(read(faces), quick=quick))


@main.command("passes")
@click.option("--faces", type=click.IntRange(1000), default=passes.FACES, show_default=True)
def passes_(faces: int) -> None:
    """Time grouping passes over a library that is made: reading, computing and writing."""
    _print(passes.report(faces=faces))


@main.command("albums")
@_faces
@_quick
def albums_(faces: Path, quick: bool) -> None:
    """Print who finds themselves in albums that are composed of labelled photos."""
    _print(albums.report(read(faces), quick=quick))


@main.command("import")
@click.argument("folder", type=_FOLDER)
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True)
def import_(folder: Path, rounds: int) -> None:
    """Time taking in a folder beside the engine alone, and pages while it runs."""
    _print(imports.report(folder, rounds))


@main.command("site")
@click.option("--photos", type=click.IntRange(1000), default=site.PHOTOS, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=site.ROUNDS, show_default=True)
def site_(photos: int, rounds: int) -> None:
    """Time the pages of a site with a library that is made, as large as is wanted."""
    _print(site.report(photos=photos, rounds=rounds))


@main.command("mine")
@click.option("--faces", type=click.IntRange(1000), default=mine.FACES, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=mine.ROUNDS, show_default=True)
def mine_(faces: int, rounds: int) -> None:
    """Time My photos in a library that is made, beside a scan of 128 columns in SQL."""
    _print(mine.report(faces=faces, rounds=rounds))


@main.command("event")
@_faces
@click.option("--photos", type=click.IntRange(1), default=event.PHOTOS, show_default=True)
@click.option("--members", type=click.IntRange(1), default=event.MEMBERS, show_default=True)
@click.option(
    "--processes", type=click.IntRange(1, 256), help="How many analyse; one for each core."
)
def event_(faces: Path, photos: int, members: int, processes: int | None) -> None:
    """Time an event from its upload until its members have found themselves."""
    _print(event.report(faces, photos=photos, members=members, processes=processes))


@main.command("load")
@click.option("--members", type=click.IntRange(1), default=load.MEMBERS, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=load.SECONDS, show_default=True)
@click.option("--faces", type=click.IntRange(1000), default=load.FACES, show_default=True)
@click.option(
    "--every", type=click.FloatRange(0.1), default=load.EVERY, show_default=True, help="Seconds."
)
@click.option("--pictures/--no-pictures", default=True, show_default=True)
@click.option("--web", type=click.IntRange(1), default=load.WEB, show_default=True)
def load_(members: int, seconds: int, faces: int, every: float, pictures: bool, web: int) -> None:
    """Time the pages of a site with many faces while many members look at them."""
    _print(
        load.report(
            faces=faces,
            members=members,
            seconds=seconds,
            every=every,
            pictures=pictures,
            web=web,
        )
    )


@main.command("video")
@click.option(
    "--part",
    "parts",
    type=click.Choice(video.PARTS),
    multiple=True,
    default=video.PARTS,
    help="What to measure; may be given several times.  [default: all]",
)
@click.option(
    "--processes", type=click.IntRange(1, 256), help="How many analyse; one for each core."
)
@_quick
def video_(parts: tuple[str, ...], processes: int | None, quick: bool) -> None:
    """Find people in videos, beside the older system's way; memory of an hour; lists by the API."""
    _print(video.report(parts, processes=processes, quick=quick))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main(prog_name="python -m bench")
