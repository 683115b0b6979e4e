import numpy as np
import pytest

from lookwho.library.models import Person
from lookwho.services import held, people, search
from tests.filmed import RIGHT, a_cast, a_track, a_video, faces_in, somebody, store
from tests.gallery import (
    consented,
    draw,
    make_collection,
    make_member,
    make_photo,
    make_selfie,
    near,
)
from tests.people import a_user

pytestmark = pytest.mark.django_db

MIA, BEN = draw(np.random.default_rng(9), 2)


@pytest.fixture
def generator():
    return np.random.default_rng(4)


@pytest.fixture
def mia(generator):
    mia = consented(make_member("mia"))
    make_selfie(mia, near(generator, MIA, 0.01))
    return mia


def open_to_all(media):
    collection = make_collection(policy="open")
    collection.locations.create(media=media, path=f"{media.pk}.mp4")
    return media


def test_my_photos_say_when_somebody_is_seen_in_a_video(mia, generator):
    media = open_to_all(a_video())
    twice = somebody(near(generator, MIA, 0.01), a_track(1, 4), a_track(4.5, 6))
    again = somebody(near(generator, MIA, 0.02), a_track(30, 36))
    beside = somebody(near(generator, MIA, 0.03), a_track(2, 9, RIGHT))
    store(media, a_cast(twice, again, beside, somebody(BEN, a_track(1, 20, RIGHT))))
    photo = make_photo(near(generator, MIA, 0.01), collection=media.locations.get().collection)

    found = {match.media: match for match in search.my_photos(mia)}
    assert set(found) == {media, photo}
    assert found[media].times == ((1, 6), (30, 36))
    assert found[media].face == faces_in(media)[0]
    assert found[photo].times == ()
    assert search.may_see(mia, media)


def test_faces_that_were_confirmed_are_seen_too_and_those_rejected_are_not(mia, generator):
    media = open_to_all(a_video())
    here = somebody(near(generator, MIA, 0.01), a_track(1, 4))
    there = somebody(near(generator, MIA, 0.01), a_track(10, 14))
    store(media, a_cast(here, there, somebody(BEN, a_track(30, 36))))
    _, other, far = faces_in(media)
    owner, own = a_user(), Person.objects.create(name="Mia", user=mia)
    people.confirm(owner, [far], own)
    people.reject(owner, [other], own)

    (match,) = search.my_photos(mia)
    assert match.times == ((1, 4), (30, 36))


def test_what_is_held_about_somebody_says_when_they_are_seen(mia, generator):
    media = open_to_all(a_video())
    store(media, a_cast(somebody(near(generator, MIA, 0.01), a_track(1, 4), a_track(10, 14))))
    owner = a_user()
    people.assign(owner, faces_in(media), "Mia")
    Person.objects.filter(name="Mia").update(user=mia)

    told = held.held(mia)
    assert told["photos"][0]["seen"] == [[1, 4], [10, 14]]
    (face,) = told["person"][0]["faces"]
    assert face["appearances"] == [{"start": 1, "end": 4}, {"start": 10, "end": 14}]
    assert face["time"] == 2.5
