"""One member with their times, a whole list of members, and the links that let them in."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from lookwho.library.models import Membership, Person, Team, User
from lookwho.library.queries import members as queries
from lookwho.services import accounts
from lookwho.services.memberships import NEVER
from tests.people import a_person, a_user
from tests.web.browser import PHONE

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(db):
    return accounts.make_user("Anna", email="anna@example.org")


def words(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def upload(text, name="members.csv"):
    return SimpleUploadedFile(name, text.encode())


@pytest.mark.parametrize("role", ("curator", "annotator", "member", None))
def test_these_pages_are_for_owners_alone(anna, role):
    row = Membership.objects.create(user=anna, since="2024-01-01")
    client = Client()
    if role:
        client.force_login(a_user(role))

    for method, path in (
        ("get", f"/members/{anna.uuid}/times"),
        ("post", f"/members/{anna.uuid}/times/add"),
        ("post", f"/members/{anna.uuid}/times/{row.pk}"),
        ("post", f"/members/{anna.uuid}/person"),
        ("post", f"/members/{anna.uuid}/let-in"),
        ("get", "/members/list"),
        ("post", "/members/list"),
    ):
        answer = getattr(client, method)(path, {"since": "2020-01-01", "until": "2020-02-01"})
        assert answer.status_code == (404 if role else 302), path
        assert "anna@example.org" not in answer.content.decode()
    assert Membership.objects.get().until is None


def test_times_are_added_ended_and_removed(as_owner, anna):
    path = f"/members/{anna.uuid}/times"
    assert "a member all the time" in words(as_owner.get(path))

    as_owner.post(f"{path}/add", {"since": "2020-01-01", "until": "2020-12-31"})
    page = words(as_owner.get(path))
    assert "1 Jan 2020 to 31 Dec 2020" in page
    assert "No member today" in page
    as_owner.post(f"{path}/add", {"since": "2024-01-01"})
    row = Membership.objects.get(until=None)
    assert "A member today" in words(as_owner.get(path))
    as_owner.post(f"{path}/{row.pk}", {"how": "end"})
    assert "former member" in words(as_owner.get("/members"))
    for each in Membership.objects.all():
        as_owner.post(f"{path}/{each.pk}", {"how": "remove"})

    assert not Membership.objects.exists()


@pytest.mark.parametrize(
    ("told", "reason"),
    (
        ({}, "when it began"),
        ({"since": "2020-01-02", "until": "2020-01-01"}, "before it begins"),
        ({"since": "soon"}, "no day"),
    ),
)
def test_a_time_that_cannot_be_is_said(as_owner, anna, told, reason):
    answer = as_owner.post(f"/members/{anna.uuid}/times/add", told)

    assert (answer.status_code, reason in words(answer)) == (422, True)
    assert 'role="alert"' in answer.content.decode()


def test_the_time_of_somebody_else_is_not_changed_by_a_wrong_address(as_owner, anna):
    row = Membership.objects.create(user=a_user("member"), since="2024-01-01")

    assert (
        as_owner.post(f"/members/{anna.uuid}/times/{row.pk}", {"how": "remove"}).status_code == 404
    )
    assert Membership.objects.exists()


def test_a_user_is_linked_with_a_person_by_name(as_owner, anna):
    person, _ = a_person("Anna Smit")
    path = f"/members/{anna.uuid}/person"
    refused = as_owner.post(path, {"person": "Nobody"})
    assert (refused.status_code, "nobody in the photos" in words(refused).lower()) == (422, True)

    as_owner.post(path, {"person": "anna smit"})
    assert Person.objects.get(user=anna) == person
    assert f"/people/{person.uuid}" in as_owner.get(f"/members/{anna.uuid}/times").content.decode()

    as_owner.post(path, {})
    assert not Person.objects.filter(user=anna).exists()


def test_a_list_is_looked_at_first_and_then_taken(as_owner, anna):
    text = "user;since\nAnna;2024-09-01\nBen;2024-09-01\nCleo;soon\n"
    preview = as_owner.post("/members/list", {"file": upload(text), "make": "1"})
    page = preview.content.decode()
    assert "This would change" in page
    assert "Line 4, Cleo:" in words(preview)
    assert not Membership.objects.exists()
    assert not User.objects.filter(username="Ben").exists()
    slip = re.search(r'name="list" value="([^"]+)"', page)[1]

    done = as_owner.post("/members/list", {"list": slip, "make": "1"})

    assert "This was changed" in words(done)
    assert set(Membership.objects.values_list("user__username", flat=True)) == {"Anna", "Ben"}


def test_what_was_not_looked_at_is_not_taken(as_owner, anna):
    for told in ({"list": "nonsense"}, {"list": ""}, {}, {"file": upload("nothing")}):
        answer = as_owner.post("/members/list", told)
        assert answer.status_code in (409, 422)
        assert 'role="alert"' in answer.content.decode()
    assert not Membership.objects.exists()


def test_somebody_who_was_never_here_is_let_in_by_a_link(as_owner, anna):
    assert "Make a link that lets Anna in" in as_owner.get("/members").content.decode()

    page = as_owner.post(f"/members/{anna.uuid}/let-in").content.decode()
    link = re.search(r'value="(http[^"]+/enter/[^"]+)"', page)[1]
    client = Client()
    client.post(link)

    assert client.session["_auth_user_id"] == str(anna.pk)
    assert link not in as_owner.get("/members").content.decode()
    assert as_owner.post(f"/members/{anna.uuid}/let-in").status_code == 409


def test_an_owner_comes_in_as_nobody_who_has_been_here(as_owner):
    ben = accounts.make_user("Ben", password="long and secret 17")

    assert as_owner.post(f"/members/{ben.uuid}/let-in").status_code == 409


def test_members_are_found_by_words_role_standing_and_team(as_owner, anna):
    accounts.make_user("Ben", "annotator")
    team = Team.objects.create(title="Board")
    team.users.add(anna)
    Membership.objects.create(user=anna, since="2020-01-01", until="2020-02-01")

    for query, expected in (
        ("q=EXAMPLE", {"Anna"}),
        ("role=annotator", {"Ben"}),
        ("standing=former", {"Anna"}),
        (f"team={team.uuid}", {"Anna"}),
        ("q=nobody", set()),
        ("team=x&standing=x", {"Anna", "Ben"}),
    ):
        page = as_owner.get(f"/members?{query}").content.decode()
        shown = {name for name in ("Anna", "Ben") if f"What {name} may do" in page}
        assert shown == expected, query


def test_five_hundred_members_ask_the_database_as_often_as_five(as_owner):
    def asked():
        with CaptureQueriesContext(connection) as found:
            assert as_owner.get("/members").status_code == 200
        return len(found)

    def add(count):
        start = User.objects.count()
        rows = [User(username=f"m{start + number}", password="!") for number in range(count)]
        User.objects.bulk_create(rows)
        Membership.objects.bulk_create(Membership(user=row, since="2024-01-01") for row in rows)
        Team.objects.get_or_create(title="All")[0].users.add(*rows)

    add(5)
    few = asked()
    add(495)
    assert asked() == few
    page = as_owner.get("/members?page=2").content.decode()
    assert "Page 2 of 11" in page
    assert page.count("data-role") == 50


def test_a_former_member_is_told_since_when(anna):
    assert (
        render_to_string("lookwho/_former.html", {"former": queries.former_of(anna)}).strip() == ""
    )
    Membership.objects.create(user=anna, since="2020-01-01", until="2020-12-31")

    told = render_to_string("lookwho/_former.html", {"former": queries.former_of(anna)})
    assert "from 1 January 2020 to 31 December 2020" in told

    Membership.objects.all().delete()
    Membership.objects.create(user=anna, since=NEVER, until=NEVER)
    told = render_to_string("lookwho/_former.html", {"former": queries.former_of(anna)})
    assert "no member at the moment" in told
    User.objects.filter(pk=anna.pk).update(role="curator")
    anna.refresh_from_db()
    assert queries.former_of(anna) is None


def test_a_former_member_is_told_so_on_their_own_pages(client, anna):
    client.force_login(anna)
    for told in (False, True):
        for path in ("/me", "/albums"):
            assert ("1 January 2020" in client.get(path).content.decode()) == told
        Membership.objects.create(user=anna, since="2020-01-01", until="2020-12-31")


@pytest.mark.django_db(transaction=True)
def test_in_a_browser_a_list_is_taken_over_on_a_phone(open_page, tmp_path):
    owner = a_user("owner")
    accounts.make_user("Anna")
    path = tmp_path / "members.csv"
    path.write_text("user,since\nAnna,2024-09-01\nBen,\n")
    page = open_page("/members/list", owner, size=PHONE)

    page.get_by_label("A CSV file").set_input_files(path)
    page.get_by_label("Make members of those").check()
    page.get_by_role("button", name="See what it would change").click()
    expect(page.get_by_role("heading", name="This would change")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("heading", name="This was changed")).to_be_visible()

    page.goto("/members")
    page.get_by_role("link", name="Anna").click()
    expect(page.get_by_role("heading", name="since 1 Sep 2024")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
