from datetime import date, timedelta

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from lookwho.library.models import Collection, Face, Location, Media, Person, User
from lookwho.library.scope import Purpose, Scope, faces_of, scope_of
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
