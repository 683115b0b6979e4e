"""The People page in Chromium: naming one after the other, merging, and staying up to date."""

import pytest
from playwright.sync_api import expect

from lookwho.library.models import Face, Job, Person
from tests.people import a_group, a_person, faces_of_vectors, lookalikes
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)
POLL = 8000  # a page in view asks again every four seconds


def fields(page):
    return page.get_by_placeholder("Who is this?")


def tile(page, person):
    return page.locator(f'[data-key="{person.uuid}"]')


def test_enter_names_a_group_and_the_next_one_is_typed_at_once(open_page, owner):
    first, _ = a_group(5)
    second, _ = a_group(4)
    page = open_page("/people", owner)

    fields(page).first.click()
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")
    page.keyboard.type("Ben")
    page.keyboard.press("Enter")

    expect(tile(page, first)).to_contain_text("Anna")
    expect(tile(page, second)).to_contain_text("Ben")
    expect(page.get_by_role("status").filter(has_text="4 photos are now Ben's.")).to_be_visible()
    names = dict(Person.objects.values_list("pk", "name"))
    assert names == {first.pk: "Anna", second.pk: "Ben"}


def test_undo_gives_the_group_back_to_be_named(open_page, owner):
    group, _ = a_group(5)
    page = open_page("/people", owner)
    fields(page).fill("Anna")
    fields(page).press("Enter")
    expect(tile(page, group)).to_contain_text("Anna")

    page.get_by_role("button", name="Undo").click()

    expect(fields(page)).to_be_visible()
    assert Person.objects.get().name == ""


def test_a_known_name_is_offered_and_taken_with_the_keys(open_page, owner):
    anna, _ = a_person("Anna Karenina")
    group, _ = a_group(3)
    page = open_page("/people", owner)

    fields(page).fill("kar")
    expect(page.get_by_role("option", name="Anna Karenina")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Anna Karenina")
    assert Person.objects.get(pk=group.pk).root == anna


def test_escape_closes_what_is_offered_and_then_forgets_what_was_typed(open_page, owner):
    a_person("Anna")
    a_group(3)
    page = open_page("/people", owner)
    fields(page).fill("ann")
    expect(page.get_by_role("option")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.get_by_role("option")).to_have_count(0)
    expect(fields(page)).to_have_value("ann")
    page.keyboard.press("Escape")
    expect(fields(page)).to_have_value("")
    expect(fields(page)).not_to_be_focused()


def test_one_face_dragged_on_another_is_the_same_person(open_page, owner):
    anna, _ = a_person("Anna", 6)
    group, _ = a_group(3)
    page = open_page("/people", owner)

    tile(page, group).drag_to(tile(page, anna))

    expect(tile(page, group)).to_have_count(0)
    expect(tile(page, anna)).to_contain_text("9 photos")
    assert Person.objects.get(pk=group.pk).root == anna


def test_two_are_merged_with_keys_alone(open_page, owner):
    one, _ = a_group(5)
    two, _ = a_group(4)
    page = open_page("/people", owner)

    tile(page, two).get_by_role("button", name="More about this group").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Who is the same person as this group?")).to_be_visible()
    tile(page, one).get_by_role("link").focus()
    page.keyboard.press("Enter")

    expect(tile(page, one)).to_contain_text("9 photos")
    assert Person.objects.get(pk=two.pk).root == one


def test_escape_ends_the_choice_of_whom_somebody_is_the_same_as(open_page, owner):
    one, _ = a_group(5)
    two, _ = a_group(4)
    page = open_page(f"/people#same-as={two.uuid}", owner)
    expect(page.get_by_text("Choose a face.")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.get_by_text("Choose a face.")).to_be_hidden()
    tile(page, one).get_by_role("link").click()
    page.wait_for_url(f"**/people/{one.uuid}")


def test_several_are_said_to_be_one_person_by_keys_and_that_is_undone_at_once(open_page, owner):
    anna, _ = a_person("Anna", 6)
    one, _ = a_group(5)
    two, _ = a_group(4)
    page = open_page("/people", owner)

    for each in (two, one, anna):
        tile(page, each).locator(".to").focus()
        page.keyboard.press("x")
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.get_by_role("button", name="One person").click()

    expect(tile(page, anna)).to_contain_text("15 photos")
    assert set(Person.objects.values_list("root", flat=True)) == {None, anna.pk}
    page.get_by_role("button", name="Undo").click()
    expect(tile(page, one)).to_be_visible()
    assert set(Person.objects.values_list("root", flat=True)) == {None}


def test_several_are_chosen_from_the_menu_and_by_clicks_and_hidden(open_page, owner):
    one, _ = a_group(5)
    two, _ = a_group(4)
    page = open_page("/people", owner, size=PHONE)

    tile(page, one).hover()
    tile(page, one).get_by_role("button", name="More about this group").click()
    page.get_by_role("menuitem", name="Choose several").click()
    tile(page, two).locator(".to").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
    page.get_by_role("button", name="Hide", exact=True).click()

    expect(tile(page, one)).to_have_count(0)
    expect(tile(page, two)).to_have_count(0)
    assert Person.objects.filter(hidden=True).count() == 2


def test_escape_leaves_the_choice_of_several(open_page, owner):
    one, _ = a_group(5)
    a_group(4)
    page = open_page("/people", owner)
    tile(page, one).locator(".to").focus()
    page.keyboard.press("x")

    page.keyboard.press("Escape")

    expect(page.get_by_role("checkbox")).to_have_count(0)
    tile(page, one).locator(".to").click()
    page.wait_for_url(f"**/people/{one.uuid}")


def test_a_merge_with_somebody_who_was_just_named_says_so(open_page, owner):
    one, _ = a_group(5)
    two, _ = a_group(4)
    page = open_page("/people", owner)
    Person.objects.filter(pk=one.pk).update(name="Ben")  # by somebody else, just now

    tile(page, two).drag_to(tile(page, one))

    expect(page.locator(".toast.error")).to_contain_text("This was just named Ben")
    assert not Person.objects.exclude(root=None).exists()


def test_a_group_that_is_probably_somebody_is_named_with_one_click(open_page, owner):
    vectors = lookalikes(1, 9)
    anna = Person.objects.create(name="Anna")
    faces_of_vectors(vectors[:5], person=anna)
    group = Person.objects.create()
    faces_of_vectors(vectors[5:], guess=group)
    page = open_page("/people", owner)

    page.get_by_role("button", name="Yes, this is Anna").click()

    expect(page.get_by_role("status").filter(has_text="4 photos are now Anna's.")).to_be_visible()
    assert Person.objects.get(pk=group.pk).root == anna


def test_somebody_hidden_leaves_the_page(open_page, owner):
    group, _ = a_group(5)
    page = open_page("/people", owner)
    tile(page, group).hover()

    tile(page, group).get_by_role("button", name="More about this group").click()
    page.get_by_role("menuitem", name="Hide").click()

    expect(tile(page, group)).to_have_count(0)
    assert Person.objects.get(pk=group.pk).hidden


@pytest.mark.parametrize("fewer", (1, 4), ids=("changed", "no longer worth naming"))
def test_while_photos_come_in_groups_appear_and_what_is_being_typed_stays(open_page, owner, fewer):
    Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.LEASED)
    first, faces = a_group(5)
    page = open_page("/people", owner)
    fields(page).click()
    page.keyboard.type("Ann")

    Face.objects.filter(pk__in=[face.pk for face in faces[:fewer]]).update(dismissed=True)
    second, _ = a_group(4)

    expect(tile(page, second)).to_be_visible(timeout=POLL)
    expect(tile(page, first).get_by_role("combobox")).to_have_value("Ann")
    expect(tile(page, first).get_by_role("combobox")).to_be_focused()


def test_the_first_faces_take_the_place_of_the_empty_page(open_page, owner):
    Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.LEASED)
    page = open_page("/people", owner)
    expect(page.get_by_text("Nobody yet")).to_be_visible()

    group, _ = a_group(3)

    expect(tile(page, group)).to_be_visible(timeout=POLL)
    fields(page).fill("Anna")
    fields(page).press("Enter")
    expect(tile(page, group)).to_contain_text("Anna")


def test_a_name_that_fails_is_said_and_not_lost(open_page, owner):
    group, _ = a_group(3)
    page = open_page("/people", owner)
    Person.objects.filter(pk=group.pk).update(name="Ben")  # by somebody else, just now
    a_person("Anna")

    fields(page).fill("Anna")
    fields(page).press("Enter")

    expect(page.locator(".toast.error")).to_be_visible()
    expect(fields(page)).to_have_value("Anna")
    assert Person.objects.get(pk=group.pk).name == "Ben"


def test_more_groups_come_as_one_scrolls(open_page, owner, monkeypatch):
    monkeypatch.setattr("lookwho.web.people.PAGES", dict.fromkeys(("named", "groups", "few"), 60))
    for _ in range(150):
        a_group(3)
    page = open_page("/people", owner, size=PHONE)
    expect(page.locator("#groups .face")).to_have_count(60)

    for _ in range(8):
        page.mouse.wheel(0, 8000)
        page.wait_for_timeout(200)

    expect(page.locator("#groups .face")).to_have_count(150)


def test_a_slash_goes_to_the_search_and_escape_leaves_it(open_page, owner):
    a_person("Anna")
    page = open_page("/people", owner)

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("an")
    page.keyboard.press("Escape")

    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.get_by_role("searchbox")).not_to_be_focused()


def test_renaming_in_place_changes_the_page_and_can_be_undone(open_page, owner):
    anna, _ = a_person("Anna")
    page = open_page(f"/people/{anna.uuid}", owner)

    page.get_by_role("textbox", name="Name").fill("Anne")
    page.get_by_role("button", name="Save").first.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Anne")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Anna")


def test_faces_in_between_are_chosen_with_shift(open_page, owner):
    anna, _ = a_person("Anna", 6)
    page = open_page(f"/people/{anna.uuid}?view=faces", owner)
    boxes = page.get_by_role("checkbox")

    boxes.nth(1).click(force=True)
    boxes.nth(3).click(force=True, modifiers=["Shift"])
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.get_by_role("button", name="Not Anna").click()

    expect(page.get_by_role("checkbox")).to_have_count(3)
    expect(page.get_by_role("status")).to_contain_text("Anna")


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
@pytest.mark.parametrize("path", ("/people", "/welcome", "/progress", "/people/one", "/sign-in"))
def test_no_page_is_wider_than_the_window(open_page, owner, size, path):
    anna, _ = a_person("Anna Maria Theresia von und zu Liechtenstein-Estenberg", 8)
    a_group(5)
    page = open_page(path.replace("one", str(anna.uuid)), owner, size=size)

    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    assert wide <= 0
