import json
import re
import zipfile
from datetime import date
from io import BytesIO

import pytest
from django.core import signing
from django.urls import reverse

from lookwho.library.models import Consent, Erasure, Person, Reference, SearchLog, User
from lookwho.services import consents, receipts
from tests.people import a_person, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME, settings.LEDGER = tmp_path, tmp_path / "erasures.jsonl"
    settings.SELFIES, settings.PICTURES = tmp_path / "selfies", tmp_path / "pictures"
    return tmp_path


@pytest.fixture
def as_member(client, member):
    client.force_login(member)
    return client


def text_of(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# --- for whom ---


@pytest.mark.parametrize("name", ("privacy", "erase", "export"))
def test_who_is_not_signed_in_is_asked_to(client, name):
    answer = client.get(reverse(name))

    assert answer.status_code == 302
    assert answer.url.startswith(reverse("sign-in"))


@pytest.mark.parametrize("role", ("member", "annotator", "curator"))
def test_what_is_for_owners_is_there_for_no_other(client, role):
    person, user = a_person("Zdenka")[0], a_user("member")
    client.force_login(a_user(role))

    for path in (
        reverse("erase-person", args=[person.uuid]),
        reverse("erase-user", args=[user.uuid]),
        reverse("settings"),
        reverse("searches"),
    ):
        answer = client.get(path)
        assert (answer.status_code, b"Zdenka" in answer.content) == (404, False)
        assert client.post(path, {"sure": "1"}).status_code in (404, 405)
    for path in (reverse("change-settings"), reverse("consent-text", args=["names"])):
        assert client.post(path, {"text": "x", "consent_age": "3"}).status_code == 404
    assert Person.objects.filter(pk=person.pk).exists()
    assert User.objects.filter(pk=user.pk).exists()


# --- consents ---


def test_a_member_agrees_to_what_they_were_shown_and_withdraws_it(as_member, member):
    page = as_member.get("/privacy")
    assert consents.newest("names").text.split(".")[0] in text_of(page)

    as_member.post("/privacy/consents/names", {"say": "agree", "version": "1"})
    assert consents.agreed(member, "names")
    assert "to version 1" in text_of(as_member.get("/privacy"))

    as_member.post("/privacy/consents/names", {"say": "withdraw"}, follow=True)
    assert not consents.agreed(member, "names")
    assert text_of(as_member.get("/privacy")).count("You have not agreed to this.") == 3


@pytest.mark.parametrize("version", ("2", "", "x", "9" * 20))
def test_nobody_agrees_to_a_text_that_they_were_not_shown(as_member, member, version):
    answer = as_member.post(
        "/privacy/consents/names", {"say": "agree", "version": version}, follow=True
    )

    assert answer.status_code == 200
    assert not consents.agreed(member, "names")


def test_there_is_no_other_purpose(as_member):
    for say in ("agree", "withdraw"):
        data = {"say": say, "version": "1"}
        answer = as_member.post("/privacy/consents/marketing", data, follow=True)
        assert "no purpose" in text_of(answer)
    assert not Consent.objects.exists()


def test_a_changed_text_is_shown_beside_the_one_that_was_agreed_to(as_member, member, owner):
    consents.give(member, "names", version=1)
    consents.write_text(owner, "names", "Everybody may see my name everywhere.")

    told = text_of(as_member.get("/privacy"))

    assert "Version 1, which you agreed to" in told
    assert "Version 2, as it is now Everybody may see my name everywhere." in told
    assert consents.agreed(member, "names")


def test_for_a_minor_a_guardian_is_asked(as_member, member):
    User.objects.filter(pk=member.pk).update(birth_date=date(2020, 1, 1))
    assert b"guardian_email" in as_member.get("/privacy").content

    as_member.post("/privacy/consents/names", {"say": "agree", "version": "1"})
    assert not consents.agreed(member, "names")

    guardian = {"guardian": "Eva", "guardian_email": "eva@example.org"}
    as_member.post("/privacy/consents/names", {"say": "agree", "version": "1", **guardian})
    assert Consent.objects.get().guardian == "Eva"


# --- searched for ---


def test_who_was_searched_for_sees_that_and_when_and_the_owner_also_by_whom(
    client, as_member, member, owner
):
    curator = a_user("curator")
    person = Person.objects.create(name="Mia", user=member)
    row = SearchLog.objects.create(user=curator, purpose="find_by_face", person=person)
    SearchLog.objects.create(user=curator, purpose="find_by_face", person=a_person("Ben")[0])

    told = text_of(as_member.get("/privacy"))
    assert f"{row.created_at:%-d %B %Y, %H:%M}" in told
    assert told.count("Somebody asked who is in a photo") == 1
    assert curator.username not in told

    client.force_login(owner)
    told = text_of(client.get("/settings/searches"))
    assert curator.username in told
    assert f"It was the face of {member.username}." in told
    assert "It was the face of Ben." in told


# --- everything ---


def test_everything_is_downloaded_as_a_zip(as_member, member, home):
    home.joinpath("selfies").mkdir()
    home.joinpath("selfies", "a.jpg").write_bytes(b"picture")
    Reference.objects.create(user=member, file="a.jpg", state="done")

    answer = as_member.get("/privacy/export")

    with zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content))) as archive:
        assert sorted(archive.namelist()) == [
            "README.txt",
            "held.json",
            "selfies/a.jpg",
            "vectors.json",
        ]
        assert archive.read("selfies/a.jpg") == b"picture"
        assert json.loads(archive.read("held.json"))["account"]["name"] == member.username


# --- erasing ---


def test_before_anything_is_erased_a_page_says_what_goes(as_member, member):
    page = text_of(as_member.get("/privacy/erase"))
    assert member.username in page
    assert "0 faces in 0 photos" in page

    answer = as_member.post("/privacy/erase", {})

    assert answer.status_code == 422
    assert User.objects.filter(pk=member.pk).exists()
    assert not Erasure.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_member_erases_all_about_themselves_and_reads_the_receipt(client, member, mailoutbox):
    User.objects.filter(pk=member.pk).update(email="mia@example.org")
    client.force_login(member)

    answer = client.post("/privacy/erase", {"sure": "1"})

    assert not User.objects.filter(pk=member.pk).exists()
    assert client.get("/privacy").status_code == 302  # signed out
    page = client.get(answer.url)
    assert "accounts: 1" in page.content.decode()
    saved = client.get(f"{answer.url}?download").content.decode()
    assert receipts.check(saved) == Erasure.objects.get().uuid
    assert page["Referrer-Policy"] == "no-referrer"


@pytest.mark.django_db(transaction=True)
def test_an_owner_erases_a_person(client, owner):
    client.force_login(owner)
    person, faces = a_person("Anna")
    path = reverse("erase-person", args=[person.uuid])
    assert "Erase everything about Anna?" in text_of(client.get(path))
    assert client.post(path, {}).status_code == 422
    assert Person.objects.filter(pk=person.pk).exists()

    answer = client.post(path, {"sure": "1"}, follow=True)

    assert "faces: 2" in text_of(answer)
    assert not Person.objects.filter(pk=person.pk).exists()
    assert not type(faces[0]).objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_owner_erases_a_user(client, owner, member):
    client.force_login(owner)

    client.post(reverse("erase-user", args=[member.uuid]), {"sure": "1"})

    assert not User.objects.filter(pk=member.pk).exists()


def test_the_last_owner_is_not_erased(client, owner):
    client.force_login(owner)

    answer = client.post("/privacy/erase", {"sure": "1"})

    assert answer.status_code == 409
    assert "last owner" in text_of(answer)


def test_the_page_of_a_receipt_is_there_for_a_day(client, monkeypatch):
    erasure = Erasure.objects.create(receipt=receipts.signed("Number: x\n"), state="done")
    token = receipts.token_of(erasure)
    assert client.get(reverse("receipt", args=[token])).status_code == 200

    for wrong in (token[:-2] + "AA", signing.dumps(str(erasure.uuid)), "x"):
        assert client.get(reverse("receipt", args=[wrong])).status_code == 410
    monkeypatch.setattr(receipts, "SHOWN_FOR", -1)
    assert client.get(reverse("receipt", args=[token])).status_code == 410


def test_a_receipt_that_is_not_signed_yet_is_waited_for(client):
    erasure = Erasure.objects.create()

    page = client.get(reverse("receipt", args=[receipts.token_of(erasure)]))

    assert "being erased" in text_of(page)
    assert b'http-equiv="refresh"' in page.content


# --- settings ---


def test_an_owner_changes_how_long_things_are_kept_and_sees_what_would_go(as_owner):
    old = SearchLog.objects.create(purpose="find_self")
    SearchLog.objects.filter(pk=old.pk).update(created_at="2020-01-01T00:00:00Z")
    assert text_of(as_owner.get("/settings")).count("1 would go today") == 1

    as_owner.post("/settings/options", {"keep_searches_days": "3650", "consent_age": "14"})

    page = as_owner.get("/settings")
    assert b'value="3650"' in page.content
    assert consents.consent_age() == 14
    assert "1 would go today" not in text_of(page)


@pytest.mark.parametrize("value", ("0", "99999", "x", "-1", ""))
def test_what_cannot_be_chosen_changes_nothing(as_owner, value):
    page = as_owner.post("/settings/options", {"keep_searches_days": value}, follow=True)

    assert page.status_code == 200
    assert "Saved." not in text_of(page)


def test_an_owner_asks_something_else_from_now_on(as_owner):
    as_owner.post("/settings/texts/names", {"text": "May others read your name?"})

    assert consents.newest("names").text == "May others read your name?"
    told = text_of(as_owner.get("/settings"))
    assert "Older versions Version 1" in told


@pytest.mark.parametrize("path", ("/privacy", "/settings", "/settings/searches"))
def test_a_page_makes_as_many_queries_for_three_searches_as_for_one(
    client, owner, path, django_assert_max_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.force_login(owner)
    mine = Person.objects.create(name="Mia", user=owner)
    other = a_user("member")
    SearchLog.objects.create(user=other, purpose="find_by_face", person=mine)
    Erasure.objects.create(of_user=owner.uuid, receipt="x")
    client.get(path)
    with CaptureQueriesContext(connection) as one:
        client.get(path)
    for _ in range(2):
        SearchLog.objects.create(user=a_user("member"), purpose="find_by_face", person=mine)
        Erasure.objects.create(of_user=owner.uuid, receipt="x")
    with django_assert_max_num_queries(len(one)):
        client.get(path)
