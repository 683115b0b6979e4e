"""The History page: what was said, narrowed and taken back."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import expect

from lookwho.library.models import Decision, Face, Person
from lookwho.services import drawing, people
from tests.people import a_group, a_person, a_user, some_faces, some_media, who
from tests.web.browser import PHONE

HISTORY = "/history"


def text_of(answer):
    return " ".join(answer.content.decode().split())


@pytest.mark.django_db
def test_every_act_stands_there_with_who_when_and_an_undo(as_owner, owner):
    group, faces = a_group(3)
    done = people.name_person(owner, group, "Anna")

    page = text_of(as_owner.get(HISTORY))

    assert f"<b>{owner.username}</b> confirmed 3 faces of Anna" in page
    assert reverse("undo", args=[done.batch]) in page
    for face in faces:
        assert reverse("face", args=[face.uuid, 160]) in page
    assert reverse("person", args=[group.uuid]) in page


@pytest.mark.django_db
def test_what_was_taken_back_is_struck_through_and_says_by_whom(as_owner, owner):
    curator = a_user("curator")
    done = people.assign(owner, some_faces(1), "Anna")
    people.undo(curator, done.batch)

    page = text_of(as_owner.get(HISTORY))

    assert f"<s><b>{owner.username}</b> confirmed 1 face of Anna</s>" in page
    assert f"taken back by {curator.username} on" in page
    assert reverse("undo", args=[done.batch]) not in page


@pytest.mark.django_db
def test_it_is_narrowed_and_says_so(as_owner, owner):
    other = a_user("annotator")
    one, two = some_faces(2)
    people.assign(owner, [one], "Anna")
    people.assign(other, [two], "Bea")
    anna = Person.objects.get(name="Anna")

    def told(**asked):
        page = text_of(as_owner.get(HISTORY, asked))
        return [name for name in ("Anna", "Bea") if f"1 face of {name}" in page]

    assert told() == ["Anna", "Bea"]
    assert told(person=anna.uuid) == ["Anna"]
    assert told(photo=two.media.uuid) == ["Bea"]
    assert told(user=other.username) == ["Bea"]
    assert told(verb="named") == ["Anna", "Bea"]
    assert told(verb="merged") == told(day="2001-01-01") == []
    assert "What was said of Anna." in text_of(as_owner.get(HISTORY, {"person": anna.uuid}))
    assert "Nothing like that was said" in text_of(as_owner.get(HISTORY, {"verb": "merged"}))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "status"),
    (
        ({"person": uuid4()}, 404),
        ({"person": "x"}, 404),
        ({"photo": uuid4()}, 404),
        ({"user": "nobody"}, 404),
        ({"verb": "x"}, 422),
        ({"day": "x"}, 422),
        ({"before": "x"}, 200),
        ({"before": "9" * 40}, 200),
    ),
)
def test_what_there_is_not_is_said(as_owner, asked, status):
    assert as_owner.get(HISTORY, asked).status_code == status


@pytest.mark.django_db
def test_before_anything_was_decided_the_page_says_what_it_is_for(as_owner):
    assert "Nothing was decided yet" in text_of(as_owner.get(HISTORY))


@pytest.mark.django_db
def test_many_acts_stand_on_several_pages(as_owner, owner):
    anna, _ = a_person("Anna", 0)
    for _ in range(51):
        people.confirm(owner, some_faces(1), anna)

    first = text_of(as_owner.get(HISTORY))
    oldest = Decision.objects.order_by("pk").first().pk

    assert first.count("confirmed 1 face of Anna</p>") == 50
    assert f"{HISTORY}?before={oldest + 1}" in first
    second = text_of(as_owner.get(HISTORY, {"before": oldest + 1}))
    assert second.count("confirmed 1 face of Anna</p>") == 1
    assert "Older" not in second


@pytest.mark.django_db
def test_any_number_of_acts_takes_the_same_number_of_queries(as_owner, owner):
    anna, _ = a_person("Anna", 0)
    counts = []
    for wanted in (1, 5):
        while Decision.objects.count() < wanted:
            people.confirm(owner, some_faces(2), anna)
        with CaptureQueriesContext(connection) as queries:
            as_owner.get(HISTORY)
        counts.append(len(queries))

    assert counts[0] == counts[1]


# --- who may ---


@pytest.mark.django_db
def test_members_are_told_that_there_is_no_such_page(client, owner, member):
    people.assign(owner, some_faces(1), "Anna")
    client.force_login(member)

    answer = client.get(HISTORY)

    assert answer.status_code == 404
    assert b"Anna" not in answer.content


@pytest.mark.django_db
def test_the_unknown_are_asked_to_sign_in(client):
    assert client.get(HISTORY)["Location"] == "/sign-in?next=/history"


@pytest.mark.django_db
def test_annotators_see_all_and_take_back_only_what_they_said(client, owner, annotator):
    one, two = some_faces(2)
    theirs = people.assign(owner, [one], "Anna")
    mine = people.assign(annotator, [two], "Bea")
    client.force_login(annotator)

    page = text_of(client.get(HISTORY))
    assert "1 face of Anna" in page
    assert "1 face of Bea" in page
    assert reverse("undo", args=[mine.batch]) in page
    assert reverse("undo", args=[theirs.batch]) not in page
    assert client.post(reverse("undo", args=[theirs.batch])).status_code == 403
    assert client.post(reverse("undo", args=[mine.batch])).status_code == 302
    assert [face and Person.objects.get(pk=face).name for face in who([one, two])] == ["Anna", None]


# --- in Chromium ---


@pytest.mark.django_db(transaction=True)
def test_undo_on_the_page_takes_an_act_back_in_view(open_page, owner):
    people.assign(owner, some_faces(2), "Anna")
    people.assign(owner, some_faces(1), "Bea")
    page = open_page(HISTORY, owner)
    anna = page.locator(".act", has_text="2 faces of Anna")

    button = anna.get_by_role("button", name="Undo")
    button.focus()
    page.keyboard.press("Enter")

    expect(anna).to_contain_text("taken back by")
    expect(anna.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="Undone.")).to_be_visible()
    assert Face.objects.exclude(person=None).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_the_page_fits_a_phone(open_page, owner, scheme):
    (media,) = some_media(1)
    people.assign(owner, some_faces(9), "Anastasia Konstantinopolitanskaya-Featherstonehaugh")
    drawing.draw(owner, media, (0.1, 0.1, 0.3, 0.4), "Bea")
    page = open_page(HISTORY, owner, size=PHONE, color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in page.get_by_role("button", name="Undo").all():
        box = button.bounding_box()
        assert box["height"] >= 40
        assert box["x"] + box["width"] <= PHONE["width"]
