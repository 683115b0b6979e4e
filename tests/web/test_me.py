import json
import re
from uuid import uuid4

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import (
    Analysis,
    Collection,
    Embedding,
    Job,
    Media,
    Person,
    Reference,
)
from lookwho.services import search
from lookwho.services.selfies import MOST
from tests.gallery import draw, make_album, make_collection, make_pack, make_photo, near
from tests.pictures import encode, four_corners

pytestmark = pytest.mark.django_db

State = Reference.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where the selfies go."""
    settings.SELFIES = tmp_path / "selfies"
    return settings.SELFIES


@pytest.fixture
def as_member(client, member):
    client.force_login(member)
    return client


@pytest.fixture
def generator():
    return np.random.default_rng(7)


@pytest.fixture
def face(generator):
    """What the member looks like."""
    return draw(generator)


@pytest.fixture
def searched(generator):
    """A collection in which members may look for themselves, with sixty strangers."""
    collection = make_collection(policy=Collection.Policy.OWN)
    make_photo(*draw(generator, 60), collection=collection)
    return collection


def make_selfie(user, vector=None, **more):
    more = {"state": State.DONE, "file": f"{uuid4()}.png", **more}
    reference = Reference.objects.create(user=user, **more)
    if vector is not None:
        Embedding.objects.create(
            reference=reference, pack=make_pack(), vector=vector.astype("<f4").tobytes()
        )
    return reference


def picture():
    return SimpleUploadedFile("me.png", encode(four_corners(), "PNG"), "image/png")


def sent(client, upload):
    return client.post("/me/selfies", {"selfie": upload}, follow=True).content.decode()


def tiles(told):
    return re.findall(r'class="tile" href="/photos/([0-9a-f-]{36})\?list=me"', told)


# --- who may ---


def test_the_unknown_are_asked_to_sign_in(client, member):
    own = make_selfie(member)
    gets = ("/me", "/me/selfies", f"/me/selfies/{own.uuid}")
    posts = ("/me/selfies", f"/me/selfies/{own.uuid}/remove")

    answers = [client.get(path) for path in gets] + [client.post(path) for path in posts]

    assert all(answer.url.startswith("/sign-in") for answer in answers)
    assert Reference.objects.count() == 1


def test_nobody_reaches_the_selfie_of_somebody_else(as_owner, member, folder):
    own = make_selfie(member)
    folder.mkdir()
    (folder / own.file).write_bytes(b"me")

    assert as_owner.get(f"/me/selfies/{own.uuid}").status_code == 404
    assert as_owner.post(f"/me/selfies/{own.uuid}/remove").status_code == 404
    assert str(own.uuid) not in as_owner.get("/me").content.decode()
    assert (folder / own.file).exists()


def test_the_page_shows_ones_own_photos_and_nobody_elses(
    as_member, member, generator, face, searched
):
    mine = make_photo(near(generator, face, 0.03), collection=searched)
    closed = make_photo(near(generator, face, 0.03), collection=make_collection())
    hidden = make_photo(near(generator, face, 0.03))
    make_album(hidden, hidden=True)
    make_photo(draw(generator), collection=searched)
    make_selfie(member, face)

    told = as_member.get("/me").content.decode()

    assert tiles(told) == [str(mine.uuid)]
    assert str(closed.uuid) not in told
    assert str(hidden.uuid) not in told


def test_another_members_selfie_finds_nothing_for_this_one(
    as_member, annotator, generator, face, searched
):
    make_photo(near(generator, face, 0.03), collection=searched)
    make_selfie(annotator, face)

    assert tiles(as_member.get("/me").content.decode()) == []


def test_ones_own_photo_is_opened_among_ones_own(as_member, member, generator, face, searched):
    old, middle, new = (
        make_photo(near(generator, face, 0.03), collection=searched) for _ in range(3)
    )
    make_photo(draw(generator), collection=searched)
    make_selfie(member, face)

    told = as_member.get(f"/photos/{middle.uuid}?list=me").content.decode()

    beside = dict(re.findall(r'rel="(prev|next)" href="([^"]+)"', told))
    assert beside == {
        "prev": f"/photos/{new.uuid}?list=me",
        "next": f"/photos/{old.uuid}?list=me",
    }
    same_day = sum(one.day == middle.day for one in (new,))
    assert f'href="/me#{middle.day}/{same_day}" data-back' in told


def test_nobody_is_named_on_it(as_member, member, generator, face, searched):
    photo = make_photo(near(generator, face, 0.03), draw(generator), collection=searched)
    photo.faces.update(guess=Person.objects.create(name="Anna"))
    make_selfie(member, face)

    for path in ("/me", f"/photos/{photo.uuid}?list=me"):
        answer = as_member.get(path)
        assert (answer.status_code, b"Anna" in answer.content) == (200, False)


# --- what the page says ---


def test_without_a_selfie_it_asks_for_one(as_member):
    told = as_member.get("/me").content.decode()

    assert "Which photos are you in?" in told
    assert 'capture="user"' in told
    assert "Only you see the selfie" in told


def test_photos_come_by_day_and_are_counted(as_member, member, generator, face, searched):
    photos = [make_photo(near(generator, face, 0.03), collection=searched) for _ in range(3)]
    make_selfie(member, face)

    told = as_member.get("/me").content.decode()

    assert tiles(told) == [str(photo.uuid) for photo in reversed(photos)]
    assert 'You are in <span class="number">3</span> photos' in told
    days = json.loads(re.search(r'id="days"[^>]*>(.*?)<', told)[1])
    assert sum(days[1::2]) == 3


def test_what_may_be_them_is_folded_below(as_member, member, generator, face):
    seen = make_collection(policy=Collection.Policy.OPEN)
    make_photo(*draw(generator, 60), collection=seen)
    distances = np.linspace(0.03, 0.25, 45)
    photos = [make_photo(near(generator, face, far), collection=seen) for far in distances]
    make_selfie(member, face)
    matches = search.my_photos(member)
    maybe = [match for match in matches if not match.mine]

    told = as_member.get("/me").content.decode()
    above, _, below = told.partition('id="maybe"')

    assert 0 < len(maybe) < len(photos)
    assert tiles(above) == [str(match.media.uuid) for match in matches if match.mine]
    assert tiles(below) == [str(match.media.uuid) for match in maybe]
    assert f"{int(100 * maybe[0].probability)} %" in below


def test_it_says_that_photos_are_still_to_be_looked_at(as_member, member, face, searched):
    make_selfie(member, face)
    photo = Media.objects.get()
    row = Analysis.objects.create(media=photo, pack=make_pack())

    waiting = as_member.get("/me").content.decode()
    Analysis.objects.filter(pk=row.pk).update(state=Analysis.State.DONE)
    done = as_member.get("/me").content.decode()

    assert "1 photo still waits to be looked at" in waiting
    assert "No photo of you yet" in done
    assert "have been looked at" in done


def test_as_many_queries_are_made_for_three_photos_as_for_one(
    as_member, member, generator, face, searched
):
    make_selfie(member, face)
    counts = []
    for more in (1, 2):
        for _ in range(more):
            make_photo(near(generator, face, 0.03), collection=searched)
        as_member.get("/me")  # takes up the new vectors, and logs the first search
        with CaptureQueriesContext(connection) as captured:
            assert as_member.get("/me").status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


# --- selfies ---


def test_a_selfie_is_taken_and_waits_for_a_worker(as_member, member, folder):
    told = sent(as_member, picture())

    reference = Reference.objects.get()
    assert (reference.user, reference.state) == (member, State.PROCESSING)
    assert Job.objects.get().payload == {"reference": reference.pk}
    assert "Looking for your face" in told
    assert f'src="/me/selfies/{reference.uuid}"' in told
    answer = as_member.get(f"/me/selfies/{reference.uuid}")
    assert b"".join(answer.streaming_content) == (folder / reference.file).read_bytes()
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_while_it_is_looked_at_the_page_asks_again_and_then_is_drawn_anew(as_member, member):
    own = make_selfie(member, state=State.PROCESSING)

    waiting = as_member.get("/me/selfies")
    Reference.objects.filter(pk=own.pk).update(state=State.DONE)
    done = as_member.get("/me/selfies")

    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    assert "HX-Refresh" not in waiting.headers
    assert 'hx-trigger="every' not in done.content.decode()
    assert done.headers["HX-Refresh"] == "true"


def test_a_selfie_that_cannot_be_used_says_why(as_member, member):
    make_selfie(member, state=State.REJECTED, file="", error="3 faces: crop the picture to yours")

    told = as_member.get("/me").content.decode()

    assert "Not used:</span> 3 faces: crop the picture to yours" in told
    assert "We cannot look for you yet" in told


def test_what_is_no_picture_is_refused_in_words(as_member):
    told = sent(as_member, SimpleUploadedFile("me.txt", b"this is me"))

    assert "This is a text file" in told
    assert not Reference.objects.exists()


def test_sending_nothing_asks_for_a_picture(as_member):
    assert "Choose a picture first." in as_member.post("/me/selfies", follow=True).content.decode()


def test_one_who_has_the_most_selfies_is_offered_no_more(as_member, member):
    for _ in range(MOST):
        make_selfie(member)

    assert f"You have {MOST} selfies" in as_member.get("/me").content.decode()
    assert f"you have {MOST} selfies" in sent(as_member, picture()).lower()
    assert Reference.objects.count() == MOST


def test_a_selfie_is_removed_for_good(as_member, folder):
    sent(as_member, picture())
    (reference,) = Reference.objects.all()

    told = as_member.post(f"/me/selfies/{reference.uuid}/remove", follow=True).content.decode()

    assert not Reference.objects.exists()
    assert list(folder.iterdir()) == []
    assert "The selfie is gone" in told
    assert "Which photos are you in?" in told


def test_a_picture_that_was_not_kept_is_not_found(as_member, member):
    gone = make_selfie(member, state=State.REJECTED, file="")
    removed = make_selfie(member)
    Reference.objects.filter(pk=removed.pk).update(deleted_at=removed.created_at)

    for reference in (gone, removed):
        assert as_member.get(f"/me/selfies/{reference.uuid}").status_code == 404
