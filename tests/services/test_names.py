import shutil
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.core.batch import Outcome
from lookwho.core.errors import Cancelled, Conflict, Forbidden
from lookwho.library.models import (
    Analysis,
    Decision,
    DecisionFace,
    Face,
    Job,
    Location,
    Media,
    Person,
    Region,
    Suppression,
    User,
)
from lookwho.services import analysis, names, people
from tests.imports import imported
from tests.work import claimed, make_media

pytestmark = pytest.mark.django_db

LEFT, RIGHT, FAR = (0.1, 0.2, 0.3, 0.6), (0.6, 0.2, 0.8, 0.6), (0.4, 0.8, 0.5, 0.95)


@pytest.fixture
def owner():
    return User.objects.create_user("owner", role="owner")


def sides(box):
    return dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))


def photo(*faces, state="done", **told):
    """A photo with faces at these boxes, and regions: name=box."""
    media = make_media()
    if state:
        Analysis.objects.create(media=media, pack=analysis.current_pack(), state=state)
    for box in faces:
        Face.objects.create(media=media, **sides(box))
    for name, box in told.items():
        Region.objects.create(media=media, name=name, source="mwg", **sides(box))
    return media


def run(job):
    names.run_names(job, beat=lambda done: None)
    return job


def use(owner, *only):
    return run(names.accept(owner, only or None))


def named(media=None):
    """Who is where: name -> x1 of each of their faces."""
    faces = Face.objects.exclude(person=None).select_related("person")
    if media:
        faces = faces.filter(media=media)
    return sorted((face.person.name, round(face.x1, 2)) for face in faces)


def take_back(owner, job):
    batch = UUID(job.payload["batch"])
    people.undo(owner, batch)
    names.taken_back(batch)


# --- offered ---


def test_what_is_offered_is_counted(owner):
    photo(Anna=LEFT, Ben=RIGHT)
    photo(Anna=LEFT)
    photo(**{f"Guest {letter}": LEFT for letter in "EDCBA"})

    offer = names.offered()
    assert (offer.regions, offer.people) == (8, 7)
    assert offer.examples == ("Anna", "Ben", "Guest A", "Guest B", "Guest C")


def test_nothing_is_offered_where_nobody_is_named_or_the_photo_is_gone():
    assert not names.offered()
    Media.objects.filter(pk=photo(Anna=LEFT).pk).update(present=False)

    assert not names.offered()


def test_what_was_declined_is_not_offered_again(owner):
    photo(Anna=LEFT, Ben=RIGHT)

    assert names.decline(owner, ["Ben"]) == 1
    assert names.offered().examples == ("Anna",)
    assert names.decline(owner) == 1
    assert not names.offered()
    with pytest.raises(Conflict):
        names.accept(owner)


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_members_do_not_decide(role):
    photo(Anna=LEFT)
    user = User.objects.create_user("max", role=role)

    for decide in (names.accept, names.decline):
        with pytest.raises(Forbidden):
            decide(user)
    assert names.offered().regions == 1


# --- used ---


def test_faces_get_the_names_of_the_regions_they_are_in(owner):
    media = photo(LEFT, RIGHT, FAR, Anna=(0.12, 0.25, 0.32, 0.62), Ben=(0.5, 0.1, 0.9, 0.9))
    use(owner)

    assert named() == [("Anna", 0.1), ("Ben", 0.6)]
    assert media.faces.count() == 3
    assert {region.face.person.name for region in Region.objects.all()} == {"Anna", "Ben"}


def test_all_names_of_one_answer_are_one_batch_of_decisions_of_whoever_gave_it(owner):
    for _ in range(3):
        photo(LEFT, RIGHT, Anna=LEFT, Ben=RIGHT)
    job = use(owner)

    confirmed = Decision.objects.filter(verb="confirm")
    assert {(each.actor, str(each.batch)) for each in confirmed} == {(owner, job.payload["batch"])}
    assert sorted(each.person.name for each in confirmed) == ["Anna", "Ben"]
    assert DecisionFace.objects.filter(decision__in=confirmed).count() == 6


def test_only_the_names_that_were_accepted_are_used(owner):
    photo(LEFT, RIGHT, Anna=LEFT, Ben=RIGHT)
    use(owner, "Ben")

    assert named() == [("Ben", 0.6)]
    assert names.offered().examples == ("Anna",)


def test_a_person_of_that_name_is_used_whatever_the_capitals(owner):
    known = Person.objects.create(name="ŁUCJA")
    photo(LEFT, Łucja=LEFT)
    photo(LEFT, łucja=LEFT)
    use(owner)

    assert {face.person for face in Face.objects.all()} == {known}


def test_each_face_goes_to_the_region_that_fits_best(owner):
    """Both regions overlap the left face; taken one by one, Anna's would get it."""
    left, right = (0.1, 0.1, 0.4, 0.5), (0.3, 0.1, 0.6, 0.5)
    photo(left, right, Anna=(0.25, 0.1, 0.55, 0.5), Ben=(0.11, 0.1, 0.41, 0.5))
    use(owner)

    assert named() == [("Anna", 0.3), ("Ben", 0.1)]


@pytest.mark.parametrize(("between", "left"), (("Anna", "Ben"), ("Ben", "Anna")))
def test_the_pairs_are_the_same_when_there_are_too_many_for_one_transaction(
    owner, monkeypatch, between, left
):
    """Names come in the order of the alphabet; both regions are nearest to the left face."""
    regions = {between: (0.19, 0.1, 0.49, 0.5), left: (0.11, 0.1, 0.41, 0.5)}
    for _ in range(3):
        photo((0.1, 0.1, 0.4, 0.5), (0.3, 0.1, 0.6, 0.5), **regions)
    monkeypatch.setattr(names, "_AT_ONCE", 1)
    use(owner)

    assert named() == sorted([(between, 0.3), (left, 0.1)] * 3)
    assert Face.objects.count() == 6


def test_a_region_of_the_whole_head_finds_the_face_in_it(owner):
    media = photo((0.3, 0.3, 0.5, 0.5), Anna=(0.22, 0.12, 0.58, 0.58))
    use(owner)

    assert named() == [("Anna", 0.3)]
    assert media.faces.count() == 1


def test_a_region_without_a_face_becomes_one(owner):
    media = photo(FAR, Anna=LEFT)
    use(owner)

    face = media.faces.get(source="metadata")
    assert (face.box, face.person.name, face.landmarks) == (LEFT, "Anna", [])
    assert not face.embeddings.exists()
    assert named() == [("Anna", 0.1)]


def test_names_are_used_where_the_analysis_failed(owner):
    photo(state="failed", Anna=LEFT)
    use(owner)

    assert named() == [("Anna", 0.1)]


def test_doing_it_twice_changes_nothing(owner):
    photo(LEFT, Anna=LEFT, Ben=RIGHT)
    job = use(owner)
    run(job)

    assert named() == [("Anna", 0.1), ("Ben", 0.6)]
    assert Decision.objects.filter(verb="confirm").count() == 2


def test_a_job_that_is_cancelled_goes_on_where_it_ended(owner, monkeypatch):
    for _ in range(5):
        photo(LEFT, Anna=LEFT)
    monkeypatch.setattr(names, "_AT_ONCE", 2)
    job = names.accept(owner)

    def beat(done):
        raise Cancelled("somebody asked for it")

    with pytest.raises(Cancelled):
        names.run_names(job, beat=beat)
    assert len(named()) == 2
    run(job)
    assert len(named()) == 5
    assert DecisionFace.objects.filter(decision__verb="confirm").count() == 5


# --- what humans said goes before ---


def test_a_face_that_has_a_name_keeps_it(owner):
    media = photo(LEFT, Anna=LEFT)
    people.assign(owner, media.faces.all(), "Eva")
    use(owner)

    assert named() == [("Eva", 0.1)]
    assert (media.faces.count(), names.offered().regions) == (1, 0)


def test_a_face_that_was_said_not_to_be_that_person_is_left_alone(owner):
    media = photo(LEFT, Anna=LEFT)
    anna = Person.objects.create(name="ANNA")
    people.reject(owner, media.faces.all(), anna)
    use(owner)

    assert named() == []
    assert media.faces.count() == 1


def test_what_was_said_to_be_no_face_does_not_become_one(owner):
    media = photo(LEFT, Anna=LEFT)
    people.not_a_face(owner, media.faces.all())
    use(owner)

    assert named() == []
    assert (media.faces.count(), Region.objects.get().state) == (1, "declined")


def test_an_erased_face_does_not_come_back(owner):
    media = photo(Anna=LEFT)
    Suppression.objects.create(payload_hash=media.payload_hash, erased=True, **sides(LEFT))
    use(owner)

    assert not Face.objects.exists()
    assert not names.offered()


def test_a_second_name_for_the_same_face_draws_no_second_face(owner):
    media = photo(LEFT, Ana=LEFT)
    use(owner)
    Region.objects.create(media=media, name="Anna", source="mwg", **sides(LEFT))
    use(owner)

    assert named() == [("Ana", 0.1)]
    assert media.faces.count() == 1


def test_names_accepted_by_somebody_who_may_no_longer_are_offered_again(owner):
    photo(LEFT, Anna=LEFT)
    job = names.accept(owner)
    User.objects.update(role="member")
    run(job)

    assert named() == []
    assert names.offered().regions == 1


def test_names_accepted_by_somebody_who_is_gone_are_offered_again(owner):
    media = photo(Anna=LEFT, state=None)
    names.accept(owner)
    owner.delete()
    names.faces_named([media.pk])

    assert (named(), names.offered().regions) == ([], 1)


# --- later ---


def test_a_photo_that_is_not_analysed_yet_gets_its_names_with_its_faces(owner, photos, analyzer):
    path = photos[0]
    media = make_media(path)
    analysis.plan([media.pk], parent=None)
    faces = analyzer(path)
    box = faces.boxes[0] / [faces.width, faces.height, faces.width, faces.height]
    Region.objects.create(media=media, name="Anna", source="mwg", **sides(map(float, box)))
    job = use(owner)
    assert named() == []

    waiting = claimed("analyse")
    outcome = Outcome(str(path), faces, None)
    analysis.record_faces(waiting.pk, waiting.ticket, [(media.pk, outcome)])

    found = Face.objects.get(person__name="Anna")
    assert (found.source, found.x1) == ("detector", pytest.approx(float(box[0])))
    assert {str(each.batch) for each in Decision.objects.all()} == {job.payload["batch"]}


def test_names_that_nobody_accepted_are_not_used_when_faces_arrive():
    media = photo(LEFT, Anna=LEFT)
    with CaptureQueriesContext(connection) as queries:
        names.faces_named([media.pk])

    assert named() == []
    assert len(queries) == 1


# --- undone ---


def test_taking_it_back_takes_all_back_and_offers_the_names_again(owner):
    photo(LEFT, Anna=LEFT, Ben=RIGHT)
    later = photo(Cleo=LEFT, state=None)
    job = use(owner)
    take_back(owner, job)

    assert named() == []
    assert [face.box for face in Face.objects.all()] == [LEFT]
    assert not Person.objects.exclude(name="").exists()
    assert names.offered().regions == 3
    names.faces_named([later.pk])
    assert named() == []

    use(owner)
    assert named() == [("Anna", 0.1), ("Ben", 0.6)]


def test_a_face_that_only_the_file_knew_stays_if_somebody_named_it_since(owner):
    media = photo(Anna=LEFT)
    job = use(owner)
    people.assign(owner, media.faces.all(), "Eva")
    take_back(owner, job)

    assert named() == [("Eva", 0.1)]


def test_taking_one_answer_back_leaves_others(owner):
    photo(LEFT, RIGHT, Anna=LEFT, Ben=RIGHT)
    first = use(owner, "Anna")
    use(owner, "Ben")
    take_back(owner, first)

    assert named() == [("Ben", 0.6)]
    assert names.offered().examples == ("Anna",)


# --- end to end ---


def test_the_names_in_real_portraits_find_the_right_faces(media, tmp_path, owner, analyzer):
    folder = media / "formats" / "metadata" / "faces"
    for path in folder.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    imported(tmp_path)
    use(owner)
    while Job.objects.filter(kind="analyse", state="waiting").exists():
        waiting = claimed("analyse")
        for pk in waiting.payload["media"]:
            path = Location.objects.select_related("collection").get(media=pk).file
            outcome = Outcome(str(path), analyzer(path), None)
            analysis.record_faces(waiting.pk, waiting.ticket, [(pk, outcome)])
        Job.objects.filter(pk=waiting.pk).update(state="done")

    found = Face.objects.exclude(person=None).order_by("person__name")
    for each in Media.objects.all():
        told = list(found.filter(media=each).values_list("person__name", "source"))
        # He stands in profile, and only the file knows where.
        assert told == [("Marie Curie", "detector"), ("Pierre Curie", "metadata")]
    assert (Media.objects.count(), Person.objects.count()) == (2, 2)


def test_the_cost_does_not_grow_with_the_photos_of_a_person(owner):
    def queries(count):
        for _ in range(count):
            photo(LEFT, Anna=LEFT)
        job = names.accept(owner)
        with CaptureQueriesContext(connection) as captured:
            run(job)
        return len(captured)

    queries(1)  # makes the person
    assert queries(2) == queries(20)
