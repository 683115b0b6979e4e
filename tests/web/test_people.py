import re
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lookwho.library.models import Decision, Face, Person
from lookwho.services import people as services
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    lookalikes,
    some_faces,
    some_media,
)

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, person, *more):
    return reverse(name, args=[person.uuid, *more])


def queries_of(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


# --- who may ---

PAGES = ("people", "person", "person-faces-view", "more", "suggested-names", "likely")
ACTS = ("name", "merge", "merge-all", "hide", "birth-date", "person-faces", "undo")


def page_of(name, person):
    if name == "person-faces-view":
        return url("person", person) + "?view=faces"
    if name == "more":
        return reverse("people") + "?part=groups"
    return url(name, person) if name == "person" else reverse(name)


def act_of(name, person):
    if name == "merge-all":
        return reverse(name)
    return reverse("undo", args=[uuid4()]) if name == "undo" else url(name, person)


@pytest.mark.parametrize("name", PAGES)
def test_a_member_is_told_that_there_is_no_such_page(client, member, name):
    person, _ = a_person("Anna")
    client.force_login(member)

    answer = client.get(page_of(name, person))

    assert answer.status_code == 404
    assert b"Anna" not in answer.content


@pytest.mark.parametrize("name", PAGES)
def test_the_unknown_are_asked_to_sign_in(client, name):
    person, _ = a_person("Anna")
    path = page_of(name, person)

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in?next=" + path.partition("?")[0])


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("role", ("member", None))
def test_nobody_else_can_say_anything(client, name, role):
    person, faces = a_person("Anna")
    if role:
        client.force_login(a_user(role))

    answer = client.post(act_of(name, person), {"name": "Eve", "face": faces[0].uuid})

    assert answer.status_code == (404 if role else 302)
    assert Decision.objects.count() == 0
    assert list(Person.objects.values_list("name", "hidden", "birth_date")) == [
        ("Anna", False, None)
    ]


def test_an_annotator_names_faces(client, annotator):
    group, _ = a_group()
    client.force_login(annotator)

    client.post(url("name", group), {"name": "Anna"})

    assert Person.objects.get(pk=group.pk).name == "Anna"


# --- what is shown ---


def test_people_stand_by_how_many_photos_they_are_in(as_owner):
    a_person("Ben", 2)
    a_person("Anna", 5)
    a_group(4)
    a_group(1)

    shown = as_owner.get(reverse("people")).content.decode()

    assert shown.index("Anna") < shown.index("Ben") < shown.index("Who is this?")
    assert "2 named · 1 still to name · 1 seen once or twice" in shown


@pytest.mark.parametrize(
    "path", ("/people", "/people?part=few", "/people?part=groups", "/people?q=a", "/people?hidden")
)
def test_a_long_list_takes_as_many_queries_as_a_short_one(as_owner, path):
    def more():
        a_person(f"Anna {Person.objects.count()}")
        a_group(3)
        a_group(1)
        hidden, _ = a_person(f"Hidden {Person.objects.count()}")
        Person.objects.filter(pk=hidden.pk).update(hidden=True)

    more()
    one = queries_of(as_owner, path)
    more()
    more()

    assert queries_of(as_owner, path) == one


@pytest.mark.parametrize("view", ("", "?view=faces", "?view=guesses"))
def test_a_person_in_many_photos_takes_as_many_queries_as_one_in_a_few(as_owner, view):
    person, _ = a_person("Anna", 1)
    some_faces(1, guess=person, probability=0.5)
    one = queries_of(as_owner, url("person", person) + view)
    some_faces(2, person=person)
    some_faces(2, guess=person, probability=0.5)

    assert queries_of(as_owner, url("person", person) + view) == one


def test_long_parts_are_paged_and_no_one_is_left_out_or_shown_twice(as_owner):
    everyone = [f"Somebody {number:03}" for number in range(210)]
    for name in everyone:
        a_person(name, 1)
    path, seen = "/people?part=named&skip=0", []

    while path:
        page = as_owner.get(path, **HTMX).content.decode()
        seen += [part.partition("<")[0] for part in page.split('<span class="name">')[1:]]
        _, _, after = page.partition('hx-get="')
        path = after.partition('"')[0].replace("&amp;", "&")

    assert sorted(seen) == everyone


def test_a_photo_that_is_gone_counts_no_longer(as_owner):
    _, faces = a_person("Anna", 3)
    faces[0].media.present = False
    faces[0].media.save()

    assert b"2 photos" in as_owner.get(reverse("people")).content


def test_a_name_is_found_without_its_accents(as_owner):
    a_person("Zoë Kravitz")
    a_person("Anna")

    shown = as_owner.get("/people?q=kravitz zoe").content.decode()

    assert "Zoë Kravitz" in shown
    assert ">Anna<" not in shown


def test_what_is_typed_is_never_taken_for_markup(as_owner):
    a_person("<b>Anna</b>")

    shown = as_owner.get("/people?q=<b>").content.decode()

    assert "<b>Anna" not in shown
    assert "&lt;b&gt;Anna&lt;/b&gt;" in shown


def test_the_address_of_somebody_merged_leads_to_who_they_are(as_owner, owner):
    anna, _ = a_person("Anna")
    anne, _ = a_person("Anne")
    services.merge(owner, anne, anna)

    assert as_owner.get(url("person", anne))["Location"] == url("person", anna)


def photos_of_years(*years):
    media = some_media(len(years))
    for each, year in zip(media, years, strict=True):
        each.taken_at = datetime(year, 5, 1, tzinfo=UTC)
        each.day = date(year, 5, 1)
        each.save()
    return media


def test_a_person_s_photos_stand_by_year(as_owner):
    person = Person.objects.create(name="Anna", birth_date=date(1990, 7, 1))
    some_faces(11, media=photos_of_years(*[2021] * 5, *[2019] * 4, 2018, 2016), person=person)

    shown = as_owner.get(url("person", person)).content.decode()

    assert "11 photos, 2016 to 2021" in shown
    headings = re.findall(r'<h3 class="year"[^>]*>([^<]*) <span>· ([^<]*)<', shown)
    assert headings == [("2021", "31 years old"), ("2016 to 2019", "26 to 29 years old")]
    assert shown.count('class="tile"') == 11


def test_older_photos_of_the_same_years_join_those_in_view(as_owner, monkeypatch):
    monkeypatch.setattr("lookwho.web.people.PHOTOS", 2)
    person, _ = a_person("Anna", 3)
    first = as_owner.get(url("person", person)).content.decode()
    assert f"{url('person', person)}?skip=2&amp;span=2024" in first

    more = as_owner.get(url("person", person) + "?skip=2&span=2024", **HTMX).content.decode()

    assert 'hx-swap-oob="beforeend:#until-2024"' in more
    assert more.count('class="tile"') == 1


# --- what is said ---


def test_a_group_that_is_named_is_shown_with_its_name_and_an_undo(as_owner):
    group, _ = a_group(3)

    answer = as_owner.post(url("name", group), {"name": "Anna", "tile": "1"}, **HTMX)

    shown = answer.content.decode()
    assert '<span class="name">Anna</span>' in shown
    assert "3 photos are now Anna" in shown
    assert answer["HX-Trigger"] == "changed"
    batch = Decision.objects.latest("pk").batch
    assert reverse("undo", args=[batch]) in shown
    as_owner.post(reverse("undo", args=[batch]), **HTMX)
    assert not Face.objects.exclude(person=None).exists()
    assert Person.objects.get(pk=group.pk).name == ""


def test_without_scripts_a_name_leads_back_with_a_message_that_can_be_undone(as_owner):
    group, _ = a_group(3)

    page = as_owner.post(url("name", group), {"name": "Anna", "next": "/people"}, follow=True)

    assert page.redirect_chain == [("/people", 302)]
    batch = Decision.objects.latest("pk").batch
    assert reverse("undo", args=[batch]) in page.content.decode()


def test_after_an_act_nobody_is_led_to_another_site(as_owner):
    group, _ = a_group(3)

    answer = as_owner.post(url("name", group), {"name": "Anna", "next": "//evil.example/people"})

    assert answer["Location"] == url("person", group)


def test_a_group_that_was_put_together_anew_meanwhile_is_found_by_the_face_in_view(as_owner):
    group, faces = a_group(3)
    other = Person.objects.create()
    Face.objects.filter(guess=group).update(guess=other)
    gone = group.uuid
    group.delete()

    as_owner.post(reverse("name", args=[gone]), {"name": "Anna", "face": faces[0].uuid})

    assert Person.objects.get(pk=other.pk).name == "Anna"


def test_a_name_that_cannot_be_is_refused_in_words(as_owner):
    group, _ = a_group(3)

    answer = as_owner.post(url("name", group), {"name": "x" * 300, "tile": "1"}, **HTMX)

    assert answer.status_code == 422
    assert answer["HX-Retarget"] == "#toasts"
    assert b"200 characters" in answer.content
    assert Person.objects.get(pk=group.pk).name == ""


@pytest.mark.parametrize("by", ("uuid", "name"))
def test_two_who_are_one_are_merged(as_owner, by):
    anna, _ = a_person("Anna Álvarez")
    group, _ = a_group(3)

    told = {"into": anna.uuid} if by == "uuid" else {"name": "anna  álvarez"}
    as_owner.post(url("merge", group), told)

    assert Person.objects.get(pk=group.pk).root == anna


def test_several_are_merged_into_the_first_who_has_a_name_and_that_is_one_act(as_owner):
    one, _ = a_group(3)
    anna, _ = a_person("Anna")
    two, _ = a_group(3)
    told = [f"{one.uuid}/", f"{anna.uuid}/Anna", f"{two.uuid}/"]

    as_owner.post(reverse("merge-all"), {"person": told})

    assert set(Person.objects.exclude(pk=anna.pk).values_list("root", flat=True)) == {anna.pk}
    (batch,) = set(Decision.objects.values_list("batch", flat=True))
    as_owner.post(reverse("undo", args=[batch]))
    assert not Person.objects.exclude(root=None).exists()


@pytest.mark.parametrize("count", (0, 1))
def test_fewer_than_two_are_nobody_to_merge(as_owner, count):
    one, _ = a_group(3)

    told = {"person": [str(one.uuid)] * count}

    assert as_owner.post(reverse("merge-all"), told).status_code == 422


def test_of_several_either_all_are_merged_or_none(as_owner):
    one, _ = a_group(3)
    two, _ = a_group(3)
    anna, _ = a_person("Anna")
    told = [f"{one.uuid}/", f"{two.uuid}/Eve", f"{anna.uuid}/Anna"]  # the second is no longer Eve

    answer = as_owner.post(reverse("merge-all"), {"person": told})

    assert answer.status_code == 409
    assert "This has just lost its name" in answer.content.decode()
    assert not Person.objects.exclude(root=None).exists()


@pytest.mark.parametrize("field", ("was", "into_was"))
def test_a_merge_with_somebody_who_has_another_name_by_now_is_refused(as_owner, field):
    one, _ = a_person("Ben")
    two, _ = a_person("Anna")
    told = {"into": two.uuid, "was": "Ben", "into_was": "Anna"} | {field: ""}

    answer = as_owner.post(url("merge", one), told)

    assert answer.status_code == 409
    assert "This was just named" in answer.content.decode()
    assert not Person.objects.exclude(root=None).exists()


def test_a_name_that_nobody_has_is_no_one_to_merge_with(as_owner):
    group, _ = a_group(3)

    answer = as_owner.post(url("merge", group), {"name": "Nobody"})

    assert answer.status_code == 422
    assert "There is nobody called &#x27;Nobody&#x27;" in answer.content.decode()


def test_somebody_hidden_is_shown_only_where_one_looks_for_them(as_owner):
    anna, _ = a_person("Anna")

    as_owner.post(url("hide", anna), {"hidden": "1"})

    as_owner.get(reverse("people"))  # with the message
    assert ">Anna<" not in as_owner.get(reverse("people")).content.decode()
    assert ">Anna<" in as_owner.get(reverse("people") + "?hidden").content.decode()
    as_owner.post(url("hide", anna), {"hidden": "0"})
    assert not Person.objects.get(pk=anna.pk).hidden


@pytest.mark.parametrize(
    ("typed", "kept"), (("1987-03-21", date(1987, 3, 21)), ("", None)), ids=("set", "cleared")
)
def test_a_birth_date_is_kept(as_owner, typed, kept):
    anna, _ = a_person("Anna")
    Person.objects.filter(pk=anna.pk).update(birth_date=date(2000, 1, 1))

    as_owner.post(url("birth-date", anna), {"birth_date": typed})

    assert Person.objects.get(pk=anna.pk).birth_date == kept


def test_a_birth_date_that_is_none_is_refused(as_owner):
    anna, _ = a_person("Anna")

    answer = as_owner.post(url("birth-date", anna), {"birth_date": "1987-02-30"})

    assert answer.status_code == 422
    assert "1987-02-30" in answer.content.decode()


def test_faces_that_do_not_belong_are_taken_out_all_at_once(as_owner):
    anna, faces = a_person("Anna", 4)

    as_owner.post(
        url("person-faces", anna),
        {"verb": "reject", "face": [faces[0].uuid, faces[1].uuid]},
    )

    theirs = Face.objects.filter(person=anna)
    assert set(theirs) == {faces[2], faces[3]}


def test_faces_are_given_to_somebody_else_by_name(as_owner):
    anna, faces = a_person("Anna", 3)

    as_owner.post(
        url("person-faces", anna), {"verb": "assign", "name": "Ben", "face": faces[0].uuid}
    )

    assert Face.objects.get(pk=faces[0].pk).person == Person.objects.get(name="Ben")


@pytest.mark.parametrize(("name", "kept"), (("", ""), ("Ben", "Ben")), ids=("unnamed", "named"))
def test_faces_are_split_off_as_one_other_person(as_owner, name, kept):
    anna, faces = a_person("Anna", 4)
    told = [f"{face.uuid}/{anna.uuid}" for face in faces[:2]]

    as_owner.post(url("person-faces", anna), {"verb": "split", "name": name, "face": told})

    (other,) = {face.person for face in Face.objects.filter(pk__in=[faces[0].pk, faces[1].pk])}
    assert other != anna
    assert other.name == kept
    assert set(Face.objects.filter(person=anna)) == {faces[2], faces[3]}


@pytest.mark.parametrize("verb", ("confirm", "reject", "assign", "split", "not_a_face"))
def test_an_answer_to_what_is_no_longer_so_is_refused(as_owner, verb):
    anna, faces = a_person("Anna", 2)
    ben = Person.objects.create(name="Ben")
    Face.objects.filter(pk=faces[0].pk).update(person=ben)
    told = " ".join(f"{face.uuid}/{anna.uuid}" for face in faces)

    answer = as_owner.post(url("person-faces", anna), {"verb": verb, "name": "Zoe", "face": told})

    assert answer.status_code == 409
    assert "This was just named Ben: 1 of the 2 faces" in answer.content.decode()
    assert set(Face.objects.values_list("person", "dismissed")) == {
        (anna.pk, False),
        (ben.pk, False),
    }


def test_what_is_confirmed_and_what_is_guessed_stand_apart(as_owner):
    anna, confirmed = a_person("Anna", 2)
    guesses = some_faces(3, guess=anna, probability=0.7)
    here = url("person", anna)
    sure = as_owner.get(here + "?view=faces").content.decode()
    unsure = as_owner.get(here + "?view=guesses").content.decode()

    assert {str(face.uuid) for face in confirmed} <= set(
        re.findall(r'name="face" value="([^/"]*)', sure)
    )
    for face in guesses:
        assert f'value="{face.uuid}/"' in unsure
        assert f'value="{face.uuid}/' not in sure
    for face in confirmed:
        assert f'value="{face.uuid}/{anna.uuid}"' in sure
        assert f'value="{face.uuid}/' not in unsure
    assert "2 confirmed" in sure


def test_a_group_has_all_its_faces_in_one_view(as_owner):
    group, _ = a_group(3)

    for view in ("faces", "guesses"):
        assert (
            as_owner.get(url("person", group) + f"?view={view}").content.count(b'name="face"') == 3
        )


def test_photos_from_before_somebody_was_born_are_pointed_out(as_owner):
    person = Person.objects.create(name="Anna", birth_date=date(2018, 7, 1))
    early, later = some_faces(2, media=photos_of_years(2016, 2021), person=person)

    shown = as_owner.get(url("person", person)).content.decode()

    section = re.search(r'<section[^>]*aria-labelledby="early".*?</section>', shown, re.DOTALL)[0]
    assert "Before Anna was born" in section
    assert str(early.uuid) in section
    assert str(later.uuid) not in section
    Person.objects.update(birth_date=None)
    assert "Before Anna" not in as_owner.get(url("person", person)).content.decode()


def test_what_was_said_of_somebody_and_what_is_doubtful_are_linked(as_owner):
    anna, _ = a_person("Anna")
    some_faces(2, guess=anna, probability=0.5)

    shown = as_owner.get(url("person", anna)).content.decode()

    for path in (f"/history?person={anna.uuid}", f"/review?person={anna.uuid}"):
        assert path in shown
        assert as_owner.get(path).status_code == 200


def test_a_doubt_is_answered_with_yes(as_owner):
    anna, _ = a_person("Anna", 1)
    [face] = some_faces(1, guess=anna, probability=0.6)
    shown = as_owner.get(url("person", anna)).content.decode()
    assert "Is this Anna?" in shown
    assert "60 %" in shown

    as_owner.post(url("person-faces", anna), {"verb": "confirm", "face": face.uuid})

    assert Face.objects.get(pk=face.pk).person == anna
    as_owner.get(url("person", anna))  # with the message
    assert "Is this Anna?" not in as_owner.get(url("person", anna)).content.decode()


def test_the_chosen_face_is_shown_in_lists(as_owner):
    anna, faces = a_person("Anna", 3)

    as_owner.post(url("person-faces", anna), {"verb": "cover", "face": faces[2].uuid})

    assert reverse("face", args=[faces[2].uuid, 160]) in as_owner.get("/people").content.decode()


@pytest.mark.parametrize(
    "told", ({"verb": "reject"}, {"verb": "eat", "face": "here"}, {"verb": "reject", "face": "x"})
)
def test_what_makes_no_sense_changes_nothing(as_owner, told):
    anna, faces = a_person("Anna")
    told = {key: faces[0].uuid if value == "here" else value for key, value in told.items()}

    assert as_owner.post(url("person-faces", anna), told).status_code == 422
    assert Decision.objects.count() == 0


def test_names_are_offered_while_one_is_typed_the_better_fits_first(as_owner):
    _, faces = a_person("Marianne")
    anna, faces = a_person("Anna")
    a_person("Ben")

    found = as_owner.get(reverse("suggested-names") + "?q=ann").json()["people"]

    assert [each["name"] for each in found] == ["Anna", "Marianne"]
    assert found[0]["uuid"] == str(anna.uuid)
    assert found[0]["face"] in {reverse("face", args=[face.uuid, 160]) for face in faces}


def test_a_group_that_looks_like_somebody_is_probably_them(as_owner):
    vectors = lookalikes(2, 8)
    anna = Person.objects.create(name="Anna")
    known = faces_of_vectors(vectors[:5], person=anna)
    group, other = Person.objects.create(), Person.objects.create()
    [alike] = faces_of_vectors(vectors[5:6], guess=group)
    [unlike] = faces_of_vectors(vectors[8:9], guess=other)
    path = f"{reverse('likely')}?face={alike.uuid}&face={unlike.uuid}&face={known[0].uuid}"
    path += "&face=nonsense"

    assert as_owner.get(path).json() == {
        "faces": {str(alike.uuid): {"name": "Anna", "percent": 99}}
    }

    as_owner.post(url("person-faces", anna), {"verb": "reject", "face": str(alike.uuid)})
    assert as_owner.get(path).json() == {"faces": {}}


@pytest.mark.parametrize("role", ("owner", "annotator"))
def test_what_asks_for_photos_leads_to_them(client, role):
    anna, _ = a_person("Anna")
    ben, _ = a_person("Ben Summer")
    client.force_login(a_user(role))

    def led(text):
        return client.get(reverse("people"), {"q": text}).headers.get("Location")

    both = f"person={anna.uuid}&person={ben.uuid}"
    assert led("Anna and Ben, 2024") == f"/photos?{both}&since=2024-01-01&until=2024-12-31"
    assert led("anna") is led("summer") is led("Eve and Anna") is led("Eve") is None
    page = client.get(f"/photos?{both}")
    assert page.status_code == 200
