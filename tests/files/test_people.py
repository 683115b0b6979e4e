import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookwho.core import packs
from lookwho.core.errors import BrokenImage, FileMissing, InputError, NoFace, SeveralFaces
from lookwho.core.types import Reason
from lookwho.files.people import compare, compare_files, find, group, only_face
from lookwho.files.results import Results
from tests.faces import faces_of

OBAMA = ("32bit.png", "obama.jpg", "obama2.jpg", "obama3.jpg")
OBAMA += ("obama_partial_face.jpg", "obama_partial_face2.jpg")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """What each photo is analysed with once, whatever the number of tests that look at it."""
    results = Results(packs.settings(), tmp_path_factory.mktemp("cache"))
    yield {"processes": 2, "results": results}
    results.close()
    assert results.problem is None


@pytest.fixture(scope="module")
def album(media, tmp_path_factory):
    """A folder of six people, four photos each, some with strangers in the background."""
    people = sorted((media / "identities").iterdir())
    chosen = [person for person in people if len(list(person.iterdir())) >= 4][:6]
    folder = tmp_path_factory.mktemp("album")
    for person in chosen:
        (folder / person.name).mkdir()
        for photo in sorted(person.iterdir())[:4]:
            shutil.copy(photo, folder / person.name)
    return folder


def names(found):
    return [Path(face.path).name for face in found]


# --- which face is meant ---


@pytest.mark.parametrize(
    ("boxes", "meant"),
    (
        ([(0, 0, 10, 10)], 0),
        ([(0, 0, 30, 10), (50, 0, 60, 10)], 0),  # three times the area
        ([(50, 0, 60, 10), (0, 0, 30, 10)], 1),
        ([(0, 0, 100, 1), (0, 0, 20, 20), (50, 0, 55, 5)], 1),
        ([(-100, -100, 100, 100), (0, 0, 10, 10), (5, 5, 15, 15)], 0),
    ),
)
def test_the_one_face_or_one_much_larger_than_all_others_is_meant(boxes, meant):
    faces = faces_of(*boxes)

    assert np.array_equal(only_face(faces, "a.jpg").embedding, faces.embeddings[meant])


@pytest.mark.parametrize(
    "boxes",
    (
        [(0, 0, 29, 10), (50, 0, 60, 10)],
        [(0, 0, 10, 10), (0, 0, 10, 10)],
        [(0, 0, 30, 30), (50, 0, 70, 20), (0, 50, 29, 79)],
    ),
)
def test_among_faces_of_like_size_none_is_meant(boxes):
    with pytest.raises(SeveralFaces) as caught:
        only_face(faces_of(*boxes), "party.jpg")

    assert caught.value.message == (
        f"{len(boxes)} faces in party.jpg: crop the picture to the one that is meant"
    )


@pytest.mark.parametrize("reason", Reason)
def test_where_there_is_no_face_the_reason_is_told_in_words(reason):
    with pytest.raises(NoFace) as caught:
        only_face(faces_of(reason=reason), "wall.jpg")

    assert caught.value.message == f"no face in wall.jpg: {reason.message}"


# --- compare ---


@pytest.mark.parametrize(
    ("a", "b", "same"),
    (
        ("obama.jpg", "obama2.jpg", True),
        ("obama.jpg", "obama_partial_face.jpg", True),
        ("obama.jpg", "biden.jpg", False),
        ("biden.jpg", "obama2.jpg", False),
    ),
)
def test_two_photos_are_compared(a, b, same, samples, analyzer):
    comparison = compare(samples / a, samples / b, analyzer=analyzer)

    assert comparison.same is same
    assert (comparison.probability > 0.9) is same
    assert (comparison.probability < 0.1) is not same
    assert compare(samples / b, samples / a, analyzer=analyzer) == comparison


def test_files_are_compared_as_photos_in_memory_are(samples, analyzer, work):
    paths = [samples / "obama.jpg", samples / "biden.jpg"]
    images = [Image.open(path) for path in paths]
    arrays = [np.asarray(image) for image in images]
    data = [path.read_bytes() for path in paths]
    expected = compare_files(*paths, **work)

    assert compare(*map(str, paths), analyzer=analyzer) == expected
    assert compare(*data, analyzer=analyzer) == expected
    # Pillow decodes a JPEG a little differently.
    for in_memory in (images, arrays):
        comparison = compare(*in_memory, analyzer=analyzer)
        assert comparison.distance == pytest.approx(expected.distance, abs=0.002)
    for image in images:
        image.close()


def test_what_is_wrong_is_told_with_the_photo_that_is_meant(samples, analyzer, tmp_path):
    good = (samples / "obama.jpg").read_bytes()
    half = tmp_path / "half.jpg"
    half.write_bytes(good[: len(good) // 2])
    white = np.full((400, 400, 3), 255, np.uint8)

    with pytest.raises(BrokenImage, match=f"^{half}: the file ends before"):
        compare(good, half, analyzer=analyzer)
    with pytest.raises(BrokenImage, match=f"^{half}: the file ends before"):
        compare_files(half, samples / "obama.jpg", processes=1)
    with pytest.raises(BrokenImage, match=r"^photo b: the file ends before"):
        compare(good, half.read_bytes(), analyzer=analyzer)
    with pytest.raises(FileMissing, match=r"^there is no file 'none\.jpg'$"):
        compare("none.jpg", good, analyzer=analyzer)
    with pytest.raises(NoFace, match=r"^no face in photo a: the photo is nearly of one tone"):
        compare(white, good, analyzer=analyzer)


# --- find ---


def test_a_person_is_found_and_nobody_else(samples, work):
    matches = find([samples / "obama.jpg"], samples, **work)

    assert sorted(names(matches)) == sorted(OBAMA)
    assert names(matches)[0] == "obama.jpg"
    assert [match.distance for match in matches] == sorted(match.distance for match in matches)
    assert all(match.same and match.probability >= 0.5 for match in matches)


def test_everybody_in_an_album_is_found_by_one_photo(album, work):
    for person in sorted(album.iterdir()):
        photos = sorted(person.iterdir())
        matches = find(photos[:1], album, **work)

        assert sorted(match.path for match in matches) == [str(photo) for photo in photos]


def test_several_references_make_one_query(album, work):
    person = sorted(album.iterdir())[0]
    photos = sorted(person.iterdir())
    one, three = (find(photos[:count], album, everything=True, **work) for count in (1, 3))

    def last(matches):
        return next(match.distance for match in matches if match.path == str(photos[3]))

    assert last(three) < last(one)
    assert [match.path for match in three if match.same] == [match.path for match in three[:4]]
    assert {match.path for match in three[:4]} == {str(photo) for photo in photos}


def test_references_in_memory_find_what_their_files_find(samples, work):
    path = samples / "obama.jpg"
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    expected = find([path], samples, **work)
    by_bytes = find([path.read_bytes()], samples, **work)

    assert [(match.path, match.distance) for match in by_bytes] == [
        (match.path, match.distance) for match in expected
    ]
    for reference in (image, np.asarray(image)):
        assert sorted(names(find([reference], samples, **work))) == sorted(OBAMA)
    mixed = find([path, image], samples, **work)
    assert sorted(names(mixed)) == sorted(OBAMA)


def test_one_reference_need_not_be_a_list(samples, work):
    assert names(find(str(samples / "biden.jpg"), samples, **work)) == ["biden.jpg"]


def test_everything_is_listed_where_everything_is_asked_for(samples, work):
    faces = find([samples / "obama.jpg"], samples, everything=True, **work)

    assert sorted(names(faces)) == sorted([*OBAMA, "biden.jpg"])
    assert [face.path for face in faces if not face.same] == [str(samples / "biden.jpg")]
    assert names(faces)[-1] == "biden.jpg"


def test_each_photo_is_told_of_and_a_broken_one_stops_nothing(samples, tmp_path, work):
    shutil.copy(samples / "obama2.jpg", tmp_path / "c.jpg")
    (tmp_path / "a.jpg").write_text("<!doctype html>")
    Image.new("RGB", (300, 300)).save(tmp_path / "b.jpg")
    told = []
    matches = find([samples / "obama.jpg"], tmp_path, told=told.append, **work)

    assert names(matches) == ["c.jpg"]
    assert names(told) == ["a.jpg", "b.jpg", "c.jpg"]
    assert [outcome.error and outcome.error.code for outcome in told] == [
        "not_an_image",
        None,
        None,
    ]


def test_in_an_empty_folder_nobody_is_found(samples, tmp_path, work):
    assert find([samples / "obama.jpg"], tmp_path, **work) == []
    assert group(tmp_path, **work) == []


def test_a_reference_that_cannot_be_used_is_named(samples, tmp_path, work):
    Image.new("RGB", (300, 300)).save(tmp_path / "black.png")
    (tmp_path / "page.jpg").write_text("<!doctype html>")
    for reference, kind, words in (
        (tmp_path / "black.png", NoFace, f"no face in {tmp_path / 'black.png'}: "),
        (tmp_path / "page.jpg", InputError, f"{tmp_path / 'page.jpg'}: this is an HTML page"),
        (tmp_path / "none.jpg", FileMissing, f"there is no file '{tmp_path / 'none.jpg'}'"),
        (b"<!doctype html>", InputError, "photo 2: this is an HTML page"),
    ):
        with pytest.raises(kind) as caught:
            find([samples / "obama.jpg", reference], samples, **work)
        assert caught.value.message.startswith(words)
    with pytest.raises(InputError, match="there is no reference"):
        find([], samples, **work)


def test_settings_that_do_not_exist_are_refused_at_once(samples):
    with pytest.raises(InputError, match="there is no preset 'hasty'"):
        find([samples / "obama.jpg"], samples, preset="hasty")
    with pytest.raises(InputError, match="there is no pack 'big'"):
        group(samples, pack="big")


def test_the_tilde_means_the_home_folder(samples, work, monkeypatch):
    monkeypatch.setenv("HOME", os.fspath(samples))

    assert sorted(names(find(["~/obama.jpg"], "~", **work))) == sorted(OBAMA)


# --- group ---


def test_the_photos_of_two_people_are_grouped(samples, work):
    grouped = group(samples, **work)

    assert names(grouped) == sorted([*OBAMA, "biden.jpg"])
    assert {Path(face.path).name: face.group for face in grouped} == {
        **dict.fromkeys(OBAMA, 0),
        "biden.jpg": None,
    }


def test_an_album_is_grouped_into_its_people(album, work):
    grouped = group(album, **work)
    people = [
        {Path(face.path).parent.name for face in grouped if face.group == number}
        for number in range(6)
    ]

    assert people == [{person.name} for person in sorted(album.iterdir())]
    assert [sum(face.group == number for face in grouped) for number in range(7)] == [4] * 6 + [0]


def test_two_faces_of_one_photo_are_two_people(samples, tmp_path, work):
    with Image.open(samples / "obama.jpg") as photo:
        twice = Image.new("RGB", (2 * photo.width, photo.height))
        twice.paste(photo)
        twice.paste(photo, (photo.width, 0))
        twice.save(tmp_path / "twice.png")
        photo.save(tmp_path / "once.png")
    grouped = group(tmp_path, **work)

    assert names(grouped) == ["once.png", "twice.png", "twice.png"]
    assert sorted(str(face.group) for face in grouped[1:]) == ["0", "None"]
