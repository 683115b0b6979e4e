import numpy as np
import pytest
from django.core import mail as outbox
from django.core.cache import cache

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from lookwho.library import vectors
from lookwho.library.models import Album, Collection, Media, Request, Share
from lookwho.library.queries import labelling, photos
from lookwho.library.queries import requests as queries
from lookwho.library.scope import Purpose, scope_of, scope_of_share
from lookwho.services import guests, requests, search, sharing
from tests.gallery import (
    draw,
    face_in,
    make_album,
    make_collection,
    make_member,
    make_pack,
    make_photo,
)

pytestmark = pytest.mark.django_db

State = Request.State


@pytest.fixture(autouse=True)
def nothing_tried():
    cache.clear()


@pytest.fixture
def mailing(settings):
    """A site that can send mail."""
    settings.EMAIL_HOST = "mail.example.org"
    return outbox


@pytest.fixture
def owner():
    return make_member("olga", "owner")


@pytest.fixture
def member():
    return make_member("mia", email="mia@example.org")


@pytest.fixture
def photo():
    return make_photo(
        draw(np.random.default_rng(5)), collection=make_collection(policy=Collection.Policy.OPEN)
    )


@pytest.fixture
def guest(owner, photo):
    share, _ = sharing.share(owner, album=make_album(photo))
    return guests.begin_guest(share)[0]


# --- asking ---


def test_a_member_asks_for_a_photo_that_they_may_see(member, photo):
    request = requests.ask_removal(member, photo, " please ")

    assert (request.user, request.media, request.message) == (member, photo, "please")
    assert request.state == State.OPEN
    assert list(queries.requests_of(member)) == [request]


def test_a_guest_asks_by_their_link_and_leaves_an_address(guest, photo):
    request = requests.ask_removal(guest, photo, email="anna@example.org")

    assert (request.guest, request.user, request.email) == (guest, None, "anna@example.org")


def test_nobody_asks_for_what_they_may_not_see(member, guest):
    hidden = make_photo(collection=make_collection(policy=Collection.Policy.CLOSED))

    for asker in (member, guest):
        with pytest.raises(NotFound):
            requests.ask_removal(asker, hidden)
    assert not Request.objects.exists()


def test_a_guest_of_a_revoked_link_asks_for_nothing(owner, guest, photo):
    Share.objects.update(revoked_at=photo.taken_at)
    guest.share.refresh_from_db()

    with pytest.raises(NotFound):
        requests.ask_removal(guest, photo)


def test_asking_twice_is_one_request_with_the_newer_words(member, photo):
    first = requests.ask_removal(member, photo, "please")
    again = requests.ask_removal(member, photo, "it is me, and I look silly")
    requests.ask_removal(member, photo)

    first.refresh_from_db()
    assert first == again
    assert first.message == "it is me, and I look silly"


@pytest.mark.parametrize("more", ({"message": "x" * 2001}, {"email": "no address"}))
def test_what_cannot_be_is_refused(more, guest, photo):
    with pytest.raises(Invalid):
        requests.ask_removal(guest, photo, **more)


def test_nobody_floods_the_list(member, photo):
    for _ in range(requests.MOST):
        requests.ask_removal(member, photo)

    with pytest.raises(TooMany):
        requests.ask_removal(member, photo)


# --- hidden means hidden ---


def test_one_click_hides_it_everywhere(owner, member, guest, photo):
    member_sees = scope_of(member, Purpose.BROWSE)
    face = face_in(photo)
    request = requests.ask_removal(member, photo)
    assert search.may_see(member, photo)

    done = requests.hide(owner, request.uuid, "Sorry!")

    photo.refresh_from_db()
    assert (done.state, done.answer, done.answered_by) == (State.HIDDEN, "Sorry!", owner)
    assert (photo.hidden, photo.present) == (True, False)
    assert not search.may_see(member, photo)
    assert not search.may_see(owner, photo)
    assert not requests.may_ask(guest, photo)
    for scope in (
        member_sees,
        scope_of(owner, Purpose.BROWSE),
        scope_of(owner, Purpose.NAME),
        scope_of_share(guest.share, Purpose.BROWSE),
        scope_of_share(guest.share, Purpose.FIND_SELF),
    ):
        assert not scope.media().exists()
        assert not scope.faces().exists()
        assert not scope.all_faces().exists()
        assert photos.tiles(scope) == []
        near = vectors.nearest(scope, draw(np.random.default_rng(5)), make_pack(), within=0.5)
        assert face.pk not in near.face_ids


def test_the_search_of_the_whole_library_finds_it_no_more(owner, member, photo):
    everything = scope_of(owner, Purpose.NAME)
    vector = draw(np.random.default_rng(5))
    assert list(vectors.nearest(everything, vector, make_pack()).face_ids) == [face_in(photo).pk]

    requests.hide(owner, requests.ask_removal(member, photo).uuid)

    assert not len(vectors.nearest(everything, vector, make_pack()).face_ids)


def test_a_photo_stays_hidden_when_it_turns_up_again(owner, member, photo):
    from lookwho.services import register

    requests.hide(owner, requests.ask_removal(member, photo).uuid)

    register.keep_present([photo.pk])

    assert not Media.objects.get().present


def test_a_labelling_task_does_not_show_it(owner, member, photo):
    from lookwho.library.models import Project, Task

    project = Project.objects.create(title="Labels")
    face = face_in(photo)
    task = Task(project=project, face=face, payload_hash=photo.payload_hash)
    assert labelling.media_of(task) == photo

    requests.hide(owner, requests.ask_removal(member, photo).uuid)

    with pytest.raises(NotFound):
        labelling.media_of(task)


# --- answering ---


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_only_owners_and_curators_answer(role, member, photo):
    by = make_member("ben", role)
    request = requests.ask_removal(member, photo)

    for act in (requests.hide, requests.decline):
        with pytest.raises(Forbidden):
            act(by, request.uuid, "no")
    with pytest.raises(Forbidden):
        requests.undo(by, request.uuid)
    assert not queries.open_ones(by).exists()
    assert not queries.answered(by).exists()
    assert queries.waiting(by) == 0
    with pytest.raises(NotFound):
        queries.request(by, request.uuid)
    assert Media.objects.get().present


def test_all_who_asked_for_a_photo_are_answered_at_once(owner, member, guest, photo):
    mine = requests.ask_removal(member, photo)
    theirs = requests.ask_removal(guest, photo)
    assert queries.waiting(owner) == 2

    requests.hide(owner, mine.uuid)

    theirs.refresh_from_db()
    assert theirs.state == State.HIDDEN
    assert queries.waiting(owner) == 0
    assert set(queries.answered(owner)) == {mine, theirs}


def test_declining_leaves_the_photo_and_says_why(owner, member, guest, photo):
    mine = requests.ask_removal(member, photo)
    theirs = requests.ask_removal(guest, photo)

    with pytest.raises(Invalid):
        requests.decline(owner, mine.uuid, " ")
    declined = requests.decline(owner, mine.uuid, "It is of the board.")

    theirs.refresh_from_db()
    assert (declined.state, declined.answer) == (State.DECLINED, "It is of the board.")
    assert theirs.state == State.OPEN
    assert Media.objects.get().present


def test_an_answer_counts_once(owner, member, photo):
    request = requests.ask_removal(member, photo)
    requests.decline(owner, request.uuid, "no")

    with pytest.raises(Conflict):
        requests.hide(owner, request.uuid)
    with pytest.raises(Conflict):
        requests.decline(owner, request.uuid, "no")
    assert Media.objects.get().present


def test_hiding_is_undone_and_the_photo_is_shown_again(owner, member, guest, photo):
    mine = requests.ask_removal(member, photo)
    requests.ask_removal(guest, photo)
    requests.hide(owner, mine.uuid, "Sorry!")

    opened = requests.undo(owner, mine.uuid)

    assert (opened.state, opened.answer, opened.answered_at) == (State.OPEN, "", None)
    assert search.may_see(member, photo)
    assert queries.waiting(owner) == 2
    with pytest.raises(Conflict):
        requests.undo(owner, mine.uuid)


def test_undo_shows_nothing_that_lies_nowhere(owner, member, photo):
    request = requests.ask_removal(member, photo)
    requests.hide(owner, request.uuid)
    photo.locations.update(missing_since=photo.taken_at)

    requests.undo(owner, request.uuid)

    assert not Media.objects.get().present


def test_after_an_answer_one_may_ask_again(owner, member, photo):
    first = requests.ask_removal(member, photo)
    requests.decline(owner, first.uuid, "no")

    assert requests.ask_removal(member, photo, "but it is me") != first


# --- mails ---


def test_the_answer_is_mailed_and_a_guests_address_goes(owner, guest, photo, mailing):
    request = requests.ask_removal(guest, photo, email="anna@example.org")

    requests.hide(owner, request.uuid, "Sorry for that.")

    (sent,) = mailing.outbox
    assert sent.to == ["anna@example.org"]
    assert "shown to nobody any more" in sent.body
    assert "Sorry for that." in sent.body
    request.refresh_from_db()
    assert request.email == ""


def test_a_member_is_mailed_too_and_reads_it_on_their_page(owner, member, photo, mailing):
    request = requests.ask_removal(member, photo)

    requests.decline(owner, request.uuid, "It is of the board.")

    (sent,) = mailing.outbox
    assert sent.to == ["mia@example.org"]
    assert "stays" in sent.body
    assert "It is of the board." in sent.body
    assert queries.requests_of(member).get().answer == "It is of the board."


def test_without_an_address_nothing_is_mailed(owner, guest, photo, mailing):
    requests.hide(owner, requests.ask_removal(guest, photo).uuid)

    assert mailing.outbox == []


def test_an_album_is_not_lost_for_one_photo(owner, guest, photo):
    kept = make_photo(collection=make_collection())
    guest.share.album.items.create(media=kept)

    requests.hide(owner, requests.ask_removal(guest, photo).uuid)

    assert list(scope_of_share(guest.share, Purpose.BROWSE).media()) == [kept]
    assert Album.objects.count() == 1
