import json
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from lookwho.core.reliability import Cost, Figures, Outcomes, Share, costs
from lookwho.library.models import Fit, Job, Person, Setting
from lookwho.library.queries import fits
from lookwho.services import analysis
from lookwho.web.quality import HEIGHT, WIDTH, of_100, plotted
from tests.people import a_user
from tests.web.browser import PHONE

pytestmark = pytest.mark.django_db


def said(count, *, people=(), wrong=0, missed=0, strangers=0):
    """Outcomes of so many faces of these people, some wrong, some missed, and of strangers."""
    ids = [each.pk for each in people]
    truth = np.array([ids[at % len(ids)] for at in range(count)] + [0] * strangers, np.int64)
    total = count + strangers
    guessed, sure = truth.copy(), np.full(total, 0.97)
    guessed[:wrong] = ids[-1]
    sure[wrong : wrong + missed] = 0.3
    sure[count:] = 0.05
    guessed[count:] = ids[0]
    return Outcomes(guessed, sure, truth, truth > 0, np.arange(total))


def a_round(outcomes=None, *, number=1, verdict="used", **more):
    """A fit with its figures, as a job of learning leaves it."""
    figures = {"verdict": verdict, "gain": [0.02, 0.0, 0.05], "history": []}
    row = Fit.objects.create(
        pack=analysis.current_pack(), state=b"{}", learned_until=number, figures=figures, **more
    )
    if outcomes is not None:
        earlier = Fit.objects.order_by("pk")
        [cost] = costs(outcomes, (0.5,))
        told = [
            {"fit": each.pk, "gain": [0.1, 0.05, 0.15], "cost": cost.to_json()} for each in earlier
        ]
        row.figures |= {
            "now": Figures.of(outcomes, fits.THRESHOLDS, 0.5).to_json(),
            "rounds": told,
            "measured_at": (timezone.now() - timedelta(hours=3)).isoformat(),
            "evidence": [900, 40],
        }
        row.save()
    return row


def some_people():
    return [Person.objects.create(name=name) for name in ("Anna", "Ben", "Cleo")]


# --- who may ---


def addresses():
    row = Fit.objects.create(pack=analysis.current_pack(), state=b"{}")
    return (
        (reverse("threshold"), {"threshold": "80"}),
        (reverse("measure"), {}),
        (reverse("use-fit", args=[row.pk]), {}),
        (reverse("use-shipped"), {}),
    )


@pytest.mark.parametrize(("role", "status"), (("member", 404), ("annotator", 404), (None, 302)))
def test_only_who_sees_everything_sees_and_steers_it(client, role, status):
    if role:
        client.force_login(a_user(role))

    assert client.get("/quality").status_code == status
    for path, sent in addresses():
        assert client.post(path, sent).status_code == status
    assert not Fit.objects.filter(active=True).exists()
    assert not Setting.objects.exists()
    assert not Job.objects.exists()


def test_a_curator_sees_it(client):
    client.force_login(a_user("curator"))

    assert client.get("/quality").status_code == 200


# --- what is shown ---


def test_below_enough_answers_it_says_so(as_owner):
    shown = as_owner.get("/quality").content.decode()

    assert "Not enough yet" in shown
    assert "0 of 200 answers" in shown
    assert "0 of 50 decisions" in shown


def test_few_answers_are_told_only_where_one_looks_for_them(as_owner):
    a_round(said(40, people=some_people()), verdict="too_few")
    shown = as_owner.get("/quality").content.decode()

    assert "<h1>Not enough yet</h1>" in shown
    assert "What the first 40 answers say" in shown
    assert "not compared: too few answers" in shown
    assert "Errors after each round" not in shown


def test_it_says_in_plain_words_how_many_are_right_and_missed(as_owner):
    a_round(said(200, people=some_people(), wrong=4, missed=16, strangers=100), active=True)
    shown = as_owner.get("/quality").content.decode()

    # 181 of 184 names, since one of the first four is the last person's; 16 of 200 are missed.
    assert "Of 100 names, 98 are right" in shown
    assert "you named, 8 are missed" in shown
    assert "in use" in shown
    assert "10 better (5 to 15)" in shown
    assert "900 confirmed faces of 40 people" in shown


def test_those_with_the_most_errors_come_first_and_by_name(as_owner):
    anna, ben, cleo = some_people()
    a_round(said(300, people=[anna, ben, cleo], wrong=30), active=True)
    shown = as_owner.get("/quality").content.decode()
    table = shown[shown.index("Who is recognised") :]

    # Cleo's name was given to the others.
    assert table.index("Cleo") < table.index("Anna") < table.index("Ben")


def test_a_person_who_is_gone_or_hidden_is_not_told_of(as_owner):
    people = some_people()
    a_round(said(300, people=people), active=True)
    Person.objects.filter(name="Anna").delete()
    Person.objects.filter(name="Ben").update(hidden=True)
    # The search field on top has an example of its own.
    _, shown = as_owner.get("/quality").content.decode().split("<main", 1)

    assert "Cleo" in shown
    assert "Anna" not in shown
    assert "Ben" not in shown


def test_people_come_in_pages(as_owner):
    people = [Person.objects.create(name=f"Person {at:02}") for at in range(30)]
    a_round(said(300, people=people), active=True)
    first = as_owner.get("/quality").content.decode()
    second = as_owner.get("/quality?skip=25").content.decode()

    assert first.count("Person ") == 25
    assert second.count("Person ") == 5
    assert "?skip=25#everyone" in first
    assert as_owner.get("/quality?skip=nonsense").status_code == 200


def test_it_takes_a_fixed_number_of_queries(as_owner):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as found:
            as_owner.get("/quality")
        return len(found)

    a_round(said(210, people=some_people()), active=True)
    Job.objects.create(kind="group", state="done", finished_at=timezone.now(), payload=a_pass())
    one = queries()
    for number in range(2, 5):
        a_round(said(300, people=some_people()), number=number)
        Job.objects.create(kind="group", state="done", finished_at=timezone.now(), payload=a_pass())

    assert queries() == one


def a_pass():
    return {"faces": 1234, "fresh": 5, "moved": 7, "churn": 0.004, "seconds": 2.0, "whole": False}


def test_what_the_last_passes_moved_is_told(as_owner):
    Job.objects.create(kind="group", state="done", finished_at=timezone.now(), payload=a_pass())
    shown = as_owner.get("/quality").content.decode()

    assert "0.4 % changed company" in shown
    assert "1,234 faces, 5 new, 7 guesses written" in shown


# --- what is chosen ---


def test_a_threshold_is_saved_and_can_be_set_back(as_owner):
    as_owner.post("/quality/threshold", {"threshold": "85"})

    assert fits.threshold() == 0.85
    assert set(Job.objects.values_list("kind", flat=True)) == {"group", "learn"}
    assert "Set it back to 50 %" in as_owner.get("/quality").content.decode()
    as_owner.post("/quality/threshold", {"threshold": "50"})
    assert fits.threshold() == 0.5


@pytest.mark.parametrize("percent", ("", "nonsense", "49", "100", "-60", "1e2", "9" * 400))
def test_a_threshold_that_cannot_be_is_refused(as_owner, percent):
    answer = as_owner.post("/quality/threshold", {"threshold": percent})

    assert answer.status_code in (400, 422)
    assert not Setting.objects.exists()


def test_an_older_round_is_put_back_into_use(as_owner, owner):
    old, new = a_round(number=1), a_round(number=2, active=True)
    as_owner.post(f"/quality/fits/{old.pk}/use")

    assert list(Fit.objects.filter(active=True)) == [old]
    assert f"put back by {owner.username}" in as_owner.get("/quality").content.decode()
    as_owner.post("/quality/shipped")
    assert not Fit.objects.filter(active=True).exists()
    assert f"put away by {owner.username}" in as_owner.get("/quality").content.decode()
    assert as_owner.post(f"/quality/fits/{new.pk + 1}/use").status_code == 404


# --- the plots ---


@pytest.mark.parametrize(
    ("share", "told"), ((0, 0), (0.001, 1), (0.3, 30), (0.999, 99), (1.0, 100), (1e-9, 1))
)
def test_nothing_and_all_are_said_only_where_it_is_so(share, told):
    assert of_100(share) == told


def test_the_plot_holds_all_points_and_grows_with_the_errors():
    class Told:
        def __init__(self, lost):
            share = Share(lost, lost / 2, min(1, lost * 2))
            self.cost = Cost(0.5, 1, 1, 1, Share(0.9, 0.8, 1.0), share)

    top, lines = plotted([Told(0.6), Told(0.3), Told(0.0)])

    assert top == 60
    assert [line.name for line in lines] == ["missed", "wrong"]
    missed = lines[0].points
    assert missed[0].y == 0
    assert missed[0].y < missed[1].y < missed[2].y < HEIGHT
    assert all(0 < point.x < WIDTH for point in missed)
    assert plotted([])[1][0].points == []


# --- in a browser ---


def a_measured_library():
    people = some_people()
    outcomes = said(300, people=people, wrong=4, missed=20, strangers=60)
    sure = np.linspace(0.05, 0.99, len(outcomes.truth))
    shaky = Outcomes(outcomes.people, sure, outcomes.truth, outcomes.known, outcomes.events)
    a_round(number=1, verdict="too_few")
    a_round(number=2)
    a_round(shaky, number=3, active=True)
    return {round(100 * cost.threshold): cost for cost in costs(shaky, fits.THRESHOLDS)}


@pytest.mark.django_db(transaction=True)
def test_the_slider_tells_what_it_costs_before_it_is_saved(open_page, owner):
    costs_of = a_measured_library()
    page = open_page("/quality", owner)
    slider, cost = page.get_by_role("slider"), page.locator("[data-cost]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    at = costs_of[51]
    expect(cost).to_have_text(
        f"Of 360 faces: {at.right} get the right name, {at.wrong} a wrong one, "
        f"and {at.missed} of named people get none."
    )
    page.keyboard.press("End")
    at = costs_of[99]
    expect(cost).to_contain_text(f"{at.right} get the right name")
    assert not Setting.objects.exists()
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.locator(".toast")).to_contain_text("From 99% on")
    assert fits.threshold() == 0.99


@pytest.mark.django_db(transaction=True)
def test_on_a_phone_nothing_is_wider_than_the_page(open_page, owner):
    a_measured_library()
    page = open_page("/quality", owner, size=PHONE)
    for fold in page.locator("main details").all():
        fold.locator("summary").click()

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    told = json.loads(page.locator("[data-threshold]").get_attribute("data-costs"))
    assert set(told) == {str(percent) for percent in range(50, 100)}
