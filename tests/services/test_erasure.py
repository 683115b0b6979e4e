import threading

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, StorageReadOnly
from lookwho.library import vectors
from lookwho.library.models import (
    Decision,
    Embedding,
    Erasure,
    Face,
    Job,
    Media,
    Person,
    Reference,
    Suppression,
    Task,
    User,
)
from lookwho.library.scope import Purpose, Scope
from lookwho.services import accounts, analysis, consents, drawing, erasure, ledger, receipts
from tests.erasing import NAME, backup, left, restore, somebody
from tests.gallery import make_pack, make_photo, near
from tests.work import claimed, found, make_analyse_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    """A home of its own, in which nothing of other tests lies."""
    settings.HOME = tmp_path / "home"
    settings.SELFIES = settings.HOME / "selfies"
    settings.PICTURES = settings.HOME / "pictures"
    settings.UPLOADS = settings.HOME / "uploads"
    settings.LEDGER = settings.HOME / "erasures.jsonl"
    settings.HOME.mkdir()
    return settings.HOME


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return somebody(folder)


def test_before_an_erasure_all_of_somebody_is_found_by_the_search_of_these_tests(made, home):
    """Or finding nothing afterwards would say nothing."""
    there = {each.split(" in ")[0] for each in left(made, home)}
    half = {needle for needle in made.needles if needle.startswith("half")}

    expected = set(made.needles) - half
    if connection.vendor == "postgresql":
        expected = set(made.needles)
    assert {needle for needle in expected if not needle.endswith("as JSON")} <= there
    assert "name, as JSON" in there or connection.vendor == "postgresql"


@pytest.mark.parametrize("by", ("themselves", "owner", "owner, as a user"))
def test_after_an_erasure_no_byte_of_somebody_is_left(made, home, by):
    if by == "themselves":
        receipt = erasure.erase_account(made.user)
    elif by == "owner":
        receipt = erasure.erase_person(made.owner, made.person)
    else:
        receipt = erasure.erase_user(made.owner, made.user)

    assert left(made, home) == set()
    assert receipt.state == "done"
    assert not User.objects.filter(pk=made.user.pk).exists()
    assert not Person.objects.filter(pk=made.person.pk).exists()
    assert not Face.objects.filter(pk__in=made.faces).exists()
    assert not Reference.objects.filter(user__isnull=False).exists()


def test_others_stay_as_they_were(made):
    erasure.erase_account(made.user)

    assert Media.objects.filter(pk__in=[each.pk for each in made.media]).count() == len(made.media)
    stay = Face.objects.filter(person=made.other)
    assert stay.count() == len(made.other_vectors)
    kept = Embedding.objects.filter(face__in=stay).values_list("vector", flat=True)
    assert {bytes(each) for each in kept} == {
        vector.astype("<f4").tobytes() for vector in made.other_vectors
    }
    assert Person.objects.filter(name="Karel").exists()
    group = Job.objects.get(kind="group", state="done")
    assert group.payload == {"likely": [[4, 99, 0.8]], "doubts": []}
    assert Job.objects.get(kind="embed", state="done").payload["faces"] == [10**6]
    assert not Task.objects.exists()


def test_an_erased_face_is_never_found_again(made):
    photo, face = made.media[0], Face.objects.get(pk=made.faces[0])
    x1, y1, x2, y2 = face.box
    erasure.erase_account(made.user)

    # Another detector frames it more generously: as a box these are not the same.
    width, height = 640, 480
    generous = (x1 - 0.07) * width, (y1 - 0.07) * height, (x2 + 0.07) * width, (y2 + 0.07) * height
    beside = 400, 40, 500, 140
    make_analyse_job(photo)
    job = claimed("analyse")
    analysis.record_faces(job.pk, job.ticket, [(photo.pk, found(generous, beside))])

    boxes = Face.objects.filter(media=photo, person=None).values_list("x1", flat=True)
    assert [round(each * width) for each in boxes] == [400]
    with pytest.raises(Conflict, match="erased here, for good"):
        drawing.draw(made.owner, photo, (x1, y1, x2, y2), "Zdenka")


def test_the_index_in_memory_does_not_know_the_face_any_more(made):
    pack, everything = make_pack(), Scope(purpose=Purpose.BROWSE, everything=True)
    last = near(np.random.default_rng(6), made.vectors[0], 0.03)
    Face.objects.filter(media=make_photo(last)).update(person=made.person)
    made.vectors.append(last)
    before = vectors.nearest(everything, made.vectors[0], pack, limit=3)
    assert made.faces[0] in before.face_ids
    rows = Embedding.objects.exclude(face=None).count()

    erasure.erase_account(made.user)

    after = vectors.nearest(everything, made.vectors[0], pack, limit=500)
    assert not set(made.faces) & set(after.face_ids.tolist())
    if connection.vendor == "sqlite":
        stored = _in_memory(pack, rows)  # also where there is nothing any more
        assert made.other_vectors[0].astype("<f2").tobytes() in stored
        assert not any(vector.astype("<f2").tobytes() in stored for vector in made.vectors)


# --- cut short, and undone by a backup ---


def test_an_erasure_that_was_cut_short_is_finished_at_the_next_start(made, home, monkeypatch):
    """Cut short wherever it can be: after each step of it."""
    steps = ("_written", "forgetting.forget", "_drop_pictures", "scrub.scrub", "receipts.signed")

    class Cut(BaseException):
        pass

    def cut(*_, **__):
        raise Cut

    for step in steps[:1]:
        with monkeypatch.context() as patched:
            patched.setattr(f"lookwho.services.erasure.{step}", cut)
            with pytest.raises(Cut):
                erasure.erase_account(made.user)
    assert not Erasure.objects.exists()
    assert User.objects.filter(pk=made.user.pk).exists()
    for step in steps[1:]:
        with monkeypatch.context() as patched:
            patched.setattr(f"lookwho.services.erasure.{step}", cut)
            with pytest.raises(Cut):
                erasure.resume()
        assert Erasure.objects.get().state == "waiting"

    assert erasure.resume() == 1

    assert left(made, home) == set()
    assert receipts.check(Erasure.objects.get().receipt) == Erasure.objects.get().uuid
    assert erasure.resume() == 0


def test_what_nobody_could_overwrite_at_once_a_worker_overwrites_later(made, home):
    reading, done = threading.Event(), threading.Event()

    def read():
        with connection.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute("select count(*) from lookwho_face")
            reading.set()
            done.wait(60)
            cursor.execute("rollback")
        connection.close()

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(10)
    try:
        from lookwho.services import scrub

        patience, scrub.PATIENCE = scrub.PATIENCE, 0.3
        try:
            receipt = erasure.erase_account(made.user)
        finally:
            scrub.PATIENCE = patience
        assert (receipt.state, receipt.receipt) == ("waiting", "")
        assert not User.objects.filter(pk=made.user.pk).exists()
        assert left(made) != set()
    finally:
        done.set()
        thread.join()
    Job.objects.filter(kind="erase").update(run_at=timezone.now())

    erasure.run_erase(claimed("erase"), beat=lambda: None)

    assert left(made, home) == set()
    assert Erasure.objects.get().state == "done"


def test_what_a_restored_backup_brings_back_is_erased_again(made, home, tmp_path):
    saved = tmp_path / "backup"
    saved.mkdir()
    backup(saved / "database")
    for name in ("selfies", "pictures"):
        _copy(home / name, saved / name)
    erasure.erase_account(made.user)
    assert left(made, home) == set()

    restore(saved / "database")
    for name in ("selfies", "pictures"):
        _copy(saved / name, home / name)
    assert User.objects.filter(pk=made.user.pk).exists()
    assert left(made, home) != set()

    assert erasure.resume() == 1

    assert left(made, home) == set()
    assert not Erasure.objects.exclude(state="done").exists()
    assert Suppression.objects.filter(erased=True).count() == len(made.faces)
    assert erasure.resume() == 0


def test_a_withdrawal_is_done_again_after_a_restore_too(made, tmp_path):
    backup(tmp_path / "backup")
    consents.withdraw(made.user, consents.FIND)
    restore(tmp_path / "backup")
    assert consents.agreed(made.user, consents.FIND)

    erasure.resume()

    assert [consents.agreed(made.user, purpose) for purpose in consents.PURPOSES] == [
        False,
        True,
        False,
    ]
    assert not Reference.objects.filter(user=made.user).exists()
    assert User.objects.filter(pk=made.user.pk).exists()


def test_without_a_ledger_nothing_is_erased(made, settings, home):
    (home / "blocked").write_text("")
    settings.LEDGER = home / "blocked" / "erasures.jsonl"

    with pytest.raises(StorageReadOnly, match="LOOKWHO_LEDGER"):
        erasure.erase_account(made.user)

    assert User.objects.filter(pk=made.user.pk).exists()
    assert Face.objects.filter(pk__in=made.faces).count() == len(made.faces)


# --- withdrawing ---


def test_withdrawing_to_be_found_removes_selfies_and_vectors_at_once(made, home):
    selfie = {"picture": made.needles["picture"]}
    stored = Embedding.objects.get(reference__user=made.user)
    Embedding.objects.filter(pk=stored.pk).update(vector=bytes(range(256)) * 2)
    made.needles = selfie | {"selfie's vector": bytes(range(200))}
    assert {each.split(" in ")[0] for each in left(made, home)} == set(made.needles)

    receipt = consents.withdraw(made.user, consents.FIND)

    assert left(made, home) == set()
    assert not Reference.objects.filter(user=made.user).exists()
    assert not made.user.searches.exists()
    assert receipt is not None
    assert "selfies: 1" in receipt.receipt
    assert receipts.check(receipt.receipt) == receipt.uuid
    assert User.objects.filter(pk=made.user.pk).exists()
    assert Face.objects.filter(pk__in=made.faces).count() == len(made.faces)


# --- who, and what they are told ---


def test_the_last_owner_stays(made):
    with pytest.raises(Conflict, match="last owner"):
        erasure.erase_account(made.owner)

    assert list(ledger.entries()) == []


def test_only_an_owner_erases_others(made):
    with pytest.raises(Forbidden):
        erasure.erase_person(made.user, made.other)
    with pytest.raises(Forbidden):
        erasure.erase_user(made.user, made.owner)

    assert list(ledger.entries()) == []


def test_what_goes_is_told_before(made):
    told = erasure.outlook(user=made.user)

    assert (told.selfies, told.faces, told.photos, told.account) == (1, 12, 12, True)
    assert told.names == (NAME,)
    assert erasure.outlook(person=made.person) == told
    before = told.decisions
    receipt = erasure.erase_account(made.user)
    assert receipt.counts["faces"] == 12
    assert receipt.counts["decisions"] >= before > 0


def test_the_ledger_tells_where_faces_were_and_names_nobody(made):
    erasure.erase_account(made.user)

    text = ledger.path().read_text("utf-8")
    assert not any(needle in text.encode() for needle in made.needles.values())
    [entry] = ledger.entries()
    assert entry.user == made.user.uuid
    assert made.person.uuid in entry.people
    assert set(entry.faces) == {bytes(each.payload_hash).hex() for each in made.media}
    assert ledger.path().stat().st_mode & 0o777 == 0o600


def test_a_selfie_finds_no_face_that_somebody_else_was_said_to_be(made):
    theirs = Face.objects.filter(pk=made.faces[11])
    theirs.update(person=made.other)

    erasure.erase_account(made.user)

    assert theirs.get().person == made.other


def test_a_picture_of_somebody_else_as_a_selfie_erases_nobody_who_has_a_name_or_an_account(made):
    rival = accounts.make_user("Rival")
    Reference.objects.filter(user=made.user).update(user=rival)
    Person.objects.filter(pk=made.person.pk).update(name="", user=made.user)
    named, merged = Person.objects.create(name="Vera"), Person.objects.create()
    Person.objects.filter(pk=merged.pk).update(merged_into=named, root=named)
    Face.objects.filter(pk__in=made.faces[9:11]).update(guess=named)
    Face.objects.filter(pk=made.faces[11]).update(guess=merged)
    assert erasure.outlook(user=rival).elsewhere == 12

    receipt = erasure.erase_account(rival)

    assert "faces" not in receipt.counts
    assert Face.objects.filter(pk__in=made.faces).count() == len(made.faces)


def test_selfies_of_different_people_erase_no_face(made):
    pack = make_pack()
    another = Reference.objects.create(user=made.user, file="", state="done")
    vector = made.other_vectors[0].astype("<f4").tobytes()
    Embedding.objects.create(reference=another, pack=pack, vector=vector)

    assert erasure.outlook(user=made.user).faces == 9  # those that somebody said or guessed


def test_a_user_nobody_linked_goes_with_the_faces_that_their_selfies_find(made):
    Person.objects.filter(pk=made.person.pk).update(user=None)
    Face.objects.filter(pk__in=made.faces[:9]).update(person=None, guess=None)
    Decision.objects.filter(person=made.person).delete()

    receipt = erasure.erase_account(made.user)

    assert receipt.counts["faces"] == 12
    assert Person.objects.filter(pk=made.person.pk).exists()


def _in_memory(pack, rows):
    import faiss

    from lookwho.library.vectors import memory

    codes = faiss.downcast_index(memory.index_of(pack)._vectors.index).codes
    return bytes(faiss.rev_swig_ptr(codes.data(), rows * pack.dim * 2))


def _copy(source, target):
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
