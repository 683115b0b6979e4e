"""A full disk, which SQLite alone can be made to see: elsewhere this is not collected."""

from threading import Event

import pytest
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created

from lookwho.library.models import Analysis, Face
from lookwho.services import analysis
from lookwho.workers import attempt as attempts
from lookwho.workers.attempt import Attempt
from tests.work import claimed, found, make_analyse_job, make_media

BOX = (64, 48, 128, 120)


@pytest.fixture
def disk(transactional_db):
    """A disk on which so many pages are free; it is full for every connection, until it is not."""

    class Disk:
        pages = None

        def limit(self, free):
            with connection.cursor() as cursor:
                cursor.execute("vacuum")  # so that no page inside the file is free
                cursor.execute("pragma page_count")
                self.pages = cursor.fetchone()[0] + free
            connection.close()

        def apply(self, connection, **_):
            if self.pages is not None:
                connection.cursor().execute(f"pragma max_page_count={self.pages}")

    disk = Disk()
    connection_created.connect(disk.apply)
    yield disk
    connection_created.disconnect(disk.apply)
    connection.close()


def many_results():
    """Results that fit into no page that is there already."""
    media = [make_media() for _ in range(10)]
    make_analyse_job(*media)
    boxes = [BOX] * 40
    return claimed("analyse"), [(each.pk, found(*boxes)) for each in media]


def test_results_that_a_full_disk_refuses_are_recorded_once_there_is_room(disk, engine):
    job, results = many_results()
    disk.limit(0)

    class Room(Event):
        """As the pause goes by, somebody makes room."""

        pauses = 0

        def wait(self, timeout=None):
            self.pauses += 1
            disk.limit(1000)
            return super().wait(0)

    room = Room()
    Attempt(job, engine, room).record(results)

    assert room.pauses == 1
    assert Face.objects.count() == 400
    assert set(Analysis.objects.values_list("state", flat=True)) == {"done"}


def test_results_that_a_full_disk_refuses_are_given_up_after_a_while(disk, engine, monkeypatch):
    monkeypatch.setattr(attempts, "FULL_DISK", 0.3)
    job, results = many_results()
    disk.limit(0)

    with pytest.raises(OperationalError, match="full"):
        Attempt(job, engine, Event()).record(results)
    assert Face.objects.count() == 0
    with pytest.raises(OperationalError):
        analysis.record_faces(job.pk, job.ticket, results)
