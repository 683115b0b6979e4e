from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import Decision, Face, Person
from lookwho.library.queries import history
from lookwho.library.queries.history import Kind
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import drawing, faces, people
from tests.people import a_group, a_person, a_user, some_faces, some_media

pytestmark = pytest.mark.django_db

BOX = (0.1, 0.1, 0.3, 0.4)


@pytest.fixture
def owner():
    return a_user()


def acts(asker, **asked):
    return history.acts(scope_of(asker, Purpose.NAME), **asked)


def words(asker, **asked):
    return [told.words for told in acts(asker, **asked)]


# --- in words ---


def test_every_act_is_told_in_words_the_newest_first(owner):
    anna, _ = a_person("Anna", 0)
    group, theirs = a_group(3)
    (other,), (strange,), (none,) = some_faces(1), some_faces(1), some_faces(1)
    media = some_media(1)[0]
    people.confirm(owner, [other], anna)
    people.reject(owner, [strange], anna)
    people.not_a_face(owner, [none])
    people.name_person(owner, group, "Bea")
    people.rename(owner, anna, "Annika")
    people.set_cover(owner, anna, other)
    people.hide(owner, anna, True)
    people.hide(owner, anna, False)
    drawing.draw(owner, media, BOX, "Cid")
    drawing.absent(owner, media, "Dee")
    faces.fix_box(owner, Face.objects.get(source="human"), (0.5, 0.5, 0.8, 0.8))
    people.merge(owner, group, anna)
    faces.split(owner, [other], anna, name="Eve")
    faces.split(owner, theirs[:2], anna)

    assert words(owner)[::-1] == [
        "confirmed 1 face of Annika",
        "said that 1 face is not Annika",
        "said that 1 is no face",
        "confirmed 3 faces of Bea",
        "renamed Anna to Annika",
        "chose a picture of Annika",
        "hid Annika",
        "showed Annika again",
        "drew a face and said that it is Cid",
        "said that Dee is in a photo, not visible",
        "fixed the box of a face",
        "merged Bea into Annika",
        "said that 1 face is Eve, not Annika",
        "split 2 faces from Annika",
    ]


def test_a_group_that_got_the_name_of_somebody_known_is_told_as_their_faces(owner):
    a_person("Anna")
    group, _ = a_group(3)
    people.name_person(owner, group, "anna")

    assert words(owner) == ["confirmed 3 faces of Anna"]


def test_groups_that_are_merged_have_no_name_to_tell(owner):
    one, two = a_group(2)[0], a_group(2)[0]
    people.merge(owner, one, two)

    assert words(owner) == ["merged a group without a name into a group without a name"]


def test_an_act_that_was_taken_back_says_who_did_and_still_what_it_was(owner):
    group, _ = a_group(2)
    other = a_user("curator")
    done = people.name_person(owner, group, "Anna")
    people.undo(other, done.batch)

    (told,) = acts(owner)
    assert (told.by, told.words) == (owner.username, "confirmed 2 faces of Anna")
    assert (told.undone, told.undone_by) == (True, other.username)
    assert told.undone_at > told.at


def test_names_of_many_people_are_counted(owner):
    batch = None
    for name in ("Anna", "Bea", "Cid", "Dee", "Eve"):
        batch = people.assign(owner, some_faces(2), name, batch=batch).batch

    assert words(owner) == ["confirmed 10 faces of Anna, Bea and 3 others"]


def test_an_act_of_very_many_decisions_is_told_in_short(owner, monkeypatch):
    monkeypatch.setattr(history, "LONG", 4)
    batch = None
    for name in ("Anna", "Bea", "Cid", "Dee", "Eve"):
        batch = people.assign(owner, some_faces(2), name, batch=batch).batch

    (told,) = acts(owner)
    assert (told.words, told.faces) == ("confirmed 10 faces of Anna, Bea and many others", 10)


# --- pictures ---


def test_some_faces_of_each_act_are_shown(owner):
    anna, _ = a_person("Anna", 0)
    many = some_faces(9)
    people.confirm(owner, many, anna)

    (told,) = acts(owner)
    assert [each.face for each in told.pictures] == [face.uuid for face in many[:6]]
    assert [each.media for each in told.pictures] == [face.media.uuid for face in many[:6]]
    assert (told.faces, told.more) == (9, 3)


def test_nobody_who_does_not_show_has_a_picture(owner):
    (media,) = some_media(1)
    drawing.absent(owner, media, "Anna")

    (told,) = acts(owner)
    assert [(each.face, each.media) for each in told.pictures] == [(None, media.uuid)]


# --- narrowed ---


def test_the_acts_about_a_person_are_those_about_whoever_was_merged_into_them_too(owner):
    anna, _ = a_person("Anna", 0)
    bea, _ = a_person("Bea", 0)
    people.confirm(owner, some_faces(1), anna)
    people.confirm(owner, some_faces(1), bea)
    people.merge(owner, anna, Person.objects.create(name="Annika"))
    annika = Person.objects.get(name="Annika")

    assert words(owner, person=annika) == ["merged Anna into Annika", "confirmed 1 face of Anna"]
    assert words(owner, person=bea) == ["confirmed 1 face of Bea"]


def test_the_acts_about_a_photo_are_those_about_its_faces(owner):
    one, other = some_faces(2)
    people.assign(owner, [one], "Anna")
    people.assign(owner, [other], "Bea")
    Face.objects.filter(pk=one.pk).delete()  # what was said is kept by the photo

    assert words(owner, media=one.media) == ["confirmed 1 face of Anna"]


def test_the_acts_of_a_user_of_a_day_and_of_a_kind(owner):
    other = a_user("annotator")
    anna, _ = a_person("Anna", 0)
    people.hide(owner, anna, True)
    people.confirm(other, some_faces(1), anna)
    done = people.confirm(owner, some_faces(2), anna)
    people.undo(owner, done.batch)
    before = timezone.now() - timedelta(days=3)
    Decision.objects.filter(verb="hide").update(created_at=before)

    assert words(owner, user=other) == ["confirmed 1 face of Anna"]
    assert words(owner, day=before.date()) == ["hid Anna"]
    assert words(owner, day=timezone.now().date()) == [
        "confirmed 2 faces of Anna",
        "confirmed 1 face of Anna",
    ]
    assert words(owner, verb=Kind.NAMED, user=owner) == ["confirmed 2 faces of Anna"]
    assert words(owner, verb=Kind.TAKEN_BACK) == ["confirmed 2 faces of Anna"]
    assert words(owner, verb=Kind.MERGED) == []
    assert [user.username for user in history.deciders(scope_of(owner, Purpose.NAME))] == sorted(
        [owner.username, other.username]
    )


def test_the_next_page_begins_where_the_last_one_ended(owner):
    anna, _ = a_person("Anna", 0)
    for count in range(1, 8):
        people.confirm(owner, some_faces(count), anna)

    pages, before = [], None
    while page := acts(owner, take=3, before=before):
        pages.append([told.faces for told in page])
        before = page[-1].id
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]


def test_any_number_of_acts_takes_the_same_number_of_queries(owner):
    anna, _ = a_person("Anna", 0)
    counts = []
    for acts_so_far in (1, 6):
        while Decision.objects.count() < acts_so_far:
            people.confirm(owner, some_faces(2), anna)
        with CaptureQueriesContext(connection) as queries:
            assert len(acts(owner)) == acts_so_far
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 6


# --- who may ---


def test_members_are_told_nothing_and_annotators_all(owner):
    people.assign(owner, some_faces(1), "Anna")

    assert words(a_user("annotator")) == ["confirmed 1 face of Anna"]
    member = a_user("member")
    assert words(member) == []
    scope = scope_of(member, Purpose.NAME)
    assert history.deciders(scope) == []
    with pytest.raises(NotFound):
        history.decider(scope, owner.username)
