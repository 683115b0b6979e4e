from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from lookwho.library.models import (
    Album,
    Collection,
    Face,
    Location,
    Media,
    Membership,
    Person,
    Share,
    Team,
    User,
)
from lookwho.library.scope import Purpose, Scope, faces_of, scope_of, scope_of_share
from tests.gallery import NOON, draw, make_album, make_collection, make_member, make_photo

Role, Policy = User.Role, Collection.Policy
EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True)


@pytest.fixture
def library(db):
    """A photo for each way in which one can be open or not, by name, with one face each."""
    vectors = iter(draw(np.random.default_rng(3), 20))
    collections = {policy: make_collection(policy=policy) for policy in Policy}
    photos = {
        policy.value: make_photo(next(vectors), collection=collection)
        for policy, collection in collections.items()
    }
    closed = collections[Policy.CLOSED]
    for name, more in (
        ("visible album", {}),
        ("hidden album", {"hidden": True}),
        ("album in the making", {"processing": True}),
    ):
        photos[name] = make_photo(next(vectors), collection=closed)
        make_album(photos[name], title=name, **more)
    photos["hidden and visible album"] = make_photo(next(vectors), collection=closed)
    make_album(photos["hidden and visible album"], hidden=True)
    make_album(photos["hidden and visible album"])
    photos["nowhere"] = make_photo(next(vectors), collection=collections[Policy.OPEN])
    make_album(photos["nowhere"])
    Location.objects.filter(media=photos["nowhere"]).update(missing_since=timezone.now())
    Media.objects.filter(pk=photos["nowhere"].pk).update(present=False)
    photos["gone from the open collection"] = make_photo(
        next(vectors), collection=collections[Policy.OPEN]
    )
    Location.objects.filter(media=photos["gone from the open collection"]).update(
        missing_since=timezone.now()
    )
    Location.objects.create(
        collection=closed, media=photos["gone from the open collection"], path="kept.jpg"
    )
    return photos


def named(photos, scope):
    """Which of the photos a scope holds; its faces are those of its media."""
    ids = set(scope.media().values_list("pk", flat=True))
    assert set(scope.faces().values_list("media", flat=True)) == ids
    return {name for name, photo in photos.items() if photo.pk in ids}


PRESENT = {
    *("closed", "own", "open", "visible album", "hidden album", "album in the making"),
    *("hidden and visible album", "gone from the open collection"),
}
SHOWN = {"visible album", "hidden and visible album"}


@pytest.mark.parametrize(
    ("role", "purpose", "expected", "names"),
    (
        *((Role.OWNER, purpose, PRESENT, True) for purpose in Purpose),
        *((Role.CURATOR, purpose, PRESENT, True) for purpose in Purpose),
        (Role.ANNOTATOR, Purpose.BROWSE, PRESENT, True),
        (Role.ANNOTATOR, Purpose.NAME, PRESENT, True),
        (Role.ANNOTATOR, Purpose.FIND_SELF, {*SHOWN, "open", "own"}, False),
        (Role.MEMBER, Purpose.BROWSE, {*SHOWN, "open"}, False),
        (Role.MEMBER, Purpose.NAME, set(), False),
        (Role.MEMBER, Purpose.FIND_SELF, {*SHOWN, "open", "own"}, False),
    ),
)
def test_everyone_sees_what_their_role_and_purpose_allow(library, role, purpose, expected, names):
    scope = scope_of(make_member(role=role), purpose)

    assert named(library, scope) == expected
    assert scope.names is names


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("role", Role)
def test_who_may_no_longer_sign_in_sees_nothing(library, role, purpose):
    scope = scope_of(make_member(role=role, is_active=False), purpose)

    assert (named(library, scope), scope.names) == (set(), False)


@pytest.mark.parametrize("purpose", Purpose)
def test_who_is_not_signed_in_sees_nothing(library, purpose):
    scope = scope_of(AnonymousUser(), purpose)

    assert (named(library, scope), scope.names) == (set(), False)


def test_a_superuser_of_django_is_no_owner(library):
    user = User.objects.create_superuser("root")

    assert named(library, scope_of(user, Purpose.BROWSE)) == {*SHOWN, "open"}


def test_a_scope_is_of_the_moment(library):
    user = make_member()
    before = named(library, scope_of(user, Purpose.BROWSE))

    library["visible album"].albums.update(hidden=True)
    Collection.objects.filter(policy=Policy.OPEN).update(policy=Policy.CLOSED)

    after = named(library, scope_of(user, Purpose.BROWSE))
    assert (before - after, after) == ({"visible album", "open"}, {"hidden and visible album"})


def test_a_photo_that_was_taken_out_of_an_album_is_out_of_the_scope_at_once(library):
    scope = scope_of(make_member(), Purpose.BROWSE)

    library["visible album"].album_items.all().delete()

    assert named(library, scope) == {"hidden and visible album", "open"}


def test_dismissed_faces_are_in_no_scope(library):
    user = make_member(role=Role.OWNER)
    Face.objects.update(dismissed=True)

    assert not scope_of(user, Purpose.BROWSE).faces().exists()
    assert not scope_of(make_member("max"), Purpose.FIND_SELF).faces().exists()


def test_only_the_whole_library_is_unlimited(library):
    assert scope_of(make_member(role=Role.OWNER), Purpose.BROWSE).unlimited
    assert not scope_of(make_member("max"), Purpose.BROWSE).unlimited
    for limit in (
        {"collections": frozenset()},
        {"albums": frozenset({1})},
        {"people": frozenset({1})},
        {"since": NOON.date()},
        {"until": NOON.date()},
    ):
        assert not EVERYTHING.within(**limit).unlimited
    assert EVERYTHING.within().unlimited


def test_limits_are_a_part_of_what_is_open(library):
    scope = scope_of(make_member(), Purpose.BROWSE)
    albums = {album.title: album.pk for album in library["hidden album"].albums.all()}
    albums |= {album.title: album.pk for album in library["visible album"].albums.all()}

    assert named(library, scope.within(albums=frozenset(albums.values()))) == {"visible album"}
    assert named(library, scope.within(albums=frozenset({albums["hidden album"]}))) == set()
    assert named(library, scope.within(albums=frozenset())) == set()
    closed = Collection.objects.get(policy=Policy.CLOSED).pk
    assert named(library, scope.within(collections=frozenset({closed}))) == SHOWN


def test_days_are_limits_that_include_themselves(db):
    days = [
        make_photo(draw(np.random.default_rng(day)), taken_at=NOON + timedelta(days=day))
        for day in range(4)
    ]
    photos = {photo.day: photo for photo in days}

    scope = EVERYTHING.within(since=days[1].day, until=days[2].day)

    assert named(photos, scope) == {days[1].day, days[2].day}
    assert named(photos, scope.within(since=days[0].day)) == {days[1].day, days[2].day}
    assert named(photos, scope.within(until=days[1].day)) == {days[1].day}


def test_people_are_sought_together(library):
    anna, ben = Person.objects.create(name="Anna"), Person.objects.create(name="Ben")
    for name, person in (("open", anna), ("own", anna), ("visible album", ben)):
        library[name].faces.update(person=person)
    Face.objects.create(media=library["own"], x1=0, y1=0, x2=1, y2=1, guess=ben)

    both = EVERYTHING.within(people=frozenset({anna.pk})).within(people=frozenset({ben.pk}))

    assert named(library, EVERYTHING.within(people=frozenset({anna.pk}))) == {"open", "own"}
    assert named(library, both) == {"own"}


def test_faces_of_a_person_are_those_confirmed_or_guessed_of_them_and_of_the_merged(library):
    anna = Person.objects.create(name="Anna")
    once = Person.objects.create(name="Annie", merged_into=anna, root=anna)
    ben = Person.objects.create(name="Ben")
    faces = {name: photo.faces.get() for name, photo in library.items()}
    for name, told in (
        ("open", {"person": anna}),
        ("own", {"person": once, "guess": ben}),
        ("closed", {"guess": anna}),
        ("visible album", {"guess": once}),
        ("hidden album", {"person": ben, "guess": anna}),
        ("album in the making", {"person": anna, "dismissed": True}),
    ):
        Face.objects.filter(pk=faces[name].pk).update(**told)

    theirs = set(faces_of(anna.pk).values_list("pk", flat=True))

    assert theirs == {faces[name].pk for name in ("open", "own", "closed", "visible album")}
    assert set(faces_of(ben.pk).values_list("pk", flat=True)) == {faces["hidden album"].pk}


def test_the_faces_of_a_scope_are_counted_once(library):
    make_album(library["visible album"], library["open"])
    Location.objects.create(
        collection=Collection.objects.get(policy=Policy.OWN), media=library["open"], path="copy.jpg"
    )
    scope = scope_of(make_member(), Purpose.FIND_SELF)

    assert scope.media().count() == len(named(library, scope)) == scope.faces().count()


SETS = st.none() | st.frozensets(st.integers(0, 3))
DAYS = st.none() | st.dates(date(2024, 1, 1), date(2024, 1, 9))
LIMITS = st.fixed_dictionaries(
    {"collections": SETS, "albums": SETS, "people": SETS, "since": DAYS, "until": DAYS}
)


def allows(scope, collections, albums, people, day):
    """What a scope says of a medium, in plain words."""
    return bool(
        (
            scope.everything
            or (scope.open_collections & collections and albums <= scope.open_albums)
            or scope.open_albums & albums
        )
        and (scope.collections is None or scope.collections & collections)
        and (scope.albums is None or scope.albums & albums)
        and (scope.people or frozenset()) <= people
        and (scope.since is None or day >= scope.since)
        and (scope.until is None or day <= scope.until)
    )


@given(
    LIMITS,
    LIMITS,
    st.booleans(),
    st.frozensets(st.integers(0, 3)),
    st.frozensets(st.integers(0, 3)),
    st.frozensets(st.integers(0, 3)),
    st.dates(date(2024, 1, 1), date(2024, 1, 9)),
)
def test_narrowing_is_the_part_that_both_allow(
    first, second, everything, collections, albums, people, day
):
    whole = Scope(
        purpose=Purpose.BROWSE,
        everything=everything,
        open_collections=frozenset({1}),
        open_albums=frozenset({1, 2}),
    )
    medium = (collections, albums, people, day)

    # The sets of a limit hold together, so both must have one of the medium's in common.
    narrowed = whole.within(**first).within(**second)

    assert narrowed.purpose == whole.purpose
    assert narrowed.names == whole.names
    if allows(narrowed, *medium):
        assert allows(whole.within(**first), *medium)
        assert allows(whole.within(**second), *medium)
        assert allows(whole, *medium)
    assert whole.within(**first).within() == whole.within(**first)
    assert narrowed == whole.within(**second).within(**first)


@pytest.mark.parametrize("seed", range(10))
def test_the_database_allows_what_the_words_say(db, seed):
    generator = np.random.default_rng(seed)
    collections = [make_collection() for _ in range(3)]
    albums = [make_album() for _ in range(3)]
    people = [Person.objects.create(name=name) for name in "ABC"]

    def some(things):
        return [thing for thing in things if generator.random() < 0.4]

    media = []
    for _ in range(30):
        inside = some(collections), some(albums), some(people)
        photo = make_photo(taken_at=NOON + timedelta(days=int(generator.integers(9))))
        for each in inside[0]:
            Location.objects.create(collection=each, media=photo, path=f"{photo.pk}.jpg")
        for each in inside[1]:
            each.items.create(media=photo)
        for each in inside[2]:
            Face.objects.create(media=photo, person=each, x1=0, y1=0, x2=1, y2=1)
        media.append((photo, *(frozenset(each.pk for each in part) for part in inside)))

    def ids(things):
        return frozenset(thing.pk for thing in some(things))

    for _ in range(8):
        scope = Scope(
            purpose=Purpose.BROWSE,
            everything=bool(generator.random() < 0.5),
            open_collections=ids(collections),
            open_albums=ids(albums),
        )
        for limit in ("collections", "albums", "people", "since", "until"):
            if generator.random() < 0.3:
                chosen = {
                    "collections": ids(collections),
                    "albums": ids(albums),
                    "people": ids(people),
                    "since": (NOON + timedelta(days=int(generator.integers(9)))).date(),
                    "until": (NOON + timedelta(days=int(generator.integers(9)))).date(),
                }[limit]
                scope = scope.within(**{limit: chosen})

        expected = {photo.pk for photo, *inside in media if allows(scope, *inside, photo.day)}
        assert set(scope.media().values_list("pk", flat=True)) == expected
        faces = Face.objects.filter(media__in=expected)
        assert set(scope.faces()) == set(faces)


# --- members, former members and teams, against plain words ---

TODAY = date(2025, 6, 1)


@dataclass
class Shelf:
    """What a photo is in, in plain words."""

    photo: Media
    day: date
    present: bool
    policies: set[str]  # of the collections in which it lies
    albums: list[Album]


def spans(periods, purpose):
    """The days that a former member may see; None for all days."""
    if not periods or any(first <= TODAY and (last or TODAY) >= TODAY for first, last in periods):
        return None
    before = timedelta(days=31 if purpose == Purpose.FIND_SELF else 0)
    return [(first - before, last) for first, last in periods]


def may_see(periods, teams, shelf, purpose):
    """Whether a member may see a photo: what the site promises, said without any query."""
    days = spans(periods, purpose)

    def within(day):
        if days is None:
            return True
        return day is not None and any(a <= day and (b is None or day <= b) for a, b in days)

    def is_open(album):
        theirs = set(album.teams.all())
        return (
            not (album.hidden or album.processing)
            and (not theirs or bool(theirs & teams))
            and within(album.date)
        )

    if purpose == Purpose.NAME or not shelf.present:
        return False
    if any(is_open(album) for album in shelf.albums):
        return True
    policies = {Policy.OPEN} if purpose == Purpose.BROWSE else {Policy.OPEN, Policy.OWN}
    return bool(shelf.policies & policies) and not shelf.albums and within(shelf.day)


def a_day(generator):
    return TODAY + timedelta(days=int(generator.integers(-400, 60)))


def some_periods(generator):
    """Up to three stretches that do not overlap; some end on the last day before the next."""
    ends = sorted({a_day(generator) for _ in range(2 * int(generator.integers(0, 4)))})
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    if pairs and generator.random() < 0.3:
        pairs[-1] = (pairs[-1][0], None)
    return pairs


@pytest.mark.parametrize("seed", range(8))
def test_members_see_what_the_plain_words_say(db, seed):
    generator = np.random.default_rng(seed)
    teams = [Team.objects.create(title=title) for title in "ABC"]
    collections = [make_collection(policy=policy) for policy in Policy]
    albums = []
    for _ in range(8):
        album = make_album(
            date=a_day(generator) if generator.random() < 0.8 else None,
            hidden=bool(generator.random() < 0.2),
            processing=bool(generator.random() < 0.1),
        )
        album.teams.set(team for team in teams if generator.random() < 0.2)
        albums.append(album)
    shelves = []
    for number in range(40):
        day = a_day(generator)
        photo = make_photo(taken_at=NOON.replace(year=day.year, month=day.month, day=day.day))
        places = [each for each in collections if generator.random() < 0.4] or collections[:1]
        for each in places:
            Location.objects.create(collection=each, media=photo, path=f"{number}.jpg")
        inside = [each for each in albums if generator.random() < 0.15]
        for each in inside:
            each.items.create(media=photo)
        hidden = bool(generator.random() < 0.1)
        Media.objects.filter(pk=photo.pk).update(hidden=hidden, present=not hidden)
        shelves.append(Shelf(photo, day, not hidden, {each.policy for each in places}, inside))

    for number in range(6):
        user, periods = make_member(f"m{number}"), some_periods(generator)
        for since, until in periods:
            Membership.objects.create(user=user, since=since, until=until)
        theirs = {team for team in teams if generator.random() < 0.4}
        user.teams.set(theirs)
        for purpose in Purpose:
            expected = {
                each.photo.pk for each in shelves if may_see(periods, theirs, each, purpose)
            }
            scope = scope_of(user, purpose, today=TODAY)
            assert set(scope.media().values_list("pk", flat=True)) == expected, (periods, purpose)


FIRST, LAST = date(2024, 9, 1), date(2024, 12, 31)
SECOND = date(2025, 3, 1), date(2025, 4, 30)


@pytest.mark.parametrize("album", (True, False))
@pytest.mark.parametrize(
    ("day", "browse", "find_self"),
    (
        (FIRST - timedelta(days=32), False, False),
        (FIRST - timedelta(days=31), False, True),  # the month before they joined
        (FIRST - timedelta(days=1), False, True),
        (FIRST, True, True),
        (LAST, True, True),
        (LAST + timedelta(days=1), False, False),  # between two memberships
        (SECOND[0] - timedelta(days=32), False, False),
        (SECOND[0] - timedelta(days=31), False, True),
        (SECOND[0], True, True),
        (SECOND[1], True, True),
        (SECOND[1] + timedelta(days=1), False, False),
    ),
)
def test_a_former_member_sees_the_first_and_the_last_day_and_none_between(
    db, album, day, browse, find_self
):
    user = make_member()
    for since, until in ((FIRST, LAST), SECOND):
        Membership.objects.create(user=user, since=since, until=until)
    if album:  # an album is of its own day, whatever the photos say of theirs
        make_album(make_photo(), date=day)
    else:
        taken_at = NOON.replace(year=day.year, month=day.month, day=day.day)
        make_photo(collection=make_collection(policy=Policy.OPEN), taken_at=taken_at)

    for purpose, seen in ((Purpose.BROWSE, browse), (Purpose.FIND_SELF, find_self)):
        assert scope_of(user, purpose, today=TODAY).media().exists() == seen


def test_an_album_without_a_date_is_for_members_of_today(db):
    make_album(make_photo(), date=None)
    user = make_member()
    seen = []
    for until in (TODAY, TODAY - timedelta(days=1)):
        Membership.objects.create(user=user, since=FIRST, until=until)
        seen.append(scope_of(user, Purpose.FIND_SELF, today=TODAY).media().exists())
        Membership.objects.all().delete()

    assert seen == [True, False]


def test_a_membership_that_is_still_to_come_opens_nothing_yet(db):
    tomorrow = TODAY + timedelta(days=1)
    make_album(make_photo(), date=TODAY - timedelta(days=40))
    make_album(make_photo(), date=TODAY)
    user = make_member()
    Membership.objects.create(user=user, since=tomorrow)

    assert scope_of(user, Purpose.BROWSE, today=TODAY).media().count() == 0
    assert scope_of(user, Purpose.FIND_SELF, today=TODAY).media().count() == 1  # the month before
    assert scope_of(user, Purpose.BROWSE, today=tomorrow).media().count() == 2


@pytest.mark.parametrize("role", (Role.OWNER, Role.CURATOR))
def test_who_looks_after_the_photos_sees_them_whatever_their_membership(library, role):
    user = make_member(role=role)
    Membership.objects.create(user=user, since=FIRST, until=LAST)

    assert named(library, scope_of(user, Purpose.BROWSE, today=TODAY)) == PRESENT


def test_an_album_of_two_teams_is_seen_by_either_and_by_no_other(db):
    photo = make_photo(collection=make_collection(policy=Policy.OPEN))
    album = make_album(photo)
    teams = [Team.objects.create(title=title) for title in "ABC"]
    album.teams.set(teams[:2])
    users = [make_member(title) for title in "abcd"]
    for user, team in zip(users, teams, strict=False):
        team.users.add(user)

    seen = [scope_of(user, Purpose.BROWSE).media().exists() for user in users]

    # Although the photo lies in an open collection, too.
    assert seen == [True, True, False, False]


def test_a_photo_in_a_hidden_and_in_a_visible_album_is_seen_in_the_visible_one(db):
    photo = make_photo(collection=make_collection(policy=Policy.OPEN))
    make_album(photo, hidden=True)
    user = make_member()
    assert not scope_of(user, Purpose.FIND_SELF).media().exists()

    make_album(photo)

    assert scope_of(user, Purpose.BROWSE).media().get() == photo


# --- links ---


@pytest.fixture
def linked(db):
    """A photo with Anna in each place that a link may open, and what a link of each kind names."""
    anna = Person.objects.create(name="Anna")
    collection = make_collection(policy=Policy.CLOSED)
    photos = {name: make_photo(collection=collection) for name in ("alone", "visible", "hidden")}
    albums = {
        "visible": make_album(photos["visible"]),
        "hidden": make_album(photos["hidden"], hidden=True),
    }
    photos["team"] = make_photo(collection=collection)
    make_album(photos["team"]).teams.add(Team.objects.create(title="A"))
    photos["elsewhere"] = make_photo(collection=make_collection(policy=Policy.OPEN))
    for photo in photos.values():
        Face.objects.create(media=photo, person=anna, x1=0, y1=0, x2=1, y2=1)
    return photos, albums, collection, anna


def a_link(**more):
    later = timezone.now() + timedelta(days=1)
    told = {"kind": Share.Kind.ALBUM, "expires_at": later, **more}
    return Share.objects.create(token_hash=bytes([Share.objects.count()]) * 32, **told)


@pytest.mark.parametrize(
    ("kind", "opens"),
    (
        ("visible album", {"visible"}),
        ("hidden album", set()),
        ("collection", {"alone", "visible"}),
        ("person", {"alone", "visible", "elsewhere"}),
        ("invitation", set()),
    ),
)
def test_a_link_opens_what_it_names_while_it_lives(linked, kind, opens):
    photos, albums, collection, anna = linked
    named_by = {
        "visible album": {"album": albums["visible"]},
        "hidden album": {"album": albums["hidden"]},
        "collection": {"kind": Share.Kind.COLLECTION, "collection": collection},
        "person": {"kind": Share.Kind.PERSON, "person": anna},
        "invitation": {"kind": Share.Kind.INVITATION},
    }[kind]
    now = timezone.now()
    live, only_mine = a_link(**named_by), a_link(**named_by, only_mine=True)
    expired = a_link(**named_by | {"expires_at": now})
    revoked = a_link(**named_by, revoked_at=now)

    def opened(share, purpose):
        scope = scope_of_share(share, purpose, now=now)
        assert not scope.names
        return named(photos, scope)

    for purpose in (Purpose.BROWSE, Purpose.FIND_SELF):
        assert opened(live, purpose) == opens
        assert opened(expired, purpose) == opened(revoked, purpose) == set()
    assert opened(only_mine, Purpose.FIND_SELF) == opens
    assert opened(only_mine, Purpose.BROWSE) == opened(live, Purpose.NAME) == set()


def test_a_link_to_somebody_who_was_merged_is_to_whom_they_were_merged_into(linked):
    photos, _, _, anna = linked
    ben = Person.objects.create(name="Ben")
    Face.objects.filter(media=photos["alone"]).update(person=ben)
    share = a_link(kind=Share.Kind.PERSON, person=anna)
    Person.objects.filter(pk=anna.pk).update(merged_into=ben, root=ben)

    seen = named(photos, scope_of_share(share, Purpose.BROWSE))

    assert seen == {"alone", "visible", "elsewhere"}


def test_a_link_to_somebody_who_was_hidden_opens_nothing(linked):
    photos, _, _, anna = linked
    share = a_link(kind=Share.Kind.PERSON, person=anna)
    Person.objects.filter(pk=anna.pk).update(hidden=True)

    assert named(photos, scope_of_share(share, Purpose.BROWSE)) == set()


def test_a_link_to_somebody_merged_into_somebody_hidden_opens_nothing(linked):
    photos, _, _, anna = linked
    share = a_link(kind=Share.Kind.PERSON, person=anna)
    ben = Person.objects.create(name="Ben", hidden=True)
    Person.objects.filter(pk=anna.pk).update(merged_into=ben, root=ben)

    assert named(photos, scope_of_share(share, Purpose.BROWSE)) == set()
