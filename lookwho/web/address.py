"""Addresses: of our pages, as others can follow them; and of those who ask."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from lookwho.core.errors import LinkExpired
from lookwho.services import mail, tries

# How many links that open nothing may be followed from one address in ten minutes.
MOST_LINKS = 30
WITHIN = 600


def absolute(request: HttpRequest, path: str) -> str:
    """Return the whole address of a page, for whoever is not here: in a mail, or printed."""
    return mail.absolute(path, request.build_absolute_uri("/"))


def client(request: HttpRequest) -> str:
    """Return the address of who asks; behind a proxy of ours, as the proxy says it."""
    return get_adapter(request).get_client_ip(request)


@contextmanager
def following(request: HttpRequest) -> Generator[None]:
    """Count the links that open nothing, so that none can be guessed.

    Raises:
        TooMany: there were too many from this address.
    """
    address = client(request)
    tries.count("link", address, most=MOST_LINKS, seconds=WITHIN)
    try:
        yield
    except LinkExpired:
        raise
    except BaseException:
        tries.take_back("link", address)
        raise
    tries.take_back("link", address)
