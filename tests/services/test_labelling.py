"""Labelling projects: which faces are in them, who labels what, and what labels come to."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid, LookwhoError, NotFound
from lookwho.library.models import Decision, Face, Label, Person, Project, Suppression, Task, Team
from lookwho.library.queries import labelling as queries
from lookwho.services import labelling, labels, people
from lookwho.services.labelling import Choice
from tests.gallery import make_album, make_collection
from tests.people import a_person, a_user, fresh, some_faces, some_media

pytestmark = pytest.mark.django_db

Verdict = Label.Verdict


@pytest.fixture
def owner():
    return a_user("owner")


@pytest.fixture
def anna():
    return a_user("annotator")


@pytest.fixture
def ben():
    return a_user("annotator")


def a_project(owner, *annotators, faces=3, **more):
    some_faces(faces)
    return labelling.make_project(owner, "Party", Choice(), annotators=annotators, **more)


def label_all(by, project, say, *, now=None):
    """Answer until nothing is left; `say` tells verdict and name of a face."""
    given = []
    while label := labels.next_label(by, project, now=now):
        verdict, name = say(label.task)
        given.append(labels.answer(by, label, verdict, name=name, now=now))
    return given


def everybody_is(name):
    return lambda task: (Verdict.PERSON, name)


# --- which faces ---


def test_a_project_holds_the_faces_of_the_chosen_album_collection_and_state(owner):
    media = some_media(4)
    faces = some_faces(4, media=media)
    album = make_album(media[0], media[1])
    collection = make_collection()
    collection.locations.create(media=media[1], path="1.jpg")
    collection.locations.create(media=media[2], path="2.jpg")
    Face.objects.filter(pk=faces[0].pk).update(person=Person.objects.create(name="Anna"))
    some_faces(1, media=[media[1]], source="absent")

    def chosen(**limits):
        project = labelling.make_project(owner, "Some", Choice(**limits))
        return {task.face_id for task in Task.objects.filter(project=project)}

    first, second, third, fourth = (face.pk for face in faces)
    assert chosen() == {first, second, third, fourth}
    assert chosen(album=album) == {first, second}
    assert chosen(album=album, unconfirmed=True) == {second}
    assert chosen(collection=collection) == {second, third}
    assert chosen(faces=[faces[3].uuid]) == {fourth}


def test_the_same_seed_chooses_the_same_faces_in_the_same_order(owner):
    some_faces(40)

    def chosen(seed):
        project = labelling.make_project(owner, "Some", Choice(count=10, seed=seed))
        return list(Task.objects.filter(project=project).order_by("pk").values_list("face", flat=1))

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert len(set(chosen(1))) == 10


@pytest.mark.parametrize(
    "wrong",
    (
        {"labels_each": 0},
        {"labels_each": 4},
        {"gold": 0.6},
        {"gold": 0.1},  # nobody is confirmed
        {"gold": 0.1, "blind": False},
    ),
)
def test_a_project_that_cannot_be_is_not_made(owner, wrong):
    with pytest.raises(Invalid):
        a_project(owner, **wrong)

    assert not Project.objects.exists()


def test_a_project_without_faces_is_not_made(owner):
    with pytest.raises(Invalid, match="no face fits"):
        labelling.make_project(owner, "Party", Choice())


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_only_owners_and_curators_look_after_projects(owner, anna, role):
    project, other = a_project(owner, anna), a_user(role)
    task = Task.objects.first()

    for act in (
        lambda: labelling.make_project(other, "Mine", Choice()),
        lambda: labelling.set_annotators(other, project, [other]),
        lambda: labelling.assign(other, project, anna, count=1),
        lambda: labelling.take_back_assigned(other, project, anna),
        lambda: labelling.set_gold(other, task, name="Anna"),
        lambda: labelling.close(other, project),
        lambda: labels.adjudicate(other, task, Verdict.STRANGER),
        lambda: labels.reopen(other, task),
        lambda: labels.apply(other, project),
    ):
        with pytest.raises(Forbidden):
            act()


def test_comparing_is_blind_unless_somebody_says_otherwise(owner):
    a_person("Anna", 3)

    assert a_project(owner).blind is False
    assert a_project(owner, labels_each=2).blind is True
    assert a_project(owner, gold=0.2).blind is True
    assert a_project(owner, labels_each=2, blind=False).blind is False


def test_a_tenth_of_the_faces_are_gold_and_are_no_work(owner):
    person, _ = a_person("Anna", 30)
    some_faces(90)

    project = labelling.make_project(owner, "P", Choice(unconfirmed=True), gold=0.1)

    gold = Task.objects.filter(project=project, gold=True)
    assert gold.count() == 10
    assert set(gold.values_list("gold_person", flat=True)) == {person.pk}
    standing = queries.standings([project])[project.pk]
    assert (standing.faces, standing.gold) == (90, 10)


# --- who is asked what ---


def test_an_annotator_is_asked_about_each_face_once(owner, anna):
    project = a_project(owner, anna, faces=5)

    given = label_all(anna, project, everybody_is("Ben"))

    assert len({label.task_id for label in given}) == 5
    assert labels.next_label(anna, project) is None


def test_what_is_held_is_asked_again_until_it_is_answered(owner, anna):
    project = a_project(owner, anna)

    assert labels.next_label(anna, project) == labels.next_label(anna, project)


def test_two_are_never_asked_about_a_face_that_gets_one_label(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=2)

    first, second = labels.next_label(anna, project), labels.next_label(ben, project)

    assert first.task_id != second.task_id
    assert labels.next_label(a_user("owner"), project) is None


def test_what_somebody_left_lying_is_given_to_others_and_they_are_told(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=1)
    label = labels.next_label(anna, project)
    later = timezone.now() + labels.HOLD + timedelta(seconds=1)

    other = labels.next_label(ben, project, now=later)
    assert other.task_id == label.task_id
    with pytest.raises(Conflict, match="others have this face"):
        labels.answer(anna, label, Verdict.STRANGER, now=later)
    labels.answer(ben, other, Verdict.STRANGER, now=later)

    assert list(Label.objects.exclude(verdict="").values_list("user", flat=True)) == [ben.pk]


def test_a_late_answer_counts_where_nobody_else_has_the_face(owner, anna):
    project = a_project(owner, anna, faces=1)
    label = labels.next_label(anna, project)

    labels.answer(anna, label, Verdict.STRANGER, now=timezone.now() + timedelta(hours=3))

    assert Task.objects.get().state == Task.State.SETTLED


def test_what_is_passed_over_comes_back_last(owner, anna):
    project = a_project(owner, anna, faces=3)
    skipped = labels.next_label(anna, project)
    labels.skip(anna, skipped)

    order = [label.task_id for label in label_all(anna, project, everybody_is("Ben"))]

    assert len(order) == 3
    assert order[-1] == skipped.task_id


def test_what_is_passed_over_is_free_for_others(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=1)
    labels.skip(anna, labels.next_label(anna, project))

    assert labels.next_label(ben, project) is not None


def test_faces_that_are_assigned_come_first_and_go_to_nobody_else(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=4)
    tasks = list(Task.objects.order_by("pk"))

    assert labelling.assign(owner, project, anna, tasks=[tasks[2].uuid, tasks[3].uuid]) == 2

    assert {label.task_id for label in label_all(ben, project, everybody_is("B"))} == {
        tasks[0].pk,
        tasks[1].pk,
    }
    assert labels.next_label(anna, project).task_id == tasks[2].pk
    assert labelling.take_back_assigned(owner, project, anna) == 2
    assert labels.next_label(ben, project) is not None


def test_the_next_faces_are_assigned_by_number(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=5)

    assert labelling.assign(owner, project, anna, count=3) == 3
    assert labelling.assign(owner, project, ben, count=9) == 2


def test_faces_are_assigned_only_to_those_who_label_here(owner, anna, ben):
    project = a_project(owner, anna)

    with pytest.raises(Invalid, match="does not label"):
        labelling.assign(owner, project, ben, count=1)
    with pytest.raises(NotFound):
        labelling.assign(owner, project, anna, tasks=[project.uuid])


def test_a_team_labels_and_others_do_not(owner, anna, ben):
    team = Team.objects.create(title="Experts")
    team.users.add(anna)
    project = a_project(owner, team=team)

    assert labels.next_label(anna, project) is not None
    with pytest.raises(NotFound):
        labels.next_label(ben, project)


def test_members_are_no_annotators(owner):
    with pytest.raises(Invalid, match="change their role"):
        a_project(owner, a_user("member"))


def test_who_is_left_out_gives_up_what_they_held(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=1)
    labels.next_label(anna, project)

    labelling.set_annotators(owner, project, [ben])

    assert labels.next_label(ben, project) is not None
    with pytest.raises(NotFound):
        labels.next_label(anna, project)


def test_in_a_project_that_is_over_nothing_is_labelled(owner, anna):
    project = a_project(owner, anna)
    label = labels.next_label(anna, project)
    labelling.close(owner, project)

    for act in (
        lambda: labels.next_label(anna, project),
        lambda: labels.undo_last(anna, project),
    ):
        with pytest.raises(Conflict, match="over"):
            act()
    with pytest.raises(NotFound):
        labels.answer(anna, label, Verdict.STRANGER)
    labelling.close(owner, project, closed=False)
    assert labels.next_label(anna, project) is not None


# --- what is said ---


@pytest.mark.parametrize("verdict", ("stranger", "not_a_face", "cannot_tell"))
def test_one_label_settles_a_face_that_gets_one(owner, anna, verdict):
    project = a_project(owner, anna, faces=1)
    label = labels.next_label(anna, project)

    labels.answer(anna, label, verdict, seconds=2.5)

    task = Task.objects.get()
    assert (task.state, task.verdict, task.person) == ("settled", verdict, None)
    assert Label.objects.get().seconds == 2.5


@pytest.mark.parametrize(
    ("told", "kept"), ((-1.0, None), (1e9, None), (float("nan"), None), (0.0, 0.0))
)
def test_a_time_that_cannot_be_is_not_kept(owner, anna, told, kept):
    project = a_project(owner, anna, faces=1)

    labels.answer(anna, labels.next_label(anna, project), Verdict.STRANGER, seconds=told)

    assert Label.objects.get().seconds == kept


def test_a_name_that_is_known_is_that_person_whatever_its_capitals(owner, anna):
    person, _ = a_person("Zoë", 1)
    project = a_project(owner, anna, faces=1)
    label = labels.next_label(anna, project)

    assert labels.answer(anna, label, Verdict.PERSON, name=" zOË ").person == person


def test_a_new_name_stands_in_no_list_and_is_one_person_for_all(owner, anna, ben):
    project = a_project(owner, anna, ben, labels_each=2, faces=1)

    for who, name in ((anna, "Carla"), (ben, "carla")):
        labels.answer(who, labels.next_label(who, project), Verdict.PERSON, name=name)

    task = Task.objects.get()
    assert (task.state, task.person.name, task.person.hidden) == ("settled", "Carla", True)
    assert Person.objects.count() == 1


def test_labels_that_differ_are_in_dispute_until_somebody_decides(owner, anna, ben):
    project = a_project(owner, anna, ben, labels_each=2, faces=1)
    labels.answer(anna, labels.next_label(anna, project), Verdict.PERSON, name="Carla")
    assert Task.objects.get().state == "open"
    labels.answer(ben, labels.next_label(ben, project), Verdict.CANNOT_TELL)
    assert Task.objects.get().state == "disputed"

    task = labels.adjudicate(owner, Task.objects.get(), Verdict.PERSON, name="Dora")

    assert (task.state, task.person.name, task.adjudicated_by) == ("settled", "Dora", owner)
    assert labels.reopen(owner, task).state == "disputed"
    assert Label.objects.exclude(verdict="").count() == 2


def test_people_who_were_merged_are_one_answer(owner, anna, ben):
    one, other = a_person("Carla", 1)[0], a_person("Karla", 1)[0]
    project = a_project(owner, anna, ben, labels_each=2, faces=1)
    people.merge(owner, other, one)

    labels.answer(anna, labels.next_label(anna, project), Verdict.PERSON, person=one)
    labels.answer(ben, labels.next_label(ben, project), Verdict.PERSON, person=other)

    assert Task.objects.exclude(state="open").get().person == one


@pytest.mark.parametrize(
    "box",
    (
        (0, 0, 1),
        (0, 0, 1, 2),
        (0.5, 0, 0.5, 1),
        (-0.1, 0, 1, 1),
        (0, 0, 0.001, 1),
        (0, 0, float("nan"), 1),
        ("a", 0, 1, 1),
        (None, 0, 1, 1),
    ),
)
def test_a_box_that_cannot_be_is_refused(owner, anna, box):
    label = labels.next_label(anna, a_project(owner, anna, faces=1))

    with pytest.raises(Invalid, match="box"):
        labels.answer(anna, label, Verdict.STRANGER, box=box)

    assert not Label.objects.exclude(verdict="").exists()


def test_a_better_box_is_kept_and_of_several_the_middle_is_taken(owner, anna, ben):
    project = a_project(owner, anna, ben, labels_each=2, faces=1)
    for who, edge in ((anna, 0.1), (ben, 0.2)):
        label = labels.next_label(who, project)
        labels.answer(who, label, Verdict.STRANGER, box=(edge, edge, 0.5, 0.5))

    [(task, given)] = queries.with_labels(list(Task.objects.all()))

    assert labels.box_of(task, given) == pytest.approx((0.15, 0.15, 0.5, 0.5))
    assert labels.box_of(task, []) == (0.25, 0.25, 0.5, 0.5)


@pytest.mark.parametrize("verdict", ("", "king", "PERSON"))
def test_an_answer_that_is_none_is_refused(owner, anna, verdict):
    label = labels.next_label(anna, a_project(owner, anna, faces=1))

    with pytest.raises(Invalid):
        labels.answer(anna, label, verdict)


def test_a_person_needs_a_name(owner, anna):
    label = labels.next_label(anna, a_project(owner, anna, faces=1))

    with pytest.raises(Invalid, match="name"):
        labels.answer(anna, label, Verdict.PERSON)


def test_nobody_answers_what_others_were_asked_or_answers_twice(owner, anna, ben):
    project = a_project(owner, anna, ben, faces=1)
    label = labels.next_label(anna, project)

    for act in (labels.skip, lambda by, told: labels.answer(by, told, Verdict.STRANGER)):
        with pytest.raises(NotFound):
            act(ben, label)
    labels.answer(anna, label, Verdict.STRANGER)
    with pytest.raises(Conflict, match="already"):
        labels.answer(anna, label, Verdict.NOT_A_FACE)
    with pytest.raises(Conflict, match="already"):
        labels.skip(anna, label)

    assert Label.objects.get().verdict == Verdict.STRANGER


def test_the_last_answer_is_taken_back_and_asked_again(owner, anna):
    project = a_project(owner, anna, faces=3)
    labels.answer(anna, labels.next_label(anna, project), Verdict.STRANGER)
    last = labels.answer(anna, labels.next_label(anna, project), Verdict.PERSON, name="Ben")
    labels.next_label(anna, project)

    assert labels.undo_last(anna, project) == last

    last.task.refresh_from_db()
    assert (last.task.state, last.task.verdict, last.task.person) == ("open", "", None)
    assert labels.next_label(anna, project) == last
    assert len(label_all(anna, project, everybody_is("Ben"))) == 2
    assert Label.objects.exclude(verdict="").count() == 3


def test_only_what_one_said_oneself_and_nobody_decided_since_is_taken_back(owner, anna, ben):
    project = a_project(owner, anna, ben, labels_each=2, faces=1)
    with pytest.raises(NotFound):
        labels.undo_last(anna, project)
    labels.answer(anna, labels.next_label(anna, project), Verdict.STRANGER)
    with pytest.raises(NotFound):
        labels.undo_last(ben, project)
    labels.adjudicate(owner, Task.objects.get(), Verdict.STRANGER)

    with pytest.raises(Conflict, match="decided"):
        labels.undo_last(anna, project)


# --- gold ---


def test_gold_faces_come_to_everybody_among_the_others_and_stay_open(owner, anna, ben):
    a_person("Carla", 20)
    some_faces(80)
    project = labelling.make_project(
        owner, "P", Choice(unconfirmed=True), gold=0.2, annotators=[anna, ben]
    )

    given = label_all(anna, project, everybody_is("Carla"))

    gold = [label.task.gold for label in given]
    assert gold.count(False) == 80
    assert 8 <= gold.count(True) <= 20
    assert len({label.task_id for label in given}) == len(given)
    assert not Task.objects.filter(gold=True).exclude(state="open").exists()
    [told] = queries.figures(project)
    assert (told.gold, told.right, told.labels) == (gold.count(True), gold.count(True), 80)
    assert label_all(ben, project, everybody_is("Carla")) == []  # no work, so no gold


def test_a_face_is_made_gold_by_hand_and_is_work_again(owner, anna):
    project = a_project(owner, anna, faces=2, blind=True)
    task = Task.objects.first()
    labels.answer(anna, labels.next_label(anna, project), Verdict.STRANGER)

    task = labelling.set_gold(owner, Task.objects.order_by("pk").first(), verdict="not_a_face")
    [told] = queries.figures(project)
    assert (task.gold, task.state, told.gold, told.right) == (True, "open", 1, 0)
    with pytest.raises(Invalid, match="gold"):
        labels.adjudicate(owner, task, Verdict.STRANGER)
    labelling.set_gold(owner, task, verdict="stranger")
    assert queries.figures(project)[0].right == 1
    task = labelling.set_gold(owner, task)

    assert (task.gold, task.state, task.verdict) == (False, "settled", "stranger")
    with pytest.raises(Invalid, match="blind"):
        labelling.set_gold(owner, a_project(owner).tasks.first(), name="Anna")


# --- figures ---


def test_the_figures_of_annotators_are_counted_by_hand(owner, anna, ben):
    project = a_project(owner, anna, ben, labels_each=2, faces=4)
    says = {"anna": iter("CCDD"), "ben": iter("CCC?")}

    def say(who):
        letter = next(says[who])
        return (Verdict.CANNOT_TELL, "") if letter == "?" else (Verdict.PERSON, letter)

    label_all(anna, project, lambda task: say("anna"))
    label_all(ben, project, lambda task: say("ben"))
    Label.objects.filter(user=ben).update(seconds=4)

    told = {each.user: each for each in queries.figures(project)}
    found = queries.agreement_in(project)

    assert [told[who].alike for who in (anna, ben)] == [2 / 3, 2 / 3]
    assert [told[who].compared for who in (anna, ben)] == [3, 3]
    assert [told[who].cannot_tell for who in (anna, ben)] == [0, 1]
    assert [told[who].seconds for who in (anna, ben)] == [None, 4]
    assert found.faces == 3
    # Of three faces that both named: Anna says C C D, Ben C C C.
    assert found.pairs == queries.Pairs(pairs=3, agreed=1, same=1, either=3)
    assert found.alpha == pytest.approx(1 - 5 * 2 / (36 - 25 - 1))
    assert queries.standings([project])[project.pk] == queries.Standing(4, 2, 2, 8, 0)


def test_a_label_of_somebody_who_is_gone_still_counts(owner, anna, ben):
    project = a_project(owner, anna, ben, labels_each=2, faces=2)
    for who in (anna, ben):
        label_all(who, project, everybody_is("Carla"))
        who.delete()

    [told] = queries.figures(project)

    assert (told.user, told.labels, told.alike) == (None, 4, 1.0)
    assert queries.agreement_in(project).faces == 2


def test_figures_ask_the_database_as_often_for_many_as_for_one(
    owner, anna, django_assert_num_queries
):
    for faces in (1, 5):
        project = a_project(owner, anna, faces=faces)
        label_all(anna, project, everybody_is("Carla"))
        rows = list(Project.objects.all())
        with django_assert_num_queries(2):
            queries.figures(project)
        with django_assert_num_queries(2):
            queries.standings(rows)
        with django_assert_num_queries(2):
            queries.tasks(project)


# --- into the library ---


def test_what_labels_come_to_is_confirmed_in_one_act_and_taken_back_in_one(owner, anna):
    project = a_project(owner, anna, faces=6)
    names = dict(zip(Task.objects.values_list("pk", flat=True), "CCDD", strict=False))

    def say(task):
        name = names.get(task.pk)
        return (Verdict.PERSON, name) if name else (Verdict.STRANGER, "")

    label_all(anna, project, say)
    done = labels.apply(owner, project)

    faces = fresh([task.face for task in Task.objects.order_by("pk")])
    assert [face.person and face.person.name for face in faces] == [*"CCDD", None, None]
    assert not Person.objects.filter(hidden=True).exists()
    assert "4 named" in done.message
    with pytest.raises(Conflict, match="already"):
        labels.apply(owner, project)
    people.undo(owner, done.batch)
    assert not Face.objects.exclude(person=None).exists()
    assert Person.objects.filter(hidden=True).count() == 2


def test_what_somebody_else_confirmed_or_dismissed_since_stays(owner, anna):
    project = a_project(owner, anna, faces=3)
    label_all(anna, project, everybody_is("Carla"))
    one, other, third = Face.objects.order_by("pk")
    people.assign(owner, [one], "Dora")
    people.not_a_face(owner, [other])

    done = labels.apply(owner, project)

    assert "1 named" in done.message
    assert "1 confirmed as somebody else" in done.message
    names = [face.person and face.person.name for face in fresh([one, other, third])]
    assert names == ["Dora", None, "Carla"]
    assert Suppression.objects.count() == 1


def test_boxes_and_what_is_no_face_are_applied_and_taken_back_too(owner, anna):
    project = a_project(owner, anna, faces=2)
    one, other = Face.objects.order_by("pk")
    answers = {
        one.pk: (Verdict.STRANGER, (0.1, 0.1, 0.2, 0.25)),
        other.pk: (Verdict.NOT_A_FACE, None),
    }
    while label := labels.next_label(anna, project):
        verdict, box = answers[label.task.face_id]
        labels.answer(anna, label, verdict, box=box)

    done = labels.apply(owner, project)

    one, other = fresh([one, other])
    assert one.box == (0.1, 0.1, 0.2, 0.25)
    assert other.dismissed
    people.undo(owner, done.batch)
    one, other = fresh([one, other])
    assert one.box == (0.25, 0.25, 0.5, 0.5)
    assert not other.dismissed


def test_whom_the_owner_has_hidden_stays_hidden(owner, anna):
    person, _ = a_person("Carla", 1)
    people.hide(owner, person, True)
    project = a_project(owner, anna, faces=2)
    label_all(anna, project, everybody_is("Carla"))

    labels.apply(owner, project)

    assert Person.objects.get().hidden
    assert Decision.objects.filter(verb="hide").count() == 1


def test_a_project_is_labelled_while_its_faces_are_found_anew(owner, anna):
    project = a_project(owner, anna, faces=2)
    Face.objects.all().delete()  # as a new analysis does, before it stores its own

    assert len(label_all(anna, project, everybody_is("Carla"))) == 2
    with pytest.raises(Conflict):
        labels.apply(owner, project)


# --- many at once ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("labels_each", (1, 2))
def test_many_at_once_lose_no_label_and_give_none_too_many(labels_each):
    owner = a_user("owner")
    team = [a_user("annotator") for _ in range(4)]
    a_person("Carla", 4)
    some_faces(24)
    project = labelling.make_project(
        owner,
        "Party",
        Choice(unconfirmed=True),
        labels_each=labels_each,
        gold=0.1,
        annotators=team,
    )

    def work(user):
        said = 0
        try:
            while label := labels.next_label(user, project):
                if (said + user.pk) % 5 == 0:
                    labels.skip(user, label)
                    label = labels.next_label(user, project) or label
                try:
                    labels.answer(user, label, Verdict.PERSON, name=f"{label.task_id % 3}")
                except LookwhoError:
                    continue
                said += 1
            return said
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(work, team))

    given = Label.objects.exclude(verdict="")
    assert sum(said) == given.count()
    counts = Counter(given.filter(task__gold=False).values_list("task", flat=True))
    assert set(counts.values()) == {labels_each}
    assert len(counts) == 24
    assert Task.objects.filter(gold=False, state="settled").count() == 24
    assert Person.objects.filter(name__in="012").count() == 3
