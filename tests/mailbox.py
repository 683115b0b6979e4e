"""A real mail server, for the tests to send to: aiosmtpd, in a thread of its own."""

import email
import email.policy
import re
import socket
import time
from contextlib import contextmanager

from aiosmtpd.controller import Controller

PATIENCE = 10


class Mailbox:
    """What the server took."""

    def __init__(self):
        self.mails = []
        self.refuses = False

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  the name is aiosmtpd's
        if self.refuses:
            return "554 no"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(message)
        return "250 OK"

    def wait_for(self, count=1):
        """Wait until so many mails came, and return the newest: they are sent in threads."""
        ends = time.monotonic() + PATIENCE
        while len(self.mails) < count and time.monotonic() < ends:
            time.sleep(0.01)
        assert len(self.mails) == count, [str(mail["subject"]) for mail in self.mails]
        return self.mails[-1]


def text_of(mail):
    """What a mail says."""
    return mail.get_content()


def link_in(mail):
    """The path of the first link in a mail."""
    return re.search(r"https?://[^/\s]+(/\S+)", text_of(mail))[1]


@contextmanager
def taking_mail(settings):
    """Run a server, and let the site send to it."""
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    controller = Controller(box, hostname=host, port=port, server_hostname="localhost")
    controller.start()
    try:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = host, port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.DEFAULT_FROM_EMAIL = "photos@example.org"
        yield box
    finally:
        controller.stop()
