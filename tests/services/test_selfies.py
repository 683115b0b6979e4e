import errno
import os
import stat
import threading
from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from PIL import Image

from lookwho.core import batch, errors, packs
from lookwho.core.batch import Outcome
from lookwho.core.types import Faces, Reason
from lookwho.library.models import ApiToken, Embedding, Guest, Job, Reference, Setting, User
from lookwho.services import consents, selfies
from lookwho.services.selfies import (
    add_selfie,
    purge_selfies,
    remove_selfie,
    run_reference,
    sweep_selfies,
)
from tests.faces import faces_of
from tests.gallery import consented, make_guest, make_member
from tests.pictures import encode, four_corners

State = Reference.State
LARGE = (100, 100, 300, 300)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where the selfies go."""
    settings.SELFIES = tmp_path / "selfies"
    return settings.SELFIES


@pytest.fixture
def user(db):
    return consented(make_member())


def picture(kind="PNG"):
    return SimpleUploadedFile("me.bin", encode(four_corners(), kind))


def the_job(reference, attempts=1):
    return Job(kind=Job.Kind.REFERENCE, payload={"reference": reference.pk}, attempts=attempts)


def choose(name, value):
    Setting.objects.update_or_create(name=name, defaults={"value": value})


class Told:
    """An engine that was told what to find; it knows which files it was asked about."""

    def __init__(self, faces=None, error=None):
        self.answer, self.asked = (faces, error), []

    def analyze(self, path):
        self.asked.append(path)
        return Outcome(path, *self.answer)


def looked_at(reference, faces=None, error=None, **more):
    run_reference(the_job(reference, **more), Told(faces, error))
    reference.refresh_from_db()
    return reference


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP"))
def test_a_selfie_is_kept_where_only_its_owner_reads_it_and_waits_for_a_worker(user, folder, kind):
    upload = picture(kind)

    reference = add_selfie(user, upload)

    assert (reference.user, reference.state) == (user, State.PROCESSING)
    assert reference.file == f"{reference.uuid}.{kind.lower()}"
    path = folder / reference.file
    upload.seek(0)
    assert path.read_bytes() == upload.read()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    job = Job.objects.get()
    assert (job.kind, job.payload, job.priority) == ("reference", {"reference": reference.pk}, -20)


@pytest.mark.parametrize(
    ("data", "refusal", "why"),
    (
        (b"", errors.NotAnImage, "empty"),
        (b"%PDF-1.7 and so on", errors.NotAnImage, "PDF"),
        (b"\x89PNG" + b"x" * selfies.MOST_BYTES, errors.Invalid, "20 MB"),
    ),
)
def test_what_is_no_picture_or_too_large_is_refused_and_leaves_nothing(
    user, folder, data, refusal, why
):
    with pytest.raises(refusal, match=why):
        add_selfie(user, SimpleUploadedFile("me.png", data))

    assert (Reference.objects.count(), Job.objects.count(), os.listdir(folder)) == (0, 0, [])


def test_a_file_of_exactly_the_most_bytes_is_taken(user, folder):
    add_selfie(user, SimpleUploadedFile("me", b"\x89PNG" + b"x" * (selfies.MOST_BYTES - 4)))

    assert len(os.listdir(folder)) == 1


@pytest.mark.parametrize("who", (AnonymousUser(), None))
def test_only_who_may_sign_in_adds_a_selfie(db, folder, who):
    with pytest.raises(errors.Forbidden):
        add_selfie(who or make_member(is_active=False), picture())

    assert not folder.exists()


def test_five_are_the_most(user, folder):
    kept = [add_selfie(user, picture()) for _ in range(5)]

    with pytest.raises(errors.Conflict, match="5 selfies"):
        add_selfie(user, picture())
    remove_selfie(user, kept[2])
    add_selfie(user, picture())
    add_selfie(consented(make_member("max")), picture())

    assert Reference.objects.filter(user=user).count() == 5
    assert len(os.listdir(folder)) == 6


def test_those_that_were_rejected_take_no_place_and_go_with_the_next(user):
    first = add_selfie(user, picture())
    looked_at(first, faces_of())
    for _ in range(5):
        add_selfie(user, picture())

    assert not Reference.objects.filter(pk=first.pk).exists()
    assert Reference.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_of_several_uploads_at_once_no_more_than_five_are_kept(folder):
    user, ended = consented(make_member()), []

    def add():
        try:
            add_selfie(user, picture())
            ended.append("kept")
        except errors.Conflict:
            ended.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == ["kept"] * 5 + ["refused"] * 3
    assert Reference.objects.count() == len(os.listdir(folder)) == 5


def test_a_disk_that_is_full_is_named_and_nothing_stays(user, folder):
    class Full:
        def chunks(self):
            yield b"\x89PNG"
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(errors.StorageFull, match="free some"):
        add_selfie(user, Full())

    assert (Reference.objects.count(), os.listdir(folder)) == (0, [])


def test_a_folder_that_cannot_be_made_is_named(user, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.SELFIES = tmp_path / "file" / "selfies"

    with pytest.raises(errors.StorageReadOnly, match="Not a directory"):
        add_selfie(user, picture())


def test_one_face_is_what_its_owner_is_found_by(user, folder):
    reference, faces = add_selfie(user, picture()), faces_of(LARGE)
    engine = Told(faces)

    run_reference(the_job(reference), engine)

    reference.refresh_from_db()
    assert (reference.state, reference.error) == (State.DONE, "")
    embedding = Embedding.objects.get()
    assert (embedding.reference, embedding.face) == (reference, None)
    assert np.frombuffer(embedding.vector, "<f4").tolist() == faces.embeddings[0].tolist()
    assert engine.asked == [os.fspath(folder / reference.file)]


def test_a_job_that_runs_twice_counts_once(user):
    reference = add_selfie(user, picture())

    looked_at(reference, faces_of(LARGE))
    looked_at(reference, faces_of())
    looked_at(reference, faces_of(LARGE))

    assert (reference.state, Embedding.objects.count()) == (State.DONE, 1)


@pytest.mark.parametrize(
    ("change", "left"),
    (
        (lambda user, reference: remove_selfie(user, reference), []),
        (lambda _, reference: looked_at(reference, faces_of(LARGE)), [State.DONE]),
    ),
)
def test_what_happened_while_a_worker_looked_at_it_is_not_undone(user, folder, change, left):
    reference = add_selfie(user, picture())

    class Slow(Told):
        def analyze(self, path):
            change(user, Reference.objects.get(pk=reference.pk))
            return super().analyze(path)

    run_reference(the_job(reference), Slow(faces_of(LARGE)))
    run_reference(the_job(reference), Slow(faces_of()))

    assert [row.state for row in Reference.objects.all()] == left
    assert Embedding.objects.count() == len(os.listdir(folder)) == len(left)


def test_somebody_far_behind_is_no_reason_to_refuse(user):
    reference = looked_at(add_selfie(user, picture()), faces_of(LARGE, (10, 10, 60, 60)))

    assert reference.state == State.DONE


@pytest.mark.parametrize(
    ("faces", "code", "why"),
    (
        (faces_of(reason=Reason.NOTHING), "no_face", "nothing in the photo looks like a face"),
        (faces_of(LARGE, (310, 100, 500, 300)), "several_faces", "2 faces: crop the picture"),
        (faces_of((0, 0, 39, 39)), "input", "only 39 pixels wide, and 40 are needed: move closer"),
    ),
)
def test_why_a_selfie_cannot_be_used_is_told_and_the_picture_is_not_kept(
    user, folder, faces, code, why
):
    reference = looked_at(add_selfie(user, picture()), faces)

    assert (reference.state, reference.error_code) == (State.REJECTED, code)
    assert why in reference.error
    assert (os.listdir(folder), reference.file, Embedding.objects.count()) == ([], "", 0)


@pytest.mark.parametrize(("quality", "state"), ((0.19, State.REJECTED), (0.21, State.DONE)))
def test_a_blurred_face_is_refused_with_what_to_do(user, quality, state):
    one = faces_of(LARGE)
    blurred = Faces(
        **{name: getattr(one, name) for name in Faces.__slots__}
        | {"quality": np.array([quality], np.float32)}
    )

    reference = looked_at(add_selfie(user, picture()), blurred)

    assert reference.state == state
    assert ("hold it still" in reference.error) is (state == State.REJECTED)


@pytest.mark.parametrize(
    ("error", "message"),
    (
        (errors.BrokenImage("cut short"), "cut short"),
        (errors.FileMissing("/secret/place/x.png is not there"), "the picture is gone"),
    ),
)
def test_a_file_that_cannot_be_read_is_rejected(user, error, message):
    reference = looked_at(add_selfie(user, picture()), error=error)

    assert (reference.state, reference.error_code) == (State.REJECTED, error.code)
    assert message in reference.error
    assert "secret" not in reference.error


def test_work_that_goes_wrong_is_tried_again_and_in_the_end_told(user):
    reference = add_selfie(user, picture())

    with pytest.raises(errors.TimedOut):
        looked_at(reference, error=errors.TimedOut("60 seconds were not enough"), attempts=4)
    reference.refresh_from_db()
    assert reference.state == State.PROCESSING
    looked_at(reference, error=errors.TimedOut("60 seconds were not enough"), attempts=5)

    assert (reference.state, reference.error_code) == (State.REJECTED, "timed_out")


@pytest.mark.parametrize("attempts", (1, 5))
def test_a_machine_that_lacks_a_model_rejects_no_selfie(user, attempts):
    reference = add_selfie(user, picture())

    with pytest.raises(errors.ModelMissing):
        looked_at(reference, error=errors.ModelMissing("no such file"), attempts=attempts)

    reference.refresh_from_db()
    assert reference.state == State.PROCESSING


def test_where_none_are_kept_a_removed_selfie_leaves_nothing(user, folder):
    choose("selfie_retention_days", 0)
    reference = looked_at(add_selfie(user, picture()), faces_of(LARGE))
    other = looked_at(add_selfie(user, picture()), faces_of(LARGE))

    remove_selfie(user, reference)

    assert list(Reference.objects.all()) == [other]
    assert [row.reference for row in Embedding.objects.all()] == [other]
    assert os.listdir(folder) == [other.file]
    with pytest.raises(errors.NotFound):
        remove_selfie(user, reference)


def test_nobody_removes_the_selfie_of_somebody_else(user, folder):
    reference = looked_at(add_selfie(user, picture()), faces_of(LARGE))

    for other in (make_member("max"), make_member("owner", role="owner"), AnonymousUser()):
        with pytest.raises(errors.NotFound):
            remove_selfie(other, reference)

    assert (Reference.objects.count(), Embedding.objects.count()) == (1, 1)
    assert os.listdir(folder) == [reference.file]


def test_a_file_that_cannot_be_removed_keeps_its_row(user, folder):
    reference = add_selfie(user, picture())
    (folder / reference.file).unlink()
    (folder / reference.file).mkdir()

    with pytest.raises(errors.StorageReadOnly):
        remove_selfie(user, reference)

    assert Reference.objects.filter(pk=reference.pk).exists()


def test_files_of_uploads_that_died_are_swept_away(user, folder):
    kept = add_selfie(user, picture())
    for name, age in (("died.partial", 7200), ("orphan.png", 7200), ("young.png", 10)):
        (folder / name).write_bytes(b"bytes")
        os.utime(folder / name, (0, (folder / kept.file).stat().st_mtime - age))
    os.utime(folder / kept.file, (0, 0))

    assert sweep_selfies() == 2
    assert sorted(os.listdir(folder)) == sorted([kept.file, "young.png"])


def test_where_there_never_was_a_selfie_nothing_is_swept(db):
    assert sweep_selfies() == 0


def side_by_side(*paths):
    together = Image.new("RGB", (800 * len(paths), 800))
    for number, path in enumerate(paths):
        with Image.open(path) as photo:
            together.paste(photo.convert("RGB").resize((800, 800)), (800 * number, 0))
    return encode(together, "JPEG")


def test_a_real_engine_takes_a_portrait_and_refuses_two(user, samples):
    engine = batch.Worker(packs.settings())
    portrait, other = samples / "obama.jpg", samples / "biden.jpg"
    try:
        references = []
        for data in (portrait.read_bytes(), side_by_side(portrait, other)):
            references.append(add_selfie(user, SimpleUploadedFile("me.jpg", data)))
            run_reference(the_job(references[-1]), engine)
            references[-1].refresh_from_db()
    finally:
        engine.stop()

    alone, two = references
    assert (alone.state, alone.error) == (State.DONE, "")
    assert (two.state, two.error) == (State.REJECTED, "2 faces: crop the picture to yours")


# --- consent ---


def test_nobody_is_looked_for_without_having_agreed(db, folder):
    user = make_member()

    with pytest.raises(errors.ConsentNeeded):
        add_selfie(user, picture())
    consented(user)
    add_selfie(user, picture())
    consents.withdraw(user, consents.FIND)
    with pytest.raises(errors.ConsentNeeded):
        add_selfie(user, picture())

    assert (Reference.objects.count(), os.listdir(folder)) == (0, [])


def test_a_consent_that_is_withdrawn_while_the_picture_comes_in_counts(user, folder):
    class Slow:
        def chunks(self):
            yield encode(four_corners(), "PNG")
            consents.withdraw(user, consents.FIND)

    with pytest.raises(errors.ConsentNeeded):
        add_selfie(user, Slow())

    jobs = Job.objects.filter(kind=Job.Kind.REFERENCE)
    assert (Reference.objects.count(), jobs.count(), os.listdir(folder)) == (0, 0, [])


def test_a_guest_agrees_with_each_picture_and_leaves_none_behind(db, folder):
    passing, staying = make_guest(), make_guest("anna@example.org")
    with pytest.raises(errors.ConsentNeeded):
        add_selfie(passing, picture())

    references = [add_selfie(each, picture(), agreed=True) for each in (passing, staying)]
    gone, kept = (looked_at(each, faces_of(LARGE)) for each in references)

    assert (gone.guest, gone.user, gone.state, gone.file) == (passing, None, State.DONE, "")
    assert (kept.state, os.listdir(folder)) == (State.DONE, [kept.file])
    assert Embedding.objects.count() == 2


def test_a_guest_whose_time_is_over_adds_none(db, folder):
    with pytest.raises(errors.Forbidden):
        add_selfie(make_guest(lasts=timedelta(seconds=-1)), picture(), agreed=True)

    assert not folder.exists()


def test_no_more_than_twenty_are_added_in_a_day_however_many_are_removed(user):
    for _ in range(selfies.MOST_A_DAY):
        remove_selfie(user, looked_at(add_selfie(user, picture()), faces_of(LARGE)))

    with pytest.raises(errors.TooMany, match="tomorrow"):
        add_selfie(user, picture())
    Reference.objects.update(created_at=timezone.now() - timedelta(hours=25))
    add_selfie(user, picture())


# --- removed, and kept for a while ---


def test_a_removed_selfie_is_kept_for_thirty_days_and_seen_by_its_owner_no_more(user, folder):
    reference = looked_at(add_selfie(user, picture()), faces_of(LARGE))

    remove_selfie(user, reference)

    removed = timezone.now()
    assert not selfies.live(user).exists()
    assert os.listdir(folder) == [reference.file]
    with pytest.raises(errors.NotFound):
        remove_selfie(user, reference)
    before = purge_selfies(removed + timedelta(days=29))
    assert (before.deleted, Reference.objects.count()) == (0, 1)
    planned = purge_selfies(removed + timedelta(days=31), dry_run=True)
    assert (planned.deleted, Reference.objects.count()) == (1, 1)
    done = purge_selfies(removed + timedelta(days=31))
    assert (done, os.listdir(folder)) == (planned, [])
    assert (Reference.objects.count(), Embedding.objects.count()) == (0, 0)


def test_a_removed_selfie_takes_no_place(user):
    kept = [looked_at(add_selfie(user, picture()), faces_of(LARGE)) for _ in range(5)]

    remove_selfie(user, kept[0])

    add_selfie(user, picture())
    assert (selfies.live(user).count(), Reference.objects.count()) == (5, 6)


def test_a_guests_selfie_goes_at_once(db, folder):
    guest = make_guest("anna@example.org")
    reference = looked_at(add_selfie(guest, picture(), agreed=True), faces_of(LARGE))

    remove_selfie(guest, reference)

    assert (Reference.objects.count(), Embedding.objects.count(), os.listdir(folder)) == (0, 0, [])


def test_neither_a_member_nor_a_guest_removes_what_is_anothers_of_the_same_number(user):
    guest = make_guest()
    Guest.objects.filter(pk=guest.pk).delete()
    guest.pk = user.pk
    guest.save()
    reference = looked_at(add_selfie(user, picture()), faces_of(LARGE))

    with pytest.raises(errors.NotFound):
        remove_selfie(guest, reference)

    assert Reference.objects.get().deleted_at is None


def test_all_of_somebody_goes_at_once_also_what_was_kept(user, folder):
    other = looked_at(add_selfie(consented(make_member("max")), picture()), faces_of(LARGE))
    remove_selfie(user, looked_at(add_selfie(user, picture()), faces_of(LARGE)))
    add_selfie(user, picture())

    assert selfies.erase_all(user) == 2

    assert list(Reference.objects.all()) == [other]
    assert os.listdir(folder) == [other.file]


LONG_AGO = timezone.now() - timedelta(days=400)


def forgotten(user, reference):
    """Make somebody one who came last more than a year ago."""
    Reference.objects.filter(pk=reference.pk).update(created_at=LONG_AGO)
    User.objects.filter(pk=user.pk).update(
        date_joined=LONG_AGO, last_login=LONG_AGO, visited_at=LONG_AGO
    )


@pytest.mark.parametrize(
    "sign",
    (
        lambda user, now: User.objects.filter(pk=user.pk).update(last_login=now),
        lambda user, now: User.objects.filter(pk=user.pk).update(visited_at=now),
        lambda user, now: User.objects.filter(pk=user.pk).update(date_joined=now),
        lambda user, now: Reference.objects.filter(user=user).update(created_at=now),
        lambda user, now: ApiToken.objects.create(user=user, token_hash=b"1", used_at=now),
    ),
    ids=("signed in", "came", "joined", "added a selfie", "used a token"),
)
def test_the_selfies_of_who_came_no_more_for_a_year_go_and_a_sign_of_life_keeps_them(
    user, folder, sign
):
    reference = looked_at(add_selfie(user, picture()), faces_of(LARGE))
    forgotten(user, reference)
    now = timezone.now()
    assert purge_selfies(now, dry_run=True).inactive == 1

    sign(user, now - timedelta(days=364))

    assert purge_selfies(now).inactive == 0
    choose("inactive_days", 300)
    assert purge_selfies(now).inactive == 1
    assert (Reference.objects.count(), os.listdir(folder)) == (0, [])


def test_a_setting_that_is_no_number_of_days_is_not_followed(user):
    for nonsense in (-1, "30", [7]):
        choose("selfie_retention_days", nonsense)
        assert selfies.retention_days() == 30
