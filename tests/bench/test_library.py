import numpy as np
import pytest

from bench import library
from lookwho.library.models import AlbumItem, Face, Location, Media, Person
from lookwho.library.queries import photos
from lookwho.library.scope import Purpose, Scope

pytestmark = pytest.mark.django_db

EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True, names=True)


def test_a_library_is_made_of_as_much_as_is_asked_for():
    library.fill(1200, faces=300, people=20)

    tables = (Media, Location, Face, Person, AlbumItem)
    assert [table.objects.count() for table in tables] == [1200, 1200, 300, 20, 1000]
    assert sum(count for _, count in photos.days(EVERYTHING)) == 1200


def test_a_made_library_is_as_uneven_as_real_ones():
    library.fill(2000, years=4)

    counts = [count for _, count in photos.days(EVERYTHING)]

    assert max(counts) > 100
    assert sorted(counts)[len(counts) // 2] <= 3


def test_the_same_photos_are_made_each_time():
    first, second = (library.times(300, 4, np.random.default_rng(1)) for _ in range(2))

    assert first == second
    assert sorted(first, reverse=True)[0] <= library.NEWEST
