"""Scrub: what was deleted is gone from the files, whoever else is at work meanwhile."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest
from django.db import connection

from lookwho.library.models import Setting
from lookwho.services import scrub
from tests.erasing import database

SECRET = "Priscilla-is-gone-0123456789"


def another():
    """Somebody else who began to look before something was deleted, and has not ended."""
    if connection.vendor == "sqlite":
        other = sqlite3.connect(connection.settings_dict["NAME"], check_same_thread=False)
        other.isolation_level = None
        other.execute("begin")
        other.execute("select count(*) from lookwho_setting").fetchone()
        return other
    import psycopg

    # In another database of the same server, even.
    told = {**connection.get_connection_params(), "dbname": "postgres"}
    for name in ("cursor_factory", "context", "prepare_threshold"):
        told.pop(name, None)
    other = psycopg.connect(**told)
    other.execute("select pg_current_xact_id()")
    return other


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_whoever_may_still_see_what_was_deleted():
    Setting.objects.create(name="secret", value=SECRET)
    with closing(another()) as other:
        began = time.monotonic()
        threading.Timer(1.0, other.rollback).start()
        with scrub.forgetful():
            Setting.objects.all().delete()

        scrub.scrub()

        assert time.monotonic() - began >= 1.0
        assert [name for name, data in database() if SECRET.encode() in data] == []
