"""Quality through the API: figures, fits, the threshold; and that nobody else gets them."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from lookwho.core.reliability import Figures, Outcomes, costs
from lookwho.library.models import Fit, Job, Person, Setting
from lookwho.library.queries import fits
from lookwho.services import accounts, analysis

JSON = "application/json"

pytestmark = pytest.mark.django_db


def a_fit(outcomes=None, **more):
    row = Fit.objects.create(
        pack=analysis.current_pack(),
        state=b"{}",
        figures={"verdict": "used", "gain": [0.02, 0.0, 0.05], "history": []},
        **more,
    )
    if outcomes is not None:
        [cost] = costs(outcomes, (0.5,))
        row.figures |= {
            "now": Figures.of(outcomes, fits.THRESHOLDS, 0.5).to_json(),
            "rounds": [{"fit": row.pk, "gain": None, "cost": cost.to_json()}],
            "measured_at": (timezone.now() - timedelta(hours=1)).isoformat(),
            "evidence": [90, 4],
        }
        row.save()
    return row


def measured():
    """220 faces of Anna, of which 11 are missed, and one that is taken for Ben."""
    anna, ben = (Person.objects.create(name=name) for name in ("Anna", "Ben"))
    truth = np.full(220, anna.pk)
    people, sure = truth.copy(), np.full(220, 0.9)
    people[0], sure[1:12] = ben.pk, 0.2
    return Outcomes(people, sure, truth, np.ones(220, bool), np.arange(220))


def test_it_says_how_good_lookwho_is(owner):
    a_fit(measured(), active=True)
    told = owner.get("/api/v1/quality").json()

    assert (told["enough"], told["faces"], told["known"], told["threshold"]) == (
        True,
        220,
        220,
        0.5,
    )
    assert (told["cost"]["right"], told["cost"]["wrong"], told["cost"]["missed"]) == (208, 1, 11)
    precision = told["cost"]["precision"]
    assert precision["low"] < precision["value"] == 0.9952 < precision["high"] <= 1
    assert told["cost"]["missed_share"]["value"] == 0.05
    assert [cost["threshold"] for cost in told["costs"]] == list(fits.THRESHOLDS)
    assert len(told["bins"]) == 15
    anna, ben = told["people"]
    assert (anna["name"], anna["faces"], anna["right"], anna["missed"]) == ("Anna", 220, 208, 11)
    assert (ben["name"], ben["taken"]) == ("Ben", 1)


def test_below_enough_answers_it_says_so(owner):
    told = owner.get("/api/v1/quality").json()

    assert (told["enough"], told["answers"], told["needed"]) == (False, 0, 200)
    assert (told["cost"], told["people"], told["passes"]) == (None, [], [])


def test_people_come_in_pages(owner):
    a_fit(measured())

    assert len(owner.get("/api/v1/quality?skip=1").json()["people"]) == 1
    assert owner.get("/api/v1/quality?skip=-5").status_code == 200


def test_an_older_fit_is_put_back(owner):
    old, new = a_fit(measured()), a_fit(active=True)
    assert owner.post(f"/api/v1/quality/fits/{old.pk}/use").status_code == 200

    told = owner.get("/api/v1/quality/fits").json()
    assert [(each["id"], each["active"]) for each in told] == [(old.pk, True), (new.pk, False)]
    assert told[0]["events"][0]["what"] == "put back"
    assert owner.post(f"/api/v1/quality/fits/{old.pk}/use").status_code == 409
    assert owner.post("/api/v1/quality/fits/0/use").status_code == 200
    assert not Fit.objects.filter(active=True).exists()
    assert owner.post(f"/api/v1/quality/fits/{new.pk + 9}/use").status_code == 404


def test_the_threshold_is_changed_and_set_back(owner):
    told = owner.put("/api/v1/quality/threshold", {"threshold": 0.9}, JSON).json()

    assert (told["threshold"], told["before"]) == (0.9, 0.5)
    told = owner.put("/api/v1/quality/threshold", {"threshold": told["before"]}, JSON).json()
    assert (told["threshold"], told["before"]) == (0.5, 0.9)


@pytest.mark.parametrize(
    "sent", ('{"threshold": 0.2}', '{"threshold": 1}', '{"threshold": NaN}', "{}")
)
def test_a_threshold_that_cannot_be_is_refused(owner, sent):
    answer = owner.generic("PUT", "/api/v1/quality/threshold", sent, content_type=JSON)

    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"code", "message"}
    assert not Setting.objects.exists()


def test_the_figures_are_worked_out_when_asked_for(owner):
    assert owner.post("/api/v1/quality/measure").status_code == 202
    assert Job.objects.get().kind == "learn"
    assert owner.get("/api/v1/quality").json()["measuring"]


@pytest.mark.parametrize("role", ("member", "annotator", None))
def test_nobody_else_gets_anything(ask, role):
    row = a_fit(measured())
    client = ask(role and accounts.make_user("Somebody", role))
    refused = 404 if role else 401

    for path in ("/api/v1/quality", "/api/v1/quality/fits"):
        answer = client.get(path)
        assert answer.status_code == refused
        assert "Anna" not in answer.content.decode()
    for path in ("/api/v1/quality/measure", f"/api/v1/quality/fits/{row.pk}/use"):
        assert client.post(path).status_code == refused
    body = json.dumps({"threshold": 0.9})
    answer = client.generic("PUT", "/api/v1/quality/threshold", body, content_type=JSON)
    assert answer.status_code == refused
    assert not Setting.objects.exists()
    assert not Job.objects.exists()
    assert not Fit.objects.filter(active=True).exists()


def test_a_curator_may(ask):
    client = ask(accounts.make_user("Cora", "curator"))

    assert client.get("/api/v1/quality").status_code == 200
    assert client.put("/api/v1/quality/threshold", {"threshold": 0.7}, JSON).status_code == 200
