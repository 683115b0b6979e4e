"""Videos, from a folder to people, as workers carry that out, and whatever happens to them."""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from threading import Event

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

from lookwho.core.errors import Cancelled, SetupError
from lookwho.library.models import (
    Analysis,
    Embedding,
    Face,
    Job,
    Location,
    Media,
    Person,
    Segment,
    Track,
    VectorChange,
    Video,
)
from lookwho.services import intake, videos, work
from lookwho.services.progress import progress
from lookwho.workers import pool
from lookwho.workers.attempt import Attempt, Engine
from lookwho.workers.kinds import carry_out
from lookwho.workers.pool import Pool
from tests.children import children, see_children
from tests.imports import imported
from tests.videos import (
    PEOPLE,
    cut_off,
    drawn,
    eight_k,
    faces_clip,
    make_clip,
    sound_only,
    without_pictures,
)
from tests.work import claimed, make_worker
from tests.workers.processes import analysers, below, command, is_gone, kill, until

VIDEOS = ("video", "segment", "join")
SIZE, RATE = (320, 180), 5
# Who are alone in the photos that clips show of them.
CAST = ("Adam_Sandler", "Abdoulaye_Wade", "Ai_Sugiyama", "Al_Gore", "Abdullah_Gul")
OPEN = ("waiting", "leased")


def carried_out(engine, *kinds):
    """Carry out all jobs of these kinds that wait, and return what they were."""
    done = []
    worker = make_worker()
    while job := work.claim(worker, kinds or VIDEOS):
        carry_out(Attempt(job, engine, Event()))
        work.finish(job.pk, job.ticket)
        done.append(job.kind)
    return done


def a_folder(place, *clips):
    """A folder with these clips in it."""
    place.mkdir(exist_ok=True)
    for number, clip in enumerate(clips):
        os.link(clip, place / f"{number:02}{clip.suffix}")
    return place


def rows():
    """All that was found in videos: where, when, and with which vector."""
    faces = Face.objects.exclude(time=None).order_by("media__locations__path", "time", "x1")
    return [
        (
            face.media.locations.get().path,
            face.time,
            face.box,
            face.quality,
            [bytes(each.vector) for each in face.embeddings.all()],
            sorted(face.tracks.values_list("start", "end", "time", "x1", "path")),
        )
        for face in faces
    ]


def under_way():
    return Job.objects.filter(state__in=OPEN).exists()


def looked_at():
    return Job.objects.filter(kind__in=VIDEOS, state__in=OPEN).exists()


def seconds_looked_at():
    """How far all segments that wait are, in all."""
    return sum(row.reached - row.start for row in Segment.objects.exclude(state="failed"))


@pytest.fixture(scope="session")
def clip(tmp_path_factory, media):
    """A clip of three stretches in which two people come and go; with who is there when."""
    ann, bob = PEOPLE[:2]
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    cuts = (30.0, 58.0, 100.0)
    return faces_clip(path, media, (ann, bob, ann, bob), 130.0, SIZE, cuts, rate=RATE)


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory, media):
    """A clip of eight stretches in which five people come and go."""
    path = tmp_path_factory.mktemp("clips") / "long.mp4"
    people = [PEOPLE[number % 5] for number in range(24)]
    return faces_clip(path, media, people, 480.0, SIZE, rate=RATE)[0]


@pytest.fixture(scope="session")
def party(tmp_path_factory, media):
    """Makes clips with overlapping casts: each shows three of five people, one of them twice."""
    folder = tmp_path_factory.mktemp("party")

    def make(count):
        made = []
        for number, trio in zip(range(count), itertools.cycle(itertools.combinations(CAST, 3))):
            path = folder / f"{number:02}.mp4"
            shots = [*trio, trio[number % 3]]
            made.append(faces_clip(path, media, shots, 8.0, SIZE, rate=RATE, seed=number))
        return made

    return make


@pytest.fixture
def pools(outside, monkeypatch):
    """Starts pools, and ends them; as urgent as the other tests that run beside them."""
    monkeypatch.setattr(pool, "NICE", 0)
    started = []

    def start(processes=2, **options):
        started.append(Pool(processes, **options))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


# --- from a file to people ---


@pytest.mark.django_db
def test_a_video_is_read_looked_at_in_stretches_and_joined(clip, tmp_path, engine):
    path, labels = clip
    job = imported(a_folder(tmp_path / "films", path))
    kinds = carried_out(engine)

    film = Media.objects.get()
    assert kinds == ["video", "segment", "segment", "segment", "join"]
    assert (film.kind, film.format, film.width, film.height) == ("video", "MP4", *SIZE)
    assert film.duration == pytest.approx(130.0)
    assert (film.video.codec, film.video.plays, film.video.warning) == ("H.264", True, "")
    shown = {
        (label.start, label.end): face
        for label in labels
        for face in Face.objects.filter(tracks__start__lt=label.end, tracks__end__gt=label.start)
    }
    whose = {face.pk: set() for face in Face.objects.all()}
    for label in labels:
        whose[shown[label.start, label.end].pk].add(label.person)
    assert sorted(map(sorted, whose.values())) == [[PEOPLE[0]], [PEOPLE[1]]]
    for label in labels:
        mine = shown[label.start, label.end].tracks.all()
        assert any(
            abs(track.start - label.start) < 0.5 and abs(track.end - label.end) < 0.5
            for track in mine
        )
    assert Embedding.objects.count() == VectorChange.objects.count() == 2
    assert (progress(job.pk).done, progress(job.pk).total) == (1, 1)


@pytest.mark.django_db
def test_photos_and_videos_of_one_folder_meet_in_the_same_people(party, tmp_path, engine, media):
    (path, labels), *_ = party(1)
    folder = a_folder(tmp_path / "films", path)
    shown = sorted({label.person for label in labels})
    for name in shown:
        photo = sorted((media / "identities" / name).iterdir())[1]
        (folder / f"{name}.jpg").write_bytes(photo.read_bytes())
    imported(folder)
    kinds = carried_out(engine, "analyse", *VIDEOS)
    Job.objects.filter(kind="group").update(run_at=timezone.now())
    carried_out(engine, "group")

    assert kinds.index("analyse") < kinds.index("segment")
    assert set(Analysis.objects.values_list("state", flat=True)) == {"done"}
    groups = set()
    for name in shown:
        moment = next(label for label in labels if label.person == name)
        photo = Face.objects.get(media__locations__path=f"{name}.jpg")
        film = Face.objects.get(
            tracks__start__lt=moment.end - 0.5, tracks__end__gt=moment.start + 0.5
        )
        assert photo.guess_id == film.guess_id is not None
        groups.add(photo.guess_id)
    assert len(groups) == len(shown) == 3


ODD = {
    "cut off": lambda folder, clip: cut_off(clip, folder / "a.mkv", 0.6),
    "empty": lambda folder, clip: (folder / "a.mp4").touch(),
    "sound alone": lambda folder, clip: sound_only(folder / "a.mp4"),
    "without a picture": lambda folder, clip: without_pictures(folder / "a.mp4", folder.parent),
    "one pixel": lambda folder, clip: make_clip(
        folder / "a.mp4", drawn(3, (1, 1)), pixel_format="yuv444p"
    ),
    "8K": lambda folder, clip: eight_k(folder / "a.mp4"),
    "noise": lambda folder, clip: (folder / "a.mp4").write_bytes(
        b"\0\0\0\x18ftypmp42" + random.Random(3).randbytes(50_000)
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_file_gives_a_result_or_a_clear_error(odd, tmp_path, engine):
    folder = tmp_path / "films"
    folder.mkdir()
    clip = make_clip(tmp_path / "whole.mkv", drawn(60, (96, 64)))
    ODD[odd](folder, clip)
    imported(folder)
    carried_out(engine)

    files = Location.objects.all()
    analyses = list(Analysis.objects.values_list("state", "error_code", "error"))
    if odd in ("cut off", "one pixel", "8K"):
        assert [state for state, *_ in analyses] == ["done"]
    elif analyses:
        ((state, code, error),) = analyses
        assert (state, code in ("broken_video", "not_a_video")) == ("failed", True), error
        assert len(error) > 10
    else:
        assert [file.error_code for file in files] == ["not_an_image"]
    assert not Face.objects.exists()
    assert not under_way()


@pytest.mark.django_db
def test_a_video_whose_disk_is_not_connected_waits(tmp_path, engine):
    folder = tmp_path / "films"
    folder.mkdir()
    make_clip(folder / "a.mp4", drawn(10, (96, 64)))
    imported(folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(SetupError, match="is not there"):
        carry_out(Attempt(claimed("video"), engine, Event()))

    assert Analysis.objects.get().state == "waiting"


@pytest.mark.django_db
def test_a_video_that_was_removed_has_failed_and_says_so(tmp_path, engine):
    folder = tmp_path / "films"
    folder.mkdir()
    make_clip(folder / "a.mp4", drawn(10, (96, 64)))
    imported(folder)
    (folder / "a.mp4").unlink()
    carried_out(engine)

    assert Analysis.objects.get().error_code == "file_missing"
    assert "a.mp4" in Analysis.objects.get().error


# --- what happens meanwhile ---


@pytest.mark.django_db(transaction=True)
def test_a_stretch_stops_within_a_moment_of_being_cancelled(clip, tmp_path):
    imported(a_folder(tmp_path / "films", clip[0]))
    engine = Engine()
    carry_out(Attempt(claimed("video"), engine, Event()))
    job = claimed("segment")
    attempt = Attempt(job, engine, Event())
    stopped = []

    def cancel():
        until(lambda: Segment.objects.filter(reached__gt=0).exists())
        stopped.append(time.monotonic())
        videos.cancel_video(None, Media.objects.get())
        connection.close()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(Cancelled):
            carry_out(attempt)
        took = time.monotonic() - stopped[0]
        work.give_back(job.pk, job.ticket)
    finally:
        thread.join()
        engine.stop()

    assert took < 5
    assert Job.objects.get(pk=job.pk).state == "cancelled"
    assert not Segment.objects.exists()


@see_children
@pytest.mark.django_db(transaction=True)
def test_what_does_not_answer_is_stopped_too(clip, tmp_path):
    imported(a_folder(tmp_path / "films", clip[0]))
    others, engine = children(), Engine()
    carry_out(Attempt(claimed("video"), engine, Event()))
    job = claimed("segment")
    (process,) = [pid for pid in set(children()) - {*others} if "video_worker" in command(pid)]
    os.kill(process, signal.SIGSTOP)
    thread = threading.Timer(1.0, lambda: (work.cancel(job.pk), connection.close()))
    thread.start()
    began = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            carry_out(Attempt(job, engine, Event()))
    finally:
        thread.join()
        engine.stop()

    assert time.monotonic() - began < 20
    assert is_gone(process)


@pytest.mark.django_db(transaction=True)
def test_while_photos_wait_no_video_is_looked_at(clip, tmp_path, engine):
    imported(a_folder(tmp_path / "films", clip[0]))
    carry_out(Attempt(claimed("video"), engine, Event()))
    photos = Job.objects.create(kind="analyse", payload={"pack": 1, "media": []})
    job = claimed("segment")
    done = Event()

    def look():
        carry_out(Attempt(job, engine, Event()))
        done.set()
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    waited = not done.wait(6)
    reached = Segment.objects.get(part=0).reached
    Job.objects.filter(pk=photos.pk).update(state="done")
    thread.join()

    assert waited
    assert reached < 60
    assert Segment.objects.get(part=0).state == "done"


@pytest.mark.usefixtures("outside")
def test_any_number_of_workers_finds_the_same(clip, party, tmp_path, pools, engine):
    folder = a_folder(tmp_path / "films", clip[0], *(path for path, _ in party(2)))
    imported(folder)
    carried_out(engine)
    alone = rows()
    forget_all()
    pools(3)
    intake.add_folder(folder, by=None)
    until(lambda: Analysis.objects.exists() and not under_way(), seconds=200)

    assert len(alone) > 5
    assert rows() == alone


def forget_all():
    """Begin anew: nothing is known of any video."""
    for kind in (Job, Face, Segment, Analysis, Video, Media, Person, VectorChange):
        kind.objects.all().delete()


def disturbed(path, place, a_pool_apart, engine, kills):
    """Kill so many processes while a video is looked at; see that it ends as if nobody had."""
    folder = a_folder(place / "films", path)
    imported(folder)
    carried_out(engine)
    undisturbed = rows()
    stretches = Segment.objects.count()
    assert len(undisturbed) > 1
    forget_all()
    choose = random.Random(5)
    imported(folder)
    parent = a_pool_apart()
    for number in range(kills):
        # It gets a little further each time, so that there is something to kill to the end.
        goal = number * stretches * 50 / (kills + 2)
        until(lambda goal=goal: seconds_looked_at() > goal or not under_way(), seconds=300)
        time.sleep(choose.uniform(0, 0.3))
        found = analysers(parent.pid)
        victim = choose.choice(found) if found else parent.pid
        if number % 3 == 1:  # what looks at the video, and not who asks it to
            victim = choose.choice(below(victim) or [victim])
        kill(victim)
        if number % 3 == 2:
            for each in [parent.pid, *below(parent.pid)]:
                kill(each)
            parent.wait()
            parent = a_pool_apart()
    until(lambda: not under_way(), seconds=600)

    assert Analysis.objects.get().state == "done"
    assert Video.objects.get().warning == ""
    assert rows() == undisturbed
    assert len(undisturbed) == Embedding.objects.count() == VectorChange.objects.count()
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}


@see_children
def test_workers_that_die_change_nothing(clip, tmp_path, a_pool_apart, engine):
    disturbed(clip[0], tmp_path, a_pool_apart, engine, 3)


@see_children
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_workers_that_die_twenty_times_change_nothing(long_clip, tmp_path, a_pool_apart, engine):
    disturbed(long_clip, tmp_path, a_pool_apart, engine, 20)


def cancelled_at_random(path, place, pools, times):
    """Cancel a video so many times, each after another while; nothing but rows of jobs remains."""
    imported(a_folder(place / "films", path))
    film = Media.objects.get()
    pools(2)
    choose = random.Random(11)
    until(lambda: Segment.objects.exists())
    for number in range(times):
        goal = (number + choose.random()) / times
        film.refresh_from_db()
        whole = 0.9 * goal * film.duration
        until(lambda whole=whole: seconds_looked_at() >= whole)
        if not videos.cancel_video(None, film):  # it was faster
            videos.remove_analysis(None, film)
        asked = time.monotonic()
        until(lambda: not looked_at())
        assert time.monotonic() - asked < 10
        time.sleep(0.3)  # whoever is late writes now

        assert not Segment.objects.exists()
        assert not Track.objects.exists()
        assert not Face.objects.exists()
        assert not Embedding.objects.exists()
        assert Analysis.objects.get().state == "waiting"
        videos.retry_video(None, film)
        until(lambda: Segment.objects.exists())
    until(lambda: not under_way(), seconds=300)

    assert Analysis.objects.get().state == "done"
    assert Face.objects.count() > 1


def test_whenever_a_video_is_cancelled_nothing_is_left(clip, tmp_path, pools):
    cancelled_at_random(clip[0], tmp_path, pools, 3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_video_that_is_cancelled_twenty_times_leaves_nothing(long_clip, tmp_path, pools):
    cancelled_at_random(long_clip, tmp_path, pools, 20)


# --- many at once ---


def joined_at_once(clips, place, pools, engine, times):
    """Let many videos with overlapping casts end at the same moment, on four workers.

    They are looked at once, and joined so many times, by four workers of two pools, of which each
    groups, too.
    """
    imported(a_folder(place / "films", *(path for path, _ in clips)))
    while under_way_but_joining():
        carried_out(engine, "video", "segment")
    kept = {row.pk: bytes(row.result) for row in Segment.objects.all()}
    truth = {f"{number:02}.mp4": labels for number, (_, labels) in enumerate(clips)}
    assert Job.objects.filter(kind="join", state="waiting").count() == len(clips) == len(kept)
    for _ in range(times):
        pair = [pools(2), pools(2)]
        until(lambda: not under_way(), seconds=300)
        for each in pair:
            each.stop()

        assert not Job.objects.filter(state="failed").exists()
        assert_right(truth)
        with transaction.atomic():
            Face.objects.all().delete()
            Person.objects.all().delete()
            VectorChange.objects.all().delete()
            Job.objects.filter(kind="group").delete()
            Analysis.objects.update(state="waiting")
            Job.objects.filter(kind="join").update(state="waiting", attempts=0)
            for pk, result in kept.items():
                Segment.objects.filter(pk=pk).update(result=result)


def under_way_but_joining():
    return Job.objects.filter(kind__in=("video", "segment"), state__in=OPEN).exists()


def assert_right(truth):
    """Each video shows its people, each once, and the same people in all videos."""
    groups = {}
    for path, labels in truth.items():
        faces = list(Face.objects.filter(media__locations__path=path))
        shown = Counter()
        for face in faces:
            names = {
                label.person
                for label in labels
                for start, end in face.tracks.values_list("start", "end")
                if start < label.end - 0.3 and end > label.start + 0.3
            }
            assert len(names) == 1, (path, names)
            (name,) = names
            shown[name] += 1
            groups.setdefault(name, set()).add(face.guess_id)
        assert shown == Counter({label.person for label in labels}), path
    assert all(len(found) == 1 and None not in found for found in groups.values()), groups
    assert len(set.union(*groups.values())) == len(groups)
    faces = Face.objects.count()
    assert (
        faces
        == Embedding.objects.count()
        == np.unique(VectorChange.objects.filter(verb="add").values_list("face_id", flat=True)).size
    )


def test_videos_that_end_at_the_same_moment_show_the_right_people(party, tmp_path, pools, engine):
    joined_at_once(party(6), tmp_path, pools, engine, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twenty_videos_that_end_at_once_show_the_right_people_in_twenty_runs(
    party, tmp_path, pools, engine
):
    joined_at_once(party(20), tmp_path, pools, engine, 20)
