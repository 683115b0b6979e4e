import re

import numpy as np
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Collection, Embedding, Media, Reference, Request
from lookwho.services import guests, places, requests, sharing
from lookwho.services.pictures import Pictures
from lookwho.web import requests as pages
from tests.gallery import draw, make_album, make_collection, make_pack, make_photo
from tests.people import a_user
from tests.pictures import encode, four_corners

pytestmark = pytest.mark.django_db

State = Request.State


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = Pictures(tmp_path_factory.mktemp("pictures"), processes=1)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, maker, settings, tmp_path):
    monkeypatch.setattr(places, "maker", lambda: maker)
    settings.SELFIES = tmp_path / "selfies"
    cache.clear()


@pytest.fixture
def collection(tmp_path):
    return make_collection(policy=Collection.Policy.OPEN, root=str(tmp_path))


@pytest.fixture
def photo(collection, tmp_path):
    made = make_photo(draw(np.random.default_rng(2)), collection=collection, format="JPEG")
    (tmp_path / made.locations.get().path).write_bytes(encode(four_corners(), "JPEG"))
    return made


@pytest.fixture
def asked(member, photo):
    return requests.ask_removal(member, photo, "not my best day")


def a_selfie(user, **more):
    more = {"approved": False, "state": Reference.State.DONE, "file": "x.jpg", **more}
    return Reference.objects.create(user=user, **more)


def text(answer):
    return answer.content.decode()


# --- who may ---


@pytest.mark.parametrize("role", ("member", "annotator"))
def test_requests_are_for_owners_and_curators(role, client, request, asked):
    by = a_user(role)
    client.force_login(by)
    selfie = a_selfie(a_user("member"))

    answers = [
        client.get("/requests"),
        client.get("/requests?answered=1"),
        client.get(f"/requests/{asked.uuid}/picture.webp"),
        client.post(f"/requests/{asked.uuid}/answer", {"say": "hide"}),
        client.post(f"/requests/{asked.uuid}/undo"),
        client.post(f"/requests/selfies/{selfie.uuid}", {"say": "approve"}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 6
    assert not any("not my best day" in text(answer) for answer in answers)
    assert 'href="/requests"' not in text(client.get("/requests/mine"))
    assert Media.objects.get().present


def test_who_is_not_signed_in_is_asked_to(asked):
    client = Client()

    for path in ("/requests", "/requests/mine"):
        assert client.get(path).headers["Location"].startswith("/sign-in")


# --- asking ---


def test_a_member_asks_on_the_photos_page_and_reads_the_answer_on_theirs(
    client, member, owner, photo
):
    client.force_login(member)
    page = text(client.get(f"/photos/{photo.uuid}"))

    answer = client.post(f"/photos/{photo.uuid}/remove", {"message": "please"}, follow=True)
    waiting = text(client.get("/requests/mine"))
    requests.hide(owner, Request.objects.get().uuid, "Sorry for that.")
    done = text(client.get("/requests/mine"))

    assert f'action="/photos/{photo.uuid}/remove"' in page
    assert answer.redirect_chain[0][0] == "/requests/mine"
    assert "Waiting for an answer" in waiting
    assert f"/photos/{photo.uuid}" in waiting
    assert "shown to nobody any more" in done
    assert "Sorry for that." in done
    assert f"/photos/{photo.uuid}" not in done


def test_nobody_asks_for_what_they_may_not_see(client, member, photo, collection):
    Collection.objects.update(policy=Collection.Policy.CLOSED)
    client.force_login(member)

    assert client.post(f"/photos/{photo.uuid}/remove").status_code == 404
    assert not Request.objects.exists()


def test_others_requests_are_not_on_ones_page(client, asked):
    client.force_login(a_user("member"))

    assert "not my best day" not in text(client.get("/requests/mine"))


# --- answering ---


def test_the_page_shows_who_asks_for_what(as_owner, asked, member, photo):
    page = text(as_owner.get("/requests"))

    assert member.username in page
    assert "not my best day" in page
    assert f'src="/requests/{asked.uuid}/picture.webp"' in page
    assert "1 waits for an answer" in page
    picture = as_owner.get(f"/requests/{asked.uuid}/picture.webp")
    assert picture["Content-Type"] == "image/webp"
    assert "no-store" in picture["Cache-Control"]


def test_one_click_hides_it_everywhere(as_owner, client, member, owner, asked, photo):
    album = make_album(photo)
    share, token = sharing.share(owner, album=album, download_side=0)
    guest = Client()
    other = Client()
    other.force_login(member)
    addresses = re.findall(r'src="(/d/[^"]+)', text(guest.get(f"/g/{token}")))
    crop = f"/faces/{photo.faces.get().uuid}/160.webp"
    assert other.get(f"/pictures/{photo.uuid}/320.webp").status_code == 200
    assert as_owner.get(crop).status_code == 200
    assert guest.get(addresses[0]).status_code == 200

    answer = as_owner.post(f"/requests/{asked.uuid}/answer", {"say": "hide"}, follow=True)

    assert "hidden everywhere" in text(answer)
    # Pictures that were made and linked before, too: a cached one is served to nobody.
    for visitor in (as_owner, other):
        for path in (
            f"/photos/{photo.uuid}",
            f"/pictures/{photo.uuid}/320.webp",
            f"/originals/{photo.uuid}",
            crop,
            f"/api/v1/photos/{photo.uuid}",
        ):
            assert visitor.get(path).status_code == 404, path
        for path in ("/photos", f"/albums/{album.slug}", "/albums", "/me"):
            assert str(photo.uuid) not in text(visitor.get(path)), path
    assert guest.get(addresses[0]).status_code == 404
    assert str(photo.uuid) not in text(guest.get(f"/g/{token}"))
    # Whoever answers may still judge it, to take the answer back.
    assert as_owner.get(f"/requests/{asked.uuid}/picture.webp").status_code == 200
    assert share.album == album


def test_hiding_is_undone(as_owner, asked, photo):
    as_owner.post(f"/requests/{asked.uuid}/answer", {"say": "hide", "answer": "Sorry!"})
    listed = text(as_owner.get("/requests?answered=1"))

    as_owner.post(f"/requests/{asked.uuid}/undo")

    assert "Sorry!" in listed
    assert "Show it again" in listed
    assert as_owner.get(f"/photos/{photo.uuid}").status_code == 200
    assert "1 waits for an answer" in text(as_owner.get("/requests"))


def test_a_photo_stays_only_with_a_reason(as_owner, asked):
    without = as_owner.post(f"/requests/{asked.uuid}/answer", {"say": "decline"})
    nothing = as_owner.post(f"/requests/{asked.uuid}/answer", {"say": "eat"})
    asked.refresh_from_db()
    before = asked.state
    as_owner.post(f"/requests/{asked.uuid}/answer", {"say": "decline", "answer": "the board"})

    asked.refresh_from_db()
    assert (without.status_code, nothing.status_code, before) == (422, 422, State.OPEN)
    assert (asked.state, asked.answer) == (State.DECLINED, "the board")


def test_a_guests_request_says_which_link_they_came_by(as_owner, owner, photo):
    share, _ = sharing.share(owner, album=make_album(photo, title="Gala"))
    requests.ask_removal(guests.begin_guest(share)[0], photo)

    page = text(as_owner.get("/requests"))

    assert "A guest of Gala" in page
    assert "left no address" in page


def test_the_menu_says_how_many_wait(as_owner, asked, member):
    assert ">1<" in re.sub(r"\s", "", text(as_owner.get("/requests")).split('href="/requests"')[1])

    a_selfie(member)

    page = text(as_owner.get("/requests")).split('href="/requests"')[1]
    assert ">2<" in re.sub(r"\s", "", page)


def test_the_list_comes_in_pieces_with_as_many_queries(as_owner, member, collection, monkeypatch):
    monkeypatch.setattr(pages, "PIECE", 3)
    counts = []
    for more in (1, 2):
        for _ in range(more):
            requests.ask_removal(member, make_photo(collection=collection))
        with CaptureQueriesContext(connection) as captured:
            assert as_owner.get("/requests").status_code == 200
        counts.append(len(captured))
    requests.ask_removal(member, make_photo(collection=collection))

    first, second = text(as_owner.get("/requests")), text(as_owner.get("/requests?page=2"))

    assert counts[0] == counts[1]
    assert first.count('<li class="request">') == 3
    assert 'href="?page=2"' in first
    assert second.count('<li class="request">') == 1


# --- selfies ---


def test_a_selfie_is_approved_or_declined(as_owner, member):
    first, second = a_selfie(member), a_selfie(member)
    page = text(as_owner.get("/requests"))

    yes = as_owner.post(f"/requests/selfies/{first.uuid}", {"say": "approve"}, follow=True)
    as_owner.post(f"/requests/selfies/{second.uuid}", {"say": "decline", "reason": "a dog"})

    assert "Selfies to approve" in page
    assert f'src="/me/selfies/{first.uuid}"' in page
    assert "approved" in text(yes)
    first.refresh_from_db()
    assert first.approved
    assert "Selfies to approve" not in text(as_owner.get("/requests"))


def test_accounts_that_searched_for_several_people_are_shown(as_owner, member):
    generator = np.random.default_rng(4)
    for vector in draw(generator, 2):
        selfie = a_selfie(member, approved=True)
        Embedding.objects.create(
            reference=selfie, pack=make_pack(), vector=vector.astype("<f4").tobytes()
        )

    page = text(as_owner.get("/requests"))

    assert "Accounts that searched for different faces" in page
    assert "2 different faces" in page
    curator = Client()
    curator.force_login(a_user("curator"))
    told = text(curator.get("/requests")).split("Accounts that searched")[1]
    assert "/me/selfies/" not in told  # only an owner looks at them
