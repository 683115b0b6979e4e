from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import Decision, DecisionFace, Job, Person, Region
from lookwho.services import people
from tests.people import a_group, a_person, a_user, fresh, guessed, some_faces, who

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user()


def now(person):
    return Person.objects.get(pk=person.pk)


def called(name):
    return sorted(Person.objects.filter(name=name, root=None).values_list("pk", flat=True))


# --- naming ---


def test_naming_a_group_confirms_its_faces(owner):
    group, faces = a_group(3)
    other = some_faces(1)

    named = people.name_person(owner, group, "Anna")

    assert (named.person, named.merged, now(group).name) == (group, False, "Anna")
    assert who(faces + other) == [group.pk] * 3 + [None]
    assert named.message == "3 photos are now Anna's."


def test_naming_asks_for_a_pass_of_grouping_once(owner):
    for name in ("Anna", "Bea"):
        group, _ = a_group()
        people.name_person(owner, group, name)

    assert list(Job.objects.values_list("kind", "state")) == [("group", "waiting")]


def test_undoing_a_name_restores_the_group(owner):
    group, faces = a_group(3)
    named = people.name_person(owner, group, "Anna")

    people.undo(owner, named.batch)

    assert (now(group).name, who(faces), guessed(faces)) == ("", [None] * 3, [group.pk] * 3)


def test_faces_confirmed_later_stay_when_the_name_is_undone(owner):
    group, faces = a_group(2)
    named = people.name_person(owner, group, "Anna")
    (late,) = some_faces(1)
    people.confirm(owner, [late], group)

    people.undo(owner, named.batch)

    assert who([*faces, late]) == [None, None, group.pk]


def test_a_group_that_gets_the_name_of_somebody_known_becomes_them(owner):
    anna, hers = a_person("Anna")
    group, faces = a_group(3)

    named = people.name_person(owner, group, "  ANNA ")

    assert (named.person, named.merged) == (anna, True)
    assert who(hers + faces) == [anna.pk] * 5
    assert (now(group).root_id, now(group).name, now(anna).name) == (anna.pk, "", "Anna")

    people.undo(owner, named.batch)

    assert who(hers + faces) == [anna.pk] * 2 + [None] * 3
    assert (now(group).root_id, now(group).merged_into_id) == (None, None)
    assert guessed(faces) == [group.pk] * 3


@pytest.mark.parametrize("typed", ("ÖZGÜR ŠŤASTNÁ", "özgür šťastná", "o\u0308zgu\u0308r Šťastná"))
def test_capitals_and_composition_make_no_other_name(owner, typed):
    person, _ = a_person("Özgür Šťastná")
    group, _ = a_group()

    assert people.name_person(owner, group, typed).person == person


def test_hidden_people_do_not_take_over_a_group_that_gets_their_name(owner):
    hidden, _ = a_person("Anna")
    people.hide(owner, hidden, True)
    group, _ = a_group()

    assert people.name_person(owner, group, "Anna").person == group


def test_faces_that_somebody_said_not_to_be_them_are_not_confirmed_by_a_name(owner):
    anna, _ = a_person("Anna")
    group, faces = a_group(3)
    people.reject(owner, faces[:1], anna)

    people.name_person(owner, group, "Anna")

    assert who(faces) == [None, anna.pk, anna.pk]
    assert guessed(faces)[0] is None  # or it would be shown among hers


def test_a_name_confirms_one_face_a_photo(owner):
    anna, hers = a_person("Anna", 1)
    photos = [hers[0].media, *(face.media for face in some_faces(1))]
    group, faces = a_group(2, media=photos)
    other = some_faces(1, media=photos[1:], guess=group)

    people.name_person(owner, group, "Anna")

    assert who(faces + other) == [None, anna.pk, None]


def test_a_name_is_kept_composed_and_without_spare_spaces(owner):
    group, _ = a_group()

    people.name_person(owner, group, "  Zoe\u0308 \t  Nováková ")

    assert now(group).name == "Zoë Nováková"


@pytest.mark.parametrize("name", ("", "  \n", "x" * 201, "An\x00na", "An\ud800na", "An\x1bna"))
def test_names_that_cannot_be_are_refused(owner, name):
    group, faces = a_group()

    with pytest.raises(Invalid):
        people.name_person(owner, group, name)

    assert (now(group).name, who(faces)) == ("", [None] * 3)


@pytest.mark.parametrize("name", ("x" * 200, "نازنین\u200cزهرا", "李小龍", "D'Arcy-O’Neil 3rd"))
def test_names_of_all_scripts_are_taken(owner, name):
    group, _ = a_group()

    people.name_person(owner, group, name)

    assert now(group).name == name


def test_naming_a_group_that_somebody_has_just_named_says_so(owner):
    group, faces = a_group()
    stale = now(group)
    people.name_person(owner, group, "Anna")

    with pytest.raises(Conflict, match="this was just named Anna"):
        people.name_person(owner, stale, "Bea")

    assert (now(group).name, who(faces)) == ("Anna", [group.pk] * 3)


def test_the_name_that_a_page_showed_counts_not_the_one_that_was_read_since(owner):
    group, _ = a_group()
    people.name_person(owner, group, "Anna")

    with pytest.raises(Conflict, match="this was just named Anna"):
        people.name_person(owner, now(group), "Bea", before="")


def test_two_who_give_a_group_the_same_name_agree(owner):
    group, _ = a_group()
    stale = now(group)
    people.name_person(owner, group, "Anna")

    assert people.name_person(owner, stale, "anna", before="").person == group


def test_naming_somebody_merged_is_about_whom_they_were_merged_into(owner):
    group, _ = a_group()
    anna, _ = a_person("Anna")
    people.merge(owner, group, anna)

    with pytest.raises(Conflict, match="this was just named Anna"):
        people.name_person(owner, group, "Bea")


def test_naming_a_group_with_others_merged_into_it_confirms_theirs_too(owner):
    group, faces = a_group(2)
    other, theirs = a_group(2)
    people.merge(owner, other, group)

    people.name_person(owner, group, "Anna")

    assert who(faces + theirs) == [group.pk] * 4


def test_naming_a_group_that_is_gone_says_so(owner):
    group = Person.objects.create()
    stale = now(group)
    group.delete()

    with pytest.raises(NotFound):
        people.name_person(owner, stale, "Anna")


# --- other names ---


def test_renaming_changes_the_name_and_undo_gives_it_back(owner):
    anna, faces = a_person("Anna")

    done = people.rename(owner, anna, "Annika")

    assert (now(anna).name, done.message) == ("Annika", "Anna is now called Annika.")
    people.undo(owner, done.batch)
    assert (now(anna).name, who(faces)) == ("Anna", [anna.pk] * 2)


def test_a_rename_undone_below_a_later_one_changes_nothing_yet(owner):
    anna, _ = a_person("Anna")
    first = people.rename(owner, anna, "Annika")
    second = people.rename(owner, now(anna), "Anouk")

    people.undo(owner, first.batch)
    assert now(anna).name == "Anouk"
    people.undo(owner, second.batch)
    assert now(anna).name == "Anna"


def test_two_named_people_are_never_made_one_by_a_name(owner):
    anna, _ = a_person("Anna")
    bea, _ = a_person("Bea")

    with pytest.raises(Conflict, match="merge"):
        people.rename(owner, bea, "anna")

    assert (now(bea).name, now(bea).root_id, called("Anna")) == ("Bea", None, [anna.pk])


def test_capitals_of_ones_own_name_can_be_changed(owner):
    anna, _ = a_person("anna")

    people.rename(owner, anna, "Anna")

    assert now(anna).name == "Anna"


# --- merging ---


def test_merging_moves_nothing_and_leads_to_the_other(owner):
    one, faces = a_person("Anna K.")
    other, theirs = a_person("Anna Kovács")

    done = people.merge(owner, one, other)

    assert (now(one).merged_into_id, now(one).root_id) == (other.pk, other.pk)
    assert who(faces + theirs) == [one.pk] * 2 + [other.pk] * 2
    assert done.message == "Anna K. is Anna Kovács now."

    people.undo(owner, done.batch)
    assert (now(one).merged_into_id, now(one).root_id) == (None, None)


@pytest.mark.parametrize("swapped", (False, True))
def test_of_a_group_and_somebody_named_the_name_stays(owner, swapped):
    group, _ = a_group()
    anna, _ = a_person("Anna")
    pair = (anna, group) if swapped else (group, anna)

    people.merge(owner, *pair)

    assert (now(group).root_id, now(anna).root_id) == (anna.pk, None)


def test_roots_follow_merges_of_merged_people_and_their_undoing(owner):
    a, b, c = (Person.objects.create(name=name) for name in "abc")
    first = people.merge(owner, a, b)
    people.merge(owner, a, c)  # a is b by now: b becomes c

    assert (now(a).merged_into, now(a).root, now(b).root, now(c).root) == (b, c, c, None)

    people.undo(owner, first.batch)
    assert (now(a).root, now(b).root, now(c).root) == (None, c, None)


def test_what_is_said_of_somebody_merged_is_said_of_the_other_and_stays(owner):
    one, _ = a_person("Anna K.")
    other, _ = a_person("Anna Kovács")
    merged = people.merge(owner, one, other)
    (face,) = some_faces(1)

    people.confirm(owner, [face], one)
    people.undo(owner, merged.batch)

    assert who([face]) == [other.pk]


def test_merging_one_person_with_themselves_says_so(owner):
    a, b = (Person.objects.create(name=name) for name in "ab")
    people.merge(owner, a, b)

    with pytest.raises(Conflict):
        people.merge(owner, b, a)


def test_a_merge_brings_no_rejected_face_back_until_it_is_undone(owner):
    anna, _ = a_person("Anna")
    group, faces = a_group(2)
    people.reject(owner, faces[:1], anna)

    merged = people.merge(owner, group, anna)
    assert guessed(faces) == [None, group.pk]

    people.undo(owner, merged.batch)
    assert guessed(faces) == [group.pk, group.pk]


def test_nor_does_a_merge_bring_one_back_that_was_no_face_for_a_while(owner):
    anna, _ = a_person("Anna")
    group, faces = a_group(1)
    people.reject(owner, faces, anna)
    dismissed = people.not_a_face(owner, faces)

    people.merge(owner, group, anna)
    people.undo(owner, dismissed.batch)

    assert guessed(faces) == [None]


@pytest.mark.parametrize("how", ("rejected", "undone"))
def test_nor_when_it_was_somebody_else_during_the_merge(owner, how):
    group, faces = a_group(2)
    bea, _ = a_person("Bea")
    people.reject(owner, faces[:1], bea)
    said = people.assign(owner, faces[:1], "Cid")
    people.merge(owner, group, bea)

    if how == "rejected":
        people.reject(owner, faces[:1], Person.objects.get(name="Cid"))
    else:
        people.undo(owner, said.batch)

    assert who(faces) == [None, None]
    assert guessed(faces) == [None, group.pk]


def test_a_merge_takes_no_confirmed_face_away(owner):
    anna, _ = a_person("Anna")
    group, (face,) = a_group(1)
    people.reject(owner, [face], anna)
    people.confirm(owner, [face], group)

    people.merge(owner, group, anna)

    assert who([face]) == [group.pk]


# --- the rest of a person ---


def test_hiding_is_undone(owner):
    anna, _ = a_person("Anna")

    done = people.hide(owner, anna, True)
    assert now(anna).hidden
    assert done.message == "Anna is hidden."
    people.undo(owner, done.batch)
    assert not now(anna).hidden


def test_a_cover_is_chosen_among_their_faces_and_undone(owner):
    anna, (one, two) = a_person("Anna")
    (strange,) = some_faces(1)
    people.set_cover(owner, anna, one)
    second = people.set_cover(owner, anna, two)
    assert now(anna).cover_id == two.pk

    people.undo(owner, second.batch)
    assert now(anna).cover_id == one.pk
    with pytest.raises(Invalid):
        people.set_cover(owner, anna, strange)


def test_a_birth_date_is_kept_and_forgotten_but_never_in_the_future(owner):
    anna, _ = a_person("Anna")

    people.set_birth_date(owner, anna, date(1990, 2, 3))
    assert now(anna).birth_date == date(1990, 2, 3)
    with pytest.raises(Invalid):
        people.set_birth_date(owner, anna, timezone.localdate() + timedelta(days=1))
    people.set_birth_date(owner, anna, None)
    assert now(anna).birth_date is None


# --- taking back ---


def test_an_act_is_taken_back_once(owner):
    anna, _ = a_person("Anna")
    done = people.hide(owner, anna, True)
    people.undo(owner, done.batch)

    with pytest.raises(Conflict):
        people.undo(owner, done.batch)
    with pytest.raises(NotFound):
        people.undo(owner, uuid4())


def test_taking_back_adds_decisions_and_removes_none(owner):
    group, faces = a_group(2)
    named = people.name_person(owner, group, "Anna")
    before = list(Decision.objects.order_by("pk").values())

    people.undo(owner, named.batch)

    after = list(Decision.objects.order_by("pk").values())
    assert after[: len(before)] == before
    assert [(row["verb"], row["actor_id"]) for row in after[len(before) :]] == [
        ("revoke", owner.pk)
    ] * 2
    assert DecisionFace.objects.count() == len(faces)


def test_names_from_files_are_offered_again_when_their_batch_is_taken_back(owner):
    (face,) = some_faces(1)
    done = people.assign(owner, [face], "Anna")
    x1, y1, x2, y2 = face.box
    region = Region.objects.create(
        media=face.media, name="Anna", source="mwg", x1=x1, y1=y1, x2=x2, y2=y2,
        state="accepted", accepted_by=owner, batch=done.batch, face=face,
    )  # fmt: skip

    people.undo(owner, done.batch)

    assert fresh([region])[0].state == "offered"
    assert who([face]) == [None]


@pytest.mark.parametrize("role", ("owner", "curator", "annotator", "member"))
@pytest.mark.parametrize(
    "act",
    (
        lambda by, group, faces: people.name_person(by, group, "Anna"),
        lambda by, group, faces: people.rename(by, group, "Anna"),
        lambda by, group, faces: people.confirm(by, faces, group),
        lambda by, group, faces: people.assign(by, faces, "Anna"),
        lambda by, group, faces: people.reject(by, faces, group),
        lambda by, group, faces: people.not_a_face(by, faces),
        lambda by, group, faces: people.merge(by, group, Person.objects.create()),
        lambda by, group, faces: people.hide(by, group, True),
        lambda by, group, faces: people.set_cover(by, group, faces[0]),
        lambda by, group, faces: people.set_birth_date(by, group, date(1990, 1, 1)),
    ),
)
def test_members_decide_nothing_about_people(act, role):
    group, faces = a_group()
    by = a_user(role)

    if role != "member":
        act(by, group, faces)
        return
    with pytest.raises(Forbidden):
        act(by, group, faces)
    kept = ("name", "hidden", "cover_id", "birth_date", "merged_into_id")
    assert [getattr(now(group), field) for field in kept] == ["", False, None, None, None]
    assert (who(faces), Decision.objects.count()) == ([None] * 3, 0)


def test_members_and_those_who_left_take_nothing_back(owner):
    anna, _ = a_person("Anna")
    done = people.hide(owner, anna, True)

    for by in (a_user("member"), a_user("owner", is_active=False)):
        with pytest.raises(Forbidden):
            people.undo(by, done.batch)

    assert now(anna).hidden
    assert fresh([anna])[0].hidden


def test_a_merge_is_undone_weeks_later_whatever_was_said_meanwhile(owner):
    ben, his = a_person("Ben", 2)
    anna, hers = a_person("Anna", 2)
    merged = people.merge(owner, ben, anna)
    Decision.objects.update(created_at=timezone.now() - timedelta(weeks=6))
    (late,) = some_faces(1)
    people.confirm(owner, [late], ben)  # who is Anna by now
    people.rename(owner, now(anna), "Annika")
    cid, _ = a_person("Cid", 0)
    people.merge(owner, anna, cid)
    moved = people.assign(owner, his[:1], "Dee")

    people.undo(owner, merged.batch)

    dee = Person.objects.get(name="Dee")
    assert (now(ben).root, now(ben).name) == (None, "Ben")
    assert (now(anna).root, now(anna).name) == (cid, "Annika")
    assert who([*his, *hers, late]) == [dee.pk, ben.pk, anna.pk, anna.pk, anna.pk]
    Decision.objects.filter(batch=moved.batch).update(created_at=timezone.now() - timedelta(9))
    people.undo(owner, moved.batch)
    assert who(his[1:]) == [ben.pk]


def test_annotators_take_back_what_they_said_and_not_what_others_did(owner):
    one, other = a_user("annotator"), a_user("annotator")
    some = some_faces(1)
    done = people.assign(one, some, "Anna")

    with pytest.raises(Forbidden):
        people.undo(other, done.batch)
    assert who(some) != [None]
    people.undo(one, done.batch)
    again = people.assign(other, some, "Bea")
    people.undo(a_user("curator"), again.batch)
    assert who(some) == [None]
