"""Appearances of a video as files; how these are written is tested with `core.timecodes`."""

import csv
import io

import pytest

from lookwho.core.errors import Invalid
from lookwho.library.models import Collection, Location, Person, Video
from lookwho.library.scope import Purpose, Scope
from lookwho.services.appearances import CONTENT_TYPES, Kind, exported
from tests.films import a_video, seen, somebody

pytestmark = pytest.mark.django_db

EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True, names=True)


@pytest.fixture
def film():
    media = a_video()
    folder = Collection.objects.create(title="Films", root="/films")
    Location.objects.create(collection=folder, media=media, path="2024/Fête.2024.mov")
    Video.objects.filter(media=media).update(frame_rate=59.94)
    return media


def rows(export):
    return list(csv.DictReader(io.StringIO(export.content.decode())))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_file_is_called_like_the_video(film, kind):
    somebody("Ann", film, (1, 2))

    export = exported(EVERYTHING, film, kind)

    assert export.name == f"Fête.2024.{kind}"
    assert export.content_type == CONTENT_TYPES[kind]
    assert b"Ann" in export.content


def test_people_without_a_name_are_numbered_in_the_order_of_the_page(film):
    somebody("Ann", film, (1, 9))
    group = Person.objects.create()
    seen(film, (2, 5), guess=group, probability=0.75)
    seen(film, (3, 4))

    found = rows(exported(EVERYTHING, film, "csv"))

    assert [(row["name"], row["probability"]) for row in found] == [
        ("Ann", ""),
        ("Person 2", ""),
        ("Person 3", ""),
    ]
    assert [row["person"] for row in found][1:] == [str(group.uuid), ""]
    assert found[0]["video"] == "Fête.2024.mov"
    assert found[0]["start_timecode"] == "00:00:00;59"


def test_a_guess_is_told_with_how_sure_it_is(film):
    seen(film, (1, 2), guess=Person.objects.create(name="Ann"), probability=0.75)

    assert rows(exported(EVERYTHING, film, "csv"))[0]["probability"] == "0.750"


def test_one_person_alone_is_asked_for(film):
    ann, _ = somebody("Ann", film, (1, 2), (5, 6))
    somebody("Ben", film, (1, 9))
    nobody = Person.objects.create(name="Cid")

    edl = exported(EVERYTHING, film, "edl", person=ann).content.decode()

    assert (edl.count("COMMENT: Ann"), edl.count("COMMENT: Ben")) == (2, 0)
    assert "FROM CLIP NAME: Fête.2024.mov" in edl
    assert rows(exported(EVERYTHING, film, "csv", person=nobody)) == []


def test_whoever_may_not_be_told_names_gets_none_and_no_name_of_the_file(film):
    ann, _ = somebody("Ann", film, (1, 2))
    somebody("Ben", film, (1, 9))
    member = Scope(purpose=Purpose.BROWSE, open_collections=frozenset())

    assert rows(exported(member, film, "csv")) == []
    export = exported(member, film, "csv", named=frozenset({ann.pk}))
    assert [row["name"] for row in rows(export)] == ["Ann"]
    assert export.name == f"{film.uuid}.csv"
    assert "Fête" not in export.content.decode()


def test_more_than_an_edit_list_numbers_is_refused(film):
    somebody("Ann", film, *((second * 2.5, second * 2.5 + 1) for second in range(1000)))

    with pytest.raises(Invalid, match="999"):
        exported(EVERYTHING, film, "edl")
    assert len(rows(exported(EVERYTHING, film, "csv"))) == 1000
