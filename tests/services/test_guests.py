from datetime import timedelta

import pytest
from django.utils import timezone

from lookwho.core.errors import Invalid, LinkExpired, StorageReadOnly
from lookwho.library.models import Embedding, Guest, Reference, Request
from lookwho.services import guests, sharing
from lookwho.services.guests import FORGOTTEN_AFTER, KEPT
from tests.gallery import draw, make_album, make_collection, make_member, make_pack, make_photo

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Where selfies lie."""
    settings.SELFIES = tmp_path
    return tmp_path


@pytest.fixture
def share():
    album = make_album(make_photo(collection=make_collection()))
    return sharing.share(make_member("olga", "owner"), album=album)[0]


def with_selfie(guest, folder, generator):
    (folder / f"{guest.pk}.jpeg").write_bytes(b"a picture")
    reference = Reference.objects.create(
        guest=guest, file=f"{guest.pk}.jpeg", state=Reference.State.DONE
    )
    vector = draw(generator).astype("<f4").tobytes()
    Embedding.objects.create(reference=reference, pack=make_pack(), vector=vector)


@pytest.fixture
def generator():
    import numpy as np

    return np.random.default_rng(3)


def test_without_an_address_a_guest_is_kept_for_an_hour(share):
    now = timezone.now()

    guest, token = guests.begin_guest(share, now=now)

    assert guest.keep_until == now + FORGOTTEN_AFTER
    assert guests.guest_of(share, token, now=now) == guest
    assert guests.guest_of(share, token, now=now + FORGOTTEN_AFTER) is None


def test_with_an_address_a_guest_is_kept_until_the_day_they_were_told(share):
    sharing.change(share.created_by, share.uuid, until=timezone.now() + 300 * DAY)
    share.refresh_from_db()
    now = timezone.now()

    guest, _ = guests.begin_guest(share, email=" anna@example.org ", now=now)
    sooner, _ = guests.begin_guest(share, email="a@example.org", keep_until=now + DAY, now=now)

    assert (guest.email, guest.keep_until) == ("anna@example.org", now + KEPT)
    assert sooner.keep_until == now + DAY


def test_no_guest_is_kept_longer_than_the_link(share):
    now = share.expires_at - timedelta(minutes=10)

    soon, _ = guests.begin_guest(share, now=now)
    long, _ = guests.begin_guest(share, email="a@example.org", keep_until=now + 400 * DAY, now=now)

    assert soon.keep_until == long.keep_until == share.expires_at


@pytest.mark.parametrize(
    ("email", "days"), (("nobody", 1), ("a@b\nBcc: c@d.org", 1), ("a@example.org", -1))
)
def test_what_cannot_be_kept_is_refused(email, days, share):
    with pytest.raises(Invalid):
        guests.begin_guest(share, email=email, keep_until=timezone.now() + days * DAY)
    assert not Guest.objects.exists()


def test_a_guest_of_one_link_is_nobody_by_another(share):
    other, _ = sharing.share(share.created_by, album=share.album)
    _, token = guests.begin_guest(share)

    assert guests.guest_of(other, token) is None
    assert guests.guest_of(share, token[:-1]) is None


def test_the_mailed_link_leads_to_the_guest_and_is_stored_nowhere(share, settings):
    settings.SITE_URL = "https://photos.example.org"
    guest, token = guests.begin_guest(share, email="anna@example.org")
    guest = Guest.objects.get()

    link = guests.guest_link(guest)

    assert link == f"https://photos.example.org/g/as/{token}"
    assert guests.find_guest(link.rpartition("/")[2]) == guest
    assert not any(token in str(value) for value in vars(guest).values())


def test_somebody_who_searched_can_still_leave_an_address(share):
    guest, _ = guests.begin_guest(share)
    now = timezone.now()

    guests.keep_guest(guest, "anna@example.org", keep_until=now + DAY)

    guest.refresh_from_db()
    assert (guest.email, guest.keep_until) == ("anna@example.org", now + DAY)


def test_it_is_too_late_to_keep_who_was_forgotten(share):
    guest, _ = guests.begin_guest(share)

    with pytest.raises(LinkExpired):
        guests.keep_guest(guest, "a@example.org", now=timezone.now() + DAY)
    with pytest.raises(Invalid):
        guests.keep_guest(guest, " ")
    guest.refresh_from_db()
    assert guest.email == ""


def test_nothing_is_left_of_who_wants_to_be_forgotten(share, folder, generator):
    guest, token = guests.begin_guest(share, email="anna@example.org")
    other, _ = guests.begin_guest(share)
    for each in (guest, other):
        with_selfie(each, folder, generator)
    Request.objects.create(
        media=share.album.media.get(), guest=guest, email="anna@example.org", message="please"
    )
    gone = guest.pk

    guests.forget_guest(guest)

    assert [path.name for path in folder.iterdir()] == [f"{other.pk}.jpeg"]
    assert not Guest.objects.filter(pk=gone).exists()
    assert Embedding.objects.count() == Reference.objects.count() == 1
    # What they asked for is still asked for, by nobody in particular.
    request = Request.objects.get()
    assert (request.guest, request.email, request.message) == (None, "", "please")
    with pytest.raises(LinkExpired):
        guests.find_guest(token)


def test_guests_whose_time_is_over_are_removed_and_first_only_counted(share, folder, generator):
    now = timezone.now()
    gone, _ = guests.begin_guest(share)
    kept, _ = guests.begin_guest(share, email="anna@example.org")
    for each in (gone, kept):
        with_selfie(each, folder, generator)
    Request.objects.create(media=share.album.media.get(), guest=gone, email="b@example.org")
    later = now + 2 * FORGOTTEN_AFTER

    assert guests.purge_guests(now=now) == 0
    assert guests.purge_guests(now=later, dry_run=True) == 1
    assert Guest.objects.count() == 2
    assert guests.purge_guests(now=later) == 1

    assert list(Guest.objects.all()) == [kept]
    assert [path.name for path in folder.iterdir()] == [f"{kept.pk}.jpeg"]
    assert Embedding.objects.get().reference.guest == kept
    assert Request.objects.get().email == "b@example.org"  # their answer is still to come


def test_guests_of_a_revoked_link_who_were_left_are_removed(share):
    guests.begin_guest(share)
    type(share).objects.update(revoked_at=timezone.now())

    assert guests.purge_guests() == 1


def test_one_picture_that_cannot_be_removed_keeps_no_other_guest(share, folder, generator):
    later = timezone.now() + 2 * FORGOTTEN_AFTER
    stuck, _ = guests.begin_guest(share)
    other, _ = guests.begin_guest(share)
    with_selfie(other, folder, generator)
    (folder / "a folder").mkdir()
    Reference.objects.create(guest=stuck, file="a folder")  # which no unlink removes

    with pytest.raises(StorageReadOnly):
        guests.purge_guests(now=later)

    assert list(Guest.objects.all()) == [stuck]


def test_the_sweeping_is_part_of_what_is_done_now_and_then():
    from lookwho.workers import kinds

    assert "lookwho.services.guests.sweep_guests" in kinds._TIDYING
