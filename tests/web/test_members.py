"""Members: who may do what, their figures, and invitations by link."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from lookwho.library.models import Answer, Label, Share, User
from lookwho.library.queries import members as queries
from lookwho.services import accounts, labelling, labels
from lookwho.services.labelling import Choice
from tests.people import a_person, a_user, some_faces
from tests.web.browser import PHONE

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_the_page_is_for_owners_alone(client, owner, role):
    eve, share = a_user(role), accounts.invite(owner) and Share.objects.get()
    client.force_login(eve)

    assert client.get("/members").status_code == 404
    for path in ("invite", eve.uuid, f"invitations/{share.uuid}/revoke"):
        assert client.post(f"/members/{path}", {"role": "owner"}).status_code == 404
    assert "Members" not in client.get("/photos").content.decode()
    eve.refresh_from_db()
    share.refresh_from_db()
    assert (eve.role, share.revoked_at) == (role, None)


def test_somebody_is_invited_by_name_and_comes_in_with_their_role(as_owner):
    told = {"name": "Ben", "role": "annotator", "days": "14"}
    page = as_owner.post("/members/invite", told).content.decode()
    link = re.search(r'value="(http[^"]+/join/[^"]+)"', page)[1]
    ben = Client()
    assert "Ben, you are invited" in ben.get(link).content.decode()

    assert ben.post(link, {"name": "Ben"}).status_code == 302

    user = User.objects.get(username="Ben")
    assert (user.role, ben.session["_auth_user_id"]) == ("annotator", str(user.pk))
    assert Client().get(link).status_code == 410
    assert link not in as_owner.get("/members").content.decode()


def test_a_name_that_is_taken_can_be_another_one(as_owner):
    accounts.make_user("Ben")
    page = as_owner.post("/members/invite", {"name": "Ben", "role": "member", "days": "3"})
    link = re.search(r'value="(http[^"]+)"', page.content.decode())[1]
    other = Client()

    refused = other.post(link, {"name": "Ben"})
    assert refused.status_code == 409
    assert 'role="alert"' in refused.content.decode()
    assert other.post(link, {"name": "Ben B."}).status_code == 302


@pytest.mark.parametrize(
    "told",
    (
        {"role": "owner", "days": "3"},
        {"role": "member", "days": "x"},
        {"role": "member", "days": "91"},
        {"role": "member", "days": "3", "name": "a\x00"},
    ),
)
def test_an_invitation_that_cannot_be_is_said(as_owner, told):
    answer = as_owner.post("/members/invite", told)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Share.objects.exists()


def test_an_invitation_is_withdrawn(as_owner, owner):
    accounts.invite(owner, name="Ben")
    assert "for Ben" in as_owner.get("/members").content.decode()

    as_owner.post(f"/members/invitations/{Share.objects.get().uuid}/revoke")

    assert "There are none" in as_owner.get("/members").content.decode()


def test_roles_are_changed_and_users_shut_out_and_let_in(as_owner, owner):
    anna = accounts.make_user("Anna")
    as_owner.post(f"/members/{anna.uuid}", {"role": "curator"})
    anna.refresh_from_db()
    assert anna.role == "curator"
    for active in ("0", "1"):
        as_owner.post(f"/members/{anna.uuid}", {"active": active})
        anna.refresh_from_db()
        assert anna.is_active == (active == "1")

    answer = as_owner.post(f"/members/{owner.uuid}", {"role": "member"})

    assert answer.status_code == 409
    assert "last owner" in answer.content.decode()


def test_the_figures_of_an_annotator_are_shown(as_owner, owner):
    anna, ben = accounts.make_user("Anna", "annotator"), accounts.make_user("Ben", "annotator")
    a_person("Goldie", 3)
    some_faces(6)
    project = labelling.make_project(
        owner,
        "P",
        Choice(unconfirmed=True),
        labels_each=2,
        gold=0.3,
        annotators=[anna, ben],
    )
    for who in (anna, ben):
        while label := labels.next_label(who, project):
            labels.answer(who, label, "person", name="Goldie", seconds=4)
    Answer.objects.create(user=anna, question="face", verdict="yes", settled=5)
    Answer.objects.create(user=anna, question="face", verdict="skip")

    told = {each.user.username: each for each in queries.members(owner)}
    page = " ".join(as_owner.get("/members").content.decode().split())

    assert (told["Anna"].answers, told["Anna"].settled) == (1, 5)
    gold = Label.objects.filter(user=anna, task__gold=True).count()
    assert told["Anna"].labelling.right == gold
    assert "1 answer in Review, 5 faces resolved" in page
    assert "6 labels · agrees with others on 100 % of 6" in page
    assert "4.0 seconds each" in page
    assert queries.members(anna) == queries.invitations(anna) == []


def test_the_page_asks_the_database_as_often_for_many_as_for_one(as_owner, owner):
    counts = []
    for number in range(3):
        accounts.make_user(f"Anna {number}", "annotator")
        accounts.invite(owner, name=f"Ben {number}")
        with CaptureQueriesContext(connection) as asked:
            as_owner.get("/members")
        counts.append(len(asked))
    assert len(set(counts)) == 1


@pytest.mark.django_db(transaction=True)
def test_in_a_browser_a_role_is_saved_once_it_is_another(open_page):
    owner = a_user("owner")
    anna = accounts.make_user("Anna")
    page = open_page("/members", owner, size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    row = page.locator("li", has_text="Anna")
    expect(row.get_by_role("button", name="Save")).to_be_hidden()

    row.get_by_label("What Anna may do").select_option("annotator")
    row.get_by_role("button", name="Save").click()

    expect(page.locator(".toast")).to_contain_text("Anna is an annotator now")
    anna.refresh_from_db()
    assert anna.role == "annotator"
