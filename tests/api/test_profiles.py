"""Profiles: people of videos in the words of other systems, and what is written down of them."""

import pytest

from lookwho.library.models import Erasure, Face, Person, Track
from lookwho.services import accounts
from tests.films import a_video, seen, somebody

JSON = "application/json"
WHOLE = {
    "name": "Ann",
    "surname": "Berg",
    "middlename": "Ivanovna",
    "sex": "female",
    "birth_date": "1990-05-06",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(shelf):
    """Somebody in two videos."""
    for stretch in ((1, 4), (2, 3)):
        person, _ = somebody("Ann", a_video(), stretch)
    return person


def of(person):
    return f"/api/v1/profiles/{person.uuid}"


def test_a_profile_comes_with_its_videos_and_crops(owner, ann):
    told = owner.get(of(ann)).json()

    assert told["profile"] == {
        "id": str(ann.uuid),
        "called": "Ann",
        **dict.fromkeys(WHOLE),
    }
    faces = Face.objects.filter(person=ann).order_by("-media")
    assert told["videos"] == [
        {
            "video": str(face.media.uuid),
            "video_link": f"http://testserver/api/v1/videos/{face.media.uuid}/file",
            "crop_link": f"http://testserver/api/v1/faces/{face.uuid}/crop",
            "appearances": [{"start": start, "end": end}],
        }
        for face, (start, end) in zip(faces, ((2, 3), (1, 4)), strict=True)
    ]


def test_profiles_are_all_who_are_in_a_video_and_nobody_else(owner, ann):
    Person.objects.create(name="Of photos alone")
    group = Person.objects.create()
    seen(a_video(), (1, 2), guess=group, probability=0.9)

    whole = owner.get("/api/v1/profiles").json()
    first = owner.get("/api/v1/profiles?limit=1").json()
    rest = owner.get("/api/v1/profiles", {"cursor": first["next"]}).json()

    assert [each["profile"]["called"] for each in whole["profiles"]] == ["Ann", ""]
    assert [len(each["videos"]) for each in whole["profiles"]] == [2, 1]
    assert first["profiles"] + rest["profiles"] == whole["profiles"]


def test_profiles_of_a_video_are_those_of_its_people(owner, ann):
    media = Face.objects.filter(person=ann).first().media
    seen(media, (1, 2))  # somebody who is like nobody else

    told = owner.get(f"/api/v1/videos/{media.uuid}/profiles").json()

    assert [each["profile"]["id"] for each in told["profiles"]] == [str(ann.uuid)]
    assert told["video_link"].endswith(f"/api/v1/videos/{media.uuid}/file")


def test_a_profile_is_written_down_as_a_whole(owner, ann):
    answer = owner.put(of(ann), WHOLE, JSON)

    assert answer.json() == {"id": str(ann.uuid), "called": "Ann", **WHOLE}
    ann.refresh_from_db()
    assert (ann.given_name, ann.patronymic, ann.family_name) == ("Ann", "Ivanovna", "Berg")
    emptied = owner.put(of(ann), {"surname": "Berg"}, JSON).json()
    assert emptied == {"id": str(ann.uuid), "called": "Ann", **dict.fromkeys(WHOLE)} | {
        "surname": "Berg"
    }


def test_somebody_without_a_name_is_called_by_what_is_written_down(owner, shelf):
    group = Person.objects.create()
    face = seen(a_video(), (1, 2), guess=group, probability=0.9)

    assert owner.put(of(group), WHOLE, JSON).json()["called"] == "Ann Ivanovna Berg"
    face.refresh_from_db()
    assert face.person == group
    # A name that was made so follows what is written down, one that was chosen stays.
    told = owner.put(of(group), {**WHOLE, "middlename": None}, JSON).json()
    assert told["called"] == "Ann Berg"
    owner.patch(f"/api/v1/people/{group.uuid}", {"name": "Annie"}, JSON)
    assert owner.put(of(group), WHOLE, JSON).json()["called"] == "Annie"


@pytest.mark.parametrize(
    ("asked", "word"),
    (
        ({"name": "x" * 101}, "name"),
        ({"surname": "a\x00b"}, "a family name cannot hold control characters"),
        ({"sex": "odd"}, "sex"),
        ({"birth_date": "1800-01-01"}, "later than 1800-01-01"),
        ({"birth_date": "2999-01-01"}, "2999-01-01 is still to come"),
        ({"birth_date": "yesterday"}, "birth_date"),
    ),
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_written(owner, ann, asked, word):
    answer = owner.put(of(ann), {**WHOLE, **asked}, JSON)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert word in answer.json()["message"]
    ann.refresh_from_db()
    assert (ann.given_name, ann.birth_date) == ("", None)


def test_people_are_described_by_their_parts_too(owner, ann):
    path = f"/api/v1/people/{ann.uuid}"

    told = owner.patch(path, {"family_name": " Berg ", "sex": "female"}, JSON).json()

    assert (told["family_name"], told["sex"], told["name"]) == ("Berg", "female", "Ann")
    assert owner.patch(path, {"sex": ""}, JSON).json()["sex"] == ""
    refused = owner.patch(path, {"sex": "odd", "given_name": "Anna"}, JSON)
    assert (refused.status_code, refused.json()["message"]) == (
        422,
        "a sex is female, male, other or blank, not 'odd'",
    )
    assert owner.get(path).json()["given_name"] == ""
    assert owner.patch(path, {"birth_date": "1799-12-31"}, JSON).status_code == 422


def test_deleting_a_profile_leaves_nothing_of_it_and_only_an_owner_may(owner, ask, ann):
    curator = ask(accounts.make_user("Cid", role="curator"))
    assert curator.delete(of(ann)).status_code == 404
    assert Person.objects.filter(pk=ann.pk).exists()

    assert owner.delete(of(ann)).status_code == 204

    assert not Person.objects.filter(pk=ann.pk).exists()
    assert (Face.objects.filter(time__isnull=False).count(), Track.objects.count()) == (0, 0)
    assert Erasure.objects.count() == 1
    assert owner.get(of(ann)).status_code == 404


def test_members_are_told_of_no_profile(member, ann):
    for path in ("/api/v1/profiles", of(ann), f"/api/v1/people/{ann.uuid}/videos"):
        assert member.get(path).status_code == 404
    assert member.put(of(ann), WHOLE, JSON).status_code == 404


def test_the_videos_of_a_person_are_listed_in_pieces(owner, ann):
    path = f"/api/v1/people/{ann.uuid}/videos"

    whole = owner.get(path).json()
    first = owner.get(f"{path}?limit=1").json()
    rest = owner.get(path, {"cursor": first["next"]}).json()

    assert [each["appearances"] for each in whole["videos"]] == [
        [{"start": 2, "end": 3}],
        [{"start": 1, "end": 4}],
    ]
    assert first["videos"] + rest["videos"] == whole["videos"]
