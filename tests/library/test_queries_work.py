from datetime import UTC, datetime, timedelta

import pytest

from lookwho.core.errors import NotFound
from lookwho.library.models import Analysis, Collection, Job, Location, Worker
from lookwho.library.queries import work
from lookwho.library.queries.work import BARS, State, Trouble
from lookwho.library.scope import Purpose, Scope
from tests.people import a_pack, some_media

pytestmark = pytest.mark.django_db
ALL = Scope(purpose=Purpose.BROWSE, everything=True, names=True)
LITTLE = Scope(purpose=Purpose.BROWSE, open_albums=frozenset([1]))
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def an_import(**fields):
    fields = {"kind": "import", "run_at": NOON, **fields}
    return Job.objects.create(**fields)


def a_part(job, **fields):
    fields = {"kind": "analyse", "parent": job, "run_at": NOON, **fields}
    return Job.objects.create(**fields)


def analysed(count, at, state="done"):
    pack = a_pack()
    return Analysis.objects.bulk_create(
        Analysis(media=media, pack=pack, state=state, finished_at=at) for media in some_media(count)
    )


def test_who_does_not_see_everything_is_told_nothing():
    job = an_import(state="failed")
    Worker.objects.create(host="here", pid=1)
    analysed(1, NOON, "failed")

    assert work.imports(LITTLE) == []
    assert work.pace(LITTLE) == work.Pace()
    assert work.workers(LITTLE) == []
    assert work.failures(LITTLE) == ([], 0)
    assert sum(work.throughput(LITTLE, now=NOON + timedelta(minutes=1)).counts) == 0
    assert not work.failed_jobs(LITTLE).exists()
    with pytest.raises(NotFound):
        work.job(LITTLE, job.uuid)


@pytest.mark.parametrize(
    ("walk", "below", "asked", "state"),
    (
        ("waiting", (), False, State.WAITING),
        ("leased", (), False, State.READING),
        ("leased", ("waiting",), False, State.READING),
        ("leased", ("waiting",), True, State.STOPPING),
        ("done", ("waiting",), False, State.ANALYSING),
        ("done", ("done", "leased"), False, State.ANALYSING),
        ("done", ("cancelled", "leased"), True, State.STOPPING),
        ("done", ("done",), False, State.DONE),
        ("done", (), False, State.DONE),
        ("done", ("done", "cancelled"), True, State.CANCELLED),
        ("cancelled", ("done",), True, State.CANCELLED),
        ("failed", ("done",), False, State.FAILED),
    ),
)
def test_an_import_is_as_far_as_its_walk_and_its_parts(walk, below, asked, state):
    job = an_import(state=walk, cancel_requested=asked)
    for part in below:
        a_part(job, state=part)

    [found] = work.imports(ALL)

    assert found.state == state
    assert found.running == (state not in (State.DONE, State.CANCELLED, State.FAILED))


def test_an_import_s_figures_are_those_of_its_photos():
    folder = Collection.objects.create(title="Holidays", root="/holidays")
    job = an_import(state="done", done=100, total=100, payload={"collection": folder.pk})
    a_part(job, state="done", done=20, total=20)
    a_part(job, state="leased", done=5, total=20)
    a_part(an_import(state="done"), state="done", done=7, total=7)

    found = work.imports(ALL)[0]  # what is under way stands first

    assert (found.title, found.done, found.total) == ("Holidays", 25, 40)


def test_imports_under_way_stand_first_then_the_latest():
    old = an_import(state="done")
    a_part(old, state="waiting")
    jobs = [an_import(state="done"), an_import(state="done")]

    assert [each.job for each in work.imports(ALL)] == [old, jobs[1], jobs[0]]
    assert [each.job for each in work.imports(ALL, take=2)] == [old, jobs[1]]


def test_the_pace_tells_what_is_left_at_the_rate_of_late():
    Worker.objects.create(host="here", pid=1, seen_at=NOON)
    job = an_import(state="done")
    a_part(job, state="leased", done=20, total=100)
    analysed(40, NOON - timedelta(seconds=20))
    analysed(9, NOON - timedelta(minutes=5))

    found = work.pace(ALL, now=NOON)

    assert (found.done, found.total, found.running, found.stuck) == (20, 100, True, False)
    assert found.rate == pytest.approx(2)
    assert found.seconds == pytest.approx(40)


def test_photos_that_are_tried_again_count_without_an_import():
    a_part(None, total=3)

    found = work.pace(ALL, now=NOON)

    assert (found.done, found.total, found.running) == (0, 3, True)


@pytest.mark.parametrize(
    ("silent", "stopped", "stuck"), ((29, False, False), (31, False, True), (1, True, True))
)
def test_work_without_a_living_worker_is_stuck(silent, stopped, stuck):
    an_import()
    Worker.objects.create(
        host="here",
        pid=1,
        seen_at=NOON - timedelta(seconds=silent),
        stopped_at=NOON if stopped else None,
    )

    assert work.pace(ALL, now=NOON).stuck == stuck


def test_where_nothing_waits_nothing_is_stuck():
    an_import(state="done")

    assert work.pace(ALL, now=NOON) == work.Pace()


def test_throughput_counts_each_photo_once_in_its_stretch():
    analysed(3, NOON - timedelta(seconds=1))
    analysed(2, NOON - timedelta(seconds=10))
    analysed(1, NOON - timedelta(seconds=11), "failed")
    analysed(5, NOON)  # not yet

    found = work.throughput(ALL, now=NOON)

    assert (found.step, found.counts[-3:]) == (10, [0, 1, 5])
    assert (len(found.counts), sum(found.counts)) == (BARS, 6)


def test_after_ten_minutes_throughput_is_told_by_the_minute():
    analysed(2, NOON - timedelta(minutes=59, seconds=30))
    analysed(1, NOON - timedelta(minutes=61))
    analysed(3, NOON - timedelta(seconds=50))

    found = work.throughput(ALL, now=NOON)

    assert (found.step, found.counts[0], found.counts[-1], sum(found.counts)) == (60, 2, 3, 5)


def test_workers_that_ended_or_were_not_seen_for_a_day_are_left_out():
    here = Worker.objects.create(host="here", pid=1, seen_at=NOON)
    Worker.objects.create(host="here", pid=2, seen_at=NOON, stopped_at=NOON)
    Worker.objects.create(host="here", pid=3, seen_at=NOON - timedelta(days=2))

    assert work.workers(ALL, now=NOON) == [here]


def some_failures():
    folder = Collection.objects.create(title="Holidays", root="/holidays")
    an_import(state="failed", error_code="file_missing", error="gone")
    for analysis in analysed(2, NOON, "failed"):
        Location.objects.create(
            collection=folder, media=analysis.media, path=f"{analysis.media_id}.jpg"
        )
    for path in ("x.jpg", "y.jpg"):
        Location.objects.create(
            collection=folder, path=path, error_code="broken_image", error="cut"
        )
    Location.objects.create(
        collection=folder, path="z.jpg", error_code="broken_image", missing_since=NOON
    )


def test_failures_stand_in_one_list_and_what_is_gone_is_none():
    some_failures()

    found, count = work.failures(ALL)

    assert count == 5
    assert [each.trouble for each in found] == [
        Trouble.JOB,
        Trouble.MEDIA,
        Trouble.MEDIA,
        Trouble.FILE,
        Trouble.FILE,
    ]
    assert [each.what for each in found[-2:]] == ["x.jpg", "y.jpg"]
    assert all(each.what == f"{each.id}.jpg" for each in found[1:3])


@pytest.mark.parametrize("take", (1, 2, 3))
def test_pages_of_failures_hold_each_of_them_once(take):
    some_failures()
    everything, count = work.failures(ALL)

    pages = [work.failures(ALL, skip=skip, take=take)[0] for skip in range(0, count, take)]

    assert [each for page in pages for each in page] == everything
