"""Mail: plain text, handed to the server that LOOKWHO_MAIL_URL names. Without one none is sent."""

from __future__ import annotations

import contextlib
import json
import logging
from email.utils import parseaddr
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.utils import DNS_NAME

_log = logging.getLogger(__name__)

# In settings.HOME: where `lookwho serve` was last reached.
_ADDRESS = "address.json"
_DEFAULT_ADDRESS = "http://127.0.0.1:8000"


def configured() -> bool:
    """Return whether there is a server that takes mails."""
    return bool(settings.EMAIL_HOST)


def send(to: str, subject: str, text: str) -> bool:
    """Send a mail; return whether the server took it.

    Whoever asks goes on without it: a server that cannot be reached, or refuses, is only logged.
    """
    return deliver(EmailMessage(" ".join(subject.split()), text, to=[to]))


def deliver(message: EmailMessage) -> bool:
    """Hand a message to the server; return whether it took it."""
    if not configured():
        return False
    # What we call ourselves to the server, and in each mail. Django would ask other machines for
    # the name of this one, which takes its time and is nobody's business.
    DNS_NAME._fqdn = _domain()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    try:
        return bool(message.send())
    # Of servers that hang, refuse, or speak no SMTP each error is of another kind, some of them
    # (a name that cannot be encoded, an address with a line break) no OSError.
    except (OSError, ValueError) as error:
        # Not to whom: logs are kept by others than those who may know it.
        _log.warning("a mail was not sent by %s: %s", settings.EMAIL_HOST, error)
        return False


def absolute(path: str, here: str = "") -> str:
    """Return the whole address of a page, for a mail or a code to print.

    Args:
        path: of the page, from its first slash.
        here: where the site was reached just now, for sites that are not told their address.
    """
    return (settings.SITE_URL or here or _last_served()).rstrip("/") + path


def served_at(address: str) -> None:
    """Note where the site is served now, for the commands and mails that hold links."""
    with contextlib.suppress(OSError):
        Path(settings.HOME, _ADDRESS).write_text(json.dumps({"address": address}), "utf-8")


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def _last_served() -> str:
    try:
        told = json.loads(Path(settings.HOME, _ADDRESS).read_text("utf-8"))
        return str(told["address"])
    except (OSError, ValueError, LookupError, TypeError):
        return _DEFAULT_ADDRESS
