import json
import re
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Album, AlbumItem, Collection, Location, Media, Person
from lookwho.services import drawing
from lookwho.web.photos import ON_A_PAGE, in_short
from tests.people import some_faces, some_media

pytestmark = pytest.mark.django_db

STRETCH = "from=2000-01-01&to=2100-01-01"


def shown(answer):
    """The uuids of the photos in a page or a piece of one, in their order."""
    return re.findall(r'class="tile" href="/photos/([0-9a-f-]{36})', answer.content.decode())


def open_album(*media, **more):
    album = Album.objects.create(title="Gala", slug=f"gala-{uuid4()}", **more)
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=one) for one in media)
    return album


def newest_first(media):
    ordered = sorted(media, key=lambda one: (one.taken_at, one.pk), reverse=True)
    return [str(one.uuid) for one in ordered]


# --- who may ---


@pytest.mark.parametrize("path", ("/photos", f"/photos/tiles?{STRETCH}", "/photos/narrow"))
def test_the_unknown_are_asked_to_sign_in(client, path):
    open_album(*some_media(1))

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer.url.startswith("/sign-in?next=")


@pytest.mark.parametrize("path", ("/photos", f"/photos/tiles?{STRETCH}"))
def test_a_member_sees_what_is_in_visible_albums_and_open_collections(client, member, path):
    visible, hidden, coming, loose, closed, own = media = some_media(6)
    open_album(visible)
    open_album(hidden, hidden=True)
    open_album(coming, processing=True)
    for one, policy in ((loose, "open"), (closed, "closed"), (own, "own")):
        folder = Collection.objects.create(title=policy, root=f"/{policy}", policy=policy)
        Location.objects.create(collection=folder, media=one, path="1.jpg")
    client.force_login(member)

    assert set(shown(client.get(path))) == {str(visible.uuid), str(loose.uuid)}
    assert len(media) == 6


def test_a_member_is_told_no_names(client, member):
    media = some_media(1)
    open_album(*media)
    some_faces(1, media=media, person=Person.objects.create(name="Anna"))
    client.force_login(member)

    told = b"".join(
        client.get(path).content
        for path in ("/photos", f"/photos/tiles?{STRETCH}", "/photos/narrow")
    )

    assert b"Anna" not in told


@pytest.mark.parametrize("path", ("/photos?", f"/photos/tiles?{STRETCH}&", "/photos/narrow?"))
def test_a_member_cannot_find_out_who_is_in_a_photo_by_asking(client, member, path):
    media = some_media(1)
    open_album(*media)
    anna = Person.objects.create(name="Anna")
    some_faces(1, media=media, person=anna)
    client.force_login(member)

    assert client.get(f"{path}person={anna.uuid}").status_code == 404
    assert client.get(f"{path}without={anna.uuid}").status_code == 404


@pytest.mark.parametrize("path", ("/photos", "/photos/tiles", "/photos/narrow"))
def test_pages_are_read_and_not_written_to(as_owner, path):
    assert as_owner.post(path).status_code == 405


# --- the timeline ---


def test_the_page_brings_the_days_and_the_first_photos(as_owner):
    media = some_media(3)

    answer = as_owner.get("/photos")

    days = json.loads(re.search(r'id="days"[^>]*>(.*?)<', answer.content.decode())[1])
    assert days == [(date(2024, 6, 1) - date(1970, 1, 1)).days, 3]
    assert shown(answer) == newest_first(media)
    assert "3 photos" in answer.content.decode()


def test_days_are_told_in_short():
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    days = [((noon - timedelta(days=ago)).date(), ago + 1) for ago in (0, 1, 40)]

    told = in_short(days)

    first = told[0]
    earlier = [first, first - told[2], first - told[2] - told[4]]
    assert [date(1970, 1, 1) + timedelta(days=number) for number in earlier] == [
        day for day, _ in days
    ]
    assert told[1::2] == [1, 2, 41]


def test_without_scripts_pages_lead_through_all_photos(as_owner):
    media = some_media(2 * ON_A_PAGE + 3)
    seen, address = [], "/photos"
    while address:
        answer = as_owner.get(address)
        seen += shown(answer)
        older = re.search(r'rel="next" href="([^"]+)"', answer.content.decode())
        address = f"/photos{older[1]}" if older else None

    assert seen == newest_first(media)


@pytest.mark.parametrize("page", ("999", "0", "-1", "x", "9" * 5000, "٣"))
def test_a_page_that_is_not_there_is_the_nearest_one(as_owner, page):
    media = some_media(2)

    answer = as_owner.get("/photos", {"page": page})

    assert shown(answer) == newest_first(media)


def test_tiles_are_those_of_the_days_that_are_asked_for(as_owner):
    media = some_media(4)
    Media.objects.filter(pk=media[0].pk).update(day=date(2024, 5, 30))
    order = newest_first(media[1:])

    answer = as_owner.get("/photos/tiles?from=2024-06-01&to=2024-06-01&skip=1&take=1")

    assert shown(answer) == order[1:2]


@pytest.mark.parametrize("stretch", ("", "from=2024-06-01", "from=x&to=2024-06-01", "from=&to="))
def test_a_stretch_without_two_days_is_refused(as_owner, stretch):
    assert as_owner.get(f"/photos/tiles?{stretch}").status_code == 422


def test_a_tile_says_what_is_needed_to_lay_it_out_and_what_it_shows(as_owner):
    (photo,) = media = some_media(1)
    some_faces(1, media=media, person=Person.objects.create(name='Anna "<b>'))

    told = as_owner.get(f"/photos/tiles?{STRETCH}").content.decode()

    assert f'href="/photos/{photo.uuid}"' in told
    assert f'src="/pictures/{photo.uuid}/320.webp"' in told
    assert 'data-w="1200" data-h="800" data-day="2024-06-01"' in told
    assert 'alt="Anna &quot;&lt;b&gt;, 1 June 2024, ' in told


def test_a_tile_leads_to_the_photo_as_a_part_of_what_was_asked_for(as_owner):
    media = some_media(1)
    album = open_album(*media)

    for path in ("/photos?", f"/photos/tiles?{STRETCH}&"):
        told = as_owner.get(f"{path}album={album.uuid}").content.decode()

        assert f'href="/photos/{media[0].uuid}?album={album.uuid}"' in told


def test_as_many_queries_are_made_for_three_photos_as_for_one(as_owner):
    counts = []
    for more in (1, 2):
        some_faces(more, person=Person.objects.create(name=f"Anna {more}"))
        for path in ("/photos", f"/photos/tiles?{STRETCH}", "/photos/narrow"):
            with CaptureQueriesContext(connection) as captured:
                assert as_owner.get(path).status_code == 200
            counts.append(len(captured))

    assert counts[:3] == counts[3:]


# --- narrowed ---


def test_what_was_asked_for_stands_above_the_photos_and_can_be_taken_away(as_owner):
    one, two = media = some_media(2)
    anna = Person.objects.create(name="Anna")
    some_faces(1, media=[one], person=anna)
    album = open_album(*media)

    answer = as_owner.get(f"/photos?person={anna.uuid}&album={album.uuid}")

    told = answer.content.decode()
    assert shown(answer) == [str(one.uuid)]
    assert 'aria-label="Remove: Anna"' in told
    assert f'href="?album={album.uuid}" aria-label="Remove: Anna"' in told
    assert f'href="?person={anna.uuid}" aria-label="Remove: Gala"' in told
    assert str(two.uuid) not in told


@pytest.mark.parametrize(
    ("asked", "found"),
    (
        ("person={anna}&person={ben}", {"both"}),
        ("person={anna}&person={ben}&together=any", {"both", "alone", "crowd"}),
        ("person={anna}&together=only", {"alone"}),
        ("person={anna}&person={ben}&together=only", {"both"}),
        ("without={anna}", {"others", "nobody"}),
        ("person={anna}&without={ben}", {"alone", "crowd"}),
        ("without={anna}&without={ben}&without={zoe}", {"nobody"}),
    ),
)
@pytest.mark.parametrize("visible", (True, False), ids=("seen", "not visible"))
def test_photos_are_asked_for_by_all_of_any_of_only_and_none_of_people(
    as_owner, owner, asked, found, visible
):
    anna, ben, zoe = (Person.objects.create(name=name) for name in ("Anna", "Ben", "Zoe"))
    shows = {
        "both": (anna, ben),
        "alone": (anna,),
        "crowd": (anna, zoe),
        "others": (zoe,),
        "nobody": (),
    }
    photos = dict(zip(shows, some_media(len(shows)), strict=True))
    for name, people in shows.items():
        for person in people:
            if visible:
                some_faces(1, media=[photos[name]], person=person)
            else:
                drawing.absent(owner, photos[name], person.name)

    query = asked.format(anna=anna.uuid, ben=ben.uuid, zoe=zoe.uuid)

    expected = {str(photos[name].uuid) for name in found}
    assert set(shown(as_owner.get(f"/photos?{query}"))) == expected
    api = as_owner.get(f"/api/v1/photos?{query}").json()
    assert {photo["uuid"] for photo in api["photos"]} == expected


def test_the_filter_shows_what_is_chosen_already(as_owner):
    anna, _ben = (Person.objects.create(name=name) for name in ("Anna", "Ben"))

    told = as_owner.get(f"/photos/narrow?person={anna.uuid}&since=2024-01-02").content.decode()

    assert f'name="person" value="{anna.uuid}" checked' in told
    assert told.count(" checked") == 2  # she, and that all of them must be in it
    assert 'name="since" value="2024-01-02"' in told


def test_where_there_is_nothing_the_page_says_what_to_do(as_owner, client, member):
    assert "Add photos" in as_owner.get("/photos").content.decode()
    assert "Show all photos" in as_owner.get("/photos?faces=none").content.decode()

    client.force_login(member)

    assert "Find myself" in client.get("/photos").content.decode()
