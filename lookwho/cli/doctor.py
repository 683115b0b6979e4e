"""The command doctor: what is in order on this machine, what is not, and what to do about it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import click

from lookwho.cli.site import set_up
from lookwho.core.errors import LookwhoError

# Less free space than this is worth a word.
SCARCE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: in order, worth a word, or wrong."""

    name: str
    state: str  # ok, note or wrong
    told: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def doctor(as_json: bool) -> int:
    """Look whether all is in order here, and say what to do where it is not.

    Exit status 1 where something is wrong.
    """
    findings: list[Finding] = []
    for check in (_python, _home, _database, _models, _formats, _folders, _work, _erasures):
        try:
            findings.extend(check())
        except LookwhoError as error:
            findings.append(Finding(check.__name__.strip("_"), "wrong", error.message))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{_SIGNS[finding.state]} {finding.name}: {finding.told}")
    return int(any(finding.state == "wrong" for finding in findings))


_SIGNS = {"ok": "✓", "note": "!", "wrong": "✗"}


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{sys.version.split()[0]} at {sys.executable}")


def _home() -> Iterator[Finding]:
    set_up(migrate=False)
    from django.conf import settings

    home = Path(settings.HOME)
    if not os.access(home, os.W_OK):
        yield Finding("data", "wrong", f"{home} may not be written to: see who owns it")
        return
    free = shutil.disk_usage(home).free
    state = "ok" if free > SCARCE_BYTES else "note"
    yield Finding("data", state, f"{home}, {free / 1e9:.1f} GB free on its disk")


def _database() -> Iterator[Finding]:
    set_up()
    from django.conf import settings
    from django.db import connection

    from lookwho.library.models import Face, Media, Person

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("pragma quick_check(1)")
            answer = str((cursor.fetchone() or ["no answer"])[0])
            if answer != "ok":
                told = f"{settings.DATABASES['default']['NAME']} is damaged: {answer}"
                yield Finding("database", "wrong", told)
                return
    counts = f"{Media.objects.count()} photos, {Face.objects.count()} faces"
    named = Person.objects.exclude(name="").filter(merged_into=None).count()
    yield Finding("database", "ok", f"{connection.vendor}, {counts}, {named} named people")


def _models() -> Iterator[Finding]:
    from lookwho.core.pipeline import Analyzer

    Analyzer()
    yield Finding("models", "ok", "all files are there, and what they should be")


def _formats() -> Iterator[Finding]:
    if importlib.util.find_spec("pi_heif"):
        yield Finding("heic", "ok", "photos of iPhones can be read")
    else:
        yield Finding("heic", "note", "cannot be read: pip install 'lookwho[heif]'")
    if importlib.util.find_spec("av"):
        yield Finding("video", "ok", "videos can be read")
    else:
        yield Finding("video", "note", "cannot be read: pip install 'lookwho[video]'")


def _folders() -> Iterator[Finding]:
    from lookwho.library.models import Collection

    for collection in Collection.objects.filter(kind=Collection.Kind.FOLDER):
        there = os.path.isdir(collection.root) and os.access(collection.root, os.R_OK)
        told = collection.root if there else f"{collection.root} cannot be read: is it plugged in?"
        yield Finding("folder", "ok" if there else "wrong", told)


def _work() -> Iterator[Finding]:
    from django.utils import timezone

    from lookwho.library.models import Analysis, Job, Worker

    now = timezone.now()
    waiting = Job.objects.filter(state=Job.State.WAITING, run_at__lte=now).count()
    seen = Worker.objects.filter(stopped_at=None, seen_at__gt=now - timedelta(seconds=60)).count()
    if waiting and not seen:
        told = f"{waiting} jobs wait and nobody works: start `lookwho serve` or `lookwho work`"
        yield Finding("work", "wrong", told)
    else:
        yield Finding("work", "ok", f"{waiting} jobs wait, {seen} workers were seen")
    if failed := Analysis.objects.filter(state=Analysis.State.FAILED).count():
        yield Finding("photos", "note", f"{failed} could not be read: see the page Progress")


def _erasures() -> Iterator[Finding]:
    from django.conf import settings

    from lookwho.services import erasure, ledger

    due = len(erasure.undone())
    if due:
        again = erasure.resume()
        told = f"{due} were not finished, or came back with a backup: {again} were done again"
        yield Finding("erasures", "note", told)
    else:
        count = sum(1 for _ in ledger.entries())
        yield Finding("erasures", "ok", f"{count} in {ledger.path()}, and nothing has come back")
    if any(ledger.entries()) and ledger.path().is_relative_to(Path(settings.HOME)):
        told = f"{ledger.path()} must be left out of backups, or LOOKWHO_LEDGER put elsewhere"
        yield Finding("ledger", "note", told)
