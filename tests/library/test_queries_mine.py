from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from lookwho.library.models import Analysis, Collection, Media
from lookwho.library.queries import mine
from lookwho.library.scope import Purpose, scope_of
from tests.gallery import make_album, make_collection, make_member, make_pack, make_photo

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def member():
    return make_member()


def scope(user):
    return scope_of(user, Purpose.FIND_SELF)


def sections(user, *photos):
    found = mine.sections(scope(user), [(photo.pk, photo.day) for photo in photos])
    return [(section.key, list(section.media)) for section in found]


def on(year, month, day, **more):
    return make_photo(taken_at=datetime(year, month, day, 12, tzinfo=UTC), **more)


def test_events_and_days_stand_by_their_dates_the_newest_first(member):
    a, b, c, d = on(2024, 6, 2), on(2024, 6, 1), on(2024, 5, 5), on(2024, 6, 1)
    make_album(a, b, title="Party", slug="party", date=date(2024, 6, 1))
    make_album(c, title="No date", slug="no-date")

    assert sections(member, a, b, d, c) == [
        ("album-party", [a.pk, b.pk]),
        ("2024-06-01", [d.pk]),
        ("album-no-date", [c.pk]),
    ]


def test_an_album_that_is_not_for_the_asker_is_not_told_of(member):
    photo = on(2024, 6, 1)
    make_album(photo, title="Secret", hidden=True)
    make_album(photo, title="Later", processing=True)

    assert sections(member, photo) == [("2024-06-01", [photo.pk])]
    assert sections(make_member("curator", role="curator"), photo)[0][0].startswith("album-")


def test_a_section_is_narrowed_to_some_of_its_photos(member):
    a, b = on(2024, 6, 2), on(2024, 6, 1)
    make_album(a, b, slug="party")
    (section,) = mine.sections(scope(member), [(a.pk, a.day), (b.pk, b.day)])

    assert section.only({b.pk}).media == (b.pk,)
    assert section.only(set()) is None


def test_many_photos_take_as_many_queries_as_one(member, django_assert_num_queries):
    photos = [on(2024, 6, 1 + number) for number in range(9)]
    for number, photo in enumerate(photos):
        make_album(photo, slug=f"album-{number}")
    place = scope(member)
    for some in (photos[:1], photos):
        with django_assert_num_queries(2):
            assert len(mine.sections(place, [(each.pk, each.day) for each in some])) == len(some)
        with django_assert_num_queries(4):
            mine.arrived(place, [each.pk for each in some], NOW - timedelta(days=1))


def old(photo, **when):
    Media.objects.filter(pk=photo.pk).update(created_at=NOW - timedelta(days=9), **when)
    return photo


def looked_at(photo, ago, pack="default"):
    return Analysis.objects.create(
        media=photo,
        pack=make_pack(pack),
        state=Analysis.State.DONE,
        finished_at=NOW - timedelta(days=ago),
    )


def test_what_arrived_was_stored_looked_at_or_put_into_an_album_since_then(member):
    kept, stored, analysed, again, filed, filed_twice = (old(make_photo()) for _ in range(6))
    Media.objects.filter(pk=stored.pk).update(created_at=NOW - timedelta(days=1))
    looked_at(kept, 8)
    looked_at(analysed, 1)
    looked_at(again, 8)
    looked_at(again, 1, pack="newer")
    make_album(filed, slug="new")
    first = make_album(filed_twice, slug="first")
    first.items.update(added_at=NOW - timedelta(days=8))
    make_album(filed_twice, slug="second")
    ids = [each.pk for each in (kept, stored, analysed, again, filed, filed_twice)]

    found = mine.arrived(scope(member), ids, NOW - timedelta(days=5))

    assert found == {stored.pk, analysed.pk, filed.pk}


def test_an_album_that_may_not_be_seen_makes_nothing_new(member):
    photo = old(make_photo(collection=make_collection(policy=Collection.Policy.OWN)))
    make_album(photo, hidden=True)

    assert mine.arrived(scope(member), [photo.pk], NOW - timedelta(days=5)) == set()


def test_only_photos_that_may_be_searched_are_said_to_wait(member):
    assert mine.unseen(scope(member)) == 0
    open_ = make_photo(collection=make_collection(policy=Collection.Policy.OWN))
    for photo in (open_, make_photo(collection=make_collection())):
        Analysis.objects.create(media=photo, pack=make_pack())

    assert mine.unseen(scope(member)) == 1


def test_photos_that_are_gone_have_no_tile(member):
    photos = [make_photo() for _ in range(3)]
    Media.objects.filter(pk=photos[1].pk).update(present=False)
    ids = [photo.pk for photo in reversed(photos)]

    found = mine.tiles(scope(member), [*ids, 10**9])

    assert [(pk, tile.uuid) for pk, tile in found] == [
        (photo.pk, photo.uuid) for photo in (photos[2], photos[0])
    ]
