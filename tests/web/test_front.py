import pytest
from django.urls import reverse

from lookwho.library.models import Job, Person
from tests.people import a_group, a_person, a_user, some_media

pytestmark = pytest.mark.django_db


def door(client, role):
    client.force_login(a_user(role))
    return client.get("/")["Location"]


@pytest.mark.parametrize("role", ("owner", "curator"))
def test_an_empty_library_begins_with_welcome(client, role):
    assert door(client, role) == reverse("welcome")


def test_while_photos_come_in_people_is_where_they_appear(client):
    Job.objects.create(kind=Job.Kind.IMPORT)

    assert door(client, "owner") == reverse("people")


def test_while_groups_lack_names_the_owner_comes_to_people(client):
    a_group(3)

    assert door(client, "owner") == reverse("people")


def test_when_all_who_matter_have_names_the_owner_comes_to_photos(client):
    a_person("Anna")
    a_group(2)  # a passer-by
    stranger, _ = a_group(5)
    Person.objects.filter(pk=stranger.pk).update(hidden=True)

    assert door(client, "owner") == reverse("photos")


def test_photos_without_anybody_are_photos(client):
    some_media(1)

    assert door(client, "owner") == reverse("photos")


def test_a_member_comes_to_their_own_photos(client):
    a_group(3)

    assert door(client, "member") == reverse("me")


def test_an_annotator_comes_to_the_questions(client):
    assert door(client, "annotator") == reverse("review")


def test_the_unknown_come_to_the_sign_in(client):
    assert client.get("/")["Location"] == "/sign-in?next=/"


def test_somebody_who_may_no_longer_sign_in_is_unknown(client):
    user = a_user("owner")
    client.force_login(user)
    user.is_active = False
    user.save()

    assert client.get("/")["Location"] == "/sign-in?next=/"
