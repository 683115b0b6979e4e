import threading
from datetime import date, timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from lookwho.core.errors import Conflict, NotFound
from lookwho.library.models import Collection, Decision, Job, Person, User
from lookwho.services import faces, people
from lookwho.services.me import A_VISIT, not_me, on_this_day, this_is_me, undo, visit
from lookwho.services.search import Hit, my_photos
from tests.gallery import (
    NOON,
    draw,
    face_in,
    make_collection,
    make_member,
    make_photo,
    make_selfie,
    near,
)

Policy, Verb = Collection.Policy, Decision.Verb
SURE, DOUBTFUL = 0.03, 0.074


@pytest.fixture
def generator():
    return np.random.default_rng(11)


@pytest.fixture
def mia(db):
    return make_member("mia")


@pytest.fixture
def curator(db):
    return make_member("curator", role="curator")


@pytest.fixture
def me(generator):
    """Mia's face."""
    return draw(generator)


@pytest.fixture
def open_(db, generator):
    """A collection that members may look at, with forty strangers."""
    collection = make_collection(policy=Policy.OPEN)
    for each in draw(generator, 40):
        make_photo(each, collection=collection)
    return collection


@pytest.fixture
def sure(generator, mia, me, open_):
    """A photo of Mia."""
    make_selfie(mia, me)
    return make_photo(near(generator, me, SURE), collection=open_)


@pytest.fixture
def doubtful(generator, mia, me, open_):
    """A photo of somebody who may be Mia."""
    make_selfie(mia, me)
    return make_photo(near(generator, me, DOUBTFUL), collection=open_)


def mine(user):
    return [match.media for match in my_photos(user) if match.mine]


def maybe(user):
    return [match.media for match in my_photos(user) if not match.mine]


def who(photo):
    return face_in(photo).person


# --- this is me, this is not me ---


def test_what_may_be_somebody_is_theirs_once_they_say_so_and_nobody_is_named(mia, doubtful):
    assert maybe(mia) == [doubtful]

    done = this_is_me(mia, face_in(doubtful))

    assert (mine(mia), maybe(mia)) == ([doubtful], [])
    person = who(doubtful)
    assert (person.user, person.name) == (mia, "")
    decision = Decision.objects.get()
    assert (decision.verb, decision.actor, decision.batch) == (Verb.CONFIRM, mia, done.batch)
    assert Job.objects.filter(kind=Job.Kind.GROUP).count() == 1


def test_what_is_not_somebody_goes_and_never_comes_back_by_itself(generator, mia, me, sure, open_):
    other = make_photo(near(generator, me, SURE), collection=open_)

    not_me(mia, face_in(sure))
    make_selfie(mia, near(generator, me, 0.01))

    assert (mine(mia), maybe(mia)) == ([other], [])
    assert who(sure) is None


def test_undo_brings_back_what_was_before(generator, mia, me, sure, open_):
    other = make_photo(near(generator, me, SURE), collection=open_)
    said = [not_me(mia, face_in(sure)), this_is_me(mia, face_in(other))]
    assert mine(mia) == [other]

    for done in said:
        undo(mia, done.batch)

    assert mine(mia) == [other, sure]
    assert who(other) is None
    with pytest.raises(Conflict):
        undo(mia, said[0].batch)


def test_only_the_one_who_said_it_takes_it_back(mia, sure, curator):
    done = not_me(mia, face_in(sure))

    for other in (curator, make_member("max")):
        with pytest.raises(NotFound):
            undo(other, done.batch)
    with pytest.raises(NotFound):
        undo(mia, uuid4())

    assert mine(mia) == []


def test_nothing_is_said_of_a_face_that_is_not_offered(generator, mia, me, sure, open_):
    stranger = make_photo(draw(generator), collection=open_)
    closed = make_photo(near(generator, me, SURE), collection=make_collection())
    beside = make_photo(near(generator, me, SURE), draw(generator), collection=open_)
    faces_ = [face_in(stranger), face_in(closed), beside.faces.order_by("-pk")[0]]

    for face in faces_:
        for say in (this_is_me, not_me):
            with pytest.raises(NotFound):
                say(mia, face)
    with pytest.raises(NotFound):
        this_is_me(make_member("max"), face_in(sure))

    assert not Decision.objects.exists()


def test_what_others_confirmed_is_not_overruled_and_their_name_is_not_told(
    mia, sure, curator, open_
):
    faces.assign(curator, [face_in(sure)], "Max")
    assert mine(mia) == [sure]  # nobody has said that Max is not Mia

    with pytest.raises(Conflict) as caught:
        this_is_me(mia, face_in(sure))

    assert "Max" not in caught.value.message
    assert who(sure).name == "Max"


def test_a_face_confirmed_as_somebody_else_with_an_account_vanishes_at_once(
    mia, sure, curator, open_
):
    Person.objects.create(name="Max", user=make_member("max"))
    assert mine(mia) == [sure]

    faces.assign(curator, [face_in(sure)], "Max")

    assert mine(mia) == []
    with pytest.raises(NotFound):
        this_is_me(mia, face_in(sure))


def test_what_a_curator_says_is_somebody_is_not_denied_by_them_alone(mia, sure, curator):
    Person.objects.create(name="Mia", user=mia)
    faces.assign(curator, [face_in(sure)], "Mia")

    with pytest.raises(Conflict, match="tell them"):
        not_me(mia, face_in(sure))

    assert mine(mia) == [sure]


def test_what_one_said_oneself_is_taken_the_other_way(mia, doubtful):
    this_is_me(mia, face_in(doubtful))

    not_me(mia, face_in(doubtful))

    assert (mine(mia), maybe(mia), who(doubtful)) == ([], [], None)


def test_saying_it_twice_says_it_once(mia, sure):
    this_is_me(mia, face_in(sure))
    this_is_me(mia, face_in(sure))

    assert Decision.objects.count() == 1


def test_a_person_that_was_merged_stands_for_whom_they_were_merged_into(mia, doubtful, curator):
    own = Person.objects.create(user=mia)
    anna = Person.objects.create(name="Anna")
    people.merge(curator, own, anna)

    this_is_me(mia, face_in(doubtful))

    assert who(doubtful) == anna
    assert mine(mia) == [doubtful]


def test_a_person_without_a_name_hides_nothing_that_others_named(
    generator, mia, me, sure, open_, curator
):
    other = make_photo(near(generator, me, SURE), collection=open_)
    faces.assign(curator, [face_in(sure)], "Perhaps Mia")

    this_is_me(mia, face_in(other))

    assert mine(mia) == [other, sure]


@pytest.mark.django_db(transaction=True)
def test_two_answers_at_once_make_one_person(generator, me):
    mia = make_member("mia")
    own = make_collection(policy=Policy.OWN)
    photos = [make_photo(near(generator, me, SURE), collection=own) for _ in range(4)]
    make_selfie(mia, me)
    failed = []

    def say(photo):
        try:
            this_is_me(mia, face_in(photo))
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=say, args=(photo,)) for photo in photos]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert Person.objects.filter(user=mia).count() == 1
    assert {who(photo) for photo in photos} == {Person.objects.get(user=mia)}


# --- visits ---


def test_what_is_new_is_told_from_the_visit_before(mia):
    first = timezone.now()
    steps = [timedelta(0), timedelta(minutes=10), A_VISIT + timedelta(minutes=5), timedelta(days=2)]
    moments, told = [], []
    moment = first
    for step in steps:
        moment += step
        moments.append(moment)
        told.append(visit(User.objects.get(pk=mia.pk), now=moment))

    # The first is the first; ten minutes later it is still the same.
    assert told == [None, None, moments[1], moments[2]]
    mia.refresh_from_db()
    assert (mia.visited_at, mia.visited_before) == (moments[3], moments[2])


def test_somebody_who_stays_makes_one_visit(mia):
    now = timezone.now()
    visit(mia, now=now - timedelta(days=1))

    told = [visit(mia, now=now + timedelta(minutes=20 * step)) for step in range(5)]

    assert told == [now - timedelta(days=1)] * 5


def test_of_two_pages_opened_at_once_one_begins_the_visit(mia):
    now = timezone.now()
    before = now - timedelta(days=3)
    User.objects.filter(pk=mia.pk).update(visited_at=before)
    one, other = (User.objects.get(pk=mia.pk) for _ in range(2))

    told = [visit(one, now=now), visit(other, now=now + timedelta(milliseconds=5))]

    assert told == [before, before]


def test_a_day_is_shared_with_earlier_years_only():
    days = [
        date(2024, 6, 1),
        date(2023, 6, 1),
        date(2023, 6, 2),
        date(2020, 6, 1),
        date(2026, 6, 1),
    ]
    hits = [Hit(at, at, day, 0.01, 0.9) for at, day in enumerate(days)]
    hits.append(Hit(9, 9, date(2022, 6, 1), 0.1, 0.2))  # only perhaps theirs

    assert [hit.day.year for hit in on_this_day(hits, NOON.date())] == [2023, 2020]
    assert on_this_day([Hit(1, 1, date(2020, 2, 29), 0.0, 1.0)], date(2024, 2, 29))
