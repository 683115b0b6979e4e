import html
import re
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.library.models import (
    Analysis,
    Collection,
    Decision,
    Media,
    Person,
    User,
)
from lookwho.services import news, search
from lookwho.web.me import PIECE
from tests.gallery import (
    draw,
    make_album,
    make_collection,
    make_faces,
    make_pack,
    make_photo,
    make_selfie,
    near,
)

pytestmark = pytest.mark.django_db


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
def as_annotator(annotator):
    client = Client()
    client.force_login(annotator)
    return client


@pytest.fixture
def as_owner(owner):
    client = Client()
    client.force_login(owner)
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


def tiles(told):
    """The photos that a page shows, in its order; those of this day in earlier years are apart."""
    return re.findall(r'href="/photos/([0-9a-f-]{36})\?list=me" data-face', told)


def asked(told):
    """The photos of which a page asks whether it is them."""
    return re.findall(r'<a href="/photos/([0-9a-f-]{36})\?list=me">', told)


def headings(told):
    """The years, events and days of a page."""
    found = re.findall(r'<h([23]) class="(?:year|day)">(.*?)</h', told)
    return [re.sub("<small.*|<[^>]*>", "", words).strip() for _, words in found]


# --- who may ---


def test_the_unknown_are_asked_to_sign_in(client, member):
    gets = ("/me", "/me/more", "/me/maybe", "/me/waiting")
    posts = ("/me/say", f"/me/undo/{uuid4()}", "/me/mail")

    answers = [client.get(path) for path in gets] + [client.post(path) for path in posts]

    assert all(answer.url.startswith("/sign-in") for answer in answers)


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
    assert f'href="/me#photo-{middle.uuid}" data-back' in told


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
    assert "I want to be found by my selfies" in told


def test_photos_come_by_event_and_day_and_are_counted(as_member, member, generator, face, searched):
    def photo(day, **more):
        taken_at = datetime(*day, 12, tzinfo=UTC)
        return make_photo(near(generator, face, 0.03), taken_at=taken_at, **more)

    party = [photo((2024, 6, 1)), photo((2024, 6, 2))]
    make_album(*party, title="Party", slug="party", date=date(2024, 6, 1))
    gala = photo((2025, 3, 7))
    make_album(gala, title="Gala & more", slug="gala", date=date(2025, 3, 7))
    alone = [photo((2025, 1, 2), collection=searched), photo((2024, 6, 20), collection=searched)]
    make_selfie(member, face)

    told = as_member.get("/me").content.decode()

    assert headings(told) == [
        "2025", "Gala &amp; more", "Thursday 2 January", "2024", "Thursday 20 June", "Party",
    ]  # fmt: skip
    expected = [gala, alone[0], alone[1], party[1], party[0]]
    assert tiles(told) == [str(each.uuid) for each in expected]
    assert 'You are in <span class="number">5</span> photos' in told
    assert "1 June 2024 · 2 photos" in told


def test_a_photo_in_two_albums_stands_once_in_the_later_one_that_is_shown(
    as_member, member, generator, face
):
    photo = make_photo(near(generator, face, 0.03))
    for title, day, hidden in (("Old", 1, False), ("New", 2, False), ("Secret", 3, True)):
        make_album(photo, title=title, date=date(2024, 6, day), hidden=hidden)
    make_selfie(member, face)

    told = as_member.get("/me").content.decode()

    assert headings(told) == ["2024", "New"]
    assert "Secret" not in told
    assert tiles(told) == [str(photo.uuid)]


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
    assert asked(below) == [str(match.media.uuid) for match in maybe]
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


def test_a_thousand_photos_make_as_many_queries_as_ten_and_come_in_pieces(
    as_member, member, generator, face
):
    make_selfie(member, face)
    counts, sizes, found = [], [], []
    for number, more in enumerate((10, 990)):
        photos = many_photos(generator, face, more)
        make_album(*photos, title=f"Event {number}", date=date(2024, 6, 1 + number))
        as_member.get("/me")
        with CaptureQueriesContext(connection) as captured:
            answer = as_member.get("/me")
        told = answer.content.decode()
        counts.append(len(captured))
        sizes.append(len(answer.content))
        found.append(len(tiles(told)))
    later = re.findall(r'data-later="([^"]+)" data-count="(\d+)"', told)
    rest = [as_member.get(html.unescape(address)).content.decode() for address, _ in later]

    assert counts[0] == counts[1]
    assert found == [10, PIECE]
    assert [int(count) for _, count in later] == [60] * 15 + [40]
    assert [len(tiles(each)) for each in rest] == [60] * 15 + [40]
    all_ = tiles(told) + [each for piece in rest for each in tiles(piece)]
    matches = [str(match.media.uuid) for match in search.my_photos(member)]
    assert sorted(all_) == sorted(matches)
    assert len(set(all_)) == 1000
    assert [heading for each in rest for heading in headings(each)] == ["Event 0"]


def many_photos(generator, face, count):
    """Photos of somebody, in few statements."""
    first = Media.objects.count()
    media = Media.objects.bulk_create(
        Media(
            payload_hash=(10**9 + first + number).to_bytes(32, "big"),
            taken_at=datetime(2024, 6, 1, tzinfo=UTC) + timedelta(minutes=number),
            day=date(2024, 6, 1) + timedelta(days=number // 1440),
        )
        for number in range(count)
    )
    make_faces([(each, near(generator, face, 0.02)) for each in media])
    return media


def test_without_a_script_the_list_has_pages(as_member, member, generator, face):
    make_selfie(member, face)
    photos = many_photos(generator, face, 130)
    make_album(*photos)

    pages = [as_member.get(f"/me?page={page}").content.decode() for page in (1, 2, 3, 9)]

    assert [len(tiles(each)) for each in pages] == [60, 60, 10, 10]
    assert len({uuid for each in pages for uuid in tiles(each)}) == 130
    assert 'rel="next" href="?page=2"' in pages[0]


# --- new, this day, and what one wants to see ---


def test_what_came_since_the_last_visit_is_new(as_member, member, generator, face, searched):
    old = make_photo(near(generator, face, 0.03), collection=searched)
    make_selfie(member, face)
    first = as_member.get("/me").content.decode()
    now = timezone.now()
    User.objects.filter(pk=member.pk).update(visited_at=now - timedelta(hours=5))
    Media.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=2))
    new = make_photo(near(generator, face, 0.03), collection=searched)

    told = as_member.get("/me").content.decode()
    again = as_member.get("/me?new=1").content.decode()

    assert "new since" not in first
    assert f"1 new since {(now - timedelta(hours=5)):%-d %B}" in told
    assert (len(tiles(told)), tiles(again)) == (2, [str(new.uuid)])
    assert told.count('class="fresh"') == 1


def test_photos_of_this_day_in_earlier_years_come_first(
    as_member, member, generator, face, searched
):
    today = timezone.now()
    years = [today.replace(year=today.year - ago, day=min(today.day, 28)) for ago in (0, 1, 2)]
    photos = [
        make_photo(near(generator, face, 0.03), collection=searched, taken_at=each)
        for each in years
    ]
    make_selfie(member, face)

    told = as_member.get("/me").content.decode()
    above = told.partition("data-pieces")[0]

    if today.day <= 28:
        shown = re.findall(r'class="tile" href="/photos/([0-9a-f-]{36})', above)
        assert shown == [str(each.uuid) for each in photos[1:]]
    assert len(tiles(told)) == 3


def test_only_a_year_or_an_event_is_shown_where_that_is_asked_for(
    as_member, member, generator, face, searched
):
    photos = {}
    for year in (2023, 2024):
        taken_at = datetime(year, 5, 4, tzinfo=UTC)
        photos[year] = make_photo(
            near(generator, face, 0.03), taken_at=taken_at, collection=searched
        )
    make_album(photos[2023], title="Walk", slug="walk", date=date(2023, 5, 4))
    make_selfie(member, face)

    def shown(query):
        return tiles(as_member.get(f"/me?{query}").content.decode())

    assert shown("year=2024") == [str(photos[2024].uuid)]
    assert shown("event=album-walk") == [str(photos[2023].uuid)]
    assert shown("event=2024-05-04") == [str(photos[2024].uuid)]
    assert shown("event=album-other") == shown("year=1999") == []
    assert len(shown("year=nonsense&page=-1")) == 2


# --- this is me, this is not me ---


def say(client, word, photo, **more):
    return client.post("/me/say", {word: photo.faces.get().uuid}, **more)


HTMX = {"HX-Request": "true"}


def test_a_photo_that_is_not_theirs_goes_and_comes_back_by_undo(
    as_member, member, generator, face, searched
):
    photo = make_photo(near(generator, face, 0.03), collection=searched)
    make_selfie(member, face)

    answer = say(as_member, "no", photo, headers=HTMX)
    gone = as_member.get("/me").content.decode()
    hidden = as_member.get(f"/photos/{photo.uuid}").status_code
    (undo,) = re.findall(r'hx-post="(/me/undo/[^"]+)"', answer.content.decode())
    back = as_member.post(undo, headers=HTMX)

    assert answer.headers["HX-Retarget"] == "#toasts"
    assert (tiles(gone), hidden) == ([], 404)
    assert back.headers["HX-Trigger"] == "mine-changed"
    assert tiles(as_member.get("/me").content.decode()) == [str(photo.uuid)]


def test_one_that_may_be_theirs_becomes_theirs_by_saying_so(as_member, member, generator, face):
    seen = make_collection(policy=Collection.Policy.OPEN)
    make_photo(*draw(generator, 40), collection=seen)
    photo = make_photo(near(generator, face, 0.074), collection=seen)
    make_selfie(member, face)
    assert asked(as_member.get("/me").content.decode()) == [str(photo.uuid)]

    say(as_member, "yes", photo)

    told = as_member.get("/me").content.decode()
    assert (tiles(told), asked(told)) == ([str(photo.uuid)], [])


def test_of_a_face_that_is_not_offered_nothing_can_be_said(
    as_member, member, generator, face, searched
):
    make_selfie(member, face)
    other = make_photo(draw(generator), collection=searched)
    closed = make_photo(near(generator, face, 0.03), collection=make_collection())

    for photo in (other, closed):
        for word in ("yes", "no"):
            answer = say(as_member, word, photo)
            assert answer.status_code == 404
            assert str(photo.uuid) not in answer.content.decode()
    assert as_member.post("/me/say", {"yes": str(uuid4())}).status_code == 404
    assert as_member.post("/me/say", {"yes": "nonsense"}).status_code == 422
    assert as_member.post("/me/say").status_code == 422
    assert not Decision.objects.exists()


def test_on_the_photo_one_says_so_too_and_others_are_asked_nothing(
    as_member, as_annotator, member, generator, face, searched
):
    photo = make_photo(near(generator, face, 0.03), collection=searched, width=400, height=300)
    stranger = make_photo(draw(generator), collection=make_collection(policy="open"))
    make_selfie(member, face)

    own = as_member.get(f"/photos/{photo.uuid}").content.decode()

    assert "You are in this photo." in own
    assert f'name="no" value="{photo.faces.get().uuid}"' in own
    assert 'aria-label="You"' in own
    for client, other in ((as_member, stranger), (as_annotator, photo)):
        told = client.get(f"/photos/{other.uuid}").content.decode()
        assert "/me/say" not in told


def test_only_what_one_said_oneself_is_taken_back(
    as_member, as_owner, member, generator, face, searched
):
    photo = make_photo(near(generator, face, 0.03), collection=searched)
    make_selfie(member, face)
    say(as_member, "no", photo)
    batch = Decision.objects.get().batch

    assert as_owner.post(f"/me/undo/{batch}").status_code == 404
    assert as_member.post(f"/me/undo/{batch}").status_code == 302
    assert as_member.post(f"/me/undo/{batch}").status_code == 409


# --- while photos come in ---


def test_the_page_asks_again_while_photos_wait_and_says_what_was_found(
    as_member, member, generator, face, searched
):
    make_selfie(member, face)
    make_photo(near(generator, face, 0.03), collection=searched)
    waits = Analysis.objects.create(media=make_photo(collection=searched), pack=make_pack())

    page = as_member.get("/me").content.decode()
    still = as_member.get("/me/waiting?known=1").content.decode()
    make_photo(near(generator, face, 0.03), collection=searched)
    more = as_member.get("/me/waiting?known=1").content.decode()
    waits.delete()
    over = as_member.get("/me/waiting?known=1").content.decode()

    assert 'hx-get="/me/waiting?known=1" hx-trigger="every 10s"' in page
    assert "data-more" not in still
    assert 'data-more="1"' in more
    assert "1 more photo of you was found" in more
    assert "data-over" in over
    assert "hx-get" not in over


# --- mail ---


@pytest.fixture
def with_mail(settings):
    settings.EMAIL_HOST = "mail.example.org"


def test_mail_is_opted_into_and_out_of(as_member, member, with_mail):
    make_selfie(member)
    nowhere = as_member.post("/me/mail", {"wanted": "1"}).status_code
    User.objects.filter(pk=member.pk).update(email="mia@example.org")

    as_member.post("/me/mail", {"wanted": "1"})
    on = as_member.get("/me").content.decode()
    member.refresh_from_db()
    wanted = member.wants_mail
    as_member.post("/me/mail")
    member.refresh_from_db()

    assert (nowhere, wanted, member.wants_mail) == (422, True, False)
    assert "a mail goes to mia@example.org" in on


def test_the_link_in_a_mail_ends_them_without_signing_in_and_only_by_a_click(client, member):
    User.objects.filter(pk=member.pk).update(wants_mail=True)
    address = f"/mail/stop/{news.stop_token(member)}"

    asks = client.get(address)
    member.refresh_from_db()
    before = member.wants_mail
    done = client.post(address)
    member.refresh_from_db()

    assert (asks.status_code, done.status_code) == (200, 200)
    assert (before, member.wants_mail) == (True, False)
    assert client.post(address[:-2] + "xx").status_code == 404
