import os
import signal
import sys
import time
from threading import Event, Thread

import pytest
from django.utils import timezone

from lookwho.library.models import Analysis, Face, Job, Worker
from lookwho.services import intake
from lookwho.services.progress import progress
from lookwho.services.work import LEASE
from lookwho.workers.pool import Pool
from tests.children import see_children
from tests.work import make_job
from tests.workers.processes import analysers, below, command, engines, is_gone, kill, until

pytestmark = [pytest.mark.usefixtures("outside"), see_children]

ME = os.getpid()
ANALYSER = ["reference", "embed", "analyse", "join", "video", "segment"]


@pytest.fixture
def pool():
    pools = []

    def start(processes=2, **options):
        pools.append(Pool(processes, **options))
        pools[-1].start()
        return pools[-1]

    yield start
    for each in pools:
        each.stop()


@pytest.fixture
def imported(drawer, tmp_path):
    """Begins the import of a folder of so many photos."""

    def begin(count):
        drawer(tmp_path / "photos", count)
        _, job = intake.add_folder(tmp_path / "photos", by=None)
        return job

    return begin


@pytest.fixture
def expected(analyzer, tmp_path):
    """How many faces there are in each photo of the folder."""

    def count():
        paths = sorted((tmp_path / "photos").iterdir())
        return {path.name: len(analyzer(path)) for path in paths}

    return count


def stored():
    rows = Face.objects.values_list("media__locations__path", flat=True)
    counts = dict.fromkeys(Analysis.objects.values_list("media__locations__path", flat=True), 0)
    for path in rows:
        counts[path] += 1
    return counts


def settled():
    return Analysis.objects.exclude(state="waiting").count()


def assert_whole(job, expected):
    """Everything is analysed, nothing twice, and nothing is left to be done."""
    assert stored() == expected
    assert set(Analysis.objects.values_list("state", "error")) == {("done", "")}
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}
    assert progress(job.pk).done == progress(job.pk).total == len(expected)


def test_an_import_is_read_analysed_and_grouped(pool, imported, expected):
    job = imported(40)
    until(lambda: progress(job.pk).over, pool().watch_once)

    assert_whole(job, expected())
    assert Job.objects.filter(kind="group").exists()


def test_a_pool_has_analysers_and_a_clerk_that_say_what_they_do(pool):
    running = pool()
    until(lambda: Worker.objects.count() == 3, running.watch_once)

    kinds = sorted(Worker.objects.values_list("kinds", flat=True))
    clerk = ["import", "site", "unpack", "group", "erase", "names", "mail", "learn"]
    assert kinds == [[*clerk, "proxy", "montage"], ANALYSER, ANALYSER]
    assert sorted(Worker.objects.values_list("pid", flat=True)) == sorted(running.pids)


def test_a_pool_can_do_without_a_clerk(pool):
    make_job("group")
    running = pool(1, clerk=False)
    until(lambda: Worker.objects.exists(), running.watch_once)

    assert list(Worker.objects.values_list("kinds", flat=True)) == [ANALYSER]


@pytest.mark.parametrize("which", (analysers, engines))
def test_a_process_that_is_killed_is_replaced_and_nothing_is_lost(pool, imported, expected, which):
    job = imported(40)
    running = pool()
    until(lambda: settled() >= 4 and which(ME), running.watch_once)
    victim = which(ME)[0]
    kill(victim)
    until(lambda: progress(job.pk).over, running.watch_once)

    assert_whole(job, expected())
    assert len(running.pids) == 3
    assert is_gone(victim)


def test_the_leases_of_a_dead_process_are_freed_at_once(pool):
    running = pool(1, clerk=False)
    until(lambda: Worker.objects.exists(), running.watch_once)
    worker = Worker.objects.get()
    held = make_job(
        "group",
        state="leased",
        ticket="t",
        worker=worker,
        lease_until=timezone.now() + LEASE,
    )
    kill(worker.pid)
    until(lambda: worker.pid not in running.pids)
    running.watch_once()

    held.refresh_from_db()
    assert held.state == "waiting"
    assert len(running.pids) == 1


def test_a_process_that_does_not_start_is_tried_again_after_a_pause(pool, tmp_path, monkeypatch):
    (tmp_path / "django").mkdir()
    (tmp_path / "django" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    running = pool(1, clerk=False)
    (first,) = running.pids
    until(lambda: running.pids == [])
    for _ in range(20):
        running.watch_once()

    assert running.pids == []  # not at once
    sys.path.remove(str(tmp_path))
    until(lambda: running.pids, running.watch_once)
    assert running.pids != [first]


def test_a_pool_that_stops_leaves_no_process_and_no_lease(pool, imported):
    imported(40)
    others = set(below(ME))
    running = pool()
    until(lambda: settled() >= 4, running.watch_once)
    family = set(below(ME)) - others
    began = time.monotonic()
    running.stop()

    assert time.monotonic() - began < 10
    assert all(map(is_gone, family))
    assert not Job.objects.filter(state="leased").exists()
    assert not Worker.objects.filter(stopped_at=None).exists()
    assert set(Analysis.objects.values_list("attempts", flat=True)) == {0}


def test_a_pool_runs_until_it_is_told_to_end(imported):
    job = imported(3)
    stop = Event()
    thread = Thread(target=Pool(1).run, args=(stop,))
    thread.start()
    try:
        until(lambda: progress(job.pk).over)
    finally:
        stop.set()
        thread.join(30)

    assert not thread.is_alive()
    assert [each for each in below(ME) if "workers.child" in command(each)] == []


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_pool_of_its_own_ends_when_a_signal_tells_it_to(a_pool_apart, imported, number):
    imported(40)
    parent = a_pool_apart()
    until(lambda: settled() >= 4)
    family = below(parent.pid)
    parent.send_signal(number)

    assert parent.wait(15) == 0
    assert len(family) >= 3
    assert all(map(is_gone, family))
    assert not Job.objects.filter(state="leased").exists()


def test_when_the_pool_is_killed_its_processes_end_and_give_back_what_they_had(
    a_pool_apart, pool, imported, expected
):
    job = imported(40)
    parent = a_pool_apart()
    until(lambda: settled() >= 4)
    family = below(parent.pid)
    kill(parent.pid)
    until(lambda: all(map(is_gone, family)), seconds=20)
    assert not Job.objects.filter(state="leased").exists()
    until(lambda: progress(job.pk).over, pool().watch_once)

    assert_whole(job, expected())


def test_when_everything_is_killed_the_next_pool_goes_on_at_once(
    a_pool_apart, pool, imported, expected
):
    job = imported(40)
    parent = a_pool_apart()
    until(lambda: settled() >= 4 and Job.objects.filter(state="leased").exists())
    family = below(parent.pid)
    for each in [parent.pid, *family]:
        os.kill(each, signal.SIGSTOP)  # so that none gives anything back
    for each in [parent.pid, *family]:
        kill(each)
    parent.wait()
    until(lambda: all(map(is_gone, family)))
    leased = Job.objects.filter(state="leased").count()
    running = pool()
    left = Job.objects.filter(state="leased", worker__in=Worker.objects.exclude(stopped_at=None))
    assert leased > 0
    assert left.count() == 0
    until(lambda: progress(job.pk).over, running.watch_once)

    assert_whole(job, expected())
