import math
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import numpy as np
import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    BrokenImage,
    InputError,
    LookwhoError,
    OutOfMemory,
    StaleTicket,
    TimedOut,
    WorkerDied,
)
from lookwho.core.types import Reason
from lookwho.library.models import (
    Analysis,
    Embedding,
    Face,
    Job,
    Media,
    Pack,
    Suppression,
    VectorChange,
)
from lookwho.services import analysis, crew, portions, work
from lookwho.services.progress import progress
from tests.faces import HEIGHT, WIDTH, faces_of
from tests.work import (
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

BOX = (64, 48, 128, 120)  # 0.1, 0.1, 0.2, 0.25 of the photo
OTHER = (320, 240, 400, 340)
BROKEN = BrokenImage("the file is cut short")
CRASH = WorkerDied("reading the file crashed its process: SIGSEGV")


def sizes():
    return [len(job.payload["media"]) for job in analyse_jobs()]


def analyse_jobs():
    return Job.objects.filter(kind="analyse").order_by("pk")


def planned_media():
    return [item for job in analyse_jobs() for item in job.payload["media"]]


def outcomes():
    """What became of each medium, in the order in which they were made."""
    rows = Analysis.objects.order_by("media")
    return list(rows.values_list("state", "reason", "error_code", "attempts"))


def ids(media):
    return [each.pk for each in media]


def make_many(count):
    return [make_media() for _ in range(count)]


def record(job, *results):
    analysis.record_faces(job.pk, job.ticket, [(media.pk, outcome) for media, outcome in results])


def job_of(*media, **fields):
    """A job for these media that is leased, in its first attempt or a later one."""
    attempts = fields.pop("attempts", 1)
    make_analyse_job(*media, attempts=attempts - 1, **fields)
    return claimed("analyse")


# --- planning ---


def test_the_pack_is_that_of_the_settings_and_made_once(settings):
    first, again = analysis.current_pack(), analysis.current_pack()
    settings.PRESET = "fast"
    other = analysis.current_pack()

    assert first == again
    assert [(pack.name, pack.preset, pack.dim) for pack in (first, other)] == [
        ("default", "balanced", 128),
        ("default", "fast", 128),
    ]


def test_a_preset_that_does_not_exist_is_told(settings):
    settings.PRESET = "hasty"

    with pytest.raises(InputError, match="there is no preset 'hasty'"):
        analysis.current_pack()


def test_the_first_jobs_of_an_import_are_small_and_the_others_hold_twenty():
    parent = make_job("import")
    media = make_many(80)
    planned = analysis.plan(ids(media), parent=parent)

    assert planned == 80
    assert sizes() == [4, 8, 16, 20, 20, 12]
    assert planned_media() == ids(media)
    assert [(job.parent_id, job.total) for job in analyse_jobs()] == [
        (parent.pk, size) for size in sizes()
    ]


def test_an_import_that_plans_on_begins_no_second_time_with_small_jobs():
    parent = make_job("import")
    for _ in range(3):
        analysis.plan(ids(make_many(30)), parent=parent)

    assert sizes() == [4, 8, 16, 2, 20, 10, 20, 10]


def test_what_was_planned_before_is_not_planned_again():
    media = make_many(5)
    analysis.plan(ids(media[:3]), parent=None)
    job = claimed("analyse")
    record(job, (media[0], found()), (media[1], failed(BROKEN)))

    assert analysis.plan(ids(media), parent=None) == 2
    assert analysis.plan([*ids(media), *ids(media)], parent=None) == 0
    assert [job.payload["media"] for job in analyse_jobs()] == [ids(media[:3]), ids(media[3:])]


def test_media_that_are_gone_are_not_planned():
    media = make_media()
    gone = media.pk + 1

    assert analysis.plan([gone, media.pk], parent=None) == 1
    assert list(Analysis.objects.values_list("media", flat=True)) == [media.pk]


@pytest.mark.django_db(transaction=True)
def test_media_that_several_plan_at_once_are_planned_once():
    media = ids(make_many(40))
    analysis.current_pack()
    barrier = Barrier(4)

    def plan(order):
        try:
            barrier.wait()
            return analysis.plan(order, parent=None)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        orders = (media, media[::-1], media[10:], media[:30])
        planned = [future.result() for future in [threads.submit(plan, each) for each in orders]]

    assert sum(planned) == 40
    assert sorted(planned_media()) == media


def test_below_a_cancelled_import_nothing_is_to_be_done():
    parent = make_job("import", state="leased", ticket="t")
    work.cancel(parent.pk)

    assert analysis.plan(ids(make_many(3)), parent=parent) == 3
    assert sizes() == []
    assert outcomes() == [("waiting", "", "", 0)] * 3


# --- going on ---


def test_media_of_a_cancelled_import_wait_without_a_job_until_somebody_goes_on():
    parent = make_job("import")
    media = make_many(6)
    analysis.plan(ids(media), parent=parent)
    job = claimed("analyse")
    record(job, (media[0], found(BOX)))
    work.cancel(parent.pk)
    work.give_back(job.pk, job.ticket)

    assert set(analyse_jobs().values_list("state", flat=True)) == {"cancelled"}
    assert [state for state, *_ in outcomes()] == ["done"] + ["waiting"] * 5
    assert analysis.resume() == 5
    assert analysis.resume() == 0
    assert claimed("analyse").payload["media"] == ids(media[1:5])


def test_going_on_leaves_alone_what_is_done_failed_or_held_by_a_job():
    media = make_many(4)
    job = job_of(*media)
    record(job, (media[0], found()), (media[1], failed(BROKEN)))

    assert analysis.resume() == 0
    assert sizes() == [4]


def test_going_on_takes_up_media_that_nobody_planned():
    media = make_media()
    make_media(present=False)
    video = make_media(kind="video")

    assert analysis.resume() == 2
    assert [job.payload["media"] for job in analyse_jobs()] == [[media.pk]]
    assert [job.payload["media"] for job in Job.objects.filter(kind="video")] == [video.pk]
    assert analysis.resume() == 0


def test_after_a_change_of_the_preset_everything_can_be_analysed_anew(settings):
    media = make_media()
    job = job_of(media)
    record(job, (media, found(BOX)))
    settings.PRESET = "thorough"

    assert analysis.resume() == 1
    assert sorted(Analysis.objects.values_list("pack__preset", "state")) == [
        ("balanced", "done"),
        ("thorough", "waiting"),
    ]


# --- recording ---


def test_faces_are_stored_as_fractions_with_their_embeddings():
    media = make_media(width=WIDTH, height=HEIGHT)
    faces = faces_of(BOX, OTHER)
    faces.landmarks[0] = [(64, 48), (128, 48), (96, 96), (64, 120), (128, 120)]
    faces.scores[:], faces.quality[:] = (0.75, 0.5), (0.25, 1)
    faces.embeddings[:] = np.eye(128, dtype=np.float32)[[7, 8]]
    job = job_of(media)
    record(job, (media, Outcome("photo.jpg", faces, None)))

    first, second = Face.objects.order_by("pk")
    assert first.box == pytest.approx((0.1, 0.1, 0.2, 0.25))
    assert second.box == pytest.approx((0.5, 0.5, 0.625, 340 / 480))
    assert first.landmarks == [[0.1, 0.1], [0.2, 0.1], [0.15, 0.2], [0.1, 0.25], [0.2, 0.25]]
    assert [(face.media, face.score, face.quality, face.source) for face in (first, second)] == [
        (media, 0.75, 0.25, "detector"),
        (media, 0.5, 1, "detector"),
    ]
    for face, row in ((first, 7), (second, 8)):
        (embedding,) = face.embeddings.all()
        assert embedding.pack == analysis.current_pack()
        assert bytes(embedding.vector) == np.eye(128, dtype="<f4")[row].tobytes()


def test_searches_are_told_of_the_new_vectors():
    media = make_media()
    job = job_of(media)
    record(job, (media, found(BOX, OTHER)))

    changes = VectorChange.objects.order_by("seq").values_list("verb", "face_id", "pack_id")
    pack = analysis.current_pack().pk
    assert list(changes) == [("add", face.pk, pack) for face in Face.objects.order_by("pk")]


def test_a_box_that_leaves_the_photo_ends_at_its_border():
    media = make_media()
    job = job_of(media)
    record(job, (media, found((-20, -10, 700, 500))))

    assert Face.objects.get().box == (0, 0, 1, 1)


def test_why_there_is_no_face_is_kept():
    media = make_many(2)
    job = job_of(*media)
    record(job, (media[0], found(reason=Reason.BLANK)), (media[1], found(BOX)))

    assert outcomes() == [("done", "blank", "", 0), ("done", "", "", 0)]
    assert all(row.finished_at for row in Analysis.objects.all())


def test_the_size_that_the_engine_found_holds_and_is_written_only_where_it_differs():
    same = make_media(width=WIDTH, height=HEIGHT)
    unknown = make_media(width=0, height=0)
    turned = make_media(width=HEIGHT, height=WIDTH)
    job = job_of(same, unknown, turned)
    with CaptureQueriesContext(connection) as queries:
        record(job, (same, found()))
    record(job, (unknown, found()), (turned, found()))

    assert not any(each["sql"].startswith("UPDATE") and "width" in each["sql"] for each in queries)
    assert set(Media.objects.values_list("width", "height")) == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize(
    ("x2", "kept"),
    (
        (0.2, 1),  # the same box
        (0.18, 1),  # 80 % of it
        (0.14, 2),  # 40 % of it: another thing
    ),
)
def test_what_must_not_become_a_face_again_does_not(x2, kept):
    media, other = make_many(2)
    box = {"x1": 0.1, "y1": 0.1, "x2": x2, "y2": 0.25}
    Suppression.objects.create(payload_hash=media.payload_hash, **box)
    job = job_of(media, other)
    record(job, (media, found(BOX, OTHER)), (other, found(BOX)))

    assert media.faces.count() == kept
    assert other.faces.count() == 1
    assert Embedding.objects.count() == kept + 1
    if kept == 1:
        # The other face keeps its own vector.
        (embedding,) = Embedding.objects.filter(face__media=media)
        assert bytes(embedding.vector) == np.eye(128, dtype="<f4")[1].tobytes()


def test_where_no_face_is_left_the_reason_says_so():
    media = make_media()
    box = {"x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.25}
    Suppression.objects.create(payload_hash=media.payload_hash, **box)
    job = job_of(media)
    record(job, (media, found(BOX)))

    assert outcomes() == [("done", "nothing", "", 0)]


def test_an_analysis_counts_once():
    media = make_media()
    job = job_of(media)
    for _ in range(2):
        record(job, (media, found(BOX)))
    record(job, (media, failed(BROKEN)))

    assert Face.objects.count() == 1
    assert outcomes() == [("done", "", "", 0)]


def test_what_two_workers_found_in_the_same_media_counts_once():
    media = make_many(2)
    late = job_of(*media)
    again = claimed("analyse", now=later(late))
    record(again, (media[0], found(BOX)))
    with pytest.raises(StaleTicket):
        record(late, (media[0], found(BOX)), (media[1], found(BOX)))

    assert Face.objects.count() == 1
    assert [state for state, *_ in outcomes()] == ["done", "waiting"]


def test_all_results_are_recorded_or_none():
    media = make_many(2)
    job = job_of(*media)
    broken = faces_of(BOX)
    broken.landmarks[0, 0, 0] = math.inf  # PostgreSQL's JSON takes no such number
    broken.scores[0] = math.nan  # and SQLite no such column
    with pytest.raises(DatabaseError), transaction.atomic():
        record(job, (media[0], found(BOX)), (media[1], Outcome("photo.jpg", broken, None)))

    assert Face.objects.count() == Embedding.objects.count() == VectorChange.objects.count() == 0
    assert outcomes() == [("waiting", "", "", 0)] * 2
    assert Job.objects.get(pk=job.pk).done == 0


def test_results_extend_the_lease_and_count():
    media = make_many(3)
    job = job_of(*media)
    results = [(media[0].pk, found(BOX)), (media[1].pk, failed(BROKEN))]
    analysis.record_faces(job.pk, job.ticket, results, now=job.lease_until)

    row = Job.objects.get(pk=job.pk)
    assert (row.done, row.lease_until) == (2, job.lease_until + work.LEASE)


def test_media_that_were_removed_meanwhile_are_passed_over():
    media = make_many(2)
    job = job_of(*media)
    gone = media[0].pk
    media[0].delete()
    results = [(gone, found(BOX)), (media[1].pk, found(BOX))]
    analysis.record_faces(job.pk, job.ticket, results)

    assert list(Face.objects.values_list("media", flat=True)) == [media[1].pk]


def test_faces_of_another_pack_make_room_for_the_new_ones(settings):
    media, other = make_many(2)
    record(job_of(media, other), (media, found(BOX, OTHER)), (other, found(BOX)))
    old = set(media.faces.values_list("pk", flat=True))
    by_hand = Face.objects.create(media=media, x1=0, y1=0, x2=1, y2=1, source="human")
    settings.PRESET = "thorough"
    record(job_of(media), (media, found(BOX)))

    kept = set(media.faces.values_list("pk", flat=True))
    assert len(kept) == 2
    assert kept & old == set()
    assert by_hand.pk in kept
    assert other.faces.count() == 1
    removed = VectorChange.objects.filter(verb="remove")
    assert set(removed.values_list("face_id", flat=True)) == old


def test_new_faces_are_grouped_by_one_pass():
    media = make_many(3)
    job = job_of(*media)
    record(job, (media[0], found(reason=Reason.NOTHING)))
    nothing = Job.objects.filter(kind="group").count()
    record(job, (media[1], found(BOX)))
    record(job, (media[2], found(BOX)))

    assert nothing == 0
    assert Job.objects.filter(kind="group", state="waiting").count() == 1


def test_as_many_queries_are_made_for_many_results_as_for_few():
    counts = []
    for count in (1, 1, 10):
        media = make_many(count)
        job = job_of(*media)
        with CaptureQueriesContext(connection) as queries:
            record(job, *((each, found(BOX, OTHER)) for each in media))
        counts.append(len(queries))

    assert counts[2] <= counts[1] <= counts[0]


# --- what goes wrong ---


def test_a_file_that_is_at_fault_fails_at_once_and_says_why():
    media = make_media()
    record(job_of(media), (media, failed(BrokenImage("caf\udce9.jpg is cut short"))))

    assert outcomes() == [("failed", "", "broken_image", 1)]
    assert Analysis.objects.get().error == "caf\\udce9.jpg is cut short"
    assert Analysis.objects.get().finished_at is not None


@pytest.mark.parametrize(
    "error",
    (CRASH, TimedOut("too long"), OutOfMemory("too much"), LookwhoError("unexpected KeyError")),
)
def test_what_may_go_well_another_time_is_tried_three_times_apart_from_the_others(error):
    media = make_many(3)
    job = job_of(*media)
    now = timezone.now()
    results = [(media[0].pk, found(BOX)), (media[1].pk, failed(error))]
    analysis.record_faces(job.pk, job.ticket, results, now=now)
    record(job, (media[2], found(BOX)))
    work.finish(job.pk, job.ticket)
    assert outcomes() == [("done", "", "", 0), ("waiting", "", "", 1), ("done", "", "", 0)]

    for attempt in (2, 3):
        assert work.claim(job.worker, ["analyse"], now=now) is None  # not at once
        now += timedelta(minutes=1)
        again = claimed("analyse", now=now)
        assert again.payload["media"] == [media[1].pk]
        results = [(media[1].pk, failed(error))]
        analysis.record_faces(again.pk, again.ticket, results, now=now)
        work.finish(again.pk, again.ticket)
        assert outcomes()[1][3] == attempt

    assert outcomes()[1] == ("failed", "", error.code, 3)
    assert Analysis.objects.get(media=media[1]).error == error.message
    assert set(analyse_jobs().values_list("state", flat=True)) == {"done"}


def test_an_item_that_goes_well_the_second_time_is_done():
    media = make_media()
    job = job_of(media)
    record(job, (media, failed(CRASH)))
    work.finish(job.pk, job.ticket)
    again = claimed("analyse", now=timezone.now() + timedelta(minutes=1))
    record(again, (media, found(BOX)))

    assert outcomes() == [("done", "", "", 1)]
    assert Face.objects.count() == 1


def test_an_item_set_aside_by_a_job_that_is_to_be_cancelled_does_not_wait():
    parent = make_job("import")
    media = make_many(2)
    job = job_of(*media, parent=parent)
    work.cancel(parent.pk)
    record(job, (media[0], failed(CRASH)))
    work.give_back(job.pk, job.ticket)

    assert set(analyse_jobs().values_list("state", flat=True)) == {"cancelled"}
    assert analysis.resume() == 2


# --- who answers for a dead worker ---


def lose(job):
    return crew.free(job.worker)


def test_nobody_is_charged_when_the_worker_dies_in_a_first_attempt():
    media = make_many(3)
    lose(job_of(*media))

    assert outcomes() == [("waiting", "", "", 0)] * 3
    assert sizes() == [3]


def test_from_the_second_attempt_on_the_first_item_without_a_result_is_charged():
    media = make_many(4)
    job = job_of(*media, attempts=2)
    record(job, (media[0], found(BOX)))
    lose(job)

    assert [attempts for *_, attempts in outcomes()] == [0, 1, 0, 0]
    # It waits in a job of its own, and the innocent ones go on without it, at once.
    innocent = claimed("analyse")
    assert innocent == job
    assert innocent.payload["media"] == ids([media[0], *media[2:]])
    assert portions.unsettled(innocent) == ids(media[2:])
    assert work.claim(job.worker, ["analyse"]) is None
    alone = claimed("analyse", now=timezone.now() + timedelta(seconds=30))
    assert alone.payload["media"] == [media[1].pk]


def test_an_item_that_is_alone_answers_in_a_first_attempt_too():
    media = make_many(2)
    job = job_of(*media)
    record(job, (media[0], found(BOX)))
    lose(job)

    assert [attempts for *_, attempts in outcomes()] == [0, 1]


def test_nobody_is_charged_where_everything_has_a_result():
    media = make_media()
    job = job_of(media, attempts=2)
    record(job, (media, found(BOX)))
    lose(job)

    assert outcomes() == [("done", "", "", 0)]


def test_an_expired_lease_is_charged_like_a_dead_worker():
    media = make_many(2)
    job = job_of(*media, attempts=2)
    innocent = claimed("analyse", now=later(job))

    assert [attempts for *_, attempts in outcomes()] == [1, 0]
    assert innocent.payload["media"] == [media[1].pk]


def test_a_worker_that_stops_charges_nobody():
    media = make_many(2)
    job = job_of(*media, attempts=2)
    crew.stop_worker(job.worker)

    assert [attempts for *_, attempts in outcomes()] == [0, 0]


def test_an_item_that_kills_every_worker_fails_and_no_other_does():
    media = make_many(5)
    analysis.plan(ids(media), parent=None)
    deadly = media[2].pk
    now = timezone.now()
    for _ in range(20):
        now += timedelta(minutes=1)
        job = work.claim(make_worker(), ["analyse"], now=now)
        if job is None:
            break
        for item in portions.unsettled(job):
            if item == deadly:
                lose(job)
                break
            analysis.record_faces(job.pk, job.ticket, [(item, found(BOX))])
        else:
            work.finish(job.pk, job.ticket)

    assert (
        outcomes()
        == [("done", "", "", 0)] * 2
        + [("failed", "", "worker_died", 3)]
        + [("done", "", "", 0)] * 2
    )
    assert "died 3 times" in Analysis.objects.get(media=deadly).error
    open_ = analyse_jobs().filter(state__in=("waiting", "leased"))
    assert not open_.exists()


# --- progress ---


def told(parent):
    found = progress(parent.pk)
    return found.state, found.done, found.total, found.over


def test_an_import_is_as_far_as_the_media_below_it():
    parent = make_job("import", state="leased", ticket="t")
    media = make_many(6)
    assert told(parent) == ("leased", 0, 0, False)

    analysis.plan(ids(media), parent=parent)
    work.heartbeat(parent.pk, "t", done=2000)  # files looked at
    assert told(parent) == ("leased", 0, 6, False)

    job = claimed("analyse")
    record(job, (media[0], found(reason=Reason.NOTHING)), (media[1], failed(BROKEN)))
    record(job, (media[2], failed(CRASH)))
    assert told(parent) == ("leased", 2, 6, False)

    record(job, (media[3], found(reason=Reason.NOTHING)))
    work.finish(job.pk, job.ticket)
    work.finish(parent.pk, "t")
    assert told(parent) == ("done", 3, 6, False)

    now = timezone.now() + timedelta(minutes=1)
    while job := work.claim(make_worker(), ["analyse"], now=now):
        results = [(item, found(BOX)) for item in portions.unsettled(job)]
        analysis.record_faces(job.pk, job.ticket, results)
        work.finish(job.pk, job.ticket)
    assert told(parent) == ("done", 6, 6, False)  # but for the grouping

    group = claimed("group", now=now)
    work.finish(group.pk, group.ticket)
    assert told(parent) == ("done", 6, 6, True)
    assert progress(parent.pk).failed == 1
    assert progress(parent.pk).faces == Face.objects.count() == 3


def test_an_item_that_failed_by_killing_workers_counts_as_settled():
    parent = make_job("import", state="done")
    media = make_many(1)
    analysis.plan(ids(media), parent=parent)
    now = timezone.now()
    for _ in range(3):
        now += timedelta(minutes=1)
        lose(claimed("analyse", now=now))
    job = claimed("analyse", now=now + timedelta(minutes=1))
    work.finish(job.pk, job.ticket)

    assert told(parent) == ("done", 1, 1, True)
    assert progress(parent.pk).failed == 1


def test_packs_are_kept_apart(settings):
    media = make_media()
    job = job_of(media)
    settings.PRESET = "fast"
    analysis.plan([media.pk], parent=None)
    record(job, (media, found(BOX)))

    states = dict(Analysis.objects.values_list("pack__preset", "state"))
    assert states == {"balanced": "done", "fast": "waiting"}
    assert Pack.objects.count() == 2
