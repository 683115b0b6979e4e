import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.core.errors import Conflict, NotFound
from lookwho.library.models import Decision, DecisionFace, Face, Person, Suppression
from lookwho.services import people
from tests.people import (
    a_group,
    a_person,
    a_user,
    fresh,
    guessed,
    some_faces,
    some_media,
    who,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user()


def test_confirming_thousands_of_faces_takes_few_queries(owner):
    anna = Person.objects.create(name="Anna")
    faces = some_faces(3000)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        done = people.confirm(owner, faces, anna)

    assert who(faces) == [anna.pk] * 3000
    assert done.message == "3000 photos are now Anna's."
    assert len(queries) < 60


def test_a_decision_keeps_what_finds_the_face_again(owner):
    anna = Person.objects.create(name="Anna")
    (face,) = some_faces(1, box=(0.1, 0.2, 0.3, 0.4), time=1.5)

    people.confirm(owner, [face], anna)

    (kept,) = DecisionFace.objects.all()
    assert bytes(kept.payload_hash) == face.media.payload_hash
    assert (kept.face, kept.x1, kept.y1, kept.x2, kept.y2, kept.time) == (
        face, 0.1, 0.2, 0.3, 0.4, 1.5,
    )  # fmt: skip


def test_confirming_what_is_confirmed_says_nothing_new(owner):
    anna, faces = a_person("Anna")

    people.confirm(owner, faces, anna)

    assert Decision.objects.count() == 0


def test_the_newest_confirmation_counts_and_undo_uncovers_the_one_before(owner):
    anna, bea = (Person.objects.create(name=name) for name in ("Anna", "Bea"))
    faces = some_faces(2)
    first = people.confirm(owner, faces, anna)
    second = people.confirm(owner, faces[:1], bea)
    assert who(faces) == [bea.pk, anna.pk]

    people.undo(owner, second.batch)
    assert who(faces) == [anna.pk, anna.pk]
    people.undo(owner, first.batch)
    assert who(faces) == [None, None]


def test_undoing_an_older_confirmation_leaves_the_newer_one(owner):
    anna, bea = (Person.objects.create(name=name) for name in ("Anna", "Bea"))
    (face,) = some_faces(1)
    first = people.confirm(owner, [face], anna)
    people.confirm(owner, [face], bea)

    people.undo(owner, first.batch)

    assert who([face]) == [bea.pk]


def test_rejecting_a_guess_takes_it_away_and_undo_gives_it_back(owner):
    group, faces = a_group(2)

    done = people.reject(owner, faces[:1], group)
    assert (guessed(faces), done.message) == ([None, group.pk], "1 face is not this group.")

    people.undo(owner, done.batch)
    assert guessed(faces) == [group.pk, group.pk]


def test_rejecting_one_of_many_confirmed_together_leaves_the_others(owner):
    anna = Person.objects.create(name="Anna")
    faces = some_faces(3)
    people.confirm(owner, faces, anna)

    done = people.reject(owner, faces[1:2], anna)

    assert who(faces) == [anna.pk, None, anna.pk]
    people.undo(owner, done.batch)
    assert who(faces) == [anna.pk] * 3


def test_rejecting_somebody_else_leaves_the_face_as_it_is(owner):
    anna, (face,) = a_person("Anna", 1)
    bea = Person.objects.create(name="Bea")

    people.reject(owner, [face], bea)

    assert who([face]) == [anna.pk]


def test_a_rejection_holds_for_those_merged_too_whether_they_stay_so_or_not(owner):
    anna = Person.objects.create(name="Anna")
    group, (face,) = a_group(1)
    merged = people.merge(owner, group, anna)

    people.reject(owner, [face], anna)
    people.undo(owner, merged.batch)

    said = Decision.objects.filter(verb="reject").order_by("person")
    assert [each.person_id for each in said] == sorted([anna.pk, group.pk])
    assert guessed([face]) == [None]


def test_no_undo_brings_a_guess_back_that_another_rejection_stands_against(owner):
    group, (face,) = a_group(1)
    first = people.reject(owner, [face], group)
    people.confirm(owner, [face], group)
    second = people.reject(owner, [face], group)

    people.undo(owner, first.batch)
    assert guessed([face]) == [None]
    people.undo(owner, second.batch)
    assert guessed([face]) == [group.pk]


def test_nor_one_of_somebody_merged_into_whom_it_is_rejected_for(owner):
    anna = Person.objects.create(name="Anna")
    group, (face,) = a_group(1)
    people.merge(owner, group, anna)
    first = people.reject(owner, [face], anna)
    second = people.reject(owner, [face], anna)

    people.undo(owner, first.batch)
    assert guessed([face]) == [None]
    people.undo(owner, second.batch)
    assert guessed([face]) == [group.pk]


def test_a_new_name_makes_a_person_and_undo_leaves_nobody_of_that_name(owner):
    faces = some_faces(2)

    done = people.assign(owner, faces, "Anna")

    anna = Person.objects.get(name="Anna")
    assert who(faces) == [anna.pk] * 2
    people.undo(owner, done.batch)
    assert who(faces) == [None, None]
    assert not Person.objects.filter(name="Anna").exists()


def test_a_known_name_in_other_capitals_is_that_person(owner):
    anna, hers = a_person("Ánna")
    faces = some_faces(1)

    people.assign(owner, faces, "ÁNNA")

    assert who(faces + hers) == [anna.pk] * 3


def test_acts_of_one_batch_are_taken_back_together(owner):
    one, two = some_faces(1), some_faces(1)
    first = people.assign(owner, one, "Anna")
    people.assign(owner, two, "Bea", batch=first.batch)

    people.undo(owner, first.batch)

    assert who(one + two) == [None, None]


def test_what_is_no_face_is_dismissed_and_suppressed_until_undone(owner):
    (face,) = some_faces(1)

    done = people.not_a_face(owner, [face])

    assert fresh([face])[0].dismissed
    (suppressed,) = Suppression.objects.all()
    assert bytes(suppressed.payload_hash) == face.media.payload_hash
    assert (suppressed.x1, suppressed.y1, suppressed.x2, suppressed.y2) == face.box
    people.undo(owner, done.batch)
    assert not fresh([face])[0].dismissed
    assert not Suppression.objects.exists()


def test_a_confirmed_face_that_is_none_is_theirs_again_when_that_is_undone(owner):
    anna = Person.objects.create(name="Anna")
    (face,) = some_faces(1)
    people.confirm(owner, [face], anna)
    done = people.not_a_face(owner, [face])

    people.undo(owner, done.batch)

    assert (who([face]), fresh([face])[0].dismissed) == ([anna.pk], False)


def test_faces_that_are_gone_are_passed_over_unless_all_are(owner):
    anna = Person.objects.create(name="Anna")
    there, dismissed, gone = some_faces(3)
    people.not_a_face(owner, [dismissed])
    Face.objects.filter(pk=gone.pk).delete()

    people.confirm(owner, [there, dismissed, gone], anna)
    assert who([there, dismissed]) == [anna.pk, None]
    with pytest.raises(Conflict):
        people.confirm(owner, [dismissed, gone], anna)


def test_a_person_who_is_gone_is_not_found(owner):
    anna = Person.objects.create(name="Anna")
    stale = Person.objects.get(pk=anna.pk)
    anna.delete()

    with pytest.raises(NotFound):
        people.confirm(owner, some_faces(1), stale)


# --- after a new analysis ---


def analysed_again(faces, boxes):
    """The faces of another analysis of the same photos, one for each box; the old ones are gone."""
    Face.objects.filter(pk__in=[face.pk for face in faces]).delete()
    new = [
        some_faces(1, media=[face.media], box=box)[0]
        for face, box in zip(faces, boxes, strict=True)
    ]
    people.faces_arrived([face.media_id for face in faces])
    return new


def test_what_was_said_finds_the_faces_of_a_new_analysis(owner):
    anna = Person.objects.create(name="Anna")
    faces = some_faces(2, box=(0.1, 0.1, 0.3, 0.3))
    done = people.confirm(owner, faces, anna)

    new = analysed_again(faces, [(0.11, 0.1, 0.31, 0.3), (0.25, 0.25, 0.5, 0.5)])

    assert who(new) == [anna.pk, None]
    people.undo(owner, done.batch)
    assert who(new) == [None, None]


def test_of_several_new_faces_the_one_that_overlaps_most_is_meant(owner):
    anna = Person.objects.create(name="Anna")
    (face,) = some_faces(1, box=(0.1, 0.1, 0.3, 0.3))
    people.confirm(owner, [face], anna)
    (near,) = some_faces(1, media=[face.media], box=(0.1, 0.1, 0.27, 0.3))

    (nearest,) = analysed_again([face], [(0.1, 0.1, 0.3, 0.29)])

    assert who([near, nearest]) == [None, anna.pk]


def test_another_photo_with_a_face_at_the_same_place_is_not_meant(owner):
    anna = Person.objects.create(name="Anna")
    (face,) = some_faces(1)
    people.confirm(owner, [face], anna)
    Face.objects.filter(pk=face.pk).delete()
    (other,) = some_faces(1, media=some_media(1))

    people.faces_arrived([other.media_id, face.media_id])

    assert who([other]) == [None]


def test_a_rejection_and_a_cover_find_the_new_face(owner):
    anna, faces = a_person("Anna", 1)
    people.set_cover(owner, anna, faces[0])
    people.reject(owner, faces, anna)

    new = analysed_again(faces, [faces[0].box])

    assert set(DecisionFace.objects.values_list("face", flat=True)) == {new[0].pk}
    assert Person.objects.get(pk=anna.pk).cover_id == new[0].pk
    assert who(new) == [None]


def test_faces_of_other_moments_of_a_video_are_not_meant(owner):
    anna = Person.objects.create(name="Anna")
    (face,) = some_faces(1, time=1.0)
    people.confirm(owner, [face], anna)
    Face.objects.filter(pk=face.pk).delete()
    later, still, soon = (
        some_faces(1, media=[face.media], time=time)[0] for time in (4.0, None, 1.2)
    )

    people.faces_arrived([face.media_id])

    assert who([later, still, soon]) == [None, None, anna.pk]


def test_arriving_faces_about_which_nothing_was_said_cost_a_query_or_two():
    faces = some_faces(20)

    with CaptureQueriesContext(connection) as queries:
        people.faces_arrived([face.media_id for face in faces])

    assert len(queries) <= 4
