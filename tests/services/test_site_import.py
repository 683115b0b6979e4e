import logging
import tempfile
import time
from datetime import date
from pathlib import Path
from threading import Event

import pytest
from django.db import connection

from lookwho.core.errors import Cancelled, FileMissing, NotFound, SiteRefused, SiteUnreachable
from lookwho.library.models import (
    Album,
    Analysis,
    Collection,
    Job,
    Like,
    Location,
    Media,
    Membership,
    SiteAccount,
    User,
)
from lookwho.library.queries import sites as queries
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import memberships, site_client, site_import, site_visits, sites
from lookwho.services.memberships import Period
from lookwho.services.register import keep_present
from lookwho.workers.attempt import Attempt, Engine
from lookwho.workers.kinds import carry_out
from tests.concrexit import MIA, TOKEN, members_site, photo
from tests.people import a_user
from tests.work import claimed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Pauses between tries are short, and no address is remembered from another test."""
    monkeypatch.setattr(site_client, "PAUSE", 0.01)
    site_visits._addresses.clear()


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Temporary files are in a folder of the test, where they can be looked for."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def there():
    with members_site() as site:
        site.add("gala", 1, 2, 3)
        site.add("trip", 4, 5, date="2024-08-10")
        site.add("party", 6)
        yield site


@pytest.fixture
def owner():
    return a_user("owner")


def added(there, owner):
    collection, _ = sites.add_site(owner, there.address, TOKEN)
    return collection


def imported(collection, beat=lambda done: None):
    """Import a site as a worker would."""
    sites.ask_import(collection)
    job = queries.jobs_of(collection).get(state=Job.State.WAITING)
    try:
        site_import.run_site(job, beat=beat)
    finally:
        Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    job.refresh_from_db()
    return job


def fetched(there):
    """How often pictures were asked for."""
    return sum(count for path, count in there.paths.items() if path.startswith("picture"))


def album(slug):
    return Album.objects.get(external_id=slug)


def shown(user=None):
    """The ids, there, of the photos that a member sees here."""
    scope = scope_of(user or a_user("member"), Purpose.BROWSE)
    rows = Location.objects.filter(media__in=scope.media(), missing_since=None)
    return sorted(site_visits.ids_of(path)[1] for path in rows.values_list("path", flat=True))


# --- taking in ---


def test_all_albums_and_photos_of_all_pages_are_taken_in(there, owner):
    there.add("summer", *range(10, 15), hidden=True)
    collection = added(there, owner)
    job = imported(collection)

    rows = Album.objects.filter(source=collection).order_by("external_id")
    assert [(row.external_id, row.title, row.date, row.hidden) for row in rows] == [
        ("gala", "Gala", date(2024, 6, 1), False),
        ("party", "Party", date(2024, 6, 1), False),
        ("summer", "Summer", date(2024, 6, 1), True),
        ("trip", "Trip", date(2024, 8, 10), False),
    ]
    assert [row.media.count() for row in rows] == [3, 1, 5, 2]
    assert Media.objects.filter(present=True).count() == 11
    assert job.total == 11
    assert Analysis.objects.count() == 11
    assert Job.objects.filter(kind=Job.Kind.ANALYSE, parent=job).exists()
    # A photo that does not tell is of the day of its album.
    assert {each.day for each in album("trip").media.all()} == {date(2024, 8, 10)}
    assert shown() == ["1", "2", "3", "4", "5", "6"]  # without those of the hidden album


def test_what_was_taken_in_is_not_fetched_again(there, owner):
    collection = added(there, owner)
    imported(collection)
    before = fetched(there), list(Location.objects.order_by("pk").values())
    imported(collection)

    assert (fetched(there), list(Location.objects.order_by("pk").values())) == before
    assert (before[0], Media.objects.count(), Album.objects.count()) == (6, 6, 3)


def test_an_import_that_was_killed_goes_on_where_it_was(there, owner):
    there.add("long", *range(20, 45))
    collection = added(there, owner)

    class Killed(BaseException):
        pass

    def die(pk):
        if pk == 38:
            raise ConnectionResetError  # so that this answer never comes

    there.before_picture = die

    def beat(done):
        if there.paths["picture 38"]:
            raise Killed

    with pytest.raises(Killed):
        imported(collection, beat)
    taken = Location.objects.exclude(media=None).count()
    there.before_picture = lambda pk: None
    imported(collection)

    assert 15 <= taken < 31
    assert Media.objects.count() == 31
    asked = {path: count for path, count in there.paths.items() if path.startswith("picture")}
    assert {path for path, count in asked.items() if count > 1} == {"picture 38"}


def test_it_stops_when_it_is_cancelled_also_while_it_waits(there, owner):
    collection = added(there, owner)
    there.busy = [(429, "60")]
    began = time.monotonic()

    def beat(done):
        if time.monotonic() - began > 0.3:
            raise Cancelled("it is to stop")

    with pytest.raises(Cancelled):
        imported(collection, beat)
    assert time.monotonic() - began < 30


def test_it_waits_as_long_as_the_site_asks(there, owner, monkeypatch):
    collection = added(there, owner)
    there.busy = [(429, "1"), (503, None), (500, None)]
    began = time.monotonic()
    imported(collection)

    assert Media.objects.count() == 6
    assert time.monotonic() - began >= 1


def test_one_photo_that_cannot_be_had_keeps_no_other_out_and_says_why(there, owner):
    there.pictures[2] = b"<html>this is no picture</html>" * 30
    del there.pictures[5]
    collection = added(there, owner)
    imported(collection)

    assert shown() == ["1", "3", "4", "6"]
    said = {row.path: (row.error_code, row.error) for row in queries.failures(collection)}
    assert {path: code for path, (code, _) in said.items()} == {
        "gala/2": "not_an_image",
        "trip/5": "file_missing",
    }
    assert tempfile.gettempdir() not in "".join(text for _, text in said.values())
    assert "key=" not in said["trip/5"][1]

    # Once it is there, it comes.
    there.pictures[2], there.pictures[5] = photo(2), photo(5)
    imported(collection)
    assert shown() == ["1", "2", "3", "4", "5", "6"]
    assert not queries.failures(collection).exists()


def test_a_site_that_breaks_down_ends_the_import_and_nothing_is_missing(there, owner):
    collection = added(there, owner)
    imported(collection)
    there.add("late", *range(50, 60))

    def fail(pk):
        raise ConnectionResetError

    there.before_picture = fail
    with pytest.raises(SiteUnreachable):
        imported(collection)
    assert shown() == ["1", "2", "3", "4", "5", "6"]


def test_addresses_that_expire_on_the_way_are_asked_for_anew(there, owner):
    def expire(pk):
        if pk == 2 and there.round == 1:
            there.round = 2

    there.before_picture = expire
    collection = added(there, owner)
    imported(collection)

    assert shown() == ["1", "2", "3", "4", "5", "6"]
    assert there.paths["/api/v2/photos/albums/gala/"] == 2
    assert (there.paths["picture 2"], there.paths["picture 3"]) == (2, 1)


def test_the_same_picture_in_two_albums_is_one_photo_in_both(there, owner):
    there.pictures[6] = there.pictures[1]
    collection = added(there, owner)
    imported(collection)

    assert Media.objects.count() == 5
    same = Location.objects.get(path="gala/1").media
    assert set(same.albums.values_list("external_id", flat=True)) == {"gala", "party"}

    # Gone from one of them, it is in the other alone.
    there.albums["gala"]["photos"].remove(1)
    imported(collection)
    assert list(same.albums.values_list("external_id", flat=True)) == ["party"]
    same.refresh_from_db()
    assert same.present


# --- what vanishes ---


def test_what_vanishes_there_vanishes_here_and_comes_back_without_being_fetched(there, owner):
    collection = added(there, owner)
    imported(collection)
    there.albums["gala"]["photos"] = [1, 3]
    trip = there.albums.pop("trip")
    imported(collection)

    assert shown() == ["1", "3", "6"]
    assert album("trip").hidden

    there.albums["trip"] = trip
    there.albums["gala"]["photos"] = [1, 2, 3]
    count = fetched(there)
    imported(collection)
    assert shown() == ["1", "2", "3", "4", "5", "6"]
    assert fetched(there) == count


def test_hidden_there_is_hidden_here_until_it_is_shown_there(there, owner):
    collection = added(there, owner)
    imported(collection)
    there.albums["gala"]["hidden"] = True
    imported(collection)
    assert shown() == ["4", "5", "6"]

    there.albums["gala"]["hidden"] = False
    imported(collection)
    assert shown() == ["1", "2", "3", "4", "5", "6"]


def test_what_is_hidden_here_stays_hidden_whatever_the_site_says(there, owner):
    collection = added(there, owner)
    imported(collection)
    Album.objects.filter(external_id="gala").update(hidden=True)
    media = Location.objects.get(path="trip/4").media
    Media.objects.filter(pk=media.pk).update(hidden=True)
    keep_present([media.pk])
    imported(collection)

    assert shown() == ["5", "6"]


def test_an_album_that_the_token_may_not_see_any_more_is_shown_to_nobody(there, owner):
    collection = added(there, owner)
    imported(collection)
    there.closed[TOKEN] = {"gala"}
    imported(collection)

    assert shown() == ["4", "5", "6"]


def test_a_list_that_is_empty_where_much_was_changes_nothing(there, owner):
    collection = added(there, owner)
    imported(collection)
    there.albums.clear()

    with pytest.raises(SiteUnreachable, match="6 photos were there"):
        imported(collection)
    assert shown() == ["1", "2", "3", "4", "5", "6"]


def test_a_token_that_holds_no_more_fails_the_import_with_the_reason(there, owner):
    collection = added(there, owner)
    del there.tokens[TOKEN]

    with pytest.raises(SiteRefused, match="refuses the token"):
        imported(collection)


# --- members and likes ---


def test_membership_periods_arrive_for_those_whom_the_site_knows(there, owner):
    by_id = User.objects.create_user("ida", external_id="71")
    by_mail = User.objects.create_user("max", email="Max@Example.org")
    other = User.objects.create_user("eve", email="eve@example.org", external_id="9000")
    unknown = User.objects.create_user("una")
    memberships.replace(unknown, [Period(date(2020, 1, 1))], source=Membership.Source.LIST)
    there.members = [
        {"pk": 71, "memberships": [{"since": "2022-09-01", "until": "2023-08-31"}]},
        {
            "pk": 72,
            "email": "max@example.org",
            "memberships": [{"since": "2023-09-01", "until": None}],
        },
        {"pk": 73, "email": "eve@example.org", "memberships": []},
        {"pk": 74},
    ]
    imported(added(there, owner))

    def told(user):
        rows = Membership.objects.filter(user=user).values_list("since", "until", "source")
        return list(rows)

    assert told(by_id) == [(date(2022, 9, 1), date(2023, 8, 31), "site")]
    assert told(by_mail) == [(date(2023, 9, 1), None, "site")]
    assert told(other) == []
    assert told(unknown) == [(date(2020, 1, 1), None, "list")]
    # Who is a member no more sees what was in their time.
    assert shown(by_id) == []
    assert shown(by_mail) == ["1", "2", "3", "4", "5", "6"]


def test_without_a_right_to_read_members_the_photos_come_all_the_same(there, owner):
    there.members = None
    collection = added(there, owner)
    imported(collection)

    assert shown() == ["1", "2", "3", "4", "5", "6"]
    assert "Members were not read" in queries.notes_of(collection)["said"][0]


def test_likes_of_users_with_an_account_there_arrive_and_no_others(there, owner):
    mia = User.objects.create_user("mia", role=User.Role.MEMBER)
    collection = added(there, owner)
    sites.set_account(mia, collection, MIA)
    there.liked = {MIA: [2, 4, 999], TOKEN: [1]}
    imported(collection)
    imported(collection)

    liked = Like.objects.values_list("user__username", "media__locations__path")
    assert sorted(liked) == [("mia", "gala/2"), ("mia", "trip/4")]


# --- nothing is left lying about ---


def bytes_below(folder):
    return b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())


def test_no_original_and_no_token_lies_anywhere_afterwards(
    there, owner, temporary, tmp_path, settings, caplog
):
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    caplog.set_level(logging.DEBUG)
    collection = added(there, owner)
    sites.set_account(owner, collection, MIA)
    there.pictures[2] = b"no picture" * 90
    del there.pictures[5]
    imported(collection)
    del there.tokens[TOKEN]
    with pytest.raises(SiteRefused) as refused:
        imported(collection)

    assert list(temporary.iterdir()) == []
    assert bytes_below(settings.HOME) == b""
    told = caplog.text + str(refused.value)
    assert TOKEN not in told
    assert MIA not in told
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            rows = repr([[bytes(v) if isinstance(v, memoryview) else v for v in r] for r in cursor])
            assert TOKEN not in rows, table
            assert MIA not in rows, table
            assert "key=" not in rows, table
    assert len(SiteAccount.objects.values("token").distinct()) == 2


def test_photos_are_analysed_from_a_temporary_file(there, owner, temporary, samples):
    there.pictures[1] = (samples / "obama.jpg").read_bytes()
    there.albums = {"gala": {"title": "Gala", "date": None, "photos": [1, 2, 3]}}
    there.pictures[3] = photo(3)[:900]
    collection = added(there, owner)
    imported(collection)
    there.albums["gala"]["photos"].remove(2)  # it went before it was looked at
    site_visits._addresses.clear()

    engine = Engine()
    try:
        carry_out(Attempt(claimed("analyse"), engine, Event()))
    finally:
        engine.stop()

    rows = Analysis.objects.filter(media__locations__collection=collection)
    states = dict(rows.values_list("media__locations__path", "state"))
    codes = dict(rows.values_list("media__locations__path", "error_code"))
    assert states == {"gala/1": "done", "gala/2": "failed", "gala/3": "failed"}
    assert (codes["gala/2"], codes["gala/3"]) == ("file_missing", "broken_image")
    assert Location.objects.get(path="gala/1").media.faces.count() == 1
    assert list(temporary.iterdir()) == []


def test_a_job_of_a_worker_imports_a_site(there, owner):
    collection = added(there, owner)
    carry_out(Attempt(claimed("site"), Engine(), Event()))

    assert shown() == ["1", "2", "3", "4", "5", "6"]
    assert Collection.objects.get(pk=collection.pk).scanned_at is not None


def test_the_import_of_a_site_that_was_removed_ends(there, owner):
    collection = added(there, owner)
    job = Job.objects.get(kind=Job.Kind.SITE)
    Collection.objects.filter(pk=collection.pk).delete()

    with pytest.raises(NotFound):
        site_import.run_site(job, beat=lambda done: None)


# --- originals ---


def original(path, **more):
    location = Location.objects.select_related("collection", "media").get(path=path)
    with site_visits.fetched(location, **more) as file:
        return file.read_bytes()


def test_an_original_is_fetched_and_an_expired_address_renewed(there, owner, temporary):
    collection = added(there, owner)
    imported(collection)
    there.round += 1

    assert original("gala/1") == there.pictures[1]
    assert list(temporary.iterdir()) == []


def test_an_account_of_ones_own_decides_what_one_gets_and_addresses_are_not_shared(there, owner):
    mia = User.objects.create_user("mia", role=User.Role.MEMBER)
    collection = added(there, owner)
    imported(collection)
    sites.set_account(mia, collection, MIA)
    there.closed[MIA] = {"gala"}

    assert original("gala/1", asker=owner) == there.pictures[1]
    with pytest.raises(NotFound):
        original("gala/1", asker=mia)
    assert original("trip/4", asker=mia) == there.pictures[4]
    # What she may see is remembered as hers alone, and the other way round.
    there.closed = {TOKEN: {"trip"}}
    with pytest.raises(FileMissing):
        original("trip/4", asker=owner)
    assert original("trip/4", asker=mia) == there.pictures[4]


def test_two_sites_with_the_same_token_and_albums_are_not_mixed_up(there, owner):
    with members_site() as other:
        other.add("gala", 1)
        other.pictures[1] = photo(99)
        for each in (there, other):
            collection = added(each, owner)
            imported(collection)
        one, two = Location.objects.filter(path="gala/1").order_by("pk")
        for location, site in ((one, there), (two, other)):
            with site_visits.fetched(location) as file:
                assert file.read_bytes() == site.pictures[1]


def test_a_picture_that_was_changed_there_is_not_taken_for_the_old_one(there, owner):
    collection = added(there, owner)
    imported(collection)
    there.pictures[1] = photo(77)

    with pytest.raises(FileMissing, match="another photo"):
        original("gala/1")
    assert collection.kind == Collection.Kind.SITE
