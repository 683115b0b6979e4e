"""A person's page in Chromium: splitting, confirming and choosing faces, by mouse and by keys."""

import pytest
from playwright.sync_api import expect

from lookwho.library.models import Decision, Face, Person
from lookwho.services import people as services
from tests.people import a_person, some_faces
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)


def opened(open_page, owner, person, view="faces", **more):
    page = open_page(f"/people/{person.uuid}?view={view}", owner, **more)
    page.wait_for_function("() => window.htmx && document.documentElement.matches('.js')")
    return page


def choose(page, *places):
    for place in places:
        page.locator(".pick").nth(place).click()


def test_faces_of_somebody_else_are_split_off_with_the_mouse_and_brought_back(open_page, owner):
    faces = some_faces(6)
    services.assign(owner, faces, "Anna")
    anna = Person.objects.get()
    page = opened(open_page, owner, anna)

    choose(page, 0, 1)
    page.get_by_role("button", name="One other person").click()

    expect(page.get_by_text("2 faces are a group of their own now, and not Anna.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(4)
    other = Person.objects.exclude(pk=anna.pk).get()
    assert set(Face.objects.filter(person=other)) == {faces[5], faces[4]}  # the newest first
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("checkbox")).to_have_count(6)
    assert Face.objects.filter(person=anna).count() == 6


def test_faces_are_split_off_with_keys_alone(open_page, owner):
    anna, faces = a_person("Anna", 6)
    page = opened(open_page, owner, anna)

    page.get_by_role("checkbox").first.focus()
    for key in ("ArrowRight", "Space", "ArrowRight", "ArrowRight", "Shift+Space"):
        page.keyboard.press(key)
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.get_by_role("button", name="One other person").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("checkbox")).to_have_count(3)
    assert set(Face.objects.filter(person=anna)) == {faces[5], faces[1], faces[0]}


def test_a_split_takes_the_name_that_was_typed(open_page, owner):
    anna, _ = a_person("Anna", 4)
    page = opened(open_page, owner, anna)
    choose(page, 0, 1)

    page.get_by_label("Who it is instead").fill("Ben")
    page.get_by_role("button", name="One other person").click()

    expect(page.get_by_text("2 faces are Ben's now, and not Anna.")).to_be_visible()
    assert Face.objects.filter(person__name="Ben").count() == 2
    assert Decision.objects.filter(verb=Decision.Verb.REJECT, person=anna).count() == 1


def test_arrow_keys_lead_up_and_down_through_the_rows(open_page, owner):
    anna, _ = a_person("Anna", 30)
    page = opened(open_page, owner, anna)
    at = "[...document.querySelectorAll('.pick input')].indexOf(document.activeElement)"
    page.get_by_role("checkbox").nth(2).focus()

    page.keyboard.press("ArrowDown")
    below = page.evaluate(at)
    page.keyboard.press("ArrowUp")

    assert below > 3
    assert page.evaluate(at) == 2
    page.keyboard.press("End")
    assert page.evaluate(at) == 29


def test_all_guesses_that_are_shown_are_confirmed_at_once(open_page, owner):
    anna, _ = a_person("Anna", 2)
    some_faces(5, guess=anna, probability=0.7)
    page = opened(open_page, owner, anna, "guesses")
    expect(page.get_by_role("checkbox")).to_have_count(5)

    page.get_by_role("button", name="Choose all shown").click()
    page.get_by_role("button", name="Yes, Anna").click()

    expect(page.get_by_text("Every guess has an answer.")).to_be_visible()
    assert Face.objects.filter(person=anna).count() == 7


def test_more_faces_than_a_form_has_fields_are_answered_in_one_go(open_page, owner, monkeypatch):
    monkeypatch.setattr("lookwho.web.people.FACES", 1200)
    anna, _ = a_person("Anna", 1)
    some_faces(1100, guess=anna, probability=0.7)
    page = opened(open_page, owner, anna, "guesses")

    page.get_by_role("button", name="Choose all shown").click()
    page.get_by_role("button", name="Yes, Anna").click()

    expect(page.get_by_text("1100 photos are now Anna's.")).to_be_visible(timeout=15000)
    assert Face.objects.filter(person=anna).count() == 1101


def test_escape_lets_all_chosen_faces_go(open_page, owner):
    anna, _ = a_person("Anna", 4)
    page = opened(open_page, owner, anna)
    choose(page, 0, 2)

    page.keyboard.press("Escape")

    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    expect(page.get_by_text("chosen", exact=False).filter(visible=True)).to_have_count(0)


def test_one_face_is_chosen_as_the_one_to_show(open_page, owner):
    anna, faces = a_person("Anna", 3)
    page = opened(open_page, owner, anna)

    choose(page, 1)
    expect(page.get_by_role("button", name="One other person")).to_be_hidden()
    page.get_by_role("button", name="Show this one").click()

    expect(page.get_by_role("status").filter(has_text="Anna")).to_be_visible()
    anna.refresh_from_db()
    assert anna.cover == faces[1]


def test_a_stale_choice_says_who_was_just_named_and_changes_nothing(open_page, owner):
    anna, faces = a_person("Anna", 3)
    page = opened(open_page, owner, anna)
    ben = Person.objects.create(name="Ben")
    Face.objects.filter(pk=faces[2].pk).update(person=ben)  # by somebody else, just now

    choose(page, 0, 1)
    page.get_by_role("button", name="Not Anna").click()

    expect(page.locator(".toast.error")).to_contain_text("This was just named Ben")
    assert Face.objects.filter(person=anna).count() == 2


@pytest.mark.parametrize("view", ("photos", "faces", "guesses"))
@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_no_view_is_wider_than_the_window(open_page, owner, view, size):
    anna, _ = a_person("Anna Maria Theresia von und zu Liechtenstein-Estenberg", 8)
    some_faces(3, guess=anna, probability=0.7)
    Person.objects.update(birth_date="2030-01-01")
    page = opened(open_page, owner, anna, view, size=size)
    if view != "photos":
        choose(page, 0, 1)

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
