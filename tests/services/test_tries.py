import pytest

from lookwho.core.errors import TooMany
from lookwho.services import tries


@pytest.fixture(autouse=True)
def nothing_tried(settings):
    """A cache of its own, so that no test counts another's tries."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "test_tries",
        }
    }
    from django.core.cache import cache

    cache.clear()


def test_so_many_tries_are_let_through_and_no_more():
    for _ in range(3):
        tries.count("door", 1, most=3, seconds=600)

    with pytest.raises(TooMany, match="10 minutes"):
        tries.count("door", 1, most=3, seconds=600)


def test_each_is_counted_alone():
    tries.count("door", 1, most=1, seconds=60)
    tries.count("door", 2, most=1, seconds=60)
    tries.count("window", 1, most=1, seconds=60)

    with pytest.raises(TooMany):
        tries.count("door", 2, most=1, seconds=60)


def test_what_is_forgotten_begins_anew():
    tries.count("door", most=1, seconds=60)
    tries.forget("door")

    tries.count("door", most=1, seconds=60)


def test_an_address_of_any_letters_can_be_counted():
    tries.count("door", "2001:db8::1 \udceb \0 é" * 50, most=1, seconds=60)
