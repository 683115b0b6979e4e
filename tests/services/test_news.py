from datetime import timedelta

import numpy as np
import pytest
from django.core import mail as outbox
from django.utils import timezone

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Collection, Guest, Job, Media, Person, SearchLog, User
from lookwho.services import guests, news
from lookwho.services.news import DAILY, PATIENCE, QUIET, ask_for_news, run_mail, stop_mail
from tests.gallery import (
    draw,
    make_album,
    make_collection,
    make_guest,
    make_member,
    make_photo,
    make_selfie,
    near,
)

State = Job.State


@pytest.fixture(autouse=True)
def with_mail(settings):
    """A mail server is named; what would go there is kept by Django."""
    settings.EMAIL_HOST = "mail.example.org"
    settings.SITE_URL = "https://photos.example.org"


@pytest.fixture
def generator():
    return np.random.default_rng(3)


@pytest.fixture
def me(generator):
    return draw(generator)


@pytest.fixture
def own(db):
    return make_collection(policy=Collection.Policy.OWN)


@pytest.fixture
def mia(db, me):
    """A member who wants mails, and was here yesterday."""
    yesterday = timezone.now() - timedelta(days=1)
    user = make_member(
        "mia",
        email="mia@example.org",
        wants_mail=True,
        visited_at=yesterday,
        date_joined=yesterday,
    )
    make_selfie(user, me)
    return user


def the_mail():
    (message,) = outbox.outbox
    return message


def jobs():
    return Job.objects.filter(kind=Job.Kind.MAIL, state=State.WAITING)


def carry_out(*, at=None):
    """Do the mail jobs that wait, as a worker does; return how many mails were sent."""
    now = at or timezone.now() + QUIET
    sent = 0
    for job in jobs().filter(run_at__lte=now):
        Job.objects.filter(pk=job.pk).update(state=State.LEASED)
        sent += run_mail(job, now=now)
        Job.objects.filter(pk=job.pk).update(state=State.DONE)
    return sent


def test_who_wants_it_is_told_how_many_new_photos_there_are_and_nothing_more(
    generator, mia, me, own
):
    for _ in range(2):
        photo = make_photo(near(generator, me, 0.03), draw(generator), collection=own)
    photo.faces.filter(pk=photo.faces.order_by("-pk")[0].pk).update(
        person=Person.objects.create(name="Anna")
    )

    asked = ask_for_news()
    sent = carry_out()

    message = the_mail()
    assert (asked, sent, message.to) == (1, 1, ["mia@example.org"])
    assert message.subject == "2 new photos of you"
    assert "There are 2 new photos that you are in." in message.body
    assert "https://photos.example.org/me?new=1" in message.body
    assert "https://photos.example.org/mail/stop/" in message.body
    for secret in ("Anna", str(photo.uuid), "picture", "mia"):
        assert secret not in message.body
    assert message.attachments == []
    assert not SearchLog.objects.exists()


def test_at_most_one_mail_a_day(generator, mia, me, own):
    make_photo(near(generator, me, 0.03), collection=own)
    ask_for_news()
    first = timezone.now() + QUIET
    assert carry_out(at=first) == 1
    make_photo(near(generator, me, 0.03), collection=own)

    ask_for_news()

    assert jobs().get().run_at == first + DAILY
    assert carry_out(at=first + DAILY - timedelta(minutes=1)) == 0
    run_mail(jobs().get(), now=first + timedelta(hours=1))  # whoever carries it too early
    assert len(outbox.outbox) == 1
    Job.objects.update(run_at=first)
    Media.objects.filter(pk=Media.objects.latest("pk").pk).update(
        created_at=first + timedelta(hours=1)
    )
    assert carry_out(at=first + DAILY) == 1


def test_a_job_that_is_carried_twice_sends_one_mail(generator, mia, me, own):
    make_photo(near(generator, me, 0.03), collection=own)
    ask_for_news()
    job = jobs().get()

    assert [run_mail(job), run_mail(job)] == [True, False]

    assert len(outbox.outbox) == 1


@pytest.mark.parametrize(
    "change",
    (
        lambda user: User.objects.update(wants_mail=False),
        lambda user: User.objects.update(email=""),
        lambda user: User.objects.update(is_active=False),
        lambda user: User.objects.update(visited_at=timezone.now() + timedelta(seconds=1)),
        lambda user: user.references.all().delete(),
        lambda user: Collection.objects.update(policy=Collection.Policy.CLOSED),
        lambda user: user.delete(),
    ),
    ids=("no more", "no address", "shut out", "seen", "no selfie", "closed", "gone"),
)
def test_nobody_is_written_to_who_has_nothing_to_be_told(generator, mia, me, own, change):
    make_photo(near(generator, me, 0.03), collection=own)
    ask_for_news()

    change(User.objects.get(pk=mia.pk))

    assert carry_out() == 0
    assert outbox.outbox == []


def test_who_is_in_no_new_photo_gets_no_mail(generator, mia, me, own):
    make_photo(near(generator, me, 0.03), collection=own)
    Media.objects.update(created_at=timezone.now() - timedelta(days=3))
    make_photo(draw(generator), collection=own)
    ask_for_news()

    assert carry_out() == 0


def test_nobody_who_has_not_asked_for_it_and_nobody_twice(generator, me, own, mia):
    make_member("max", email="max@example.org")
    make_member("noaddress", wants_mail=True)

    assert [ask_for_news(), ask_for_news()] == [1, 0]

    assert jobs().get().payload["user"] == mia.pk


def test_without_a_mail_server_nothing_waits(settings, mia):
    settings.EMAIL_HOST = ""

    assert ask_for_news() == 0
    assert not jobs().exists()


def test_it_waits_until_the_photos_that_come_in_were_looked_at_but_not_for_ever(
    generator, mia, me, own
):
    make_photo(near(generator, me, 0.03), collection=own)
    busy = Job.objects.create(kind=Job.Kind.ANALYSE, state=State.WAITING)
    ask_for_news()
    asked = timezone.now()

    assert carry_out() == 0
    assert jobs().count() == 1
    busy.delete()
    assert carry_out(at=asked + 3 * QUIET) == 1

    User.objects.update(mailed_until=None)
    Job.objects.create(kind=Job.Kind.ANALYSE, state=State.WAITING)
    ask_for_news()
    assert carry_out(at=timezone.now() + PATIENCE + 2 * QUIET) == 1


def test_where_the_server_does_not_take_it_it_is_tried_again_later(
    generator, mia, me, own, settings
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    make_photo(near(generator, me, 0.03), collection=own)
    ask_for_news()

    assert carry_out() == 0

    mia.refresh_from_db()
    assert mia.mailed_until is None
    assert jobs().get().run_at > timezone.now() + timedelta(minutes=30)


@pytest.mark.django_db
def test_a_guest_who_left_an_address_is_told_with_the_link_that_knows_them(generator, me):
    photo = make_photo(near(generator, me, 0.03))
    album = make_album(photo)
    guest = make_guest("anna@example.org", album=album)
    make_guest(album=album)  # searched and forgotten
    over = make_guest("over@example.org", album=album, lasts=timedelta(seconds=-1))
    Guest.objects.update(created_at=timezone.now() - timedelta(days=1))
    for each in (guest, over):
        make_selfie(each, me)

    assert ask_for_news() == 1
    assert carry_out() == 1

    message = the_mail()
    assert message.to == ["anna@example.org"]
    assert guests.guest_link(guest) in message.body
    assert "/me" not in message.body.replace("/mail", "")


# --- no more of it ---


def test_mails_end_by_the_link_in_them(mia):
    stop_mail(news.stop_token(mia))

    mia.refresh_from_db()
    assert not mia.wants_mail


@pytest.mark.django_db
def test_a_guest_is_kept_for_mails_alone_and_goes_with_them(me):
    guest = make_guest("anna@example.org", album=make_album())
    make_selfie(guest, me)

    stop_mail(news.stop_token(guest))

    assert not Guest.objects.exists()


def test_a_token_that_was_not_made_here_ends_nothing(mia):
    good = news.stop_token(mia)

    for token in ("", "user-1", good[:-1], good.replace("user", "guest"), f"user-{mia.uuid}:x"):
        with pytest.raises(NotFound):
            stop_mail(token)

    mia.refresh_from_db()
    assert mia.wants_mail


def test_who_has_no_address_cannot_ask_for_mails(db):
    user = make_member("max")

    with pytest.raises(Invalid, match="address"):
        news.want_mail(user, True)
    news.want_mail(user, False)

    user.refresh_from_db()
    assert not user.wants_mail
