import os
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from lookwho.library.models import (
    EntryLink,
    Guest,
    Job,
    Reference,
    Request,
    SearchLog,
    Setting,
    Share,
    Upload,
    Video,
)
from lookwho.services import accounts, options, retention
from tests.gallery import make_photo
from tests.people import a_user

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def selfies(settings, tmp_path):
    for name in ("SELFIES", "PROXIES", "MONTAGES"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        setattr(settings, name, folder)
    return settings.SELFIES


def ago(days):
    return NOW - timedelta(days=days)


def share(**more):
    number = Share.objects.count()
    return Share.objects.create(kind="album", token_hash=bytes([number]) * 32, **more)


def used(path, days):
    """A file that was last used so many days ago."""
    path.write_bytes(b"video")
    os.utime(path, (ago(days).timestamp(),) * 2)


@pytest.fixture
def kept(selfies, settings):
    """Of each kind two things: one that goes today, and one that does not yet."""
    user, quiet = a_user("member", last_login=NOW), a_user("member")
    type(quiet).objects.filter(pk=quiet.pk).update(date_joined=ago(500), last_login=ago(400))
    for whose, days in ((user, 31), (user, 29), (quiet, None), (user, None)):
        name = f"{whose.pk}-{days}.jpg"
        (selfies / name).write_bytes(b"picture")
        deleted = None if days is None else ago(days)
        row = Reference.objects.create(user=whose, file=name, state="done", deleted_at=deleted)
        Reference.objects.filter(pk=row.pk).update(created_at=ago(450) if whose == quiet else NOW)
    photo = make_photo()
    for days in (366, 364):
        row = SearchLog.objects.create(user=user, purpose="find_self")
        SearchLog.objects.filter(pk=row.pk).update(created_at=ago(days))
        Request.objects.create(
            media=photo, email="a@b.cz", message="mine", state="hidden", answered_at=ago(days)
        )
    Request.objects.create(media=photo, email="a@b.cz", message="open")
    for days in (91, 89):
        share(expires_at=ago(days))
        share(expires_at=NOW + timedelta(days=1), revoked_at=ago(days))
        EntryLink.objects.create(user=user, token_hash=bytes([days]) * 32, expires_at=ago(days))
        row = Upload.objects.create(user=user, name="a.zip", size=1, state="done")
        Upload.objects.filter(pk=row.pk).update(touched_at=ago(days))
    Upload.objects.filter(pk=Upload.objects.create(name="b", size=1).pk).update(touched_at=ago(99))
    for days in (31, 29):
        for state in ("done", "cancelled", "failed"):
            Job.objects.create(kind="import", state=state, finished_at=ago(days))
    Job.objects.create(kind="import", state="waiting")
    parent = Job.objects.create(kind="import", state="done", finished_at=ago(40))
    Job.objects.create(kind="analyse", state="failed", finished_at=ago(40), parent=parent)
    whole = Job.objects.create(kind="import", state="done", finished_at=ago(40))
    Job.objects.create(kind="analyse", state="done", finished_at=ago(40), parent=whole)
    for _ in range(2):
        Job.objects.create(kind="group", state="done", finished_at=ago(40))
    for days in (31, 29):
        video = Video.objects.create(media=make_photo(kind="video"), proxy="ready")
        used(settings.PROXIES / f"{video.media.payload_hash.hex()}.mp4", days)
    for days in (8, 6):
        made = Job.objects.create(kind="montage", state="failed", finished_at=ago(days))
        used(settings.MONTAGES / f"{made.uuid.hex}.webm", days)
    # A guest who was told to be kept until tomorrow, by a link that has long expired.
    link = share(expires_at=ago(300))
    for number, until in enumerate((NOW + timedelta(days=1), ago(2))):
        Guest.objects.create(share=link, token_hash=bytes([90 + number]) * 32, keep_until=until)
    for until in (ago(1), NOW + timedelta(days=1)):
        session = SessionStore()
        session.save()
        Session.objects.filter(pk=session.session_key).update(expire_date=until)
    return user


GOES = {
    "inactive": 1,
    "selfies": 1,
    "guests": 1,
    "searches": 1,
    "requests": 1,
    "links": 3,
    "uploads": 1,
    "jobs": 5,
    "copies": 1,
    "montages": 1,
    "sessions": 1,
}


def counts(went):
    return {each.rule.name: each.count for each in went}


def everything():
    kinds = (
        Reference,
        SearchLog,
        Share,
        EntryLink,
        Upload,
        Job,
        Guest,
        Session,
        Request.objects.exclude(message="").model,
    )
    return [kind.objects.count() for kind in kinds]


def test_a_dry_run_says_what_would_go_and_changes_nothing(kept, selfies):
    before, files = everything(), sorted(path.name for path in selfies.iterdir())

    assert counts(retention.run(now=NOW, dry_run=True)) == GOES

    assert everything() == before
    assert Request.objects.exclude(message="").count() == 3
    assert sorted(path.name for path in selfies.iterdir()) == files


def test_what_was_said_to_go_goes_and_nothing_else(kept, selfies, settings):
    assert counts(retention.run(now=NOW)) == GOES

    assert set(counts(retention.run(now=NOW)).values()) == {0}
    assert sorted(path.name for path in selfies.iterdir()) == sorted(
        [f"{kept.pk}-29.jpg", f"{kept.pk}-None.jpg"]
    )
    assert SearchLog.objects.count() == 1
    assert set(Request.objects.values_list("message", "email", "state")) == {
        ("", "", "hidden"),
        ("mine", "a@b.cz", "hidden"),
        ("open", "a@b.cz", "open"),
    }
    assert Share.objects.count() == 3
    assert Guest.objects.count() == 1
    assert EntryLink.objects.count() == 1
    assert Upload.objects.count() == 2
    assert Job.objects.filter(kind="import", state="failed").count() == 2
    assert Job.objects.filter(kind="group").count() == 1
    assert Job.objects.filter(kind="analyse").count() == 1
    assert Session.objects.count() == 1
    assert sorted(Video.objects.values_list("proxy", flat=True)) == ["none", "ready"]
    assert len(list(settings.PROXIES.iterdir())) == 1
    assert len(list(settings.MONTAGES.iterdir())) == 1


def test_an_owner_decides_for_how_long(kept):
    owner = accounts.the_owner()
    options.choose(owner, options.SEARCHES, 10)
    options.choose(owner, "selfie_retention_days", 3650)

    went = counts(retention.run(now=NOW, dry_run=True))

    assert (went["searches"], went["selfies"]) == (2, 0)
    assert Setting.objects.get(name=options.SEARCHES).changed_by == owner


def test_every_rule_with_days_has_them_among_the_options():
    known = {option.name for option in options.OPTIONS}

    told = {rule.option for rule in retention.RULES if rule.option}
    assert told <= known
    assert {option.name for option in options.OPTIONS if option.unit == "days"} == told


@pytest.mark.django_db(transaction=True)
def test_what_went_is_overwritten_in_the_database_too(settings, tmp_path):
    from lookwho.library.models import Embedding
    from tests.erasing import database
    from tests.gallery import make_pack

    user = a_user("member", last_login=NOW)
    row = Reference.objects.create(user=user, file="", state="done", deleted_at=ago(50))
    vector = bytes(range(256)) * 2
    Embedding.objects.create(reference=row, pack=make_pack(), vector=vector)
    assert any(vector in data or vector.hex().encode() in data for _, data in database())

    retention.run(now=NOW)

    assert not any(
        vector[:64] in data or vector[:64].hex().encode() in data for _, data in database()
    )
