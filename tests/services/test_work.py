from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone

from lookwho.core.errors import BrokenImage, NotFound, StaleTicket, StorageFull, WorkerDied
from lookwho.library.models import Analysis, Job, Worker
from lookwho.services import analysis, crew, processes, work
from tests.children import see_children
from tests.work import (
    asleep,
    claimed,
    failed,
    found,
    later,
    make_analyse_job,
    make_job,
    make_media,
    make_worker,
)

pytestmark = pytest.mark.django_db

SOON = timedelta(seconds=30)
UNEXPECTED = BrokenImage("the file is cut short")


def states(*jobs):
    return [Job.objects.get(pk=job.pk).state for job in jobs]


# --- waiting ---


def test_a_job_waits_until_it_is_claimed():
    job = work.enqueue("group", {"some": "payload"}, total=7)

    row = Job.objects.get()
    assert row == job
    assert (row.state, row.ticket, row.attempts) == ("waiting", "", 0)
    assert (row.payload, row.total) == ({"some": "payload"}, 7)


def test_of_the_waiting_jobs_only_one_has_the_same_key():
    first = work.enqueue("group", {}, dedupe_key="group")
    second = work.enqueue("group", {}, dedupe_key="group")
    other = work.enqueue("group", {}, dedupe_key="other")

    assert second is None
    assert set(Job.objects.all()) == {first, other}


def test_a_job_with_the_key_of_one_that_is_being_done_waits():
    work.enqueue("group", {}, dedupe_key="group")
    claimed()

    assert work.enqueue("group", {}, dedupe_key="group") is not None


def test_jobs_without_a_key_wait_beside_each_other():
    work.enqueue("group", {})
    work.enqueue("group", {})

    assert Job.objects.count() == 2


def test_a_job_that_comes_back_beside_one_with_its_key_waits_without_the_key():
    work.enqueue("group", {}, dedupe_key="group")
    first = claimed()
    second = work.enqueue("group", {}, dedupe_key="group")
    work.give_back(first.pk, first.ticket)

    assert states(first, second) == ["waiting", "waiting"]


BELLS = []


def ring(kind):
    BELLS.append(kind)


def test_the_doorbell_rings_once_the_job_can_be_seen(settings, django_capture_on_commit_callbacks):
    settings.DOORBELL = f"{__name__}.ring"
    BELLS.clear()
    with django_capture_on_commit_callbacks(execute=True):
        work.enqueue("group", {}, dedupe_key="group")
        work.enqueue("group", {}, dedupe_key="group")
        assert BELLS == []

    assert BELLS == ["group"]


# --- claiming ---


def test_a_claimed_job_is_leased_to_its_worker_with_a_ticket():
    worker = make_worker()
    work.enqueue("group", {})
    now = timezone.now()
    job = work.claim(worker, ["group"], now=now)

    assert job == Job.objects.get()
    assert (job.state, job.worker_id, job.attempts) == ("leased", worker.pk, 1)
    assert (job.started_at, job.lease_until) == (now, now + work.LEASE)
    assert len(job.ticket) > 40


def test_every_claim_has_a_ticket_of_its_own():
    make_job()
    first = claimed()
    work.give_back(first.pk, first.ticket)

    assert claimed().ticket != first.ticket


def test_nothing_is_claimed_where_nothing_waits(django_assert_num_queries):
    worker = make_worker()
    make_job("import")
    make_job(state="done")
    make_job(run_at=timezone.now() + SOON)

    with django_assert_num_queries(2) as queries:  # an idle site does not write
        assert work.claim(worker, ["group"]) is None
    assert all(each["sql"].startswith("SELECT") for each in queries.captured_queries)


def test_the_most_urgent_job_is_claimed_first_and_of_equals_the_oldest():
    kinds = ("analyse", "group", "import", "analyse", "reference", "names")
    jobs = [work.enqueue(kind, {"pack": 1, "media": []}) for kind in kinds]
    order = [claimed() for _ in jobs]

    assert order == [jobs[index] for index in (4, 2, 1, 5, 0, 3)]


def test_a_job_is_not_claimed_before_its_time():
    now = timezone.now()
    job = make_job(run_at=now + SOON)

    assert work.claim(make_worker(), ["group"], now=now) is None
    assert work.claim(make_worker(), ["group"], now=now + SOON) == job


@pytest.mark.django_db(transaction=True)
def test_two_that_claim_at_once_never_get_the_same_job():
    jobs = {make_job().pk for _ in range(40)}
    barrier = Barrier(4)

    def claim_all():
        try:
            worker = make_worker()
            barrier.wait()
            found = []
            while job := work.claim(worker, ["group"]):
                found.append((job.pk, job.ticket))
            return found
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        taken = [
            each
            for future in [threads.submit(claim_all) for _ in range(4)]
            for each in future.result()
        ]

    assert sorted(pk for pk, _ in taken) == sorted(jobs)
    assert dict(taken) == dict(Job.objects.values_list("pk", "ticket"))


@pytest.mark.django_db(transaction=True)
def test_of_two_that_enqueue_at_once_with_the_same_key_one_gets_a_job():
    barrier = Barrier(4)

    def enqueue():
        try:
            barrier.wait()
            return work.enqueue("group", {}, dedupe_key="group")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        made = [future.result() for future in [threads.submit(enqueue) for _ in range(4)]]

    assert [job for job in made if job] == [Job.objects.get()]


# --- tickets ---

USES = {
    "heartbeat": lambda job, ticket: work.heartbeat(job, ticket),
    "heartbeat with figures": lambda job, ticket: work.heartbeat(job, ticket, done=3),
    "finish": lambda job, ticket: work.finish(job, ticket),
    "fail": lambda job, ticket: work.fail(job, ticket, UNEXPECTED, retry_in=None),
    "fail for now": lambda job, ticket: work.fail(job, ticket, UNEXPECTED, retry_in=SOON),
    "give back": lambda job, ticket: work.give_back(job, ticket),
    "record faces": lambda job, ticket: analysis.record_faces(job, ticket, []),
}


def everything():
    return list(Job.objects.order_by("pk").values())


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(
    ("state", "held", "given"),
    (
        ("leased", "t1", "t0"),  # another worker's ticket
        ("leased", "t1", ""),  # no ticket at all
        ("leased", "", ""),  # nor a row that lost its own
        ("waiting", "", ""),  # unclaimed: a blank must not match a blank
        ("waiting", "t1", "t1"),  # freed
        ("done", "", ""),
        ("done", "t1", "t1"),  # used
        ("failed", "t1", "t1"),
        ("cancelled", "t1", "t1"),
    ),
)
def test_nothing_is_done_with_a_wrong_ticket(use, state, held, given):
    job = make_job("analyse", payload={"pack": 1, "media": []}, state=state, ticket=held)
    before = everything()

    with pytest.raises(StaleTicket, match=f"job {job.pk} "):
        use(job.pk, given)
    assert everything() == before


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_ticket_is_worth_nothing_once_somebody_else_has_claimed_the_job(use):
    make_analyse_job(make_media(), make_media())
    late = claimed()
    holder = claimed(now=later(late))
    before = everything()

    with pytest.raises(StaleTicket):
        use(late.pk, late.ticket)
    assert everything() == before
    assert Job.objects.get().ticket == holder.ticket


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_ticket_is_worth_nothing_for_a_job_that_is_gone(use):
    with pytest.raises(StaleTicket):
        use(1234, "ticket")


def test_an_expired_lease_still_counts_while_nobody_else_has_claimed_the_job():
    make_job()
    job = claimed()
    work.heartbeat(job.pk, job.ticket, now=later(job))

    assert Job.objects.get().lease_until == later(job) + work.LEASE


# --- leases ---


def test_a_heartbeat_extends_the_lease_and_tells_how_far_the_job_is():
    make_job()
    job = claimed()
    asked = work.heartbeat(job.pk, job.ticket, done=5, now=job.lease_until)

    row = Job.objects.get()
    assert asked is False
    assert (row.lease_until, row.done) == (job.lease_until + work.LEASE, 5)


def test_a_job_that_begins_again_does_not_go_back_in_its_figures():
    make_job()
    job = claimed()
    work.heartbeat(job.pk, job.ticket, done=5)
    work.heartbeat(job.pk, job.ticket, done=2)

    assert Job.objects.get().done == 5


def test_a_lease_that_is_not_extended_is_given_to_another():
    make_job()
    first = claimed()
    early = work.claim(make_worker(), ["group"], now=first.lease_until)
    second = claimed(now=later(first))

    assert early is None
    assert (second.pk, second.attempts) == (first.pk, 2)


def test_a_lease_that_is_extended_in_the_last_moment_is_kept():
    make_job()
    job = claimed()
    extended = []

    def extend(execute, sql, *rest):
        if sql.startswith("UPDATE") and not extended:
            extended.append(sql)
            work.heartbeat(job.pk, job.ticket, now=later(job))
        return execute(sql, *rest)

    with connection.execute_wrapper(extend):
        taken = work.claim(make_worker(), ["group"], now=later(job))

    assert (taken, len(extended)) == (None, 1)
    assert Job.objects.get().ticket == job.ticket


def test_a_dead_worker_s_jobs_wait_again_at_once_and_no_others():
    jobs = [make_job() for _ in range(3)]
    dead, alive = make_worker(), make_worker()
    work.claim(dead, ["group"])
    work.claim(alive, ["group"])
    work.claim(dead, ["group"])

    assert crew.free(dead) == 2
    assert states(*jobs) == ["waiting", "leased", "waiting"]
    assert Worker.objects.get(pk=dead.pk).stopped_at is not None
    assert crew.free(dead) == 0


def test_a_worker_that_stops_gives_its_jobs_back_and_no_attempt_is_counted():
    make_job()
    worker = make_worker()
    work.claim(worker, ["group"])

    assert crew.stop_worker(worker) == 1
    row = Job.objects.get()
    assert (row.state, row.attempts) == ("waiting", 0)
    assert Worker.objects.get().stopped_at is not None


@see_children
def test_a_sweep_frees_what_dead_processes_of_this_machine_had():
    with asleep() as dead, asleep() as alive:
        known = {"host": processes.host()}
        workers = [
            make_worker(**known, pid=dead.pid, born=processes.born(dead.pid)),
            make_worker(**known, pid=alive.pid, born=processes.born(alive.pid)),
            make_worker(**known, pid=alive.pid, born=processes.born(alive.pid) + "0"),  # used again
            make_worker(host="elsewhere", pid=dead.pid, born=processes.born(dead.pid)),
        ]
        jobs = [make_job() for _ in workers]
        for worker in workers:
            work.claim(worker, ["group"])
        dead.kill()
        dead.wait()
        freed = crew.sweep()

    assert freed == 2
    assert states(*jobs) == ["waiting", "leased", "waiting", "leased"]


def test_a_sweep_forgets_workers_that_were_not_seen_for_a_month():
    now = timezone.now()
    make_worker(seen_at=now - timedelta(days=31))
    kept = make_worker(seen_at=now - timedelta(days=29))
    crew.sweep(now=now)

    assert list(Worker.objects.all()) == [kept]


def test_a_registered_worker_is_this_process_and_is_seen():
    worker = crew.register_worker(["group"])
    crew.see(worker, now=worker.seen_at + SOON)

    row = Worker.objects.get()
    assert processes.is_dead(row.pid, row.born) is False
    assert (row.kinds, row.seen_at) == (["group"], worker.seen_at + SOON)


# --- ends ---


def test_a_finished_job_is_done_and_its_figures_are_whole():
    make_job(total=7, error_code="storage_full", error="the disk was full")
    job = claimed()
    work.finish(job.pk, job.ticket)

    row = Job.objects.get()
    assert (row.state, row.done, row.ticket, row.lease_until) == ("done", 7, "", None)
    assert (row.error_code, row.error) == ("", "")
    assert row.finished_at is not None


def test_a_job_that_failed_says_why():
    make_job()
    job = claimed()
    work.fail(job.pk, job.ticket, UNEXPECTED, retry_in=None)

    row = Job.objects.get()
    assert (row.state, row.error_code, row.error) == (
        "failed",
        "broken_image",
        "the file is cut short",
    )


def test_a_job_that_failed_for_now_waits_and_says_why():
    now = timezone.now()
    make_job()
    job = claimed()
    work.fail(job.pk, job.ticket, StorageFull("the disk is full"), retry_in=SOON, now=now)

    row = Job.objects.get()
    assert (row.state, row.error_code, row.run_at) == ("waiting", "storage_full", now + SOON)


def test_what_no_database_stores_is_written_out_in_a_message():
    make_job()
    job = claimed()
    work.fail(job.pk, job.ticket, BrokenImage("caf\udce9\0.jpg is cut short"), retry_in=None)

    assert Job.objects.get().error == "caf\\udce9\\0.jpg is cut short"


def test_a_job_whose_workers_keep_dying_fails_in_the_end():
    make_job()
    for _ in range(work.MOST_ATTEMPTS):
        assert states(*Job.objects.all()) == ["waiting"]
        crew.free(claimed().worker)

    row = Job.objects.get()
    assert (row.state, row.error_code) == ("failed", WorkerDied.code)
    assert "5 times" in row.error


def test_a_job_that_gets_further_each_time_may_be_lost_as_often_as_it_likes():
    make_job()
    for step in range(3 * work.MOST_ATTEMPTS):
        job = claimed()
        work.heartbeat(job.pk, job.ticket, done=step + 1)
        crew.free(job.worker)

    assert states(*Job.objects.all()) == ["waiting"]


def test_a_job_that_stays_where_it_is_does_not_count_its_attempts_afresh():
    make_job()
    for _ in range(work.MOST_ATTEMPTS + 1):
        job = claimed()
        work.heartbeat(job.pk, job.ticket, done=1)
        crew.free(job.worker)
        if Job.objects.get().state == "failed":
            break

    assert states(*Job.objects.all()) == ["failed"]


# --- cancelling ---


def family(*states):
    parent = make_job("import", state="leased", ticket="parent")
    children = [
        make_job("group", state=state, ticket="t" if state == "leased" else "", parent=parent)
        for state in states
    ]
    return parent, children


def test_cancelling_an_import_ends_what_waits_and_asks_what_is_being_done():
    parent, children = family("waiting", "leased", "done", "failed")
    stranger = make_job()
    work.cancel(parent.pk)

    assert states(parent, *children, stranger) == [
        "leased",
        "cancelled",
        "leased",
        "done",
        "failed",
        "waiting",
    ]
    assert work.heartbeat(parent.pk, "parent") is True
    assert work.heartbeat(children[1].pk, "t") is True


@pytest.mark.parametrize(
    "end",
    (
        lambda job: work.give_back(job.pk, job.ticket),
        lambda job: work.fail(job.pk, job.ticket, UNEXPECTED, retry_in=SOON),
        lambda job: crew.free(job.worker),
        lambda job: work.claim(make_worker(), ["group"], now=later(job)),
    ),
)
def test_a_job_that_was_to_be_cancelled_does_not_wait_again(end):
    make_job()
    job = claimed()
    work.cancel(job.pk)
    end(job)

    assert states(job) == ["cancelled"]


def test_an_import_whose_walk_is_over_remembers_that_it_was_cancelled():
    parent, children = family("waiting", "done")
    work.finish(parent.pk, "parent")
    work.cancel(parent.pk)

    parent.refresh_from_db()
    assert (parent.state, parent.cancel_requested) == ("done", True)
    assert states(*children) == ["cancelled", "done"]


def test_an_import_that_is_over_cannot_be_cancelled():
    parent, _ = family("done")
    work.finish(parent.pk, "parent")
    work.cancel(parent.pk)

    assert Job.objects.get(pk=parent.pk).cancel_requested is False


def test_there_is_nothing_to_cancel_or_to_retry_where_there_is_no_job():
    with pytest.raises(NotFound):
        work.cancel(1234)
    with pytest.raises(NotFound):
        work.retry(1234)


# --- again ---


@pytest.mark.parametrize("state", ("failed", "cancelled"))
def test_a_job_is_tried_again_as_if_it_were_new(state):
    job = make_job(
        state=state, attempts=5, cancel_requested=True, error_code="broken_image", error="why"
    )
    work.retry(job.pk)

    row = Job.objects.get()
    assert (row.state, row.attempts, row.cancel_requested) == ("waiting", 0, False)
    assert (row.error_code, row.error) == ("", "")
    assert claimed() == job


@pytest.mark.parametrize("state", ("waiting", "leased", "done"))
def test_a_job_that_did_not_fail_is_left_alone(state):
    job = make_job(state=state, attempts=1, ticket="t" if state == "leased" else "")
    work.retry(job.pk)

    assert states(job) == [state]
    assert Job.objects.get().attempts == 1


def test_an_import_that_was_cancelled_goes_on_where_it_was():
    parent, children = family("waiting", "done")
    work.cancel(parent.pk)
    work.give_back(parent.pk, "parent")
    work.retry(parent.pk)

    assert states(parent, *children) == ["waiting", "waiting", "done"]


def test_a_retried_job_keeps_its_key_unless_another_with_it_waits():
    job = make_job(state="failed", dedupe_key="group")
    other = work.enqueue("group", {}, dedupe_key="group")
    work.retry(job.pk)

    assert states(job, other) == ["waiting", "waiting"]


def test_failures_are_analysed_again_all_or_some():
    media = [make_media() for _ in range(3)]
    make_analyse_job(*media)
    job = claimed("analyse")
    results = [(each.pk, failed(UNEXPECTED)) for each in media[:2]]
    analysis.record_faces(job.pk, job.ticket, [*results, (media[2].pk, found((0, 0, 50, 50)))])
    work.finish(job.pk, job.ticket)

    assert analysis.retry_failures([media[1].pk, media[2].pk]) == 1
    assert analysis.retry_failures() == 1
    again = [claimed("analyse").payload["media"] for _ in range(2)]
    assert again == [[media[1].pk], [media[0].pk]]
    assert sorted(Analysis.objects.values_list("media", "state", "error_code")) == sorted(
        (each.pk, state, "")
        for each, state in zip(media, ("waiting", "waiting", "done"), strict=True)
    )
    with transaction.atomic():
        assert analysis.retry_failures() == 0
