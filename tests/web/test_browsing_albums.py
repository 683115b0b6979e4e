"""Albums in Chromium: from the cover into a photo, through the album by keys, and back to it."""

import re
from datetime import date

import pytest
from PIL import Image
from playwright.sync_api import expect

from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Like,
    Location,
    Media,
    Person,
    Reference,
)
from tests.people import a_user, some_faces, some_media
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gala(tmp_path):
    """An album of three photos that are there, and one beside it."""
    media = some_media(4)
    folder = Collection.objects.create(title="Pictures", root=str(tmp_path))
    for number, each in enumerate(media):
        Image.new("RGB", (1200, 800), (60 * number, 120, 150)).save(tmp_path / f"{number}.jpg")
        # Of its own content: pictures that other tests made are kept.
        payload = f"{tmp_path.name} {number}".encode().ljust(32)[-32:]
        Media.objects.filter(pk=each.pk).update(format="JPEG", payload_hash=payload)
        Location.objects.create(collection=folder, media=each, path=f"{number}.jpg")
    album = Album.objects.create(title="Gala", slug="gala", date=date(2025, 6, 1))
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media[:3])
    other = Album.objects.create(title="Other", slug="other", date=date(2025, 7, 1))
    AlbumItem.objects.create(album=other, media=media[3])
    album.photos = list(reversed(media[:3]))
    return album


def at(page, media):
    expect(page).to_have_url(re.compile(f"/photos/{media.uuid}"))


def test_from_the_cover_through_the_album_by_keys_and_back_to_it(open_page, member, gala):
    page = open_page("/albums", member)
    page.get_by_role("link", name=re.compile("^Gala")).click()
    page.locator(".live .tile[href]").first.click()
    at(page, gala.photos[0])
    page.wait_for_function("() => window.htmx")

    page.keyboard.press("ArrowRight")
    at(page, gala.photos[1])
    page.keyboard.press("ArrowRight")
    at(page, gala.photos[2])
    expect(page.locator("a[rel=next]")).to_have_count(0)
    page.keyboard.press("Escape")

    expect(page).to_have_url(re.compile("/albums/gala"))
    expect(page.get_by_role("heading", name="Gala")).to_be_visible()


def test_the_key_l_likes_a_photo_and_takes_that_back(open_page, member, gala):
    Like.objects.create(user=a_user("owner"), media=gala.photos[0])
    page = open_page(f"/photos/{gala.photos[0].uuid}", member)
    page.wait_for_function("() => window.htmx")
    button = page.get_by_role("button", name="Like")
    expect(button).to_have_attribute("aria-pressed", "false")

    page.keyboard.press("l")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_have_text(re.compile(r"Like\s+2"))
    assert Like.objects.filter(user=member, media=gala.photos[0]).exists()
    page.keyboard.press("l")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert not Like.objects.filter(user=member).exists()


def test_an_l_that_is_typed_is_no_like(open_page, owner, gala):
    page = open_page(f"/photos/{gala.photos[0].uuid}", owner)
    page.wait_for_function("() => window.htmx")

    page.get_by_placeholder("Add to an album").press("l")

    expect(page.get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#album-titles option")).to_have_count(2)  # offered as one types
    assert not Like.objects.exists()


def test_a_member_is_led_to_their_own_photos_of_the_album(open_page, member, gala):
    Reference.objects.create(user=member, file="x.jpg", state=Reference.State.DONE)
    some_faces(1, media=[gala.photos[1]], person=Person.objects.create(name="Mia", user=member))
    page = open_page("/albums/gala", member)

    page.get_by_role("link", name="Show only those").click()

    expect(page.get_by_text("You are in 1 photo")).to_be_visible()
    expect(page.locator(".tile[href]")).to_have_count(1)


def test_a_cover_is_chosen_while_looking_at_the_photo(open_page, owner, gala):
    page = open_page(f"/photos/{gala.photos[2].uuid}?album={gala.uuid}", owner)
    page.wait_for_function("() => window.htmx")

    page.get_by_role("button", name="Use as cover").click()

    expect(page.get_by_text("This photo is the cover of “Gala” now.")).to_be_visible()
    gala.refresh_from_db()
    assert gala.cover == gala.photos[2]


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_an_album_is_made_and_removed_at_any_width(open_page, owner, gala, size):
    page = open_page("/albums", owner, size=size)
    page.get_by_text("New album").click()
    page.get_by_label("Title", exact=True).fill("Ball")
    page.get_by_label("Day of the event").fill("2025-09-01")
    page.get_by_role("button", name="Make it").click()
    expect(page).to_have_url(re.compile("/albums/ball$"))

    page.get_by_role("link", name="Edit").click()
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name="Remove “Ball” for good").click()

    expect(page.get_by_text("“Ball” is removed.")).to_be_visible()
    assert not Album.objects.filter(title="Ball").exists()


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
@pytest.mark.parametrize("path", ("/albums", "/albums/gala", "/albums/gala/edit", "/photos/liked"))
def test_nothing_is_wider_than_the_window(open_page, owner, gala, path, size):
    Album.objects.filter(pk=gala.pk).update(title="Donaudampfschifffahrt" * 9, event="x" * 200)
    page = open_page(path, owner, size=size)

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
