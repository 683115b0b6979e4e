from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.core.errors import Cancelled
from lookwho.library.models import Decision, Face, Job, Person
from lookwho.library.queries import passes
from lookwho.services import grouping, guesses, people
from lookwho.services.grouping import regroup, regroup_due
from tests.people import a_user, faces_of_vectors, fresh, guessed, lookalikes, some_faces, who

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user()


def a_pass():
    regroup(beat=lambda done: None)


def sets(faces):
    found = {}
    for place, person in enumerate(guessed(faces)):
        found.setdefault(person, set()).add(place)
    return {frozenset(places) for person, places in found.items() if person is not None}


def test_faces_become_people_without_names():
    faces = faces_of_vectors(lookalikes(3, 4))

    a_pass()

    assert sets(faces) == {frozenset(range(start, start + 4)) for start in (0, 4, 8)}
    assert Person.objects.filter(name="").count() == 3


def test_a_pass_after_which_nothing_new_was_said_or_found_writes_nothing(owner):
    vectors = lookalikes(3, 6)
    faces = faces_of_vectors(vectors[:15])
    a_pass()
    people.name_person(owner, Person.objects.get(pk=guessed(faces)[0]), "Anna")
    people.confirm(owner, faces[6:8], Person.objects.get(pk=guessed(faces)[6]))
    faces_of_vectors(vectors[15:])
    a_pass()

    with CaptureQueriesContext(connection) as queries:
        a_pass()

    written = [each["sql"] for each in queries if "INSERT" in each["sql"] or "SET" in each["sql"]]
    assert written == []


def test_groups_keep_their_ids_while_photos_come_in():
    vectors = lookalikes(5, 8)
    order = np.random.default_rng(1).permutation(len(vectors))
    first = faces_of_vectors(vectors[order[:20]])
    a_pass()
    before = guessed(first)

    second = faces_of_vectors(vectors[order[20:]])
    a_pass()

    kept = [(a, b) for a, b in zip(before, guessed(first), strict=True) if a is not None]
    assert len(kept) >= 15
    assert all(a == b for a, b in kept)
    assert len(set(guessed(first + second))) == 5


def test_a_named_group_draws_the_faces_that_come_later(owner):
    vectors = lookalikes(2, 10)
    first = faces_of_vectors(vectors[:5])
    a_pass()
    anna = Person.objects.get(pk=guessed(first)[0])
    people.name_person(owner, anna, "Anna")

    later = faces_of_vectors(vectors[5:])
    a_pass()

    assert guessed(later[:5]) == [anna.pk] * 5
    assert who(later) == [None] * 15
    assert all(face.probability > 0.9 for face in fresh(later[:5]))
    assert anna.pk not in guessed(later[5:])


def test_what_is_confirmed_is_never_touched(owner):
    generator = np.random.default_rng(5)
    vectors = lookalikes(4, 10, spread=0.3)
    faces = faces_of_vectors(vectors)
    a_pass()
    for number in range(6):  # said at random, so often wrongly
        chosen = [faces[place] for place in generator.choice(40, 5, replace=False)]
        people.assign(owner, chosen, f"Person {number % 3}")
    confirmed = list(Face.objects.exclude(person=None).order_by("pk").values())

    for _ in range(3):
        faces_of_vectors(lookalikes(4, 3, spread=0.3))
        a_pass()

    ids = [row["id"] for row in confirmed]
    assert len(ids) > 15
    assert list(Face.objects.filter(pk__in=ids).order_by("pk").values()) == confirmed


def test_a_rejected_face_is_not_guessed_again_not_even_after_a_new_analysis(owner):
    vectors = lookalikes(1, 6)
    faces = faces_of_vectors(vectors)
    people.assign(owner, faces[:3], "Anna")
    anna = Person.objects.get(name="Anna")
    a_pass()
    assert guessed(faces[3:]) == [anna.pk] * 3

    people.reject(owner, faces[3:4], anna)
    a_pass()
    assert guessed(faces[3:]) == [None, anna.pk, anna.pk]

    media = [faces[3].media]
    faces[3].delete()
    (new,) = faces_of_vectors(vectors[3:4], media=media, box=(0.26, 0.25, 0.5, 0.5))
    people.faces_arrived([media[0].pk])
    a_pass()
    assert guessed([new]) == [None]


@pytest.mark.parametrize("said", (people.not_a_face, people.reject, people.undo))
def test_whom_another_face_of_the_photo_was_the_next_pass_may_find(owner, said):
    faces = faces_of_vectors(lookalikes(1, 4))
    (beside,) = faces_of_vectors(lookalikes(1, 5)[4:], media=[faces[3].media])
    people.assign(owner, faces[:3], "Anna")
    last = people.assign(owner, faces[3:], "Anna")
    anna = Person.objects.get(name="Anna")
    a_pass()
    assert guessed([beside]) == [None]

    about = {people.not_a_face: (faces[3:],), people.reject: (faces[3:], anna)}
    said(owner, *about.get(said, (last.batch,)))
    if said is people.undo:
        people.reject(owner, faces[3:], anna)
    a_pass()

    assert guessed([beside]) == [anna.pk]


def test_groups_of_the_same_photos_are_two_again_when_their_merge_is_undone(owner):
    vectors = lookalikes(2, 3)
    first = faces_of_vectors(vectors[:3])
    second = faces_of_vectors(vectors[3:], media=[face.media for face in first])
    a_pass()
    one, other = (Person.objects.get(pk=guessed(some)[0]) for some in (first, second))
    done = people.merge(owner, one, other)
    a_pass()
    assert guessed(first + second).count(None) == 3  # nobody is in a photo twice

    people.undo(owner, done.batch)
    a_pass()

    assert sets(first + second) == {frozenset({0, 1, 2}), frozenset({3, 4, 5})}


def test_passes_come_to_rest_where_two_of_one_photo_may_be_somebody(owner):
    faces = faces_of_vectors(lookalikes(1, 6, spread=0.25))
    beside = faces_of_vectors(lookalikes(1, 8, spread=0.25)[6:], media=[faces[4].media] * 2)
    people.assign(owner, faces[:2], "Anna")
    a_pass()
    before = guessed(faces + beside)

    for _ in range(3):
        a_pass()
        assert guessed(faces + beside) == before


def test_undoing_a_name_leaves_the_group_to_the_next_pass(owner):
    faces = faces_of_vectors(lookalikes(1, 4))
    a_pass()
    group = Person.objects.get()
    named = people.name_person(owner, group, "Anna")
    a_pass()

    people.undo(owner, named.batch)
    a_pass()

    assert (guessed(faces), who(faces)) == ([group.pk] * 4, [None] * 4)


def test_a_merge_of_groups_survives_passes_and_undo_parts_them(owner):
    faces = faces_of_vectors(lookalikes(2, 4))
    a_pass()
    one, other = (Person.objects.get(pk=guessed(faces)[place]) for place in (0, 4))
    merged = people.merge(owner, one, other)

    a_pass()

    assert guessed(faces) == [one.pk] * 4 + [other.pk] * 4
    assert Person.objects.get(pk=one.pk).root_id == other.pk
    people.undo(owner, merged.batch)
    a_pass()
    assert guessed(faces) == [one.pk] * 4 + [other.pk] * 4
    assert Person.objects.get(pk=one.pk).root_id is None


def test_dismissed_faces_are_in_no_group_and_make_none(owner):
    faces = faces_of_vectors(lookalikes(1, 2))
    people.not_a_face(owner, faces[:1])

    a_pass()

    assert guessed(faces) == [None, None]


def test_faces_are_not_guessed_to_be_somebody_of_whom_none_is_confirmed(owner):
    anna = Person.objects.create(name="Anna")
    faces = faces_of_vectors(lookalikes(1, 3), guess=anna)

    a_pass()

    assert anna.pk not in guessed(faces)
    assert len(sets(faces)) == 1


def test_people_without_a_name_go_when_no_face_and_no_decision_is_about_them(owner):
    empty = Person.objects.create()
    named = Person.objects.create(name="Anna")
    hidden = Person.objects.create()
    people.hide(owner, hidden, True)
    faces = faces_of_vectors(lookalikes(1, 3))

    a_pass()

    assert set(Person.objects.values_list("pk", flat=True)) == {
        named.pk, hidden.pk, guessed(faces)[0],
    }  # fmt: skip
    assert not Person.objects.filter(pk=empty.pk).exists()


def test_faces_without_a_vector_keep_their_guess_and_their_place_in_the_photo(owner):
    vectors = lookalikes(1, 4)
    faces = faces_of_vectors(vectors)
    people.assign(owner, faces[:3], "Anna")
    anna = Person.objects.get(name="Anna")
    drawn = some_faces(1, media=[faces[3].media], source="human", guess=anna)

    a_pass()

    assert guessed(drawn) == [anna.pk]
    assert guessed(faces[3:]) == [None]


def test_what_a_human_says_while_a_pass_computes_wins(owner, monkeypatch):
    vectors = lookalikes(2, 4)
    faces = faces_of_vectors(vectors)
    a_pass()
    group = Person.objects.get(pk=guessed(faces)[0])
    later = faces_of_vectors(lookalikes(2, 8)[[4, 5, 6, 7, 12]])
    said = []

    def meanwhile(evidence):
        found = guesses.guess(evidence)
        people.name_person(owner, group, "Anna")
        people.reject(owner, faces[1:2], group)
        people.assign(owner, later[:1], "Bea")
        people.not_a_face(owner, later[1:2])
        said.extend(fresh(faces + later))
        return found

    monkeypatch.setattr(grouping, "guess", meanwhile)
    a_pass()

    after = fresh(faces + later)
    decided = [
        place for place, face in enumerate(said) if face.person_id or face.dismissed or place == 1
    ]
    assert len(decided) >= 5
    for place in decided:
        assert (after[place].person_id, after[place].guess_id, after[place].dismissed) == (
            said[place].person_id, said[place].guess_id, said[place].dismissed,
        )  # fmt: skip
    assert guessed(later[2:3]) != [None]  # nobody said anything of it


def test_a_guess_that_was_rejected_meanwhile_is_not_replaced_until_the_next_pass(
    owner, monkeypatch
):
    faces = faces_of_vectors(lookalikes(1, 4))
    a_pass()
    wrong = Person.objects.create()
    Face.objects.filter(pk=faces[0].pk).update(guess=wrong)

    def meanwhile(evidence):
        people.reject(owner, faces[:1], wrong)
        return guesses.guess(evidence)

    with monkeypatch.context() as patched:
        patched.setattr(grouping, "guess", meanwhile)
        a_pass()
    assert guessed(faces)[0] is None
    a_pass()
    assert guessed(faces)[0] == guessed(faces)[1]


def test_a_pass_that_is_cancelled_leaves_what_it_wrote_and_the_next_one_goes_on(monkeypatch):
    monkeypatch.setattr(grouping, "ROWS", 4)
    faces = faces_of_vectors(lookalikes(3, 4))

    def stop(done):
        if done == 8:
            raise Cancelled("asked to stop")

    with pytest.raises(Cancelled):
        regroup(beat=stop)
    assert guessed(faces).count(None) == 4
    a_pass()

    assert sets(faces) == {frozenset(range(start, start + 4)) for start in (0, 4, 8)}
    assert Person.objects.count() == 3


def test_the_same_library_always_gives_the_same_guesses():
    faces = faces_of_vectors(lookalikes(6, 5, spread=0.4))
    a_pass()
    first = sets(faces)
    Face.objects.update(guess=None, probability=None)

    a_pass()

    assert sets(faces) == first


def test_an_empty_library_is_grouped_too():
    a_pass()

    assert Person.objects.count() == Decision.objects.count() == 0


def test_the_next_pass_is_due_soon_and_later_where_passes_take_long():
    now = timezone.now()
    assert regroup_due(now=now) == now + timedelta(seconds=2)

    def passed(began, took):
        Job.objects.create(kind="group", state="done", started_at=began, finished_at=began + took)

    passed(now - timedelta(minutes=30), timedelta(minutes=20))  # an older one does not count
    passed(now - timedelta(seconds=60), timedelta(seconds=1))
    assert regroup_due(now=now) == now + timedelta(seconds=2)
    passed(now - timedelta(seconds=40), timedelta(seconds=40))
    assert regroup_due(now=now) == now + timedelta(seconds=200)


def run_group(**payload):
    began = timezone.now()
    job = Job.objects.create(kind="group", state="leased", payload=payload, started_at=began)
    grouping.run_group(job, beat=lambda done: None)
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=timezone.now())
    return Job.objects.get(pk=job.pk)


def test_a_job_keeps_what_its_pass_did_and_only_the_last_whom_others_may_be():
    faces_of_vectors(lookalikes(3, 4))

    first, second = run_group(), run_group()

    (newest, oldest) = passes.recent()
    assert (oldest.faces, oldest.fresh, oldest.moved, oldest.whole) == (12, 12, 12, True)
    assert (newest.fresh, newest.moved, newest.churn, newest.whole) == (0, 0, 0, False)
    assert first.payload["faces"] == second.payload["faces"] == 12
    assert passes.likely() == passes.Likely({}, {})


def test_all_is_grouped_anew_where_that_is_asked_for_or_much_has_come_or_a_day_has_passed():
    faces_of_vectors(lookalikes(3, 4))
    whole = [run_group().payload["whole"] for _ in range(2)]
    whole.append(run_group(whole=True).payload["whole"])
    faces_of_vectors(lookalikes(1, 5, seed=9))
    whole += [run_group().payload["whole"] for _ in range(2)]
    Job.objects.update(finished_at=timezone.now() - timedelta(days=2))
    whole.append(run_group().payload["whole"])

    assert whole == [True, False, True, True, False, True]


def test_a_whole_pass_that_is_asked_for_while_another_waits_is_not_forgotten():
    grouping.ask_for_a_pass()
    grouping.ask_for_a_pass(whole=True)

    assert Job.objects.get().payload == {"whole": True}


def test_a_name_rejected_while_a_pass_computes_is_not_guessed_by_it(owner, monkeypatch):
    faces = faces_of_vectors(lookalikes(1, 4))
    people.assign(owner, faces[:2], "Anna")

    def meanwhile(evidence):
        found = guesses.guess(evidence)
        people.reject(owner, faces[3:], Person.objects.get(name="Anna"))
        return found

    monkeypatch.setattr(grouping, "guess", meanwhile)
    a_pass()

    assert guessed(faces[2:]) == [Person.objects.get(name="Anna").pk, None]
