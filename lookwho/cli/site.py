"""The commands of the site: import, work, serve."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

import lookwho
from lookwho.cli import DONE, FAILED, INCOMPLETE
from lookwho.cli.progress import counting
from lookwho.core.batch import usable_cores
from lookwho.core.errors import LookwhoError, SettingInvalid, SetupError

if TYPE_CHECKING:
    from lookwho.cli.server import Server
    from lookwho.library.models import Job

processes_option = click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="How many processes look for faces; one for each core if not told.",
)


def set_up(*, migrate: bool = True) -> None:
    """Load the site, and bring its database up to date.

    Raises:
        SetupError: what the site needs is not installed, or its database cannot be used.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookwho.config.settings")
    try:
        import django
    except ImportError as error:
        raise SetupError("this command needs an extra: pip install 'lookwho[site]'") from error
    try:
        django.setup()
    except ModuleNotFoundError as error:
        raise SetupError(
            f"{error.name} is missing; the site needs an extra: pip install 'lookwho[site]'"
        ) from error
    if migrate:
        with explained():
            _migrate()


def erase_again() -> None:
    """Erase what a restored backup has brought back, before anybody sees or searches it.

    What cannot be done now is said, and done by a worker.
    """
    from lookwho.services import erasure

    with explained():
        try:
            if count := erasure.resume():
                click.echo(f"{count} erasures were not finished or came back: done again.")
        except LookwhoError as error:
            click.echo(f"{error.code}: {error.message}", err=True)


@contextlib.contextmanager
def explained() -> Generator[None]:
    """Tell what a database refuses as one of our errors."""
    from django.conf import settings
    from django.db import DatabaseError

    from lookwho.services.storage import storage_problem

    try:
        yield
    except DatabaseError as error:
        where = settings.DATABASES["default"]["NAME"]
        problem = storage_problem(error) or SetupError(f"the database cannot be used: {error}")
        raise type(problem)(f"{where}: {problem.message}") from error


def _migrate() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)


@click.command("import")
@click.argument("path", type=click.Path(file_okay=False))
@click.option("--album", "album_title", default="", help="Put the photos into this album.")
@click.option("--title", default="", help="What to call the folder; its name if not told.")
@click.option("--queue", is_flag=True, help="Only take note of it: whoever works does it.")
@processes_option
def import_(path: str, album_title: str, title: str, queue: bool, processes: int | None) -> int:
    """Take in a folder of photos: find the faces, group them into people.

    The photos stay where they are, and nothing is written beside them. What was taken in before
    is not looked at again, wherever it was moved to. Where `lookwho serve` or `lookwho work` is
    running, they do the work; otherwise this command does.
    """
    set_up()
    from lookwho.services import intake
    from lookwho.services.progress import workers_seen

    with explained():
        collection, job = intake.add_folder(path, by=None, title=title, album_title=album_title)
        busy = workers_seen()
    click.echo(f"Importing {collection.root}")
    _say_album(job)
    if queue:
        click.echo("It waits for a worker: `lookwho serve` or `lookwho work`.")
        return DONE
    if busy:
        return _follow(job, lambda: None)
    with _pool(processes) as pool:
        return _follow(job, pool.watch_once)


def _follow(job: Job, watch: Callable[[], None]) -> int:
    """Show the progress of an import until it is over; Ctrl-C leaves the rest for later."""
    from lookwho.services.progress import progress

    with counting("photos") as show:
        while True:
            watch()
            state = progress(job.pk)
            show(state.done, state.total)
            if state.over:
                break
            time.sleep(0.25)
    click.echo(f"{state.done} photos. In the library: {state.faces} faces, {state.people} people.")
    if state.error:
        click.echo(f"{state.error_code}: {state.error}", err=True)
        return FAILED
    if state.failed:
        click.echo(f"{state.failed} photos could not be read: see the page Progress.", err=True)
        return INCOMPLETE
    return DONE


@click.command()
@processes_option
def work(processes: int | None) -> int:
    """Do the work that waits, until Ctrl-C: beside a site, or on its own."""
    set_up()
    erase_again()
    click.echo("Working. Ctrl-C stops it; what is not finished is done next time.")
    with _stopped() as stop, _pool(processes) as pool:
        while not stop.wait(0.2):
            pool.watch_once()
    return DONE


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="8000, or the next one that is free.")
@click.option("--lan", is_flag=True, help="Let others on this network in, by an invitation link.")
@click.option("--photos", type=click.Path(file_okay=False), help="A folder to take in at once.")
@click.option("--album", "album_title", default="", help="Put those photos into this album.")
@click.option("--no-workers", is_flag=True, help="Only the pages; the work is done elsewhere.")
@click.option(
    "--web",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes answer pages: more for many visitors at once.",
)
@processes_option
def serve(
    host: str,
    port: int | None,
    lan: bool,
    photos: str | None,
    album_title: str,
    no_workers: bool,
    processes: int | None,
    web: int,
) -> int:
    """Start the site, and processes that do its work, until Ctrl-C.

    Prints a link that signs the owner in. Only this machine reaches the site, unless --lan or
    --host say otherwise.
    """
    from lookwho.cli.server import Server, listen

    address = _lan_address() if lan else host
    os.environ["LOOKWHO_HOSTS"] = ",".join(_names(address, os.environ.get("LOOKWHO_HOSTS", "")))
    set_up()
    erase_again()
    listener = listen("0.0.0.0" if lan else host, port)
    with contextlib.closing(listener), _stopped() as stop:
        servers = [Server(listener) for _ in range(web)]
        try:
            _watch(servers)
            _welcome(address, listener.getsockname()[1], lan=lan)
            _take_in(photos, album_title)
            with contextlib.nullcontext() if no_workers else _pool(processes) as pool:
                while not stop.wait(0.2):
                    _watch(servers)
                    if pool:
                        pool.watch_once()
        finally:
            click.echo("Stopping.")
            for server in servers:
                server.stop()
    return DONE


def _watch(servers: Sequence[Server]) -> None:
    for server in servers:
        server.watch()


def _welcome(host: str, port: int, *, lan: bool) -> None:
    from django.conf import settings

    from lookwho.services import accounts, mail, selfies, uploads

    with explained():
        uploads.sweep_uploads()  # what an earlier run left half done
        selfies.sweep_selfies()
        owner = accounts.the_owner()
        token = accounts.entry_link(owner)
        invitation = accounts.invite(owner) if lan else None
    own = f"http://{_bracketed('127.0.0.1' if lan else host)}:{port}"
    mail.served_at(own)
    # Where a proxy stands before it, its cookies are kept there alone.
    own = mail.absolute("", own)
    click.echo(f"Lookwho {lookwho.__version__}: your photos stay where they are.")
    click.echo(f"\n  Open    {own}/enter/{token}")
    click.echo(f"          This link signs in {owner.username}, once, within 24 hours.")
    if invitation:
        there = mail.absolute("", f"http://{_bracketed(host)}:{port}")
        click.echo(f"\n  Invite  {there}/join/{invitation}")
        click.echo("          Whoever has this link and is on your network can join, within 72")
        click.echo("          hours, and finds the photos they are in; nobody else's.")
    click.echo(f"\n  Data    {settings.HOME}")
    click.echo("  Ctrl-C stops it.\n")


def _take_in(photos: str | None, album_title: str) -> None:
    if not photos:
        return
    from lookwho.services import intake

    try:
        collection, job = intake.add_folder(photos, by=None, album_title=album_title)
    except LookwhoError as error:
        # The site is up already, and its owner can choose another folder there.
        click.echo(f"{error.code}: {error.message}", err=True)
    else:
        click.echo(f"Importing {collection.root}")
        _say_album(job)


def _say_album(job: Job) -> None:
    """Say where the album is that an import fills, if it fills one."""
    from lookwho.library.models import Album

    slug = Album.objects.filter(pk=job.payload.get("album")).values_list("slug", flat=True).first()
    if slug:
        click.echo(f"Its album: {site_address()}/albums/{slug}")


def site_address() -> str:
    """Return where visitors reach the site: as the settings say, or where it was last served."""
    from lookwho.services import mail

    return mail.absolute("")


@contextlib.contextmanager
def _pool(processes: int | None) -> Generator[Any]:
    # By name: with a bare install there is no Django that it could be imported with.
    pool = importlib.import_module("lookwho.workers.pool").Pool(processes or usable_cores())
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


@contextlib.contextmanager
def _stopped() -> Generator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

    def ask(*_: object) -> None:
        if stop.is_set():  # asked twice: at once
            _interrupt()
        # In a thread: the one that is interrupted may just be holding the lock of the event.
        threading.Thread(target=stop.set, daemon=True).start()

    for kind in before:
        signal.signal(kind, ask)
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _names(address: str, told: str) -> list[str]:
    names = [name.strip() for name in told.split(",") if name.strip()]
    return [*names, _bracketed(address), socket.gethostname(), f"{socket.gethostname()}.local"]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _lan_address() -> str:
    """Return this machine's address in its network.

    Raises:
        SettingInvalid: it is in none.
    """
    # Connecting a datagram socket sends nothing; it only asks which way it would go.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError as error:
            raise SettingInvalid(
                "this machine seems to be in no network; tell its address with --host"
            ) from error
