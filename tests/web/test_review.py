"""The Review page without a browser: who may, what is shown of each kind of question, and forms."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lookwho.library.models import (
    Album,
    AlbumItem,
    Answer,
    Audit,
    Claim,
    Decision,
    Face,
    Job,
    Person,
)
from lookwho.services import audit, people
from tests.people import (
    a_group,
    a_person,
    a_user,
    faces_of_vectors,
    lookalikes,
    some_faces,
    who,
)

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def shown(client, **query):
    """The page, or the fragment with the next question."""
    response = client.get(reverse("review"), query)
    assert response.status_code == 200
    return response.content.decode()


def heading(page):
    return re.search(r"<h1[^>]*data-asks>(.*?)</h1>", page, re.S).group(1)


def slip(page):
    return re.search(r'name="slip" value="([^"]+)"', page).group(1)


def say(client, page, verdict, *, headers=HTMX, **more):
    told = {"slip": slip(page), "verdict": verdict, **more}
    return client.post(reverse("review-answer"), told, **headers)


def a_doubt(person, probability=0.92):
    return some_faces(1, guess=person, probability=probability)[0]


# --- who may ---


@pytest.mark.parametrize("role", ("member", "nobody"))
def test_others_get_nothing(client, role):
    _, faces = a_group(3)
    owner = a_user()
    client.force_login(owner)
    page = shown(client)
    client.logout()
    if role == "member":
        client.force_login(a_user("member"))
    expected = 404 if role == "member" else 302

    assert client.get(reverse("review")).status_code == expected
    assert client.get(reverse("review-next")).status_code == expected
    assert say(client, page, "name", name="Anna", headers={}).status_code == expected
    for act in ("review-undo", "review-renew", "review-release"):
        assert client.post(reverse(act)).status_code == expected
    assert (who(faces), Claim.objects.count()) == ([None] * 3, 1)


@pytest.mark.parametrize("role", ("owner", "curator", "annotator"))
def test_whoever_names_people_is_asked(client, role):
    a_group(3)
    client.force_login(a_user(role))

    assert heading(shown(client)) == "Who are these?"


# --- what is shown ---


def test_a_group_is_shown_as_many_faces_of_which_some_can_be_left_out(as_owner):
    a_group(30)

    page = shown(as_owner)

    assert heading(page) == "Who are these?"
    assert len(re.findall('name="odd"', page)) == 24
    assert "and 6 more like these" in page
    assert "30 faces" in page


def test_a_guess_is_shown_with_its_probability_and_faces_to_compare(as_owner):
    anna, (one, other) = a_person("Anna")
    face = a_doubt(anna)

    page = shown(as_owner)

    assert heading(page) == "Is this Anna?"
    assert "92 of 100 such guesses are right." in page
    assert reverse("picture", args=[face.media.uuid, 1600]) in page
    for known in (one, other):
        assert reverse("face", args=[known.uuid, 160]) in page


def test_the_face_is_framed_where_it_is_in_the_upright_photo(as_owner):
    anna, _ = a_person("Anna")
    a_doubt(anna)  # of a photo of 1200 x 800, from a quarter to a half

    assert '<rect class="box" x="300" y="200" width="300" height="200" rx="25"/>' in shown(as_owner)


def test_many_doubts_of_one_person_are_shown_together(as_owner):
    anna, _ = a_person("Anna")
    for step in range(5):
        a_doubt(anna, 0.6 + step / 20)

    page = shown(as_owner)

    assert heading(page) == "Who of these is not Anna?"
    assert "All are Anna" in page
    assert "data-names" not in page


def test_the_audit_shows_no_guess(client):
    owner = a_user()
    client.force_login(owner)
    anna, _ = a_person("Anna Karenina")
    faces_of_vectors(lookalikes(3, 1))
    Face.objects.filter(person=None).update(guess=anna, probability=0.8)
    for _ in range(audit.EVERY - 1):
        Answer.objects.create(user=owner, question="face", verdict="skip")

    page = shown(client)

    assert heading(page) == "Who is this?"
    assert "A face drawn at random" in page
    for told in ("Karenina", "of 100", 'class="beside"', 'name="known"', "/photos/"):
        assert told not in page.replace('href="/photos"', "")


def test_a_name_is_shown_as_text(as_owner):
    anna, _ = a_person("<b>Anna</b>")
    a_doubt(anna)

    page = shown(as_owner)

    assert "<b>Anna" not in page
    assert "&lt;b&gt;Anna" in page


def test_the_meter_says_how_far_naming_is(as_owner):
    a_person("Anna", 3)
    a_group(2)
    page = shown(as_owner)
    assert "<b>3 of 5 faces</b> have a name, 3 confirmed" in page

    told = say(as_owner, page, "name", name="Ben").json()

    assert "<b>5 of 5 faces</b>" in told["meter"]
    assert "your last answer settled 2 faces" in told["meter"]


def test_where_nothing_is_left_that_is_said(as_owner):
    assert heading(shown(as_owner)) == "There are no faces yet"
    a_person("Anna")
    assert heading(shown(as_owner)) == "Everyone you can name has a name"
    Job.objects.create(kind=Job.Kind.IMPORT)
    page = shown(as_owner)
    assert heading(page) == "Nothing to ask yet"
    assert "data-again" in page


def test_of_a_face_in_a_video_the_picture_is_shown_in_which_it_is(as_owner):
    ann, _ = a_person("Ann")
    face = a_doubt(ann)
    Face.objects.filter(pk=face.pk).update(time=12.5)
    page = shown(as_owner)

    assert f"{reverse('picture', args=[face.media.uuid, 1600])}?face={face.uuid}" in page
    assert '<svg class="around"' in page


def test_where_others_have_the_last_questions_that_is_said(as_owner, client):
    a_group(3)
    shown(as_owner)
    client.force_login(a_user("annotator"))

    assert heading(shown(client)) == "Others are answering the last questions"


def test_one_person_or_one_album_is_asked_about(as_owner):
    a_group(5)
    anna, _ = a_person("Anna")
    a_doubt(anna)
    album = Album.objects.create(title="Party", slug="party")
    (face,) = some_faces(1)
    AlbumItem.objects.create(album=album, media=face.media)

    of_anna = shown(as_owner, person=anna.uuid)
    of_party = shown(as_owner, album=album.uuid)

    assert heading(of_anna) == "Is this Anna?"
    assert "Only who may be Anna" in of_anna
    assert heading(of_party) == "Who is this?"
    assert reverse("face", args=[face.uuid, 480]) in of_party
    Claim.objects.all().delete()
    Face.objects.filter(person=None).update(dismissed=True)
    assert heading(shown(as_owner, person=anna.uuid)) == "No question is open about Anna"
    assert as_owner.get(reverse("review"), {"person": uuid4()}).status_code == 404


def test_a_person_leads_to_their_doubts(as_owner):
    anna, _ = a_person("Anna")
    a_doubt(anna)

    page = as_owner.get(reverse("person", args=[anna.uuid])).content.decode()

    assert f'href="/review?person={anna.uuid}"' in page
    assert "1 doubt<" in page


def test_a_page_takes_as_many_queries_however_much_there_is(as_owner):
    def count():
        Claim.objects.all().delete()
        with CaptureQueriesContext(connection) as captured:
            shown(as_owner)
        return len(captured)

    a_group(3)
    before = count()
    for number in range(4):
        a_group(4 + number)
        a_doubt(a_person(f"Person {number}")[0])

    assert count() == before


# --- answers ---


def test_an_answer_by_a_script_is_told_and_the_next_question_is_asked_for(as_owner):
    group, faces = a_group(3)
    other, _ = a_group(2)
    page = shown(as_owner)
    following = as_owner.get(reverse("review-next"), {"held": group.uuid}).content.decode()

    told = say(as_owner, page, "name", name="Anna", odd=faces[0].uuid, seconds="3.25").json()

    assert f'data-question="{other.uuid}"' in following
    assert "<html" not in following
    assert told["message"] == "2 faces named Anna."
    assert who(faces) == [None, group.pk, group.pk]
    assert str(Answer.objects.get().uuid) == told["answer"]
    assert Answer.objects.get().seconds == 3.25


def test_without_a_script_the_next_question_follows_with_an_undo(as_owner):
    anna, _ = a_person("Anna")
    a_doubt(anna)
    page = shown(as_owner)

    response = say(as_owner, page, "yes", headers={}, part=f"person={anna.uuid}")

    assert response["Location"] == f"{reverse('review')}?person={anna.uuid}"
    batch = Answer.objects.get().batch
    assert reverse("undo", args=[batch]) in as_owner.get(response["Location"]).content.decode()


@pytest.mark.parametrize("part", ("person=x", "next=//evil", "person=x&album=", "<"))
def test_a_part_that_is_none_of_ours_leads_nowhere_else(as_owner, part):
    a_group(3)
    page = shown(as_owner)

    assert say(as_owner, page, "skip", headers={}, part=part)["Location"] == reverse("review")


def test_somebody_who_is_offered_is_taken_by_a_button(as_owner):
    a_group(3)
    page = shown(as_owner)

    say(as_owner, page, "", known="Anna")

    assert Person.objects.get().name == "Anna"


def test_what_was_decided_meanwhile_is_said_and_nothing_is_written(as_owner):
    group, _ = a_group(3)
    page = shown(as_owner)
    people.name_person(a_user("curator"), group, "Anna")
    before = Decision.objects.count()

    response = say(as_owner, page, "name", name="Ben")

    assert response.status_code == 409
    assert "this was just named Anna" in response.content.decode().lower().replace("anna", "Anna")
    assert (Decision.objects.count(), Answer.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    "told",
    ({"slip": "x"}, {"odd": "x"}, {"name": ""}, {"verdict": "perhaps"}, {"odd": str(uuid4())}),
)
def test_what_cannot_be_is_refused(as_owner, told):
    a_group(3)
    whole = {"slip": slip(shown(as_owner)), "verdict": "name", "name": "Anna", **told}

    assert as_owner.post(reverse("review-answer"), whole, **HTMX).status_code == 422
    assert Answer.objects.count() == 0


def test_an_answer_is_taken_back_and_asked_again(as_owner):
    group, faces = a_group(3)
    done = say(as_owner, shown(as_owner), "name", name="Anna").json()

    told = as_owner.post(reverse("review-undo"), {"answer": done["answer"]}, **HTMX).json()

    assert who(faces) == [None] * 3
    assert f'data-question="{group.uuid}"' in told["question"]
    assert "<b>0 of 3 faces</b>" in told["meter"]


def test_questions_are_held_and_left(as_owner):
    group, _ = a_group(3)
    shown(as_owner)
    until = Claim.objects.get().until

    as_owner.post(reverse("review-renew"), {"held": group.uuid})
    assert Claim.objects.get().until > until
    as_owner.post(reverse("review-release"), {"held": group.uuid})
    assert not Claim.objects.exists()


def test_what_the_audit_asks_is_answered_on_the_page(client):
    owner = a_user()
    client.force_login(owner)
    faces_of_vectors(lookalikes(1, 1))
    for _ in range(audit.EVERY - 1):
        Answer.objects.create(user=owner, question="face", verdict="skip")

    say(client, shown(client), "name", name="Anna")

    assert Audit.objects.get().person.name == "Anna"


def test_the_audit_alone_is_asked_for_from_quality_and_says_how_many_are_needed(as_owner):
    a_group(3)
    faces_of_vectors(lookalikes(2, 1))

    quality = as_owner.get(reverse("quality")).content.decode()
    page = shown(as_owner, audit="")
    told = say(as_owner, page, "name", name="Anna", part="audit=").json()
    then = as_owner.get(reverse("review-next"), {"audit": ""}).content.decode()

    assert re.search(r'href="/review\?audit">Answer 200 of them now<', quality)
    assert "A face drawn at random" in page
    assert "Only faces drawn at random<" in page
    assert "<b>0 of 200 answers</b> · 200 more" in page
    assert "<b>1 of 200 answers</b> · 199 more" in told["meter"]
    assert "A face drawn at random" in then
    assert not told["corrected"]
    say(as_owner, then, "stranger")
    assert heading(shown(as_owner, audit="")) == "No face is left to draw"


def test_without_a_script_the_audit_goes_on(as_owner):
    faces_of_vectors(lookalikes(2, 1))
    page = shown(as_owner, audit="")

    response = say(as_owner, page, "stranger", headers={}, part="audit=")

    assert response["Location"] == f"{reverse('review')}?audit="
