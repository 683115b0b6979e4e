"""The commands about other websites whose photos are to be found here, too."""

from __future__ import annotations

import click

from lookwho.cli import DONE
from lookwho.cli.site import explained, set_up


@click.group()
def site() -> None:
    """Other websites whose photos are found here, too, without being copied."""


@site.command()
@click.argument("address")
@click.option("--adapter", default="concrexit", show_default=True, help="Which API it has.")
@click.option("--title", default="", help="What to call it, if not as its host.")
@click.option("--plain", is_flag=True, help="Agree that it is asked without encryption.")
@click.option(
    "--token",
    envvar="LOOKWHO_SITE_TOKEN",
    prompt="Token",
    hide_input=True,
    help="Of an account there. It is asked for, or taken from LOOKWHO_SITE_TOKEN: what is typed "
    "into a command can be read by others.",
)
def add(address: str, adapter: str, title: str, plain: bool, token: str) -> int:
    """Add a website, once it answers; a running `serve` or `work` imports it."""
    set_up()
    from lookwho.services import sites

    with explained():
        collection, _ = sites.add_site(
            None, address, token, adapter=adapter, title=title, plain=plain
        )
    click.echo(f"{collection.title} answers. Its photos come as soon as a worker has time.")
    return DONE
