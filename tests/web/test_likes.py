import re

import pytest

from lookwho.library.models import Album, AlbumItem, Like
from tests.people import a_user, some_media

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_member(client, member):
    client.force_login(member)
    return client


def in_album(*media, **more):
    slug = f"album-{Album.objects.count()}"
    album = Album.objects.create(**{"title": "Gala", "slug": slug, **more})
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)


def text(answer):
    return answer.content.decode()


def tiles(answer):
    return re.findall(r'class="tile" href="/photos/([0-9a-f-]{36}\?list=[\w-]+)"', text(answer))


def button(page):
    return re.search(r'name="like" value="(\d)" aria-pressed="(\w+)"', page).groups()


@pytest.mark.parametrize("path", ("/photos/liked", "/photos/most-liked"))
def test_the_unknown_are_asked_to_sign_in(client, path):
    answer = client.get(path)

    assert (answer.status_code, answer.url[:14]) == (302, "/sign-in?next=")


def test_a_photo_is_liked_without_scripts_and_the_list_is_kept(as_member, member):
    (media,) = some_media(1)
    in_album(media)
    here = f"/photos/{media.uuid}?album=x"
    assert button(text(as_member.get(f"/photos/{media.uuid}"))) == ("1", "false")

    answer = as_member.post(f"/photos/{media.uuid}/like", {"like": "1", "next": here})

    assert (answer.status_code, answer.url) == (302, here)
    assert Like.objects.get().user == member
    assert button(text(as_member.get(f"/photos/{media.uuid}"))) == ("0", "true")
    as_member.post(f"/photos/{media.uuid}/like", {"like": "0"})
    assert not Like.objects.exists()


def test_with_scripts_only_the_button_is_drawn_anew(as_member):
    (media,) = some_media(1)
    in_album(media)
    Like.objects.create(user=a_user("owner"), media=media)
    told = {"like": "1", "next": f"/photos/{media.uuid}?list=me"}

    answer = as_member.post(f"/photos/{media.uuid}/like", told, headers={"HX-Request": "true"})

    assert button(text(answer)) == ("0", "true")
    assert '<span class="number">2</span>' in text(answer)
    assert f'value="/photos/{media.uuid}?list=me"' in text(answer)
    assert "<html" not in text(answer)


def test_nobody_is_led_to_another_site(as_member):
    (media,) = some_media(1)
    in_album(media)

    answer = as_member.post(f"/photos/{media.uuid}/like", {"next": "https://evil.example/"})

    assert answer.url == f"/photos/{media.uuid}"


def test_what_one_may_not_see_is_not_liked(as_member):
    (media,) = some_media(1)
    in_album(media, hidden=True)

    assert as_member.post(f"/photos/{media.uuid}/like", {"like": "1"}).status_code == 404
    assert not Like.objects.exists()


def test_lists_show_what_one_may_see_and_arrows_lead_through_them(as_member, member):
    media = some_media(4)
    in_album(*media[:3])
    in_album(media[3], hidden=True)
    for each in (media[0], media[2], media[3]):
        Like.objects.create(user=member, media=each)
    Like.objects.create(user=a_user("member"), media=media[0])

    liked = tiles(as_member.get("/photos/liked"))
    most = tiles(as_member.get("/photos/most-liked"))

    newest, oldest = media[2].uuid, media[0].uuid
    assert liked == [f"{newest}?list=liked", f"{oldest}?list=liked"]
    assert most == [f"{oldest}?list=most-liked", f"{newest}?list=most-liked"]
    page = text(as_member.get(f"/photos/{newest}?list=liked"))
    assert f'rel="next" href="/photos/{oldest}?list=liked"' in page
    assert 'class="leave" href="/photos/liked"' in page
    page = text(as_member.get(f"/photos/{newest}?list=most-liked"))
    assert f'rel="prev" href="/photos/{oldest}?list=most-liked"' in page
    alone = text(as_member.get(f"/photos/{media[1].uuid}?list=liked"))
    assert 'rel="next"' not in alone
    assert 'class="leave" href="/photos/liked"' in alone


def test_likes_are_told_in_words_to_whoever_cannot_see_them(as_member, member):
    (media,) = some_media(1)
    in_album(media)
    assert "You like no photo yet" in text(as_member.get("/photos/liked"))
    Like.objects.create(user=member, media=media)

    assert 'aria-label="1 like"' in text(as_member.get("/photos/most-liked"))
