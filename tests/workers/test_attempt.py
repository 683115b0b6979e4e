import math
from threading import Event

import pytest

from lookwho.core.batch import Outcome
from lookwho.core.errors import Cancelled, StaleTicket
from lookwho.library.models import Analysis, Face, Job
from lookwho.services import work
from lookwho.workers.attempt import Attempt
from tests.faces import faces_of
from tests.work import claimed, found, later, make_analyse_job, make_job, make_media

pytestmark = pytest.mark.django_db

BOX = (64, 48, 128, 120)


@pytest.fixture
def attempt(engine):
    make_job()
    return Attempt(claimed(), engine, Event())


def test_a_beat_tells_how_far_the_job_is(attempt):
    attempt.beat(7)

    assert Job.objects.get().done == 7


def test_beats_that_follow_each_other_at_once_are_not_all_written_down(
    attempt, django_assert_num_queries
):
    attempt.beat(1)

    with django_assert_num_queries(0):
        for done in range(2, 100):
            attempt.beat(done)


def test_a_beat_stops_a_job_that_is_to_be_cancelled(attempt):
    work.cancel(attempt.job.pk)

    with pytest.raises(Cancelled):
        attempt.beat(1)
    with pytest.raises(Cancelled):
        attempt.check()


def test_a_beat_stops_the_job_of_a_worker_that_is_to_end(attempt):
    attempt.stop.set()

    with pytest.raises(Cancelled):
        attempt.beat(1)


def test_a_beat_for_a_job_that_another_worker_has_is_refused(attempt):
    claimed(now=later(attempt.job))

    with pytest.raises(StaleTicket):
        attempt.beat(1)


def test_a_lease_is_kept_beside_the_work(attempt):
    Job.objects.update(lease_until=attempt.job.started_at)
    attempt.keep()

    assert Job.objects.get().lease_until > attempt.job.started_at
    assert not attempt.over.is_set()


def test_who_keeps_a_lease_hears_that_it_is_lost(attempt):
    claimed(now=later(attempt.job))
    attempt.keep()

    assert attempt.over.is_set()


@pytest.mark.parametrize("hear", (Attempt.keep, Attempt.look))
def test_who_keeps_a_lease_hears_that_the_job_is_to_be_cancelled(attempt, hear):
    hear(attempt)
    before = attempt.over.is_set()
    work.cancel(attempt.job.pk)
    hear(attempt)

    assert (before, attempt.over.is_set()) == (False, True)


def test_a_result_that_no_database_takes_harms_no_other(engine):
    media = [make_media() for _ in range(3)]
    make_analyse_job(*media)
    broken = faces_of(BOX)
    broken.landmarks[0, 0, 0] = math.inf  # PostgreSQL's JSON takes no such number
    broken.scores[0] = math.nan  # and SQLite no such column
    attempt = Attempt(claimed("analyse"), engine, Event())
    outcomes = [found(BOX), Outcome("photo.jpg", broken, None), found(BOX)]
    attempt.record(list(zip([each.pk for each in media], outcomes, strict=True)))

    rows = Analysis.objects.order_by("media").values_list("state", "attempts")
    assert list(rows) == [("done", 0), ("waiting", 1), ("done", 0)]
    assert Face.objects.count() == 2
