"""The Review page in Chromium: keys, many steps back, answers that come too late, and phones."""

import re
import time
from collections import Counter

import pytest
from playwright.sync_api import expect

from lookwho.library.models import Answer, Claim, Face, Person
from lookwho.services import people
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    lookalikes,
    some_faces,
)
from tests.web.browser import PHONE

pytestmark = pytest.mark.django_db(transaction=True)


def asks(page, text):
    expect(page.locator("[data-asks]")).to_have_text(text)


def a_doubt(person, probability):
    return some_faces(1, guess=person, probability=probability)[0]


def answers(count):
    """Wait until so many answers are written; return them."""

    def written():
        return list(Answer.objects.order_by("pk"))

    deadline = time.monotonic() + 10
    while len(written()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return written()


def test_ten_questions_are_answered_with_keys_alone(open_page, owner):
    for size in range(12, 7, -1):
        a_group(size)
    persons = [a_person(f"Person {number}")[0] for number in range(5)]
    doubts = [a_doubt(person, 0.5 + place / 20) for place, person in enumerate(persons)]
    page = open_page("/review", owner)

    for size, name in ((12, "Anna"), (11, "Ben"), (10, "Cid")):
        expect(page.locator(".odd")).to_have_count(size)
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(page.locator("[data-last]")).to_have_text(re.compile(f"named {name}"))
    expect(page.locator(".odd")).to_have_count(9)
    page.keyboard.press("?")
    expect(page.locator(".odd")).to_have_count(8)
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    for number, key in enumerate("ynysn"):
        asks(page, f"Is this Person {number}?")
        page.keyboard.press(key)

    written = answers(10)
    # Each is on its way while the next is given, so which is written first is left to chance.
    assert Counter(row.verdict for row in written) == Counter(
        ["name", "name", "name", "cannot_tell", "not_a_face", "yes", "no", "yes", "skip", "no"]
    )
    assert all(row.seconds is not None for row in written)
    doubts = [Face.objects.get(pk=face.pk) for face in doubts]
    assert [face.person_id for face in doubts] == [
        persons[0].pk, None, persons[2].pk, None, None,
    ]  # fmt: skip
    sizes = [Face.objects.filter(person__name=name).count() for name in ("Anna", "Ben", "Cid")]
    assert sizes == [12, 11, 10]
    assert Face.objects.filter(dismissed=True).count() == 8


def test_those_who_do_not_belong_are_marked_with_arrows_and_space(open_page, owner):
    group, _ = a_group(6)
    page = open_page("/review", owner)

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("[data-marked]")).to_have_text("2 marked")
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")

    expect(page.locator("[data-last]")).to_have_text("4 faces named Anna.")
    theirs = Face.objects.filter(person=group).count()
    assert (theirs, Face.objects.filter(person=None, guess=None).count()) == (4, 2)


def test_several_steps_are_taken_back_also_after_the_page_was_loaded_again(open_page, owner):
    persons = [a_person(f"Person {number}")[0] for number in range(4)]
    doubts = [a_doubt(person, 0.5 + place / 20) for place, person in enumerate(persons)]
    page = open_page("/review", owner)
    for number in range(3):
        asks(page, f"Is this Person {number}?")
        page.keyboard.press("y")
    asks(page, "Is this Person 3?")
    answers(3)

    page.keyboard.press("u")
    asks(page, "Is this Person 2?")
    page.reload()
    asks(page, "Is this Person 2?")
    page.keyboard.press("u")
    asks(page, "Is this Person 1?")
    page.keyboard.press("n")
    asks(page, "Is this Person 2?")

    assert [row.verdict for row in answers(4)] == ["yes", "yes", "yes", "no"]
    found = [Face.objects.get(pk=face.pk).person_id for face in doubts]
    assert found == [persons[0].pk, None, None, None]


def test_an_answer_that_comes_too_late_says_so_and_goes_on(open_page, owner):
    first, faces = a_group(5)
    a_group(3)
    page = open_page("/review", owner)
    asks(page, "Who are these?")
    people.name_person(a_user("curator"), first, "Anna")

    page.keyboard.type("Ben")
    page.keyboard.press("Enter")

    expect(page.locator(".toast.error")).to_contain_text("just named Anna")
    expect(page.locator(".odd")).to_have_count(3)
    assert not Person.objects.filter(name="Ben").exists()
    assert set(Face.objects.filter(person=first).values_list("pk", flat=True)) == {
        face.pk for face in faces
    }
    assert Answer.objects.count() == 0


def test_a_name_that_cannot_be_is_asked_for_again(open_page, owner):
    a_group(3)
    page = open_page("/review", owner)
    field = page.get_by_placeholder("Type a name")

    field.fill("a\x7fb")
    field.press("Enter")

    expect(page.locator(".toast.error")).to_contain_text("control characters")
    asks(page, "Who are these?")
    expect(field).to_have_value("a\x7fb")


def test_the_next_question_is_there_before_it_is_asked_for(open_page, owner):
    for size in (5, 4):
        a_group(size)
    page = open_page("/review", owner)
    asks(page, "Who are these?")
    page.wait_for_load_state("networkidle")
    page.get_by_placeholder("Type a name").fill("Anna")

    shown = page.evaluate(
        """() => { document.querySelector('.main[value=name]').click();
        return document.querySelectorAll('.odd').length }"""
    )

    assert shown == 4  # at once: nothing was waited for
    assert len(answers(1)) == 1


def test_leaving_the_page_leaves_its_questions_to_others(open_page, owner):
    a_group(3)
    page = open_page("/review", owner)
    asks(page, "Who are these?")
    assert Claim.objects.count() == 1

    page.goto("/people")
    page.wait_for_timeout(500)

    assert Claim.objects.count() == 0


def test_help_lists_the_keys(open_page, owner):
    anna, _ = a_person("Anna")
    a_doubt(anna, 0.7)
    page = open_page("/review", owner)
    asks(page, "Is this Anna?")

    page.keyboard.press("h")
    expect(page.get_by_role("dialog")).to_contain_text("Cannot tell")
    page.keyboard.press("y")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    asks(page, "Is this Anna?")
    assert Answer.objects.count() == 0


def test_when_all_is_answered_that_is_said_and_can_still_be_undone(open_page, owner):
    anna, _ = a_person("Anna")
    a_doubt(anna, 0.7)
    page = open_page("/review", owner)
    page.keyboard.press("y")
    asks(page, "Everyone you can name has a name")

    page.get_by_role("button", name="Undo the last answer").click()

    asks(page, "Is this Anna?")
    assert Face.objects.filter(person=None).count() == 1


@pytest.mark.parametrize("kind", ("group", "face", "mixed", "stray"))
def test_on_a_phone_the_answers_are_in_view_below_the_picture(open_page, owner, kind):
    anna, _ = a_person("Anna Maria Theresia von und zu Liechtenstein-Estenberg", 4)
    if kind == "group":
        a_group(24)
    elif kind == "face":
        a_doubt(anna, 0.7)
    elif kind == "mixed":
        for step in range(12):
            a_doubt(anna, 0.6 + step / 40)
    else:
        some_faces(1)
    page = open_page("/review", owner, size=PHONE, has_touch=True, is_mobile=True)
    buttons = page.locator(".buttons button:visible")

    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    for index in range(buttons.count()):
        box = buttons.nth(index).bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"] - 58
        assert box["height"] >= 38
    expect(page.locator("[data-asks]")).to_be_in_viewport()


def test_a_tap_marks_a_face_and_a_button_answers(open_page, owner):
    anna, _ = a_person("Anna")
    for step in range(6):
        a_doubt(anna, 0.6 + step / 40)
    page = open_page("/review", owner, size=PHONE, has_touch=True, is_mobile=True)
    asks(page, "Who of these is not Anna?")

    page.locator(".odd").first.tap()
    page.get_by_role("button", name="The rest is Anna").tap()

    asks(page, "Who is this?")  # the one that was marked
    assert [row.settled for row in answers(1)] == [5]


def test_an_answer_that_contradicts_what_was_confirmed_says_so_and_is_undone(open_page, owner):
    (face,) = faces_of_vectors(lookalikes(1, 1))
    people.assign(owner, [face], "Ben")
    page = open_page("/review?audit", owner)
    asks(page, "Who is this?")

    page.keyboard.type("Anna")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("This was Ben's until now.")
    expect(page.locator("[data-meter]")).to_contain_text("1 of 200 answers")
    page.locator(".toast").get_by_role("button", name="Undo").click()

    asks(page, "Who is this?")
    expect(page.locator("[data-meter]")).to_contain_text("0 of 200 answers")
    assert Face.objects.get(pk=face.pk).person.name == "Ben"
