import json
import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Job,
    Location,
    Media,
    Membership,
    Person,
    Reference,
    Team,
)
from lookwho.web.albums import ON_A_PAGE
from tests.people import a_user, some_faces, some_media

pytestmark = pytest.mark.django_db
JUNE = date(2025, 6, 1)


def an_album(title="Gala", *media, **more):
    slug = f"{title.lower()}-{Album.objects.count()}"
    album = Album.objects.create(**{"title": title, "slug": slug, "date": JUNE, **more})
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)
    return album


@pytest.fixture
def as_member(client, member):
    client.force_login(member)
    return client


def text(answer):
    return answer.content.decode()


def tiles(answer):
    return re.findall(r'class="tile" href="/photos/([0-9a-f-]{36})', text(answer))


def titled(answer):
    return re.findall(r'<span class="title">(.*?)</span>', text(answer))


# --- who may ---


@pytest.mark.parametrize("path", ("/albums", "/albums/gala-0", "/albums/gala-0/edit"))
def test_the_unknown_are_asked_to_sign_in(client, path):
    an_album()

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer.url.startswith("/sign-in?next=")


@pytest.mark.parametrize("closed", ("hidden", "processing", "team", "time"))
def test_an_album_that_is_closed_to_somebody_is_nowhere(as_member, member, closed):
    (media,) = some_media(1)
    some_faces(2, media=[media] * 2)
    if closed in ("hidden", "processing"):
        album = an_album("Secret", media, **{closed: True})
    else:
        album = an_album("Secret", media)
    if closed == "team":
        album.teams.add(Team.objects.create(title="Board"))
    if closed == "time":
        ended = JUNE - timedelta(days=1)
        Membership.objects.create(user=member, since=date(2020, 1, 1), until=ended)

    for path in ("", "/mine", "?mine", "/download"):
        answer = as_member.get(f"/albums/{album.slug}{path}")
        assert answer.status_code == 404
        assert str(media.uuid) not in text(answer)
    told = [as_member.get(path) for path in ("/albums", "/albums?q=secret", "/albums?year=2024")]
    assert not any("ecret" in text(answer).replace('value="secret"', "") for answer in told)
    assert not any(str(media.uuid) in text(answer) for answer in told)
    assert "2024–2025" not in text(told[0])
    assert as_member.get(f"/photos?album={album.uuid}").status_code == 404
    assert as_member.get(f"/pictures/{media.uuid}/320.webp").status_code == 404


@pytest.mark.parametrize("role", ("member", "annotator"))
@pytest.mark.parametrize("path", ("edit", "cover", "take-out", "remove"))
def test_only_curators_look_after_albums(client, role, path):
    (media,) = some_media(1)
    album = an_album("Gala", media)
    client.force_login(a_user(role))

    answer = client.post(f"/albums/{album.slug}/{path}", {"photo": str(media.uuid), "title": "X"})

    assert answer.status_code == 404
    album.refresh_from_db()
    assert (album.title, album.cover, album.items.count()) == ("Gala", None, 1)


@pytest.mark.parametrize("role", ("member", "annotator"))
def test_only_curators_make_albums_and_put_photos_into_them(client, role):
    (media,) = some_media(1)
    an_album("Gala", media)
    client.force_login(a_user(role))

    assert client.post("/albums", {"title": "New"}).status_code == 404
    answer = client.post(f"/photos/{media.uuid}/albums", {"title": "New"})
    assert answer.status_code == 404
    assert client.get("/photos/album-titles").status_code == 404
    assert client.get("/albums/gala-0/edit").status_code == 404
    assert Album.objects.count() == 1
    assert "New album" not in text(client.get("/albums"))
    page = text(client.get("/albums/gala-0"))
    assert "/edit" not in page
    shown = text(client.get(f"/photos/{media.uuid}"))
    assert "Use as cover" not in shown
    assert "Add to an album" not in shown


def test_somebody_of_whom_nothing_is_known_but_their_account_sees_pages(as_member):
    (media,) = some_media(1)
    an_album("Gala", media)

    for path in ("/albums", "/albums/gala-0", "/photos/liked", "/photos/most-liked"):
        assert as_member.get(path).status_code == 200


# --- the index ---


def test_albums_stand_under_their_academic_years(as_member):
    an_album("Party", date=date(2025, 9, 1))
    an_album("Gala", *some_media(2))
    an_album("Lost", date=None)

    answer = as_member.get("/albums")

    assert titled(answer) == ["Party", "Gala", "Lost"]
    assert re.findall(r'<h2 class="academic">(.*?)</h2>', text(answer)) == [
        "2025–2026",
        "2024–2025",
        "Without a date",
    ]
    assert "1 June 2025 · 2&nbsp;photos" in text(answer)
    assert titled(as_member.get("/albums?year=2025")) == ["Party"]
    assert titled(as_member.get("/albums?year=undated&q=lost")) == ["Lost"]
    assert "No album fits" in text(as_member.get("/albums?q=lost+gala"))


def test_new_photos_since_the_last_visit_are_told(as_member, member):
    an_album("Gala", *some_media(2))
    assert "new</b>" not in text(as_member.get("/albums"))

    member.visited_before = timezone.now() - timedelta(days=1)
    member.save()

    assert "2 new</b>" in text(as_member.get("/albums"))


def test_pages_lead_through_all_albums_of_a_search(as_member):
    for number in range(2 * ON_A_PAGE + 1):
        an_album(f"Gala {number}", slug=f"gala-{number}")
    an_album("Other")
    seen, address = [], "?q=gala&year=2024"
    while address:
        answer = as_member.get(f"/albums{address}")
        seen += titled(answer)
        further = re.search(r'rel="next" href="([^"]+)"', text(answer))
        address = further[1].replace("&amp;", "&") if further else None

    assert seen == [f"Gala {number}" for number in reversed(range(2 * ON_A_PAGE + 1))]


@pytest.mark.parametrize("page", ("999", "0", "-1", "x", "9" * 5000, "٣"))
def test_a_page_that_is_not_there_is_the_nearest_one(as_member, page):
    an_album()

    assert titled(as_member.get("/albums", {"page": page})) == ["Gala"]


def test_the_page_makes_as_many_queries_for_one_album_as_for_twenty(as_member):
    def queries():
        with CaptureQueriesContext(connection) as made:
            as_member.get("/albums")
        return len(made)

    an_album("Gala", *some_media(2))
    queries()
    for_one = queries()
    for number in range(19):
        an_album(f"Gala {number}", *some_media(2), slug=f"more-{number}")

    assert queries() == for_one


def test_what_is_typed_is_never_markup(as_owner):
    told = {"title": "<script>alert(1)</script>", "date": "nonsense"}

    answer = as_owner.post("/albums", told)

    assert answer.status_code == 422
    assert b"<script>alert" not in answer.content
    an_album("<b>Gala</b>", slug="gala", event="<i>x</i>")
    for path in ("/albums?q=<u>", "/albums", "/albums/gala", "/albums/gala/edit"):
        assert not re.search("<(b>Gala|i>x|u>)", text(as_owner.get(path)))


# --- one album ---


def test_an_album_shows_its_photos_and_no_others(as_member):
    inside, other, gone = some_media(3)
    album = an_album("Gala", inside, gone)
    an_album("Other", other)
    Media.objects.filter(pk=gone.pk).update(present=False)

    answer = as_member.get(f"/albums/{album.slug}")

    assert tiles(answer) == [str(inside.uuid)]
    days = json.loads(re.search(r'id="days"[^>]*>(.*?)<', text(answer))[1])
    assert days[1::2] == [1]
    assert f'data-query="album={album.uuid}"' in text(answer)
    piece = as_member.get(f"/photos/tiles?from=2000-01-01&to=2100-01-01&album={album.uuid}")
    assert tiles(piece) == tiles(answer)


def test_arrows_lead_through_the_album_and_back_to_it(as_member):
    first, between, last = some_media(3)
    album = an_album("Gala", first, last)
    an_album("Other", between)

    page = text(as_member.get(f"/photos/{last.uuid}?album={album.uuid}"))

    assert f'rel="next" href="/photos/{first.uuid}?album={album.uuid}"' in page
    assert 'rel="prev"' not in page
    assert f'class="leave" href="/albums/{album.slug}#2024-06-01/0"' in page


def test_a_member_is_told_in_how_many_photos_of_the_album_they_are(as_member, member):
    mine, also, other, elsewhere = some_media(4)
    me = Person.objects.create(name="Mia", user=member)
    some_faces(3, media=[mine, also, elsewhere], person=me)
    album = an_album("Gala", mine, also, other)
    an_album("Other", elsewhere)
    assert 'hx-trigger="load"' not in text(as_member.get(f"/albums/{album.slug}"))
    Reference.objects.create(user=member, file="x.jpg", state=Reference.State.DONE)

    page = as_member.get(f"/albums/{album.slug}")
    piece = as_member.get(f"/albums/{album.slug}/mine")
    only = as_member.get(f"/albums/{album.slug}?mine")

    assert f'hx-get="/albums/{album.slug}/mine"' in text(page)
    assert '<b class="number">2</b> of these photos' in text(piece)
    assert tiles(only) == [str(also.uuid), str(mine.uuid)]
    assert len(tiles(page)) == 3


def test_an_album_without_photos_says_so(as_member):
    an_album()

    page = text(as_member.get("/albums/gala-0"))
    assert "No photos yet" in page
    assert "/download" not in page
    an_album("Other", *some_media(1))
    assert 'href="/albums/other-1/download"' in text(as_member.get("/albums/other-1"))


def test_a_photo_leads_to_the_albums_that_the_asker_may_see(as_member):
    (media,) = some_media(1)
    an_album("Gala", media)
    an_album("Secret", media, hidden=True)

    page = text(as_member.get(f"/photos/{media.uuid}"))

    assert '<a class="link" href="/albums/gala-0">Gala</a>' in page
    assert "Secret" not in page


# --- looking after them ---


def test_a_curator_makes_an_album_and_stands_in_it(client):
    client.force_login(a_user("curator"))

    answer = client.post("/albums", {"title": "Gala", "date": "2025-06-01"})

    assert (answer.status_code, answer.url) == (302, "/albums/gala")
    assert Album.objects.get().date == JUNE
    assert client.get("/albums/gala").status_code == 200


def test_a_title_that_cannot_be_is_said_beside_what_was_typed(as_owner):
    answer = as_owner.post("/albums", {"title": "a" * 201, "date": "2025-06-01"})

    assert answer.status_code == 422
    assert "at most 200 fit" in text(answer)
    assert f'value="{"a" * 201}"' in text(answer)


def test_an_album_is_edited(as_owner):
    (media,) = some_media(1)
    album = an_album("Gala", media)
    board = Team.objects.create(title="Board")
    told = {
        "title": "Ball",
        "date": "",
        "event": "Lustrum",
        "slug": "ball",
        "hidden": "on",
        "consenting_only": "on",
        "team": str(board.uuid),
    }

    answer = as_owner.post(f"/albums/{album.slug}/edit", told)

    assert answer.url == "/albums/ball"
    album.refresh_from_db()
    assert (album.title, album.date, album.event, album.slug) == ("Ball", None, "Lustrum", "ball")
    assert (album.hidden, album.processing, album.consenting_only) == (True, False, True)
    assert list(album.teams.all()) == [board]
    page = text(as_owner.get("/albums/ball/edit"))
    assert re.search(r'name="hidden" checked', page)
    assert not re.search(r'name="processing" checked', page)
    as_owner.post("/albums/ball/edit", {"title": "Ball", "slug": "ball"})
    album.refresh_from_db()
    assert (album.hidden, album.teams.count()) == (False, 0)


def test_an_address_that_is_taken_is_said_beside_what_was_typed(as_owner):
    an_album("Gala")
    an_album("Ball")

    told = {"title": "Dance", "slug": "gala-0", "date": "2025-06-01", "hidden": "on"}
    answer = as_owner.post("/albums/ball-1/edit", told)

    assert answer.status_code == 409
    assert "choose another one" in text(answer)
    assert 'value="Dance"' in text(answer)
    assert re.search(r'name="hidden" checked', text(answer))
    answer = as_owner.post("/albums/ball-1/edit", told | {"date": "yesterday"})
    assert answer.status_code == 422
    assert "yesterday" in text(answer)
    assert Album.objects.get(slug="ball-1").title == "Ball"


def test_the_cover_is_chosen_from_a_photo_and_given_back(as_owner):
    best, other = some_media(2)
    some_faces(1, media=[best])
    album = an_album("Gala", best, other)
    page = text(as_owner.get(f"/photos/{other.uuid}"))
    assert f'action="/albums/{album.slug}/cover"' in page

    as_owner.post(f"/albums/{album.slug}/cover", {"photo": str(other.uuid)})

    assert f"/pictures/{other.uuid}/320.webp" in text(as_owner.get("/albums"))
    assert "Its cover" in text(as_owner.get(f"/photos/{other.uuid}"))
    as_owner.post(f"/albums/{album.slug}/cover", {"photo": ""})
    assert f"/pictures/{best.uuid}/320.webp" in text(as_owner.get("/albums"))
    answer = as_owner.post(f"/albums/{album.slug}/cover", {"photo": "nonsense"})
    assert answer.status_code == 404


def test_a_photo_is_put_into_an_album_and_taken_out_again(as_owner):
    (media,) = some_media(1)
    album = an_album("Gala")
    assert '<option value="Gala">' in text(as_owner.get("/photos/album-titles"))

    as_owner.post(f"/photos/{media.uuid}/albums", {"title": "Gala"})
    as_owner.post(f"/photos/{media.uuid}/albums", {"title": "New"})
    assert set(media.albums.values_list("title", flat=True)) == {"Gala", "New"}

    as_owner.post(f"/albums/{album.slug}/take-out", {"photo": str(media.uuid)})
    assert list(media.albums.values_list("title", flat=True)) == ["New"]
    assert as_owner.get(f"/photos/{media.uuid}").status_code == 200


def test_before_an_album_is_removed_it_is_said_what_goes(as_owner):
    (media,) = some_media(1)
    folder = Collection.objects.create(title="x", root="/x", policy="open")
    Location.objects.create(collection=folder, media=media, path="1")
    an_album("Gala", media, hidden=True)

    page = text(as_owner.get("/albums/gala-0/edit"))
    answer = as_owner.post("/albums/gala-0/remove", follow=True)

    assert "Its 1 photo stays in the library" in page
    assert "Members will see 1 photo that this album keeps from them" in page
    assert "“Gala” is removed. Its photo stays in the library." in text(answer)
    assert not Album.objects.exists()
    assert Media.objects.filter(pk=media.pk, present=True).exists()


def test_a_folder_that_fills_an_album_leads_to_its_page(as_owner, tmp_path):
    answer = as_owner.post("/welcome/folder", {"path": str(tmp_path), "album": "Gala 2026"})

    assert answer.url == "/albums/gala-2026"
    assert Job.objects.get().payload["album"] == Album.objects.get().pk


@pytest.mark.parametrize("path", ("cover", "take-out", "remove"))
def test_acts_are_not_links(as_owner, path):
    an_album()

    assert as_owner.get(f"/albums/gala-0/{path}").status_code == 405
