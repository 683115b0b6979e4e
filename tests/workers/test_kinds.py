import os
import shutil
import signal
import threading
from threading import Event

import numpy as np
import pytest

from lookwho.core.errors import Cancelled, FileMissing, StaleTicket
from lookwho.core.video import frame_at
from lookwho.library.models import Analysis, Face, Fit, Job, Location, Video
from lookwho.library.paths import escaped
from lookwho.services import drawing, embedding, faces, portions, work
from lookwho.services.tracks import split_tracks
from lookwho.workers.attempt import Attempt
from lookwho.workers.kinds import carry_out, tidy
from tests.children import see_children
from tests.filmed import a_cast, a_track, faces_in, somebody, store
from tests.people import a_user
from tests.processes import workers as engines
from tests.videos import PEOPLE, faces_clip
from tests.work import claimed, make_analyse_job, make_collection, make_job, make_media

pytestmark = pytest.mark.django_db


class Watched:
    """An engine that tells before each photo that it is about to look at it."""

    def __init__(self, engine, before):
        self._engine = engine
        self._before = before
        self.looked_at = []

    def of(self, pack):
        self._process = self._engine.of(pack)
        return self

    def analyze(self, path):
        self._before(len(self.looked_at))
        self.looked_at.append(path)
        return self._process.analyze(path)


def attempt_at(job, engine, stop=None):
    return Attempt(job, engine, stop or Event())


def leased(*media, attempts=1, **fields):
    make_analyse_job(*media, attempts=attempts - 1, **fields)
    return claimed("analyse")


def states():
    return list(Analysis.objects.order_by("media").values_list("state", "error_code"))


def test_the_faces_of_every_photo_are_stored(drawer, tmp_path, engine, analyzer):
    paths = drawer(tmp_path, 7)
    media = [make_media(path) for path in paths]
    carry_out(attempt_at(leased(*media), engine))

    assert states() == [("done", "")] * 7
    for path, each in zip(paths, media, strict=True):
        faces = analyzer(path)
        boxes = [face.box for face in each.faces.order_by("pk")]
        size = np.array([faces.width, faces.height] * 2)
        np.testing.assert_allclose(
            np.reshape(boxes, (-1, 4)), np.clip(faces.boxes / size, 0, 1), atol=1e-6
        )
        vectors = [bytes(face.embeddings.get().vector) for face in each.faces.order_by("pk")]
        found = np.frombuffer(b"".join(vectors), "<f4").reshape(-1, 128)
        np.testing.assert_allclose(found, faces.embeddings, atol=1e-5)
    assert Face.objects.count() > 0


def test_what_is_done_already_is_not_looked_at(drawer, tmp_path, engine):
    media = [make_media(path) for path in drawer(tmp_path, 3)]
    job = leased(*media)
    Analysis.objects.filter(media=media[1]).update(state="done")
    watched = Watched(engine, lambda _: None)
    carry_out(attempt_at(job, watched))

    assert [os.path.basename(path) for path in watched.looked_at] == ["000.jpg", "002.jpg"]


def test_a_file_that_is_broken_fails_and_the_others_are_done(drawer, tmp_path, engine):
    paths = drawer(tmp_path, 3)
    paths[1].write_bytes(paths[1].read_bytes()[:3000])
    media = [make_media(path) for path in paths]
    carry_out(attempt_at(leased(*media), engine))

    assert states() == [("done", ""), ("failed", "broken_image"), ("done", "")]


def test_a_photo_that_is_gone_is_read_where_else_it_lies(drawer, tmp_path, engine):
    first, last = drawer(tmp_path / "a", 2)
    media = [make_media(first), make_media(last)]
    copy = tmp_path / "b.jpg"
    shutil.copy2(first, copy)
    found = copy.stat()
    Location.objects.create(
        collection=make_collection(tmp_path),
        media=media[0],
        path=escaped(copy.name),
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
    )
    first.unlink()
    last.unlink()
    carry_out(attempt_at(leased(*media), engine))

    assert states() == [("done", ""), ("failed", "file_missing")]
    assert "001.jpg" in Analysis.objects.get(media=media[1]).error


def test_a_photo_that_lies_nowhere_fails(engine):
    carry_out(attempt_at(leased(make_media()), engine))

    assert states() == [("failed", "file_missing")]


def test_another_photo_in_the_place_of_one_is_not_taken_for_it(drawer, tmp_path, engine):
    first, second = drawer(tmp_path, 2)
    media = make_media(first)
    shutil.copy(second, first)
    carry_out(attempt_at(leased(media), engine))

    assert states() == [("failed", "file_missing")]
    assert "holds another photo now" in Analysis.objects.get().error
    assert Face.objects.count() == 0


def test_a_photo_in_which_only_a_tag_was_written_is_analysed(drawer, tmp_path, engine):
    (path,) = drawer(tmp_path, 1)
    media = make_media(path)
    data = path.read_bytes()
    comment = b"a comment of another program"
    path.write_bytes(data[:2] + b"\xff\xfe\x00" + bytes([len(comment) + 2]) + comment + data[2:])
    carry_out(attempt_at(leased(media), engine))

    assert states() == [("done", "")]


def test_where_a_whole_folder_is_not_there_no_photo_is_to_blame(drawer, tmp_path, engine):
    here, gone = drawer(tmp_path / "here", 1)[0], drawer(tmp_path / "gone", 2)[1]
    media = [make_media(here), make_media(gone)]
    shutil.rmtree(tmp_path / "gone")
    job = leased(*media)

    with pytest.raises(FileMissing, match="gone' is not there"):
        carry_out(attempt_at(job, engine))
    assert states() == [("done", ""), ("waiting", "")]


@see_children
def test_a_crash_of_the_engine_is_charged_to_the_photo_in_hand_alone(drawer, tmp_path, engine):
    media = [make_media(path) for path in drawer(tmp_path, 3)]

    def kill(number):
        if number == 1:
            (process,) = engines()
            os.kill(process, signal.SIGSTOP)
            threading.Timer(0.2, os.kill, (process, signal.SIGKILL)).start()

    carry_out(attempt_at(leased(*media), Watched(engine, kill)))

    assert states() == [("done", ""), ("waiting", ""), ("done", "")]
    assert Analysis.objects.get(media=media[1]).attempts == 1
    alone = Job.objects.get(state="waiting", kind="analyse")
    assert portions.unsettled(alone) == [media[1].pk]


def test_a_job_that_is_cancelled_stops_between_two_photos(drawer, tmp_path, engine, monkeypatch):
    monkeypatch.setattr("lookwho.workers.kinds.SECONDS", 0.0)  # no waiting for more results
    media = [make_media(path) for path in drawer(tmp_path, 5)]
    job = leased(*media)

    def cancel(number):
        if number == 2:
            work.cancel(job.pk)

    with pytest.raises(Cancelled):
        carry_out(attempt_at(job, Watched(engine, cancel)))
    assert [state for state, _ in states()] == ["done"] * 3 + ["waiting"] * 2


def test_a_worker_that_is_to_end_hands_in_what_it_has(drawer, tmp_path, engine):
    media = [make_media(path) for path in drawer(tmp_path, 5)]
    stop = Event()
    watched = Watched(engine, lambda number: stop.set() if number == 2 else None)

    with pytest.raises(Cancelled):
        carry_out(attempt_at(leased(*media), watched, stop))
    assert [state for state, _ in states()] == ["done"] * 3 + ["waiting"] * 2


@pytest.mark.parametrize(("attempts", "recorded"), ((1, [0, 0, 0, 0]), (2, [0, 1, 2, 3])))
def test_from_the_second_attempt_on_each_result_is_recorded_at_once(
    drawer, tmp_path, engine, monkeypatch, attempts, recorded
):
    monkeypatch.setattr("lookwho.workers.kinds.SECONDS", 60.0)
    media = [make_media(path) for path in drawer(tmp_path, 4)]
    seen = []
    watched = Watched(engine, lambda _: seen.append(Analysis.objects.filter(state="done").count()))
    carry_out(attempt_at(leased(*media, attempts=attempts), watched))

    assert seen == recorded
    assert states() == [("done", "")] * 4


def test_whoever_lost_the_lease_drops_the_results(drawer, tmp_path, engine):
    media = [make_media(path) for path in drawer(tmp_path, 2)]
    job = leased(*media)
    Job.objects.filter(pk=job.pk).update(ticket="another's")

    with pytest.raises(StaleTicket):
        carry_out(attempt_at(job, engine))
    assert Face.objects.count() == 0


def test_what_died_while_it_was_uploaded_is_tidied_away(settings, tmp_path):
    settings.SELFIES = tmp_path
    orphan = tmp_path / "orphan.jpg"
    orphan.touch()
    os.utime(orphan, (0, 0))
    tidy()

    assert not orphan.exists()


# --- faces that were drawn ---


def drawn(media, analyzer, path):
    """The first face of a photo, drawn by somebody as the analyzer would frame it."""
    found = analyzer(path)
    box = found.boxes[0] / np.array([found.width, found.height] * 2)
    drawing.draw(a_user(), media, box.tolist(), "Anna")
    return found


def test_a_face_that_was_drawn_gets_its_vector(photos, engine, analyzer):
    path = next(path for path in photos if path.name == "obama.jpg")
    media = make_media(path)
    carry_out(attempt_at(leased(media), engine))
    Face.objects.all().delete()
    found = drawn(media, analyzer, path)
    carry_out(attempt_at(claimed("embed"), engine))

    face = Face.objects.get()
    vector = np.frombuffer(bytes(face.embeddings.get().vector), "<f4")
    assert vector @ found.embeddings[0] > 0.97
    assert (face.source, face.person.name) == ("human", "Anna")
    assert face.quality > 0.5
    size = np.array([found.width, found.height])
    np.testing.assert_allclose(face.landmarks, found.landmarks[0] / size, atol=0.02)


def test_a_drawn_face_whose_file_is_gone_stays_and_the_job_says_why(
    photos, engine, analyzer, tmp_path
):
    path = shutil.copy(next(path for path in photos if path.name == "obama.jpg"), tmp_path)
    media = make_media(tmp_path / "obama.jpg")
    carry_out(attempt_at(leased(media), engine))
    Face.objects.all().delete()
    drawn(media, analyzer, path)
    os.unlink(path)

    with pytest.raises(FileMissing, match="obama"):
        carry_out(attempt_at(claimed("embed"), engine))
    assert [face.embeddings.count() for face in Face.objects.all()] == [0]


def test_a_face_whose_box_was_changed_meanwhile_is_left_to_the_next_job(photos, engine, analyzer):
    path = next(path for path in photos if path.name == "obama.jpg")
    media = make_media(path)
    carry_out(attempt_at(leased(media), engine))
    Face.objects.all().delete()
    drawn(media, analyzer, path)
    job = claimed("embed")
    (wanted,) = embedding.wanted(job)
    box = analyzer.embed(path, np.array([wanted.pixels]))
    faces.fix_box(a_user(), Face.objects.get(), (0.1, 0.1, 0.3, 0.3))
    embedding.record(job, wanted, box, done=1)

    face = Face.objects.get()
    assert (face.embeddings.count(), face.landmarks) == (0, [])
    assert claimed("embed").payload["faces"] == [face.pk]


def test_a_drawn_face_is_not_embedded_by_a_worker_who_lost_the_job(photos, engine, analyzer):
    path = next(path for path in photos if path.name == "obama.jpg")
    media = make_media(path)
    carry_out(attempt_at(leased(media), engine))
    Face.objects.all().delete()
    drawn(media, analyzer, path)
    job = claimed("embed")
    work.give_back(job.pk, job.ticket)

    with pytest.raises(StaleTicket):
        carry_out(attempt_at(job, engine))
    assert Face.objects.get().embeddings.count() == 0


def test_learning_is_carried_out_and_leaves_figures(engine):
    make_job("learn")
    carry_out(attempt_at(claimed("learn"), engine))

    assert Fit.objects.get().figures["verdict"] == "too_few"


def test_a_face_whose_stretches_were_changed_is_recognised_by_the_pictures_that_are_left(
    media, tmp_path, engine, analyzer
):
    """A video in which two people were taken for one until somebody put them apart."""
    path, labels = faces_clip(tmp_path / "clip.mp4", media, people=PEOPLE[:2], seconds=4)
    times = [(label.start + label.end) / 2 for label in labels]
    alone = [analyzer(frame_at(os.fspath(path), time)) for time in times]
    size = np.array([alone[0].width, alone[0].height] * 2)
    video = make_media(path, kind="video", width=alone[0].width, height=alone[0].height)
    Video.objects.create(media=video)
    seen = [
        a_track(label.start, label.end, faces.boxes[0] / size, vector=faces.embeddings[0])
        for label, faces in zip(labels, alone, strict=True)
    ]
    store(video, a_cast(somebody(alone[0].embeddings[0], *seen)))
    (both,) = faces_in(video)
    split_tracks(a_user(), both.tracks.order_by("start")[1:])
    carry_out(attempt_at(claimed("embed"), engine))

    found = [np.frombuffer(face.embeddings.get().vector, "<f4") for face in faces_in(video)]
    cosines = np.array([[vector @ each.embeddings[0] for each in alone] for vector in found])
    assert cosines.diagonal().min() > 0.99
    assert cosines[0, 1] < 0.95
    assert all(len(face.landmarks) == 5 for face in faces_in(video))
