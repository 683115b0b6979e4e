from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.core.errors import NotFound
from lookwho.library.models import Album, AlbumItem, Face, Person
from lookwho.library.queries import people
from lookwho.library.queries.people import Part, Portrait
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import people as services
from tests.people import a_group, a_person, a_user, some_faces, some_media

pytestmark = pytest.mark.django_db
ALL = Scope(purpose=Purpose.NAME, everything=True, names=True)
NO_NAMES = Scope(purpose=Purpose.BROWSE, everything=True)


def names(portraits):
    return [each.name for each in portraits]


# --- without names nobody is told anything ---


def test_who_may_not_be_told_names_is_told_nothing():
    anna, faces = a_person("Anna", 3)
    a_group(3)

    with CaptureQueriesContext(connection) as captured:
        assert people.census(NO_NAMES) == people.Census()
        assert people.suggestions(NO_NAMES, "anna") == []
        assert people.named(NO_NAMES, "Anna") is None
        assert people.group_of(NO_NAMES, faces[0].uuid) is None
        assert list(people.media_of(NO_NAMES, anna)) == []
        assert people.faces_of_person(NO_NAMES, anna) == []
        assert people.doubts(NO_NAMES, anna) == ([], 0)
        assert not people.groups_lack_names(NO_NAMES)
    assert len(captured) == 0
    with pytest.raises(NotFound):
        people.person(NO_NAMES, anna.uuid)


@pytest.mark.parametrize("role", ("member", "annotator", "curator", "owner"))
def test_a_member_learns_of_nobody_and_an_annotator_of_all(role):
    a_person("Anna")

    found = people.census(scope_of(a_user(role), Purpose.NAME))

    assert names(found.named) == ([] if role == "member" else ["Anna"])


# --- the census ---


def test_everybody_is_in_one_part_by_name_and_count():
    a_person("Anna", 2)
    a_group(people.FEW)
    a_group(people.FEW + 1)
    hidden, _ = a_person("Ben")
    Person.objects.filter(pk=hidden.pk).update(hidden=True)

    found = people.census(ALL)

    counts = {part: [(each.name, each.photos) for each in found.part(part)] for part in Part}
    assert counts == {
        Part.NAMED: [("Anna", 2)],
        Part.GROUPS: [("", people.FEW + 1)],
        Part.FEW: [("", people.FEW)],
        Part.HIDDEN: [("Ben", 2)],
    }


def test_confirmed_and_guessed_photos_count_alike_and_each_once():
    anna, _ = a_person("Anna", 2)
    twice = some_media(1)
    some_faces(1, media=twice, person=anna)  # before a mirror
    some_faces(1, media=twice, guess=anna)
    some_faces(1, guess=anna)
    some_faces(1, guess=anna, person=Person.objects.create(name="Ben"))

    assert [(each.name, each.photos) for each in people.census(ALL).named] == [
        ("Anna", 4),
        ("Ben", 1),
    ]


def test_the_merged_count_with_whom_they_are_a_shared_photo_once():
    owner = a_user("owner")
    shared = some_media(1)
    anna, _ = a_person("Anna", 2)
    group, _ = a_group(3)
    some_faces(1, media=shared, person=anna)
    some_faces(1, media=shared, guess=group)
    services.merge(owner, group, anna)

    found = people.census(ALL)

    assert [(each.id, each.photos) for each in found.named] == [(anna.pk, 6)]
    assert found.groups == []


def test_what_is_no_face_or_no_longer_there_counts_nowhere():
    group, faces = a_group(4)
    Face.objects.filter(pk=faces[0].pk).update(dismissed=True)
    faces[1].media.present = False
    faces[1].media.save()

    [portrait] = people.census(ALL).few

    assert (portrait.id, portrait.photos) == (group.pk, 2)


def test_somebody_named_is_kept_even_without_a_photo_a_group_is_not():
    Person.objects.create(name="Anna")
    Person.objects.create()

    found = people.census(ALL)

    assert (names(found.named), found.groups, found.few) == (["Anna"], [], [])


def test_a_part_of_the_library_counts_only_what_lies_in_it():
    anna, faces = a_person("Anna", 3)
    a_person("Ben", 2)
    album = Album.objects.create(title="Gala", slug="gala")
    AlbumItem.objects.create(album=album, media=faces[0].media)

    found = people.census(ALL.within(albums=frozenset([album.pk])))

    assert [(each.id, each.photos) for each in found.named if each.photos] == [(anna.pk, 1)]


def test_the_census_takes_three_queries_however_many_there_are():
    owner = a_user("owner")
    for count in (1, 3):
        for number in range(count):
            anna, _ = a_person(f"Anna {number} of {count}")
            group, _ = a_group(3)
            services.merge(owner, group, anna)
            a_group(3)
        with CaptureQueriesContext(connection) as captured:
            people.census(ALL)
        assert len(captured) == 3


# --- finding by name ---


@pytest.mark.parametrize(
    ("typed", "found"),
    (
        ("an", ["Anna", "Andreas", "Juan Ángel", "Marianne"]),
        ("ángel", ["Juan Ángel"]),
        ("JUAN ang", ["Juan Ángel"]),
        ("xyz", []),
        ("", ["Anna", "Marianne", "Juan Ángel", "Andreas"]),
    ),
)
def test_names_are_found_by_their_words_the_better_fits_first(typed, found):
    everyone = [
        Portrait(number, None, name, 1)
        for number, name in enumerate(["Anna", "Marianne", "Juan Ángel", "Andreas"])
    ]

    assert names(people.matching(everyone, typed)) == found


def test_exactly_one_name_is_somebody_but_for_case():
    anna, _ = a_person("Åsa Lindström")

    assert people.named(ALL, "åsa lindström") == anna
    assert people.named(ALL, "åsa") is None


def test_hidden_and_merged_people_are_not_offered():
    owner = a_user("owner")
    anna, _ = a_person("Anna")
    anne, _ = a_person("Anne")
    hidden, _ = a_person("Annika")
    services.merge(owner, anne, anna)
    services.hide(owner, hidden, True)

    assert names(people.suggestions(ALL, "ann")) == ["Anna"]


# --- faces ---


def covers(*portraits):
    return [each.cover for each in people.with_covers(portraits)]


def portrait_of(person):
    return Portrait(person.pk, person.uuid, person.name, 0)


def test_the_best_confirmed_face_is_shown_before_any_guess():
    anna, _ = a_person("Anna", 1)
    [best] = some_faces(1, person=anna, quality=0.9)
    some_faces(1, guess=anna, quality=1)

    assert covers(portrait_of(anna)) == [best.uuid]


def test_the_chosen_face_is_shown_before_the_best():
    anna, faces = a_person("Anna", 2)
    some_faces(1, person=anna, quality=1)
    Person.objects.filter(pk=anna.pk).update(cover=faces[0])

    assert covers(portrait_of(anna)) == [faces[0].uuid]


def test_a_group_is_shown_by_its_best_guess_and_nobody_by_none():
    group, _ = a_group(2)
    [best] = some_faces(1, guess=group, quality=0.95)
    empty = Person.objects.create(name="Nobody")

    assert covers(portrait_of(group), portrait_of(empty)) == [best.uuid, None]


def test_somebody_without_a_face_is_shown_by_one_of_whoever_was_merged_into_them():
    anna = Person.objects.create(name="Anna")
    group, faces = a_group(1)
    services.merge(a_user("owner"), group, anna)

    assert covers(portrait_of(anna)) == [faces[0].uuid]


def test_a_dismissed_face_is_not_shown():
    anna, faces = a_person("Anna", 2)
    Face.objects.filter(pk=faces[0].pk).update(quality=1, dismissed=True)

    assert covers(portrait_of(anna)) == [faces[1].uuid]


# --- one person ---


def test_years_are_told_newest_first_and_photos_once():
    anna = Person.objects.create(name="Anna")
    media = some_media(3)
    for each, year in zip(media, (2019, 2021, 2021), strict=True):
        each.day = date(year, 5, 1)
        each.save()
    some_faces(3, media=media, person=anna)
    some_faces(1, media=media[:1], guess=anna)

    assert people.years(ALL, anna) == [(2021, 2), (2019, 1)]


def test_a_person_s_faces_are_those_of_the_merged_too_and_nobody_else_s():
    anna, faces = a_person("Anna", 2)
    group, guessed = a_group(1, probability=0.7)
    services.merge(a_user("owner"), group, anna)
    a_person("Ben", 2)
    some_faces(1, guess=anna, person=Person.objects.create(name="Eve"))

    found = people.faces_of_person(ALL, anna)

    assert {each.uuid: each.percent for each in found} == {
        faces[0].uuid: None,
        faces[1].uuid: None,
        guessed[0].uuid: 70,
    }


def test_faces_are_paged_the_newest_photos_first():
    anna, faces = a_person("Anna", 5)

    pages = [people.faces_of_person(ALL, anna, skip=skip, take=2) for skip in (0, 2, 4)]

    assert [each.uuid for page in pages for each in page] == [face.uuid for face in reversed(faces)]


def test_only_unconfirmed_guesses_below_certainty_are_doubts_the_likeliest_first():
    anna, _ = a_person("Anna", 1)
    for probability in (0.3, 0.8, people.SURE, 0.99):
        some_faces(1, guess=anna, probability=probability)

    found, count = people.doubts(ALL, anna, take=1)

    assert ([each.percent for each in found], count) == ([80], 2)


def test_of_a_group_without_a_name_there_is_nothing_to_ask():
    group, _ = a_group(3, probability=0.5)

    assert people.doubts(ALL, group) == ([], 0)


def test_a_guess_is_never_said_to_be_certain():
    anna, _ = a_person("Anna", 0)
    some_faces(1, guess=anna, probability=1.0)

    assert [each.percent for each in people.faces_of_person(ALL, anna)] == [99]


@pytest.mark.parametrize(
    ("size", "name", "hidden", "lacks"),
    (
        (people.FEW + 1, "", False, True),
        (people.FEW, "", False, False),
        (people.FEW + 1, "Anna", False, False),
        (people.FEW + 1, "", True, False),
    ),
)
def test_only_a_group_in_more_than_a_few_photos_lacks_a_name(size, name, hidden, lacks):
    group, _ = a_group(size)
    Person.objects.filter(pk=group.pk).update(name=name, hidden=hidden)

    assert people.groups_lack_names(ALL) == lacks
