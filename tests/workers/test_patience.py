import errno
import os
from threading import Event

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection

from lookwho.core.errors import NotAnImage
from lookwho.library.models import Job
from lookwho.workers import patience
from lookwho.workers.patience import patiently, told
from tests.work import make_job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


class Flaky:
    """What fails so many times and then answers."""

    def __init__(self, error, times):
        self.error, self.times, self.calls = error, times, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "the answer"


@pytest.mark.parametrize(
    "error",
    (OperationalError("database is locked"), InterfaceError("connection already closed")),
)
def test_what_passes_is_waited_for(error):
    action = Flaky(error, 3)

    assert patiently(action, Event()) == "the answer"
    assert action.calls == 4


@pytest.mark.parametrize("error", (IntegrityError("not unique"), NotAnImage("a text"), KeyError(1)))
def test_what_does_not_pass_is_not_waited_for(error):
    action = Flaky(error, 1)

    with pytest.raises(type(error)):
        patiently(action, Event())
    assert action.calls == 1


def test_who_is_to_end_does_not_wait():
    stop = Event()
    stop.set()
    action = Flaky(OperationalError("database is locked"), 1)

    with pytest.raises(OperationalError):
        patiently(action, stop)
    assert action.calls == 1


def test_a_full_disk_is_waited_for_as_long_as_told():
    full = Flaky(OperationalError("database or disk is full"), 1000)
    locked = Flaky(OperationalError("database is locked"), 20)

    with pytest.raises(OperationalError):
        patiently(full, Event(), full=0.05)
    assert 1 < full.calls < 1000
    assert patiently(locked, Event(), full=0.0) == "the answer"


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_made_again():
    open_before = []

    def fail_once():
        open_before.append(connection.connection is not None)
        if len(open_before) == 1:
            raise OperationalError("server closed the connection unexpectedly")
        return Job.objects.count()

    make_job()

    assert patiently(fail_once, Event()) == 1
    assert open_before == [True, False]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    (
        (OperationalError("database or disk is full"), "storage_full", "make room"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "storage_full", "make room"),
        (
            OperationalError('could not extend file "base/1": No space left on device'),
            "storage_full",
            "make room",
        ),
        (
            OperationalError("attempt to write a readonly database"),
            "storage_read_only",
            "nothing can be written",
        ),
        (OperationalError("database is locked"), "setup", "database is locked"),
        (KeyError("media"), "error", "unexpected KeyError: 'media'"),
        (NotAnImage("this is a text"), "not_an_image", "this is a text"),
    ),
)
def test_errors_are_told_to_people(error, code, words):
    reason = told(error)

    assert reason.code == code
    assert words in reason.message
