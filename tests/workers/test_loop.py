from datetime import timedelta
from threading import Event, Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.core.errors import BrokenImage, Cancelled, ModelMissing, StorageFull, WorkerDied
from lookwho.library.models import Analysis, Face, Job, Media, Worker
from lookwho.services import analysis, intake, work
from lookwho.workers import kinds, loop
from lookwho.workers.attempt import Engine
from lookwho.workers.loop import Loop
from tests.work import claimed, later, make_analyse_job, make_job, make_media, make_worker
from tests.workers.processes import until

pytestmark = pytest.mark.django_db

EVERYTHING = tuple(Job.Kind.values)


@pytest.fixture
def worker(engine):
    stop = Event()
    stop.wait = lambda timeout=None: False  # no pauses: a step ends when it is done
    return Loop(make_worker(), EVERYTHING, engine, stop)


@pytest.fixture
def carried_out(monkeypatch):
    """Sets what happens when a job is carried out."""

    def set_to(handler):
        monkeypatch.setattr(kinds, "carry_out", handler)

    return set_to


def due():
    """Let everything that waits be due."""
    Job.objects.filter(state="waiting").update(run_at=timezone.now() - timedelta(seconds=1))


def test_a_folder_is_read_analysed_and_grouped(drawer, tmp_path, worker, analyzer, settings):
    settings.HOME = tmp_path / "home"
    paths = drawer(tmp_path / "photos", 7)
    intake.add_folder(tmp_path / "photos", by=None)
    while worker.step():
        due()

    assert set(Job.objects.values_list("kind", flat=True)) == {"import", "analyse", "group"}
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}
    assert set(Analysis.objects.values_list("state", flat=True)) == {"done"}
    assert Media.objects.count() == 7
    assert Face.objects.count() == sum(len(analyzer(path)) for path in paths)


def test_an_idle_worker_only_reads(worker):
    with CaptureQueriesContext(connection) as queries:
        assert worker.step() is False

    assert all(each["sql"].startswith("SELECT") for each in queries.captured_queries)


def test_a_job_with_something_wrong_in_the_request_fails_at_once(worker, tmp_path, settings):
    settings.HOME = tmp_path / "home"
    folder = tmp_path / "photos"
    folder.mkdir()
    intake.add_folder(folder, by=None)
    folder.rmdir()
    worker.step()

    row = Job.objects.get()
    assert (row.state, row.error_code) == ("failed", "file_missing")
    assert str(folder) in row.error


def test_a_job_that_meets_a_mistake_of_ours_is_tried_a_few_times_and_then_fails(worker):
    make_job("import", payload={})
    for _ in range(work.MOST_ATTEMPTS):
        assert Job.objects.get().state == "waiting"
        assert worker.step() is True
        due()

    row = Job.objects.get()
    assert (row.state, row.attempts, row.error_code) == ("failed", work.MOST_ATTEMPTS, "error")
    assert "unexpected KeyError" in row.error


@pytest.mark.parametrize(
    ("kind", "error", "state", "again"),
    (
        ("import", BrokenImage("cut short"), "failed", None),
        ("import", WorkerDied("a crash"), "waiting", loop.SOON),
        ("import", StorageFull("no room"), "waiting", loop.LATER),
        ("import", ModelMissing("pip install mtcnn"), "waiting", loop.LATER),
        ("analyse", BrokenImage("of no photo"), "waiting", loop.LATER),
        ("analyse", WorkerDied("the engine does not start"), "waiting", loop.LATER),
    ),
)
def test_what_becomes_of_a_job_depends_on_who_is_at_fault(
    worker, carried_out, kind, error, state, again
):
    def fail(_):
        raise error

    make_job(kind, payload={"pack": 1, "media": []})
    carried_out(fail)
    before = timezone.now()
    worker.step()

    row = Job.objects.get()
    assert (row.state, row.error_code, row.error) == (state, error.code, error.message)
    if again:
        assert before + again <= row.run_at <= timezone.now() + again


def test_a_full_disk_never_uses_the_attempts_up(worker, carried_out):
    def fail(_):
        raise OSError(28, "No space left on device")

    make_job("import", payload={})
    carried_out(fail)
    for _ in range(2 * work.MOST_ATTEMPTS):
        worker.step()
        due()

    row = Job.objects.get()
    assert (row.state, row.error_code) == ("waiting", "storage_full")


def test_a_job_that_was_cancelled_in_between_ends_as_cancelled(worker, carried_out):
    job = make_job()

    def cancel(attempt):
        work.cancel(job.pk)
        raise Cancelled("it is to stop")

    carried_out(cancel)
    worker.step()

    assert Job.objects.get().state == "cancelled"


def test_a_worker_that_lost_a_job_leaves_it_and_goes_on(worker, carried_out):
    make_job()
    make_job("names")
    others = []

    def lose(attempt):
        if not others:
            others.append(claimed("group", now=later(attempt.job)))

    carried_out(lose)
    assert [worker.step(), worker.step(), worker.step()] == [True, True, False]

    assert Job.objects.get(kind="group").ticket == others[0].ticket
    assert Job.objects.get(kind="names").state == "done"


def test_an_engine_that_does_not_start_blames_no_photo(tmp_path, monkeypatch, drawer):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "onnxruntime.py").write_text("raise ImportError('no such library')")
    media = make_media(drawer(tmp_path / "photos", 1)[0])
    make_analyse_job(media)
    monkeypatch.syspath_prepend(tmp_path / "broken")
    broken = Engine()
    stop = Event()
    stop.wait = lambda timeout=None: False
    Loop(make_worker(), EVERYTHING, broken, stop).step()
    broken.stop()

    row = Job.objects.get()
    assert (row.state, row.error_code) == ("waiting", "worker_died")
    assert "no such library" in row.error
    assert list(Analysis.objects.values_list("state", "attempts")) == [("waiting", 0)]


@pytest.mark.django_db(transaction=True)
def test_a_worker_works_until_it_is_to_end_and_leaves_nothing_leased(
    drawer, tmp_path, monkeypatch, settings
):
    settings.HOME = tmp_path / "home"
    drawer(tmp_path / "photos", 30)
    intake.add_folder(tmp_path / "photos", by=None)
    stop = Event()
    thread = Thread(target=loop.carry, args=([["import"], ["reference", "analyse"]], stop))
    thread.start()
    until(lambda: Analysis.objects.filter(state="done").count() >= 4)
    stop.set()
    thread.join(30)

    assert not thread.is_alive()
    assert Job.objects.filter(state="leased").count() == 0
    worker = Worker.objects.get()
    assert worker.stopped_at is not None
    assert worker.kinds == ["import", "reference", "analyse"]
    assert analysis.resume() == 0  # jobs hold all that is left
    connection.close()
