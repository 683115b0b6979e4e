from datetime import timedelta

import pytest
from django.utils.module_loading import import_string

from lookwho.core.errors import WorkError
from lookwho.services import daily, retention
from tests.gallery import NOON

pytestmark = pytest.mark.django_db
NAME = "tests.services.test_daily.a_task"
done = []


def a_task():
    done.append("done")


def one_that_fails():
    done.append("failed")
    raise WorkError("somebody reads it")


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    done.clear()
    failing = "tests.services.test_daily.one_that_fails"
    monkeypatch.setattr(daily, "DAILY", (failing, NAME))


def test_each_is_done_once_a_day_and_one_that_fails_keeps_no_other_from_it():
    assert daily.run_if_due(now=NOON) == [NAME]
    assert daily.run_if_due(now=NOON + timedelta(minutes=59)) == []
    assert done == ["failed", "done"]

    assert daily.run_if_due(now=NOON + timedelta(minutes=61)) == []  # the failed one, again
    assert done == ["failed", "done", "failed"]
    assert daily.run_if_due(now=NOON + timedelta(days=1)) == [NAME]
    assert daily.last_run(NAME) == NOON + timedelta(days=1)


def test_all_that_is_named_is_there(monkeypatch):
    monkeypatch.undo()

    assert all(callable(import_string(name)) for name in daily.DAILY)
    assert "lookwho.services.retention.run" in daily.DAILY
    assert daily.last_run("lookwho.services.retention.run") is None
    assert retention.RULES
