"""The commands about users: user add, user list, login-link."""

from __future__ import annotations

from datetime import timedelta

import click

from lookwho.cli.site import explained, set_up, site_address

ROLES = ("owner", "curator", "annotator", "member")


@click.group()
def user() -> None:
    """Users of the site: add one, list them."""


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="member",
    show_default=True,
    help="What they may do: everything, all but users and folders, answer, or find themselves.",
)
@click.option("--email", default="", help="Their address, for those who run the site.")
@click.option("--password", is_flag=True, help="Ask for a password; else they enter by a link.")
def add(name: str, role: str, email: str, password: bool) -> None:
    """Add a user, and print a link that signs them in, once."""
    set_up()
    from lookwho.services import accounts

    secret = None
    if password:
        secret = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with explained():
        made = accounts.make_user(name, role, password=secret, email=email)
        token = accounts.entry_link(made)
    click.echo(f"Added {made.username}, {made.role}.")
    click.echo(f"{site_address()}/enter/{token}")
    click.echo("This link signs them in, once, within 24 hours.")


@user.command("list")
def list_() -> None:
    """List the users and what each may do."""
    set_up()
    from lookwho.library.models import User

    with explained():
        for found in User.objects.order_by("username"):
            left = "" if found.is_active else ", may not sign in"
            click.echo(f"{found.username}: {found.role}{left}")


@user.command()
@click.argument("name")
@click.option("--title", default="command line", help="What the token is for.")
@click.option("--scope", "scopes", multiple=True, help="Good for this alone, such as photos:read.")
@click.option("--days", type=click.IntRange(1, 3650), help="For how long; without it, for ever.")
def token(name: str, title: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Print a token by which programs use the API as this user: Authorization: Bearer TOKEN."""
    set_up()
    from lookwho.services import accounts, tokens

    lasts = timedelta(days=days) if days else None
    with explained():
        found = accounts.find_user(name)
        click.echo(tokens.make_token(found, title, scopes=scopes, lasts=lasts))


@user.command("no-second-factor")
@click.argument("name")
def no_second_factor(name: str) -> None:
    """Let a user sign in without their second factor: they lost their phone or key."""
    set_up()
    from lookwho.services import accounts

    with explained():
        found = accounts.find_user(name)
        there_was = accounts.forget_second_factor(found)
    click.echo(
        f"{found.username} signs in without a second factor now."
        if there_was
        else f"{found.username} had no second factor."
    )


@click.command("login-link")
@click.argument("name", required=False)
def login_link(name: str | None) -> None:
    """Print a link that signs a user in, once, within 24 hours; the owner, if nobody is named."""
    set_up()
    from lookwho.services import accounts

    with explained():
        found = accounts.find_user(name) if name else accounts.the_owner()
        token = accounts.entry_link(found)
    click.echo(f"{site_address()}/enter/{token}")
