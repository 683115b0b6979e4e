"""What members are told of others in a photo: the names of those who agreed to it, no more."""

import pytest

from lookwho.library.models import Collection, Face, Person
from lookwho.services import consents
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def photo(shelf):
    """A photo that members may see, of four people: each is known in another way."""
    Collection.objects.update(policy=Collection.Policy.OPEN)
    photo = shelf.photos[0]
    Face.objects.filter(media=photo).delete()
    people = {}
    for number, name in enumerate(("Agneta", "Silvio", "Guido", "Hilde")):
        person = Person.objects.create(name=name, user=a_user("member"), birth_date="1990-05-01")
        if name != "Silvio":
            consents.give(person.user, consents.NAMES, version=1)
        x1 = 0.1 + 0.2 * number
        face = Face.objects.create(media=photo, x1=x1, y1=0.2, x2=x1 + 0.1, y2=0.5)
        if name == "Guido":  # only thought to be
            face.guess, face.probability = person, 0.9
        else:
            face.person = person
        face.save()
        people[name] = person
    Person.objects.filter(name="Hilde").update(hidden=True)
    return photo


def test_a_member_sees_the_name_of_who_agreed_and_nothing_of_the_others(photo, member):
    page = member.get(f"/photos/{photo.uuid}").content.decode()

    assert page.count("Agneta") >= 1
    for face in Face.objects.filter(media=photo):
        agreed = face.person is not None and face.person.name == "Agneta"
        assert (str(face.uuid) in page) is agreed
    for hidden in ("Silvio", "Guido", "Hilde", "Who is this?", "Somebody without a name", "Age"):
        assert hidden not in page
    assert page.count("<rect") == 1
    assert f"/faces/{Face.objects.get(person__name='Agneta').uuid}/" not in page


def test_through_the_api_too(photo, member):
    told = member.get(f"/api/v1/photos/{photo.uuid}").json()

    [face] = told["faces"]
    agneta = Face.objects.get(person__name="Agneta")
    assert (face["uuid"], face["person"]["name"]) == (str(agneta.uuid), "Agneta")
    assert told["names"] == []


def test_once_withdrawn_the_name_is_gone(photo, member):
    consents.withdraw(Person.objects.get(name="Agneta").user, consents.NAMES)

    assert "Agneta" not in member.get(f"/photos/{photo.uuid}").content.decode()
    assert member.get(f"/api/v1/photos/{photo.uuid}").json()["faces"] == []


def test_owners_see_all_as_before(photo, owner):
    told = owner.get(f"/api/v1/photos/{photo.uuid}").json()

    assert len(told["faces"]) == 4


def test_lists_and_searches_tell_members_no_name_even_so(photo, member):
    photos = member.get("/api/v1/photos").json()["photos"]
    assert photos
    assert all(each["names"] == [] for each in photos)
    for path in ("/people", f"/people/{Person.objects.get(name='Agneta').uuid}"):
        answer = member.get(path)
        assert (answer.status_code, b"Agneta" in answer.content) == (404, False)
