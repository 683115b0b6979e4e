import numpy as np
import pytest
from django.db import connection

from lookwho.core.batch import Outcome
from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Consent,
    Embedding,
    Face,
    Job,
    Reference,
    VectorChange,
)
from lookwho.services import analysis, consents, embedding, events, guarding
from tests.erasing import database
from tests.faces import HEIGHT, WIDTH, faces_of
from tests.gallery import draw, make_album, make_faces, make_member, make_pack, make_photo, near
from tests.work import claimed, make_analyse_job, make_media

SURE, STRANGE = 0.03, 0.3
BOXES = (64, 48, 128, 120), (320, 240, 400, 340)


@pytest.fixture
def generator():
    return np.random.default_rng(3)


@pytest.fixture
def mia(db, generator, settings, tmp_path):
    settings.LEDGER, settings.SELFIES = tmp_path / "erasures.jsonl", tmp_path / "selfies"
    settings.PICTURES = tmp_path / "pictures"
    return make_member("mia")


@pytest.fixture
def me(generator):
    return draw(generator, 1)[0]


def agree(user, vector, *purposes, pack=None):
    for purpose in purposes or (consents.FIND, consents.EVENTS):
        Consent.objects.create(user=user, purpose=purpose, version="1")
    if vector is None:
        return None
    reference = Reference.objects.create(user=user, file=f"{user.pk}.jpg", state="done")
    Embedding.objects.create(
        reference=reference,
        pack=pack or analysis.current_pack(),
        vector=vector.astype("<f4").tobytes(),
    )
    return reference


def seen(media, vectors, boxes=BOXES):
    """Let a worker hand in what it found in a photo."""
    faces = faces_of(*boxes[: len(vectors)])
    object.__setattr__(faces, "embeddings", np.stack(vectors).astype(np.float32))
    faces.landmarks[:] = 100.0
    make_analyse_job(media)
    job = claimed("analyse")
    analysis.record_faces(job.pk, job.ticket, [(media.pk, Outcome("x.jpg", faces, None))])
    return list(Face.objects.filter(media=media).order_by("x1"))


def kept(faces):
    return [Embedding.objects.filter(face=face).exists() for face in faces]


def test_in_such_an_event_only_the_faces_of_who_agreed_are_kept(mia, me, generator):
    agree(mia, me)
    photo, strange = make_media(), draw(generator, 1)[0]
    make_album(photo, consenting_only=True)

    faces = seen(photo, [near(generator, me, SURE), strange])

    assert kept(faces) == [True, False]
    own, other = faces
    assert (len(own.landmarks), other.landmarks) == (5, [])
    assert other.box == pytest.approx((320 / WIDTH, 240 / HEIGHT, 400 / WIDTH, 340 / HEIGHT))
    assert (other.score, other.quality, other.guess_id, other.probability) == (1, 1, None, None)
    assert list(VectorChange.objects.values_list("face_id", flat=True)) == [own.pk]


def test_in_other_photos_all_faces_are_kept(mia, me, generator):
    agree(mia, me)
    photo = make_media()
    make_album(photo)

    assert kept(seen(photo, [near(generator, me, SURE), draw(generator, 1)[0]])) == [True, True]


def test_one_such_album_is_enough_whatever_else_the_photo_is_in(mia, generator):
    photo = make_media()
    make_album(photo)
    make_album(photo, consenting_only=True)

    assert kept(seen(photo, list(draw(generator, 2)))) == [False, False]


@pytest.mark.parametrize(
    "lacking", ("finding", "events", "selfie", "approval", "selfie removed", "account", "state")
)
def test_who_has_not_agreed_to_all_of_it_is_not_kept(mia, me, generator, lacking):
    reference = agree(mia, me)
    wanting = {"finding": consents.FIND, "events": consents.EVENTS}
    if lacking in wanting:
        Consent.objects.filter(purpose=wanting[lacking]).update(withdrawn_at="2024-06-01T12:00Z")
    elif lacking == "selfie":
        Embedding.objects.filter(reference=reference).delete()
    elif lacking == "approval":
        Reference.objects.update(approved=False)
    elif lacking == "selfie removed":
        Reference.objects.update(deleted_at="2024-06-01T12:00Z")
    elif lacking == "state":
        Reference.objects.update(state="processing")
    else:
        type(mia).objects.filter(pk=mia.pk).update(is_active=False)
    photo = make_media()
    make_album(photo, consenting_only=True)

    assert kept(seen(photo, [near(generator, me, SURE)])) == [False]


def test_the_more_people_agreed_the_more_alike_a_face_has_to_be(generator):
    me, others = draw(generator, 1)[0], draw(generator, 400)
    alone = guarding.Allowed((guarding.Query.of(me[None]),))
    among = guarding.Allowed(tuple(guarding.Query.of(each[None]) for each in (me, *others)))
    faces = np.stack([near(generator, me, each) for each in np.linspace(0.01, 0.2, 60)])

    few, many = among.theirs(faces).sum(), alone.theirs(faces).sum()

    assert 0 < few < many < 60
    assert not guarding.Allowed(()).theirs(faces).any()
    assert alone.theirs(faces[:0]).shape == (0,)


@pytest.mark.django_db(transaction=True)
def test_vectors_of_others_never_reach_the_database_nor_its_log(mia, me, generator):
    agree(mia, me)
    photo, strange = make_media(), draw(generator, 1)[0]
    make_album(photo, consenting_only=True)
    own = near(generator, me, SURE)

    seen(photo, [own, strange])

    blobs = dict(database())
    assert any(own.astype("<f4").tobytes() in data for data in blobs.values())
    for kind in ("<f4", "<f2"):
        needle = strange.astype(kind).tobytes()[:16]
        assert not [name for name, data in blobs.items() if needle in data]


def test_a_face_somebody_drew_there_gets_no_vector_either(mia, me, generator):
    agree(mia, me)
    photo = make_media(width=WIDTH, height=HEIGHT)
    make_album(photo, consenting_only=True)
    pack = analysis.current_pack()
    Analysis.objects.create(media=photo, pack=pack, state="done")
    for vector, expected in ((draw(generator, 1)[0], False), (near(generator, me, SURE), True)):
        face = Face.objects.create(media=photo, source="human", x1=0.1, y1=0.1, x2=0.2, y2=0.2)
        embedding.ask([face.pk])
        job = claimed("embed")
        [wanted] = embedding.wanted(job)
        faces = faces_of(BOXES[0])
        object.__setattr__(faces, "embeddings", vector[None].astype(np.float32))
        embedding.record(job, wanted, faces, done=1)
        face.refresh_from_db()

        assert kept([face]) == [expected]
        assert bool(face.landmarks) is expected
        face.delete()


def test_a_later_consent_looks_at_the_kept_boxes_again_and_says_before_what_that_takes(
    mia, me, generator
):
    photo = make_media()
    make_album(photo, consenting_only=True)
    faces = seen(photo, [near(generator, me, SURE), draw(generator, 1)[0]])
    agree(mia, me, consents.FIND)
    assert kept(faces) == [False, False]
    assert events.cost() == events.Cost(2, 2 * events.SECONDS_EACH)

    consents.give(mia, consents.EVENTS, version=1)

    job = Job.objects.get(kind="embed")
    assert job.payload["faces"] == [face.pk for face in faces]
    events.consent_came(mia)  # another selfie, while that waits
    assert Job.objects.filter(kind="embed").count() == 1
    job = claimed("embed")
    vectors = [near(generator, me, SURE), draw(generator, 1)[0]]
    for done, wanted in enumerate(embedding.wanted(job), 1):
        found = faces_of(BOXES[0])
        object.__setattr__(found, "embeddings", vectors[done - 1][None].astype(np.float32))
        embedding.record(job, wanted, found, done=done)
    assert kept(faces) == [True, False]


def test_the_cost_is_measured_on_what_was_done_before(mia, generator):
    photo = make_media()
    make_album(photo, consenting_only=True)
    seen(photo, list(draw(generator, 2)))
    Job.objects.create(
        kind="embed",
        state="done",
        payload={"faces": []},
        total=10,
        started_at="2024-06-01T12:00:00Z",
        finished_at="2024-06-01T12:00:20Z",
    )

    assert events.cost() == events.Cost(2, 4.0)


def test_who_withdraws_is_dropped_and_others_stay(mia, me, generator):
    ben, his = make_member("ben"), draw(generator, 1)[0]
    agree(mia, me)
    agree(ben, his)
    photo = make_media()
    make_album(photo, consenting_only=True)
    faces = seen(photo, [near(generator, me, SURE), near(generator, his, SURE)])
    assert kept(faces) == [True, True]

    consents.withdraw(mia, consents.EVENTS)

    assert kept(faces) == [False, True]
    faces[0].refresh_from_db()
    assert faces[0].landmarks == []
    assert VectorChange.objects.filter(verb="remove", face_id=faces[0].pk).exists()


@pytest.mark.django_db(transaction=True)
def test_after_a_withdrawal_no_byte_of_the_vector_is_left(mia, me, generator):
    agree(mia, me)
    photo, own = make_media(), near(generator, me, SURE)
    make_album(photo, consenting_only=True)
    seen(photo, [own])

    def bytes_left():
        needle = own.astype("<f4").tobytes()[:32]
        return [
            name for name, data in database() if needle in data or needle.hex().encode() in data
        ]

    assert bytes_left()

    receipt = consents.withdraw(mia, consents.FIND)

    assert bytes_left() == []
    assert receipt.counts["vectors in events that keep only who agreed"] == 1


def test_a_photo_that_joins_such_an_album_later_loses_its_vectors(mia, me, generator):
    agree(mia, me)
    photo, strange = make_photo(near(generator, me, SURE), draw(generator, 1)[0]), make_photo()
    other = make_photo(draw(generator, 1)[0])
    album = make_album(strange, consenting_only=True)
    faces = list(Face.objects.filter(media__in=[photo, other]).order_by("pk"))
    AlbumItem.objects.create(album=album, media=photo)

    assert events.album_changed(album) == 1

    assert kept(faces) == [True, False, True]


def test_an_album_that_no_longer_keeps_only_who_agreed_looks_at_all_again(mia, generator):
    photo, still = make_media(), make_media()
    album = make_album(photo, still, consenting_only=True)
    make_album(still, consenting_only=True)
    faces = seen(photo, list(draw(generator, 2)))
    seen(still, list(draw(generator, 1)))
    Album.objects.filter(pk=album.pk).update(consenting_only=False)
    album.refresh_from_db()

    assert events.album_changed(album) == 2

    assert Job.objects.get(kind="embed").payload["faces"] == [face.pk for face in faces]


def test_what_was_recorded_takes_as_many_queries_for_one_guarded_photo_as_for_three(
    mia, me, generator, django_assert_max_num_queries
):
    agree(mia, me)
    rows = [make_media() for _ in range(3)]
    make_album(*rows, consenting_only=True)
    make_faces([(make_photo(), draw(generator, 1)[0])], pack=make_pack())
    seen(make_media(), list(draw(generator, 1)))  # what is made once is there

    def outcomes(media):
        faces = faces_of(BOXES[0])
        return [(each.pk, Outcome("x.jpg", faces, None)) for each in media]

    make_analyse_job(*rows)
    job = claimed("analyse")
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        analysis.record_faces(job.pk, job.ticket, outcomes(rows[:1]))
    with django_assert_max_num_queries(len(one)):
        analysis.record_faces(job.pk, job.ticket, outcomes(rows[1:]))
