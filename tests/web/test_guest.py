import io
import re
import zipfile
from datetime import timedelta

import numpy as np
import pytest
from django.core import mail as outbox
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from lookwho.library.models import (
    Analysis,
    Collection,
    Embedding,
    Guest,
    Job,
    Location,
    Person,
    Reference,
    Request,
    Share,
)
from lookwho.services import guests, requests, sharing
from tests.gallery import draw, make_album, make_collection, make_pack, make_photo, near
from tests.people import a_user
from tests.pictures import encode, four_corners

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def places(settings, tmp_path):
    """Where selfies and pictures lie, and nobody has tried anything yet."""
    settings.SELFIES = tmp_path / "selfies"
    cache.clear()


@pytest.fixture
def generator():
    return np.random.default_rng(11)


@pytest.fixture
def me(generator):
    """What the visitor looks like."""
    return draw(generator)


@pytest.fixture
def collection(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return make_collection(policy=Collection.Policy.CLOSED, root=str(folder))


@pytest.fixture
def album(generator, me, collection):
    """Three photos: the visitor is in the first two, forty strangers in the last."""
    mine = [make_photo(near(generator, me, 0.03), collection=collection) for _ in range(2)]
    others = make_photo(*draw(generator, 40), collection=collection)
    return make_album(*mine, others, title="Spring gala", date=timezone.localdate())


@pytest.fixture
def photos(album):
    return list(album.media.order_by("pk"))


@pytest.fixture
def mailing(settings):
    settings.EMAIL_HOST = "mail.example.org"
    settings.SITE_URL = ""
    return outbox


def link_to(album, by=None, **more):
    share, token = sharing.share(by or a_user("owner"), album=album, **more)
    return share, f"/g/{token}"


def picture():
    return SimpleUploadedFile("me.png", encode(four_corners(), "PNG"), "image/png")


def send_selfie(client, link, **more):
    form = {"selfie": picture(), "agreed": "on", **more}
    return client.post(f"{link}/selfie", {name: each for name, each in form.items() if each})


def look_at(reference, vector):
    """What a worker does with a selfie."""
    Reference.objects.filter(pk=reference.pk).update(state=Reference.State.DONE, file="")
    Embedding.objects.create(
        reference=reference, pack=make_pack(), vector=vector.astype("<f4").tobytes()
    )


def found_by(client, link, vector):
    """A guest whose selfie was looked at."""
    assert send_selfie(client, link).status_code == 302
    look_at(Reference.objects.order_by("pk").last(), vector)
    return Guest.objects.order_by("pk").last()


def shown(answer):
    """The photos that a page links to, in their order."""
    return re.findall(r'href="/g/[^"/]+/photos/([0-9a-f-]+)\?', answer.content.decode())


def text(answer):
    return answer.content.decode()


# --- links that show all ---


def test_a_link_shows_an_album_without_an_account(client, album, photos):
    _, link = link_to(album)

    answer = client.get(link)

    assert answer.status_code == 200
    assert shown(answer) == [str(photo.uuid) for photo in reversed(photos)]
    assert "Spring gala" in text(answer)
    assert "3 photos" in text(answer)
    # Pages of links are kept by nobody, told to nobody and listed nowhere.
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "strict-origin"
    assert answer["X-Robots-Tag"] == "noindex"


def test_links_that_open_nothing_all_look_the_same(client, album):
    revoked, link = link_to(album)
    sharing.revoke(revoked.created_by, revoked.uuid)
    expired, old = link_to(album)
    Share.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - DAY)
    hidden, hides = link_to(make_album(hidden=True, title="Secret party"))

    pages = [client.get(each) for each in (link, old, hides, "/g/nonsense", f"{link}x")]

    assert {page.status_code for page in pages} == {410}
    bodies = {re.sub(r'X-CSRFToken": "\w+"', "", text(page)) for page in pages}
    assert len(bodies) == 1
    assert "Spring gala" not in bodies.pop()
    assert hidden


@pytest.mark.parametrize(
    "path", ("", "/download", "/photos/{}", "/photos/{}/remove", "/selfie", "/keep", "/forget")
)
def test_nothing_is_reached_by_a_link_that_was_revoked(path, client, album, photos):
    share, link = link_to(album, download_side=0)
    found_by(client, link, draw(np.random.default_rng(1)))
    sharing.revoke(share.created_by, share.uuid)
    where = link + path.format(photos[0].uuid)

    answers = [client.get(where), client.post(where)]

    assert {answer.status_code for answer in answers} <= {405, 410}
    assert not any(shown(answer) for answer in answers)
    assert not Request.objects.exists()


def test_a_photo_of_another_album_is_not_reached(client, album, collection):
    other = make_photo(collection=collection)
    make_album(other)
    _, link = link_to(album)

    assert client.get(f"{link}/photos/{other.uuid}").status_code == 404
    assert client.post(f"{link}/photos/{other.uuid}/remove").status_code == 404
    assert not Request.objects.exists()


def test_a_photo_stands_between_the_ones_beside_it(client, album, photos):
    _, link = link_to(album, download_side=1600)

    answer = text(client.get(f"{link}/photos/{photos[1].uuid}?list=all"))

    assert f'rel="prev" href="{link}/photos/{photos[2].uuid}?list=all"' in answer
    assert f'rel="next" href="{link}/photos/{photos[0].uuid}?list=all"' in answer
    assert f'href="{link}?list=all"' in answer
    assert ">Download</a>" in answer


def test_a_hidden_photo_is_in_no_link(client, album, photos):
    _, link = link_to(album)
    asked = requests.ask_removal(a_user("owner"), photos[0])

    requests.hide(a_user("owner"), asked.uuid)

    answer = client.get(link)
    assert shown(answer) == [str(photo.uuid) for photo in reversed(photos[1:])]
    assert "2 photos" in text(answer)
    assert client.get(f"{link}/photos/{photos[0].uuid}").status_code == 404


def test_a_link_to_a_person_shows_them_and_looks_for_nobody(client, collection):
    anna = Person.objects.create(name="Anna")
    photo = make_photo(collection=collection)
    photo.faces.create(x1=0, y1=0, x2=1, y2=1, person=anna)
    make_photo(collection=collection)
    _, token = sharing.share(a_user("owner"), person=anna)

    answer = client.get(f"/g/{token}")

    assert shown(answer) == [str(photo.uuid)]
    assert "<h1>Anna</h1>" in text(answer)
    assert "selfie" not in re.sub(r"<link[^>]+>", "", text(answer))
    assert send_selfie(client, f"/g/{token}").status_code == 404


def test_a_long_album_comes_in_pieces(client, collection):
    from lookwho.web.guest_photos import PIECE

    album = make_album(*(make_photo(collection=collection) for _ in range(PIECE + 1)))
    _, link = link_to(album)

    first, second = client.get(link), client.get(f"{link}?list=all&page=2")

    assert len(shown(first)) == PIECE
    assert 'rel="next" href="?list=all&amp;page=2"' in text(first)
    assert len(shown(second)) == 1
    assert set(shown(first)).isdisjoint(shown(second))
    assert 'rel="next"' not in text(second)


def test_as_many_queries_are_made_for_three_photos_as_for_one(client, collection):
    counts = []
    for number in (1, 3):
        album = make_album(*(make_photo(collection=collection) for _ in range(number)))
        _, link = link_to(album)
        client.get(link)  # notes that it was used
        with CaptureQueriesContext(connection) as captured:
            assert client.get(link).status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


# --- passwords ---


def test_behind_a_password_nothing_is_told(client, album, photos):
    _, link = link_to(album, password="moon")

    for path in ("", f"/photos/{photos[0].uuid}", "/download"):
        answer = client.get(link + path)
        assert "Spring gala" not in text(answer)
        assert shown(answer) == []
        assert 'name="password"' in text(answer)


def test_with_the_password_it_opens_and_stays_open(client, album):
    _, link = link_to(album, password="moon")

    wrong = client.post(f"{link}/password", {"password": "sun"})
    right = client.post(f"{link}/password", {"password": "moon"})

    assert wrong.status_code == 403
    assert "This is not the password" in text(wrong)
    assert right.status_code == 302
    assert len(shown(client.get(link))) == 3
    cookie = right.cookies["lookwho_link"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (link, True, "Lax")
    assert len(shown(Client().get(link))) == 0


def test_a_changed_password_shuts_out_who_knew_the_old_one(client, album):
    share, link = link_to(album, password="moon")
    client.post(f"{link}/password", {"password": "moon"})

    sharing.change(share.created_by, share.uuid, password="sun")

    assert shown(client.get(link)) == []


def test_a_cookie_that_was_made_up_opens_nothing(client, album):
    share, link = link_to(album, password="moon")
    client.cookies["lookwho_link"] = sharing.seal(share)  # not signed

    assert shown(client.get(link)) == []


def test_one_who_guesses_is_stopped(client, album):
    _, link = link_to(album, password="moon")
    for _ in range(sharing.TRIES):
        client.post(f"{link}/password", {"password": "sun"})

    answer = client.post(f"{link}/password", {"password": "moon"})

    assert answer.status_code == 429
    assert shown(client.get(link)) == []


# --- only one's own ---


def test_before_a_selfie_such_a_link_tells_what_it_is_and_no_more(client, album, photos):
    _, link = link_to(album, only_mine=True, download_side=0)

    answer = client.get(link)

    assert "Spring gala" in text(answer)
    assert shown(answer) == []
    assert "3 photo" not in text(answer)
    assert "/d/" not in text(answer)
    assert client.get(f"{link}?list=all").content.count(b'class="tile"') == 0
    assert client.get(f"{link}/photos/{photos[0].uuid}").status_code == 404
    assert client.get(f"{link}/download?list=all").status_code == 404
    assert client.get(f"{link}/download").status_code == 404


def test_a_selfie_finds_ones_own_photos_and_no_others(client, album, photos, me):
    _, link = link_to(album, only_mine=True)

    taken = send_selfie(client, link)
    waiting = client.get(link)
    reference = Reference.objects.get()
    look_at(reference, me)
    answer = client.get(link)

    assert taken.status_code == 302
    assert Job.objects.get().payload == {"reference": reference.pk}
    assert "Looking for you" in text(waiting)
    assert shown(waiting) == []
    assert shown(answer) == [str(photo.uuid) for photo in reversed(photos[:2])]
    assert "You are in 2 photos" in text(answer)
    assert client.get(f"{link}/photos/{photos[0].uuid}?list=mine").status_code == 200
    assert client.get(f"{link}/photos/{photos[2].uuid}").status_code == 404


def test_another_visitor_finds_nothing_by_my_selfie(client, album, photos, me):
    _, link = link_to(album, only_mine=True)
    found_by(client, link, me)
    other = Client()

    assert shown(other.get(link)) == []
    assert other.get(f"{link}/photos/{photos[0].uuid}").status_code == 404
    # Nor does mine by another link.
    _, elsewhere = link_to(make_album(), only_mine=True)
    client.cookies["lookwho_guest"]["path"] = elsewhere
    assert shown(client.get(elsewhere)) == []


def test_a_stranger_sees_nothing(client, album, generator):
    _, link = link_to(album, only_mine=True)
    found_by(client, link, draw(generator))

    answer = client.get(link)

    assert shown(answer) == []
    assert "No photo of you yet" in text(answer)


def test_where_all_is_shown_ones_own_come_first(client, album, photos, me):
    _, link = link_to(album)
    found_by(client, link, me)

    assert len(shown(client.get(link))) == 2
    assert len(shown(client.get(f"{link}?list=all"))) == 3


def test_while_it_is_looked_at_the_page_asks_again_and_then_is_drawn_anew(client, album, me):
    _, link = link_to(album, only_mine=True)
    send_selfie(client, link)

    waiting = client.get(f"{link}/selfie")
    look_at(Reference.objects.get(), me)
    done = client.get(f"{link}/selfie")

    assert 'hx-trigger="every 2s"' in text(waiting)
    assert "HX-Refresh" not in waiting.headers
    assert done.headers["HX-Refresh"] == "true"


def test_while_photos_are_looked_at_the_page_asks_again_and_shows_what_turns_up(
    client, album, photos, me
):
    _, link = link_to(album, only_mine=True)
    pack = Embedding.objects.all()[0].pack
    Analysis.objects.create(media=photos[2], pack=pack, state=Analysis.State.WAITING)
    found_by(client, link, me)

    page = text(client.get(link))
    again = client.get(f"{link}/selfie?known=2")
    first = client.get(f"{link}/selfie?known=0")
    some = client.get(f"{link}/selfie?known=1")
    Analysis.objects.update(state=Analysis.State.DONE)
    over = client.get(f"{link}/selfie?known=2")

    assert "Photos are still being looked at" in page
    assert f'{link}/selfie?known=2" hx-trigger="every 5s"' in page
    assert "more photo" not in text(again)
    assert "HX-Refresh" not in again.headers
    assert first.headers["HX-Refresh"] == "true"
    assert "1 more photo of you was found" in text(some)
    assert "HX-Refresh" not in some.headers
    assert "hx-trigger" not in text(over)
    assert "Photos are still being looked at" not in text(client.get(link))


def test_a_selfie_that_cannot_be_used_says_why_and_one_may_try_again(client, album):
    _, link = link_to(album, only_mine=True)
    send_selfie(client, link)
    Reference.objects.update(
        state=Reference.State.REJECTED, error="2 faces: crop the picture to yours", file=""
    )

    answer = text(client.get(link))
    send_selfie(client, link)

    assert "2 faces: crop the picture to yours" in answer
    assert 'name="agreed"' in answer
    assert Guest.objects.count() == 1
    assert Reference.objects.get().state == Reference.State.PROCESSING


@pytest.mark.parametrize(
    ("form", "said"),
    (
        ({"agreed": ""}, "Agree first"),
        ({"selfie": ""}, "Choose a picture"),
        ({"selfie": SimpleUploadedFile("me.txt", b"this is me")}, "text file"),
    ),
)
def test_what_cannot_be_a_selfie_leaves_nothing(form, said, client, album):
    _, link = link_to(album, only_mine=True)

    answer = send_selfie(client, link, **form)

    assert answer.status_code == 422
    assert said in text(answer)
    assert not Guest.objects.exists()
    assert not Reference.objects.exists()
    assert not Job.objects.exists()


def test_the_guests_cookie_goes_to_the_links_pages_alone(client, album):
    _, link = link_to(album, only_mine=True)

    cookie = send_selfie(client, link).cookies["lookwho_guest"]

    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (link, True, "Lax")
    assert 3500 < cookie["max-age"] <= 3600


def test_so_many_selfies_in_a_row_are_too_many(client, album, monkeypatch):
    from lookwho.web import guest

    monkeypatch.setattr(guest, "SELFIES", 2)
    _, link = link_to(album, only_mine=True)

    codes = [send_selfie(Client(), link).status_code for _ in range(3)]

    assert codes == [302, 302, 429]


# --- kept, and forgotten ---


def test_after_an_hour_a_guest_is_nobody(client, album, me):
    _, link = link_to(album, only_mine=True)
    guest = found_by(client, link, me)
    assert shown(client.get(link))

    Guest.objects.filter(pk=guest.pk).update(keep_until=timezone.now())

    assert shown(client.get(link)) == []
    guests.sweep_guests()
    assert not Embedding.objects.filter(reference__isnull=False).exists()


def test_forget_me_removes_all_at_once(client, album, photos, me):
    _, link = link_to(album, only_mine=True)
    found_by(client, link, me)

    answer = client.post(f"{link}/forget", follow=True)

    assert "Everything about you is gone" in text(answer)
    assert shown(answer) == []
    assert not Guest.objects.exists()
    assert not Reference.objects.exists()
    assert not Embedding.objects.filter(reference__isnull=False).exists()
    assert client.get(f"{link}/photos/{photos[0].uuid}").status_code == 404


def test_no_address_is_asked_for_where_no_mail_can_be_sent(client, album, settings):
    settings.EMAIL_HOST = ""
    _, link = link_to(album, only_mine=True)

    assert 'type="email"' not in text(client.get(link))
    send_selfie(client, link, email="anna@example.org")
    assert Guest.objects.get().email == ""


def test_an_address_is_left_before_there_are_photos(client, mailing, me):
    share, link = link_to(make_album(title="Next week"), only_mine=True, lasts=60 * DAY)
    until = timezone.localdate() + 20 * DAY

    send_selfie(client, link, email="anna@example.org", until=until.isoformat())

    guest = Guest.objects.get()
    assert guest.email == "anna@example.org"
    assert timezone.localdate(guest.keep_until) == until
    (sent,) = mailing.outbox
    assert sent.to == ["anna@example.org"]
    assert "Next week" in sent.body
    assert f"http://testserver/g/as/{guests.guest_token(guest)}" in sent.body
    assert share.token_hash != guest.token_hash


def test_an_address_is_left_after_nothing_was_found(client, album, mailing, generator):
    _, link = link_to(album, only_mine=True)
    found_by(client, link, draw(generator))

    answer = client.post(f"{link}/keep", {"email": "anna@example.org"}, follow=True)
    wrong = client.post(f"{link}/keep", {"email": "nobody"})

    assert Guest.objects.get().email == "anna@example.org"
    assert "anna@example.org" in text(answer)
    assert wrong.status_code == 422
    assert len(mailing.outbox) == 1


@pytest.mark.parametrize("until", ("2020-01-01", "never", "2024-13-45"))
def test_a_day_that_cannot_be_is_refused(until, client, album, mailing):
    _, link = link_to(album, only_mine=True)

    answer = send_selfie(client, link, email="anna@example.org", until=until)

    assert answer.status_code == 422
    assert not Guest.objects.exists()


def test_the_mailed_link_leads_back_to_ones_photos(client, album, photos, me):
    _, link = link_to(album, only_mine=True)
    guest = found_by(client, link, me)

    answer = Client().get(f"/g/as/{guests.guest_token(guest)}", follow=True)

    assert shown(answer) == [str(photo.uuid) for photo in reversed(photos[:2])]


def test_by_the_mailed_link_all_is_removed_also_while_there_is_nothing_to_see(client, album, me):
    _, link = link_to(album, only_mine=True)
    mailed = f"/g/as/{guests.guest_token(found_by(client, link, me))}"
    type(album).objects.update(hidden=True)

    closed = client.get(mailed)
    gone = client.post(mailed)

    assert closed.status_code == 410
    assert "Spring gala" not in text(closed)
    assert f'action="{mailed}"' in text(closed)
    assert "Everything about you is gone" in text(gone)
    assert not Guest.objects.exists()
    assert client.get(mailed).status_code == 410


def test_who_forgot_the_password_can_still_be_forgotten(client, album, me):
    share, link = link_to(album, only_mine=True)
    found_by(client, link, me)
    sharing.change(share.created_by, share.uuid, password="moon")

    answer = client.get(link)
    client.post(f"{link}/forget")

    assert "Forget me now" in text(answer)
    assert not Guest.objects.exists()


# --- downloads ---


@pytest.fixture
def files(photos, tmp_path):
    """The photos as files that say where and by whom they were taken."""
    exif = Image.Exif()
    exif[0x013B] = "Anna the photographer"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (52.0, 5.0, 0.0)
    for photo in photos:
        place = Location.objects.get(media=photo)
        data = encode(four_corners(1200, 800), "JPEG", exif=exif)
        (tmp_path / "photos" / place.path).write_bytes(data)
        type(photo).objects.filter(pk=photo.pk).update(width=1200, height=800, format="JPEG")
    return photos


def unpacked(answer):
    data = b"".join(answer.streaming_content)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("side", (0, 1600))
def test_ones_own_photos_are_downloaded_and_say_nothing_of_their_place(
    side, client, album, files, me
):
    _, link = link_to(album, only_mine=True, download_side=side)
    found_by(client, link, me)

    answer = client.get(f"{link}/download?list=mine")
    copies = unpacked(answer)

    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''Spring%20gala.zip"
    assert len(copies) == 2
    for data in copies.values():
        assert not Image.open(io.BytesIO(data)).getexif()
        assert b"photographer" not in data


def test_an_album_is_downloaded_as_the_link_allows(client, album, files):
    _, none = link_to(album)
    _, link = link_to(album, download_side=0)

    assert client.get(f"{none}/download?list=all").status_code == 404
    assert "Download" not in text(client.get(none))
    assert len(unpacked(client.get(f"{link}/download?list=all"))) == 3


def test_a_zip_that_is_under_way_ends_where_the_link_is_revoked(client, album, files):
    share, link = link_to(album, download_side=0)
    answer = client.get(f"{link}/download?list=all")

    sharing.revoke(share.created_by, share.uuid)

    assert unpacked(answer) == {}


# --- removal ---


def test_a_visitor_asks_to_remove_a_photo(client, album, photos, mailing):
    _, link = link_to(album)
    where = f"{link}/photos/{photos[0].uuid}"

    answer = client.post(
        f"{where}/remove?list=all",
        {"message": "not my best day", "email": "anna@example.org"},
        follow=True,
    )

    request = Request.objects.get()
    assert (request.media, request.message) == (photos[0], "not my best day")
    assert request.email == "anna@example.org"
    assert request.guest.share.album == album
    assert "You asked to have this photo removed" in text(answer)
    assert answer.redirect_chain[0][0] == f"{where}?list=all"


def test_a_wrong_address_is_said_and_nothing_is_kept(client, album, photos, mailing):
    _, link = link_to(album)

    answer = client.post(f"{link}/photos/{photos[0].uuid}/remove", {"email": "nobody"})

    assert answer.status_code == 422
    assert "no e-mail address" in text(answer)
    assert not Guest.objects.exists()


def test_forms_of_other_sites_are_refused(album, me):
    strict = Client(enforce_csrf_checks=True)
    _, link = link_to(album, only_mine=True)

    for path in ("/selfie", "/forget", "/keep", "/password"):
        assert strict.post(link + path).status_code == 403
