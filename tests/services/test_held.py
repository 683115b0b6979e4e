import json
import zipfile

import numpy as np
import pytest

from lookwho.library.models import Consent, Face, Media, Person
from lookwho.services import held
from tests.erasing import EMAIL, NAME, somebody

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(settings, tmp_path):
    settings.HOME = tmp_path / "home"
    settings.SELFIES, settings.PICTURES = settings.HOME / "selfies", settings.HOME / "pictures"
    folder = tmp_path / "photos"
    folder.mkdir()
    return somebody(folder)


def test_all_that_is_kept_about_somebody_is_told(made):
    told = held.held(made.user)

    assert (told["account"]["name"], told["account"]["email"]) == (NAME, EMAIL)
    assert {each["purpose"] for each in told["consents"]} == {
        "find_me",
        "names",
        "consenting_events",
    }
    assert all("selfie" in each["text"] or "name" in each["text"] for each in told["consents"])
    assert [each["state"] for each in told["selfies"]] == ["done"]
    [person] = told["person"]
    assert person["name"] == NAME
    assert len(person["faces"]) == 9
    assert {each["verb"] for each in person["decisions"]} == {"confirm", "rename"}
    assert len(told["likes"]) == 1
    assert [each["message"] for each in told["requests"]] == [f"{NAME} asks"]
    assert [each["name"] for each in told["uploads"]] == ["mine.zip"]
    assert len(told["labels"]) == 3
    assert len(told["sign_ins"]["sessions_until"]) == 1
    assert [each["email"] for each in told["sign_ins"]["emailaddress"]] == [EMAIL]
    assert [each["kind"] for each in told["jobs"]] == ["mail"]


def test_in_which_photos_they_were_found_is_told(made):
    from lookwho.library.models import Collection

    Collection.objects.update(policy=Collection.Policy.OWN)

    told = held.held(made.user)["photos"]

    assert {each["photo"] for each in told if each["sure"]} == {
        media.uuid for media in Media.objects.filter(pk__in=[each.pk for each in made.media])
    }


def test_of_others_nothing_is_told(made):
    text = json.dumps(held.held(made.user), default=str)

    assert made.other.name not in text
    assert made.owner.email not in text or not made.owner.email
    for face in Face.objects.filter(person=made.other):
        assert str(face.uuid) not in text


def test_the_file_holds_selfies_and_vectors_too(made, settings):
    with held.export(made.user) as file, zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        [selfie] = [name for name in names if name.startswith("selfies/")]
        assert archive.read(selfie) == made.picture
        vectors = json.loads(archive.read("vectors.json"))
        told = json.loads(archive.read("held.json"))

    assert names == {"README.txt", "held.json", "vectors.json", selfie}
    assert told["selfies"][0]["file"] == selfie
    of_selfie = [each for each in vectors if each["selfie"]]
    assert np.allclose(of_selfie[0]["vector"], made.vectors[0], atol=1e-6)
    assert len(vectors) == 1 + 9


def test_of_somebody_of_whom_nothing_is_kept_little_is_told():
    from tests.people import a_user

    told = held.held(a_user("member"))

    assert not any(
        told[each] for each in ("consents", "selfies", "photos", "person", "likes", "decisions")
    )
    assert not Consent.objects.exists()
    assert not Person.objects.exists()
