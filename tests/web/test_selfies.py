import re
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lookwho.library.models import Consent, ConsentText, Job, Reference, Setting, User
from lookwho.services import consents
from lookwho.services.selfies import MOST
from tests.gallery import consented, make_selfie
from tests.people import a_user
from tests.pictures import encode, four_corners

pytestmark = pytest.mark.django_db

State = Reference.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where the selfies go."""
    settings.SELFIES = tmp_path / "selfies"
    return settings.SELFIES


@pytest.fixture
def as_member(client, member):
    """A member who has agreed to be found."""
    consented(member)
    client.force_login(member)
    return client


@pytest.fixture
def as_curator(db):
    client = Client()
    client.force_login(a_user("curator"))
    return client


@pytest.fixture
def as_owner(owner):
    client = Client()
    client.force_login(owner)
    return client


def picture():
    return SimpleUploadedFile("me.png", encode(four_corners(), "PNG"), "image/png")


def sent(client, upload, **more):
    return client.post("/me/selfies", {"selfie": upload, **more}, follow=True).content.decode()


# --- who may ---


def test_the_unknown_are_asked_to_sign_in(client, member):
    own = make_selfie(member, file="me.png")
    gets = ("/me/selfies", f"/me/selfies/{own.uuid}")
    posts = ("/me/selfies", f"/me/selfies/{own.uuid}/remove")

    answers = [client.get(path) for path in gets] + [client.post(path) for path in posts]

    assert all(answer.url.startswith("/sign-in") for answer in answers)
    assert Reference.objects.count() == 1


def test_nobody_reaches_the_selfie_of_somebody_else(as_owner, member, folder):
    own = make_selfie(member, file="me.png")
    folder.mkdir()
    (folder / own.file).write_bytes(b"me")

    assert as_owner.get(f"/me/selfies/{own.uuid}").status_code == 404
    assert as_owner.post(f"/me/selfies/{own.uuid}/remove").status_code == 404
    assert str(own.uuid) not in as_owner.get("/me").content.decode()
    assert (folder / own.file).exists()


# --- selfies ---


def test_a_selfie_is_taken_and_waits_for_a_worker(as_member, member, folder):
    told = sent(as_member, picture())

    reference = Reference.objects.get()
    assert (reference.user, reference.state) == (member, State.PROCESSING)
    assert Job.objects.get(kind=Job.Kind.REFERENCE).payload == {"reference": reference.pk}
    assert "Looking for your face" in told
    assert f'src="/me/selfies/{reference.uuid}"' in told
    answer = as_member.get(f"/me/selfies/{reference.uuid}")
    assert b"".join(answer.streaming_content) == (folder / reference.file).read_bytes()
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_while_it_is_looked_at_the_page_asks_again_and_then_is_drawn_anew(as_member, member):
    own = make_selfie(member, state=State.PROCESSING, file="me.png")

    waiting = as_member.get("/me/selfies")
    Reference.objects.filter(pk=own.pk).update(state=State.DONE)
    done = as_member.get("/me/selfies")

    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    assert "HX-Refresh" not in waiting.headers
    assert 'hx-trigger="every' not in done.content.decode()
    assert done.headers["HX-Refresh"] == "true"


def test_a_selfie_that_cannot_be_used_says_why(as_member, member):
    make_selfie(member, state=State.REJECTED, file="", error="3 faces: crop the picture to yours")

    told = as_member.get("/me").content.decode()

    assert "Not used:</span> 3 faces: crop the picture to yours" in told
    assert "We cannot look for you yet" in told


def test_what_is_no_picture_is_refused_in_words(as_member):
    told = sent(as_member, SimpleUploadedFile("me.txt", b"this is me"))

    assert "This is a text file" in told
    assert not Reference.objects.exists()


def test_sending_nothing_asks_for_a_picture(as_member):
    assert "Choose a picture first." in as_member.post("/me/selfies", follow=True).content.decode()


def test_one_who_has_the_most_selfies_is_offered_no_more(as_member, member):
    for _ in range(MOST):
        make_selfie(member)

    assert f"You have {MOST} selfies" in as_member.get("/me").content.decode()
    assert f"you have {MOST} selfies" in sent(as_member, picture()).lower()
    assert Reference.objects.count() == MOST


def test_a_selfie_that_is_removed_is_shown_no_more(as_member, member, folder):
    own = make_selfie(member, file="me.png")
    folder.mkdir()
    (folder / own.file).write_bytes(b"me")

    told = as_member.post(f"/me/selfies/{own.uuid}/remove", follow=True).content.decode()

    assert "The selfie is removed" in told
    assert "Which photos are you in?" in told
    assert as_member.get(f"/me/selfies/{own.uuid}").status_code == 404
    assert as_member.post(f"/me/selfies/{own.uuid}/remove").status_code == 404


def test_a_picture_that_was_not_kept_is_not_found(as_member, member):
    gone = make_selfie(member, state=State.REJECTED, file="")
    removed = make_selfie(member, file="me.png")
    Reference.objects.filter(pk=removed.pk).update(deleted_at=removed.created_at)

    for reference in (gone, removed):
        assert as_member.get(f"/me/selfies/{reference.uuid}").status_code == 404


def test_a_notice_of_one_that_was_refused_says_nothing_of_the_one_that_is_in_use(as_member, member):
    make_selfie(member, state=State.REJECTED, file="", error="no face")
    make_selfie(member)

    told = as_member.get("/me").content.decode()

    assert "No photo of you yet" in told
    assert "We cannot look for you" not in told


def test_each_state_has_a_notice_of_its_own(as_member, member):
    def heading():
        told = as_member.get("/me").content.decode()
        return re.sub("<[^>]*>", "", re.search("<h1>(.*?)</h1>", told)[1])

    assert heading() == "Which photos are you in?"
    own = make_selfie(member, state=State.PROCESSING)
    assert heading() == "Looking for you…"
    Reference.objects.update(state=State.REJECTED)
    assert heading() == "We cannot look for you yet"
    Reference.objects.update(state=State.DONE, approved=False)
    assert heading() == "Your selfie waits for approval"
    Reference.objects.update(approved=True)
    assert heading() == "No photo of you yet"
    assert own.pk


# --- consent ---


@pytest.fixture
def as_new_one(client, member):
    """A member who has agreed to nothing."""
    client.force_login(member)
    return client


def test_the_first_selfie_asks_for_consent_and_the_next_does_not(as_new_one, member):
    form = as_new_one.get("/me").content.decode()
    without = sent(as_new_one, picture())
    given = sent(as_new_one, picture(), agree="1", version="1")
    sent(as_new_one, picture())

    assert 'name="agree" value="1" required' in form
    assert consents.newest(consents.FIND).text[:30] in form
    assert "Tick the box first" in without
    assert "Looking for your face" in given
    assert Reference.objects.count() == 2
    assert Consent.objects.get().version == "1"
    assert 'name="agree"' not in as_new_one.get("/me").content.decode()


def test_who_was_shown_an_older_text_has_not_agreed_to_the_new_one(as_new_one, owner):
    ConsentText.objects.create(purpose=consents.FIND, version=2, text="Another text")

    refused = sent(as_new_one, picture(), agree="1", version="1")
    nonsense = sent(as_new_one, picture(), agree="1", version="x")

    assert "changed meanwhile" in refused
    assert "changed meanwhile" in nonsense
    assert (Consent.objects.count(), Reference.objects.count()) == (0, 0)


def test_a_text_that_was_changed_is_asked_about_and_the_earlier_consent_holds(as_member):
    ConsentText.objects.create(purpose=consents.FIND, version=2, text="Another text")

    assert "Another text" in as_member.get("/me").content.decode()
    sent(as_member, picture())

    assert Reference.objects.count() == 1
    assert Consent.objects.get().version == "1"


def test_for_a_minor_a_guardian_agrees(as_new_one, member):
    User.objects.filter(pk=member.pk).update(birth_date="2015-01-01")
    Setting.objects.create(name="consent_age", value=16)
    form = as_new_one.get("/me").content.decode()

    alone = sent(as_new_one, picture(), agree="1", version="1")
    told = {"guardian": "Ada Parent", "guardian_email": "ada@example.org"}
    sent(as_new_one, picture(), agree="1", version="1", **told)

    assert "parent or guardian" in form
    assert "too young" in alone
    consent = Consent.objects.get()
    assert (consent.guardian, consent.guardian_email) == ("Ada Parent", "ada@example.org")
    assert Reference.objects.count() == 1


def test_only_who_approves_sees_the_picture_of_another_and_only_while_it_waits(
    as_member, as_curator, as_owner, member, folder
):
    own = make_selfie(member, file="me.png", approved=False)
    folder.mkdir()
    (folder / own.file).write_bytes(b"me")
    address = f"/me/selfies/{own.uuid}"

    def answers():
        found = [client.get(address) for client in (as_member, as_curator, as_owner)]
        for each in found:
            each.getvalue()  # which closes the file
        return [each.status_code for each in found]

    waiting = answers()
    Reference.objects.update(approved=True)
    approved = answers()

    assert (waiting, approved) == ([200, 200, 200], [200, 404, 404])
    assert as_curator.get(f"/me/selfies/{uuid4()}").status_code == 404
