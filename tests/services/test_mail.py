"""Mail, sent to a real server."""

import json
import socket

import pytest

from lookwho.services import mail
from tests.mailbox import taking_mail, text_of


@pytest.fixture
def mailbox(settings):
    with taking_mail(settings) as box:
        yield box


def test_a_mail_arrives_as_it_was_written(mailbox):
    assert mail.configured()

    assert mail.send("anna@example.org", "Neue Fotos für\nAnna", "Grüße,\nvon uns\n")

    (arrived,) = mailbox.mails
    assert arrived["to"] == "anna@example.org"
    assert arrived["from"] == "photos@example.org"
    assert arrived["subject"] == "Neue Fotos für Anna"
    assert text_of(arrived).splitlines() == ["Grüße,", "von uns"]


def test_a_server_that_refuses_is_told_to_nobody_but_the_log(mailbox, caplog):
    mailbox.refuses = True

    assert not mail.send("anna@example.org", "Hello", "there")

    assert "was not sent" in caplog.text
    assert "anna" not in caplog.text


def test_a_server_that_cannot_be_reached_stops_nothing(settings, mailbox):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        settings.EMAIL_PORT = taken.getsockname()[1]

        assert not mail.send("anna@example.org", "Hello", "there")


@pytest.mark.parametrize("to", ("", "anna@example.org\nBcc: eve@example.org"))
def test_what_is_no_address_is_sent_nothing(mailbox, to):
    assert not mail.send(to, "Hello", "there")
    assert mailbox.mails == []


def test_without_a_server_no_mail_is_sent_and_nothing_breaks(settings):
    settings.EMAIL_HOST = ""

    assert not mail.configured()
    assert not mail.send("anna@example.org", "Hello", "there")


def test_links_lead_to_where_the_site_is_reached(settings, tmp_path):
    settings.HOME, settings.SITE_URL = tmp_path, ""
    assert mail.absolute("/me") == "http://127.0.0.1:8000/me"
    mail.served_at("http://192.0.2.7:8001")
    assert mail.absolute("/me") == "http://192.0.2.7:8001/me"
    assert mail.absolute("/me", "http://testserver/") == "http://testserver/me"
    settings.SITE_URL = "https://photos.example.org"
    assert mail.absolute("/me", "http://testserver/") == "https://photos.example.org/me"


@pytest.mark.parametrize("damaged", ("", "[]", json.dumps({"other": 1}), "\xff"))
def test_a_damaged_note_of_where_it_was_served_is_no_harm(settings, tmp_path, damaged):
    settings.HOME, settings.SITE_URL = tmp_path, ""
    (tmp_path / "address.json").write_bytes(damaged.encode("latin-1"))

    assert mail.absolute("/me") == "http://127.0.0.1:8000/me"
