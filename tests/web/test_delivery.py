import io
import re
from datetime import timedelta
from urllib.parse import unquote

import numpy as np
import pytest
from django.core import signing
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from PIL import Image

from lookwho.library.models import (
    AlbumItem,
    Collection,
    Embedding,
    Guest,
    Location,
    Reference,
    Share,
    Video,
)
from lookwho.services import guests, places, requests, sharing
from lookwho.services.pictures import Pictures
from lookwho.web import delivery
from lookwho.web.delivery import film_url, original_url, picture_url
from tests.films import a_video
from tests.gallery import draw, make_album, make_collection, make_pack, make_photo, near
from tests.people import a_user
from tests.pictures import assert_looks_like_corners, encode, four_corners
from tests.videos import make_clip

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = Pictures(tmp_path_factory.mktemp("pictures"), processes=1)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, maker, settings, tmp_path):
    monkeypatch.setattr(places, "maker", lambda: maker)
    settings.SELFIES = tmp_path / "selfies"
    cache.clear()


@pytest.fixture
def generator():
    return np.random.default_rng(23)


@pytest.fixture
def me(generator):
    return draw(generator)


@pytest.fixture
def album(generator, me, tmp_path):
    """Two photos as files; the guest is in the first alone."""
    collection = make_collection(policy=Collection.Policy.CLOSED, root=str(tmp_path))
    exif = Image.Exif()
    exif[0x013B] = "Anna the photographer"
    photos = [
        make_photo(*faces, collection=collection, width=1800, height=1200, format="JPEG")
        for faces in ([near(generator, me, 0.03)], draw(generator, 30))
    ]
    for photo in photos:
        place = Location.objects.get(media=photo)
        (tmp_path / place.path).write_bytes(encode(four_corners(1800, 1200), "JPEG", exif=exif))
    return make_album(*photos)


@pytest.fixture
def photo(album):
    return album.media.order_by("pk").first()


@pytest.fixture
def other(album):
    return album.media.order_by("pk").last()


@pytest.fixture
def share(album):
    return sharing.share(a_user("owner"), album=album, download_side=1600)[0]


@pytest.fixture
def mine(album):
    """A link by which each sees only their own."""
    return sharing.share(a_user("owner"), album=album, only_mine=True, download_side=0)[0]


@pytest.fixture
def guest(mine, me):
    made, _ = guests.begin_guest(mine)
    reference = Reference.objects.create(guest=made, file="", state=Reference.State.DONE)
    Embedding.objects.create(
        reference=reference, pack=make_pack(), vector=me.astype("<f4").tobytes()
    )
    return made


def body(answer):
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def refused(client, *addresses):
    answers = [client.get(address) for address in addresses]
    for answer in answers:
        body(answer)  # which closes it
    assert len({answer.status_code for answer in answers}) == 1
    return answers[0].status_code == 404


# --- what is delivered ---


def test_a_picture_is_delivered_by_its_address_alone(client, share, photo):
    answer = client.get(picture_url(photo.uuid, 320, share=share))

    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == (320, 213)
    assert answer["Content-Type"] == "image/webp"


def test_it_may_be_kept_by_the_browser_as_long_as_the_address_works(client, share, photo):
    answer = client.get(picture_url(photo.uuid, 320, share=share))

    age = int(re.fullmatch(r"private, max-age=(\d+), immutable", answer["Cache-Control"])[1])
    assert delivery.LASTS - 5 < age <= delivery.LASTS + delivery.HOUR
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_browser_that_has_it_is_sent_nothing_unless_the_link_ended(client, share, photo):
    address = picture_url(photo.uuid, 320, share=share)
    tag = client.get(address)["ETag"]

    again = client.get(address, headers={"If-None-Match": tag})
    sharing.revoke(share.created_by, share.uuid)

    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 404


def test_a_photo_is_kept_at_the_links_size_without_what_its_file_says(client, share, photo):
    answer = client.get(original_url(photo.uuid, share=share))
    data = body(answer)

    picture = Image.open(io.BytesIO(data))
    assert picture.size == (1600, 1067)
    assert not picture.getexif()
    assert b"photographer" not in data
    assert answer["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Length"] == str(len(data))


def test_as_it_is_means_its_pixels_and_not_its_data(client, mine, guest, photo):
    data = body(client.get(original_url(photo.uuid, share=mine, guest=guest)))

    assert Image.open(io.BytesIO(data)).size == (1800, 1200)
    assert b"photographer" not in data


def test_a_part_of_a_photo_is_sent(client, share, photo):
    address = original_url(photo.uuid, share=share)
    whole = client.get(address)
    data = body(whole)

    part = client.get(address, headers={"Range": "bytes=100-199", "If-Range": whole["ETag"]})

    assert part.status_code == 206
    assert body(part) == data[100:200]
    assert part["Content-Range"] == f"bytes 100-199/{len(data)}"


def test_behind_nginx_a_copy_that_goes_at_once_is_still_sent_by_us(client, share, photo, settings):
    settings.ACCEL = "/internal/"

    answer = client.get(original_url(photo.uuid, share=share))

    assert "X-Accel-Redirect" not in answer.headers
    assert len(body(answer)) > 1000


# --- what is not ---


def test_no_address_holds_what_the_link_or_the_guest_is_known_by(mine, guest, photo):
    told = unquote(picture_url(photo.uuid, 320, share=mine, guest=guest))

    assert sharing.token_of(mine) not in told
    assert guests.guest_token(guest) not in told


def test_the_same_picture_has_the_same_address_for_a_while(share, photo, monkeypatch):
    at = 1_700_000_000 // 3600 * 3600 + 10
    monkeypatch.setattr(delivery.time, "time", lambda: at)
    now = picture_url(photo.uuid, 320, share=share)
    monkeypatch.setattr(delivery.time, "time", lambda: at + 600)
    soon = picture_url(photo.uuid, 320, share=share)
    monkeypatch.setattr(delivery.time, "time", lambda: at + 3600)
    later = picture_url(photo.uuid, 320, share=share)

    assert now == soon != later


def test_an_address_works_for_hours_and_no_longer(client, share, photo, monkeypatch):
    """A's worked for ever."""
    address = picture_url(photo.uuid, 320, share=share)
    began = delivery.time.time()

    monkeypatch.setattr(delivery.time, "time", lambda: began + delivery.LASTS)
    assert client.get(address).status_code == 200
    monkeypatch.setattr(delivery.time, "time", lambda: began + delivery.LASTS + delivery.HOUR)
    assert client.get(address).status_code == 404


def test_what_an_address_says_cannot_be_changed(client, share, mine, photo, other):
    address = picture_url(photo.uuid, 320, share=share)

    assert refused(
        client,
        address.replace("320", "1600"),
        address.replace(photo.uuid.hex, other.uuid.hex),
        address.replace(share.uuid.hex, mine.uuid.hex),
        address.replace("picture", "photo"),
        address[:-1],
        "/d/nonsense",
        "/d/a:b",
        "/d/" + signing.Signer(salt="another").sign("picture"),
    )


@pytest.mark.parametrize("side", (1, 100, 1601, 10**9))
def test_only_some_sizes_are_made(side, client, share, photo):
    assert refused(client, picture_url(photo.uuid, side, share=share))


def both(share, photo, guest=None):
    return (
        picture_url(photo.uuid, 320, share=share, guest=guest),
        original_url(photo.uuid, share=share, guest=guest),
    )


def test_a_link_that_ended_delivers_nothing_that_was_linked_before(client, share, photo):
    addresses = both(share, photo)
    assert not refused(client, *addresses)

    sharing.revoke(share.created_by, share.uuid)

    assert refused(client, *addresses)


def test_a_link_that_is_too_old_delivers_nothing(client, share, photo):
    addresses = both(share, photo)

    Share.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert refused(client, *addresses)


def test_a_hidden_album_delivers_nothing(client, share, photo, album):
    addresses = both(share, photo)

    type(album).objects.update(hidden=True)

    assert refused(client, *addresses)


def test_a_hidden_photo_is_delivered_to_nobody(client, share, mine, guest, photo):
    addresses = both(share, photo) + both(mine, photo, guest)
    assert not refused(client, *addresses)
    owner = a_user("owner")

    requests.hide(owner, requests.ask_removal(owner, photo).uuid)

    assert refused(client, *addresses)


def test_after_another_password_addresses_of_before_work_no_more(client, share, photo):
    sharing.change(share.created_by, share.uuid, password="moon")
    share.refresh_from_db()
    addresses = both(share, photo)
    assert not refused(client, *addresses)

    sharing.change(share.created_by, share.uuid, password="sun")

    assert refused(client, *addresses)


def test_after_another_size_photos_are_not_delivered_in_the_old_one(client, share, photo):
    address = original_url(photo.uuid, share=share)

    sharing.change(share.created_by, share.uuid, download_side=None)

    share.refresh_from_db()
    assert refused(client, address)
    assert original_url(photo.uuid, share=share) == ""


def test_a_guest_is_delivered_their_own_and_nothing_else(client, mine, guest, photo, other):
    assert not refused(client, *both(mine, photo, guest))

    assert refused(client, *both(mine, other, guest))
    assert refused(client, *both(mine, photo))  # as nobody


def test_a_guest_of_one_link_gets_nothing_by_another(client, guest, photo, album):
    another, _ = sharing.share(a_user("owner"), album=album, only_mine=True, download_side=0)

    assert refused(client, *both(another, photo, guest))


def test_a_guest_who_was_forgotten_is_delivered_nothing(client, mine, guest, photo):
    addresses = both(mine, photo, guest)
    assert not refused(client, *addresses)

    guests.forget_guest(guest)

    assert refused(client, *addresses)


def test_a_guest_whose_time_is_over_is_delivered_nothing(client, mine, guest, photo):
    addresses = both(mine, photo, guest)

    Guest.objects.update(keep_until=timezone.now())

    assert refused(client, *addresses)


def test_nobody_needs_to_be_signed_in_and_being_so_changes_nothing(share, photo, other):
    member = Client()
    member.force_login(a_user("member"))

    assert member.get(picture_url(photo.uuid, 320, share=share)).status_code == 200
    sharing.revoke(share.created_by, share.uuid)
    assert refused(member, picture_url(photo.uuid, 320, share=share))


# --- videos ---


@pytest.fixture
def film(album, tmp_path, settings):
    """A video that says where it was filmed, in the album of the link; no copy is made yet."""
    settings.PROXIES = tmp_path / "proxies"
    settings.PROXIES.mkdir()
    told = {"location": "+52.1-004.5/"}
    (tmp_path / "films").mkdir()
    media = a_video(path=make_clip(tmp_path / "films" / "film.mov", metadata=told), plays=False)
    media.format = "MOV"
    media.save(update_fields=["format"])
    AlbumItem.objects.create(album=album, media=media)
    return media


@pytest.fixture
def copied(film, settings, tmp_path):
    """The same with a copy for browsers."""
    clip = make_clip(tmp_path / "copy.mp4")
    clip.rename(settings.PROXIES / f"{bytes(film.payload_hash).hex()}.mp4")
    Video.objects.update(proxy="ready")
    return film


def test_of_a_video_a_picture_is_delivered(client, share, film):
    answer = client.get(picture_url(film.uuid, 320, share=share))

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert_looks_like_corners(np.asarray(picture.convert("RGB")))


def test_a_video_is_played_from_its_copy_in_parts(client, share, copied, settings):
    (path,) = settings.PROXIES.iterdir()
    data = path.read_bytes()

    address = film_url(copied, share=share)
    whole = client.get(address)
    part = client.get(address, headers={"Range": "bytes=100-199"})

    assert (whole.status_code, body(whole), whole["Content-Type"]) == (200, data, "video/mp4")
    assert whole["Accept-Ranges"] == "bytes"
    assert whole["Cache-Control"] == "private, no-store"
    assert (part.status_code, body(part)) == (206, data[100:200])
    assert part["Content-Range"] == f"bytes 100-199/{len(data)}"
    again = client.get(address, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (again.status_code, body(again)) == (200, data)


def test_a_video_without_a_copy_is_not_delivered(client, share, film):
    assert film_url(film, share=share) == ""


def test_a_copy_that_is_gone_is_told_and_the_original_is_not_given(client, share, copied, settings):
    address = film_url(copied, share=share)
    for path in settings.PROXIES.iterdir():
        path.unlink()

    answer = client.get(address)

    assert answer.status_code == 404
    assert "try again later" in answer.content.decode()


def test_a_video_is_kept_without_what_its_file_says(client, share, film, settings, tmp_path):
    assert client.get(original_url(film.uuid, share=share)).status_code == 404

    make_clip(tmp_path / "copy.mp4").rename(
        settings.PROXIES / f"{bytes(film.payload_hash).hex()}.mp4"
    )
    Video.objects.update(proxy="ready")
    answer = client.get(original_url(film.uuid, share=share))

    data = body(answer)
    assert (answer.status_code, answer["Content-Type"]) == (200, "video/mp4")
    assert "film.mp4" in unquote(answer["Content-Disposition"])
    assert answer["Content-Disposition"].startswith("attachment")
    assert b"52.1" not in data


def test_a_link_that_ended_plays_nothing(client, share, copied):
    address = film_url(copied, share=share)
    sharing.revoke(a_user("owner"), share.uuid)

    assert refused(client, address)


def test_a_guest_of_their_own_photos_is_played_nothing_else(client, mine, guest, copied):
    assert refused(client, film_url(copied, share=mine, guest=guest))
