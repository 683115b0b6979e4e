import json
import threading
from dataclasses import replace

import pytest
from django.db import connection
from django.utils import timezone

from lookwho.core.errors import Cancelled, Conflict, Forbidden, Invalid
from lookwho.core.identify import Settings
from lookwho.core.reliability import Figures
from lookwho.core.trial import Verdict
from lookwho.library.models import (
    Audit,
    Decision,
    DecisionFace,
    Embedding,
    Face,
    Fit,
    Job,
    Person,
    Setting,
)
from lookwho.library.queries import fits
from lookwho.services import analysis, learning, people, rounds
from tests.people import a_user, faces_of_vectors, fresh, lookalikes
from tests.work import make_job

pytestmark = pytest.mark.django_db

# Settings that recognise nobody, kept as a fit keeps them.
DEAF = json.dumps(replace(Settings.default(), shift=-1e5).to_json()).encode()
GOOD = json.dumps(Settings.default().to_json()).encode()


def a_library(people=30, *, audited=7, strangers=0, by=None, decided=True):
    """So many people with 4 confirmed faces each, and some of each and strangers in the audit."""
    vectors = lookalikes(people + strangers, 4 + audited).reshape(
        people + strangers, 4 + audited, -1
    )
    known = [Person.objects.create(name=f"Person {at}") for at in range(people)]
    confirmed = faces_of_vectors(vectors[:people, :4].reshape(people * 4, -1))
    for at, face in enumerate(confirmed):
        face.person = known[at // 4]
    Face.objects.bulk_update(confirmed, ["person"])
    if decided:
        by = by or a_user()
        say_all(by, confirmed)
    asked = faces_of_vectors(vectors[:people, 4:].reshape(people * audited, -1))
    for at, face in enumerate(asked):
        face.person = known[at // audited]
    Face.objects.bulk_update(asked, ["person"])
    others = faces_of_vectors(vectors[people:, 4])
    drawn(asked, "named")
    drawn(others, "stranger")
    return known, confirmed, asked


def say_all(by, faces):
    """One decision for each face, that it is who it is."""
    said = Decision.objects.bulk_create(
        Decision(actor=by, verb="confirm", person=face.person) for face in faces
    )
    DecisionFace.objects.bulk_create(
        DecisionFace(
            decision=decision, face=face, payload_hash=face.media.payload_hash,
            x1=face.x1, y1=face.y1, x2=face.x2, y2=face.y2,
        )
        for decision, face in zip(said, faces, strict=True)
    )  # fmt: skip
    return said


def say(by, face, person, verb="confirm"):
    decision = Decision.objects.create(actor=by, verb=verb, person=person)
    DecisionFace.objects.create(
        decision=decision, face=face, payload_hash=face.media.payload_hash,
        x1=face.x1, y1=face.y1, x2=face.x2, y2=face.y2,
    )  # fmt: skip
    return decision


def drawn(faces, state):
    return Audit.objects.bulk_create(
        Audit(
            face=face, payload_hash=face.media.payload_hash, x1=face.x1, y1=face.y1, x2=face.x2,
            y2=face.y2, event=f"photo {face.media_id}", state=state, person=face.person,
            answered_at=timezone.now(),
        )
        for face in faces
    )  # fmt: skip


def learn():
    learning.run_learn(make_job("learn", state="leased"), beat=lambda done: None)
    return Fit.objects.order_by("-pk").first()


def a_fit(state=GOOD, **more):
    return Fit.objects.create(pack=analysis.current_pack(), state=state, **more)


def waiting():
    return set(Job.objects.filter(state="waiting").values_list("kind", flat=True)) - {None}


# --- what comes into use ---


def test_with_too_few_answers_a_fit_is_kept_but_not_used():
    a_library(10)
    fit = learn()

    assert fit.figures["verdict"] == Verdict.TOO_FEW
    assert (fit.active, fit.figures["answers"], fit.figures["used"]) == (False, 70, None)
    assert fits.active_settings(fit.pack_id) is None


def test_with_enough_answers_and_no_loss_it_comes_into_use_and_a_pass_follows():
    a_library(30, strangers=10)
    fit = learn()

    assert (fit.figures["verdict"], fit.active) == (Verdict.USED, True)
    assert isinstance(fits.active_settings(fit.pack_id), Settings)
    assert [each["what"] for each in fit.figures["history"]] == ["learned"]
    figures = Figures.from_json(fit.figures["now"])
    assert (figures.faces, figures.known) == (220, 210)
    assert figures.at(0.5).wrong == 0
    assert figures.at(0.5).right > 200
    assert figures.people[Person.objects.order_by("pk").first().pk].faces == 7
    assert "group" in waiting()


def test_a_fit_that_does_worse_is_refused_and_kept():
    a_library(30)
    good = a_fit(active=True, figures={"verdict": "used"})
    # Once it was made there were too few answers; now there are enough.
    bad = a_fit(DEAF, learned_until=10**6, figures={"verdict": "too_few"})
    assert learn() == bad

    good, bad = fresh([good, bad])
    assert (good.active, bad.active) == (True, False)
    assert bad.figures["verdict"] == Verdict.REFUSED
    assert bad.figures["gain"][2] < -0.9
    # What is shown is about what is in use.
    assert Figures.from_json(bad.figures["now"]).at(0.5).right > 200
    assert bad.figures["used"] == good.pk
    assert "group" not in waiting()


def test_a_better_fit_takes_the_place_of_a_bad_one():
    a_library(30)
    bad = a_fit(DEAF, active=True, figures={"verdict": "used"})
    good = a_fit(learned_until=10**6, figures={"verdict": "too_few"})
    learn()

    bad, good = fresh([bad, good])
    assert (bad.active, good.active) == (False, True)
    assert good.figures["gain"][0] > 0.9
    assert len(good.figures["rounds"]) == 2


def test_the_rounds_before_are_judged_on_the_faces_of_today():
    by = a_user()
    _, confirmed, _ = a_library(30, by=by, decided=False)
    half = say_all(by, confirmed[:60])
    # The first round knew half of the people, all else is as it is.
    a_fit(active=True, learned_until=half[-1].pk, figures={"verdict": "used"})
    say_all(by, confirmed[60:])
    fit = learn()
    first, second = fit.figures["rounds"]

    assert first["cost"][1] <= 105 < 200 < second["cost"][1]
    assert first["cost"][3] >= 105  # of all who can be known today
    assert first["gain"] is None
    assert second["gain"][0] > 0.45
    assert second["fit"] == fit.pk


def test_measuring_again_makes_no_new_round():
    a_library(30)
    first = learn()
    again = learn()

    assert Fit.objects.count() == 1
    assert again.figures["verdict"] == Verdict.USED
    assert again.figures["measured_at"] > first.figures["measured_at"]
    assert [each["what"] for each in again.figures["history"]] == ["learned"]


def test_a_library_without_anything_can_be_measured():
    fit = learn()

    assert (fit.active, fit.figures["answers"]) == (False, 0)
    assert Figures.from_json(fit.figures["now"]).faces == 0


def test_a_fit_holds_numbers_and_no_vector_of_anybody():
    a_library(30)
    fit = learn()
    kept = bytes(fit.state) + json.dumps(fit.figures).encode()

    def longest_row(told):
        if isinstance(told, dict):
            return max(map(longest_row, told.values()), default=0)
        if isinstance(told, list):
            numbers = sum(isinstance(each, float) for each in told)
            return max(numbers, *map(longest_row, told), 0)
        return 0

    assert longest_row([json.loads(bytes(fit.state)), fit.figures]) < 30
    for vector in Embedding.objects.values_list("vector", flat=True):
        assert bytes(vector)[:16] not in kept


def test_a_job_that_is_stopped_leaves_nothing_behind():
    a_library(30)

    def stop(done):
        raise Cancelled("it is to stop")

    with pytest.raises(Cancelled):
        learning.run_learn(make_job("learn", state="leased"), beat=stop)
    assert not Fit.objects.exists()


def test_what_was_rolled_back_meanwhile_is_not_written_over():
    a_library(30)
    mine = a_fit(active=True, figures={"verdict": "used"})
    a_fit(learned_until=10**6, figures={"verdict": "too_few"})
    done = []

    def meanwhile(_):
        if not done:
            done.append(Fit.objects.filter(pk=mine.pk).update(active=False))

    learning.run_learn(make_job("learn", state="leased"), beat=meanwhile)

    assert not Fit.objects.filter(active=True).exists()
    assert "learn" in waiting()


@pytest.mark.parametrize("state", (b"", b"{}", b"[1]", b'{"intercept": 1}', b"\xff"))
def test_what_another_version_kept_counts_as_shipped(state):
    fit = a_fit(state, active=True)

    assert fits.active_settings(fit.pack_id) == Settings.default()


# --- what is known ---


def test_nothing_is_learned_from_faces_of_the_audit():
    _, confirmed, asked = a_library(5)
    evidence = rounds.known(analysis.current_pack())

    assert len(evidence) == len(confirmed) == 20
    kept = {bytes(row.tobytes()) for row in evidence.embeddings}
    theirs = Embedding.objects.filter(face__in=[face.pk for face in asked])
    assert not kept & {bytes(vector) for vector in theirs.values_list("vector", flat=True)}


def test_what_was_known_can_be_worked_out_again():
    by, pack = a_user(), analysis.current_pack()
    faces = faces_of_vectors(lookalikes(4, 1))
    anna, ben = (Person.objects.create(name=name) for name in ("Anna", "Ben"))
    done = people.confirm(by, faces[:2], anna)
    first = Decision.objects.latest("pk").pk
    people.confirm(by, faces[1:3], ben)
    second = Decision.objects.latest("pk").pk
    people.undo(by, done.batch)
    people.reject(by, [faces[2]], ben)
    third = Decision.objects.latest("pk").pk

    def known(until):
        return rounds.known_at(pack, until).people.tolist()

    assert known(0) == []
    assert known(first) == [anna.pk, anna.pk]
    assert known(second) == [anna.pk, ben.pk, ben.pk]
    assert known(third) == [ben.pk] == rounds.known(pack).people.tolist()


def test_whoever_was_merged_since_is_who_they_are_now():
    by, pack = a_user(), analysis.current_pack()
    faces = faces_of_vectors(lookalikes(2, 1))
    anna, ann = (Person.objects.create(name=name) for name in ("Anna", "Ann"))
    people.confirm(by, faces[:1], anna)
    people.confirm(by, faces[1:], ann)
    before = Decision.objects.latest("pk").pk
    people.merge(by, ann, anna)

    assert rounds.known_at(pack, before).people.tolist() == [anna.pk] * 2
    assert rounds.known(pack).people.tolist() == [anna.pk] * 2


def test_people_without_a_name_are_suggested_to_nobody():
    [face] = faces_of_vectors(lookalikes(1, 1))
    people.confirm(a_user(), [face], Person.objects.create())

    assert len(rounds.known(analysis.current_pack())) == 0


def test_an_answer_that_was_corrected_since_counts_as_corrected():
    _, _, asked = a_library(5)
    other = Person.objects.create(name="Somebody else")
    Face.objects.filter(pk=asked[0].pk).update(person=other)
    Face.objects.filter(pk=asked[1].pk).update(person=None)
    Face.objects.filter(pk=asked[2].pk).update(dismissed=True)
    audit = rounds.audited(analysis.current_pack())

    assert len(audit.faces) == len(asked) - 2 == fits.answers()
    assert audit.faces.people[0] == other.pk


def test_a_stranger_is_asked_about_again_once_somebody_like_them_has_a_name():
    by = a_user()
    vectors = lookalikes(31, 6).reshape(31, 6, -1)
    a_library(30)
    met, *theirs = faces_of_vectors(vectors[30])
    [row] = drawn([met], "stranger")
    early = learn()
    assert early.figures["answers"] == 211

    people.assign(by, theirs, "Newcomer")
    late = learn()
    row.refresh_from_db()
    assert (row.state, row.answered_at) == ("drawn", None)
    assert late.figures["answers"] == 210


# --- when ---


def test_a_fit_is_made_after_fifty_decisions():
    by, [face] = a_user(), faces_of_vectors(lookalikes(1, 1))
    person = Person.objects.create(name="Anna")
    for _ in range(49):
        say(by, face, person)
    learning.ask_if_due()
    assert waiting() == set()

    say(by, face, person)
    learning.ask_if_due()
    learning.ask_if_due()
    assert Job.objects.filter(kind="learn").count() == 1
    learn()
    Job.objects.all().delete()
    learning.ask_if_due()
    assert waiting() == set()


def test_a_fit_that_waits_for_answers_is_looked_at_once_they_are_there():
    a_library(28)  # 196 answers
    learn()
    learning.ask_if_due()
    assert waiting() == set()

    drawn(faces_of_vectors(lookalikes(4, 1, seed=5)), "stranger")
    learning.ask_if_due()
    assert waiting() == {"learn"}
    assert learn().figures["verdict"] == Verdict.USED


# --- what owners and curators choose ---


def test_an_older_fit_is_put_back_and_that_is_remembered():
    by = a_user("curator")
    old, new = a_fit(), a_fit(DEAF, active=True)
    learning.roll_back(by, old)

    old, new = fresh([old, new])
    assert (old.active, new.active) == (True, False)
    assert (old.figures["history"][0]["what"], old.figures["history"][0]["by"]) == (
        "put back",
        by.username,
    )
    assert waiting() == {"group", "learn"}
    with pytest.raises(Conflict):
        learning.roll_back(by, old)
    learning.roll_back(by, None)
    assert fits.active_fit(old.pack_id) is None
    with pytest.raises(Conflict):
        learning.roll_back(by, None)


def test_a_threshold_is_kept_with_the_one_before():
    assert fits.threshold() == 0.5
    learning.set_threshold(a_user(), 0.8)
    learning.set_threshold(a_user(), 0.9)

    assert fits.threshold() == 0.9
    assert Setting.objects.get().value == {"probability": 0.9, "before": 0.8}
    assert waiting() == {"group", "learn"}


@pytest.mark.parametrize("probability", (0.49, 1.0, -1, float("nan"), float("inf")))
def test_a_threshold_that_cannot_be_is_refused(probability):
    with pytest.raises(Invalid):
        learning.set_threshold(a_user(), probability)
    assert not Setting.objects.exists()


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_others_steer_nothing(role):
    fit = a_fit()
    with pytest.raises(Forbidden):
        learning.roll_back(a_user(role), fit)
    with pytest.raises(Forbidden):
        learning.set_threshold(a_user(role), 0.9)
    assert not Fit.objects.filter(active=True).exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_who_put_a_fit_back_at_once_one_is_in_use_at_the_end():
    by = a_user()
    rows = [a_fit() for _ in range(4)]
    wrong = []

    def put_back(row):
        try:
            learning.roll_back(by, row)
        except Conflict:
            pass
        except Exception as error:  # whatever it is, the test tells
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=put_back, args=[row]) for row in rows * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert Fit.objects.filter(active=True).count() == 1
