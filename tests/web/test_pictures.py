import io
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from lookwho.library.models import Album, AlbumItem, Collection, Location, Media, Person
from lookwho.services import drawing, places
from lookwho.services.pictures import Pictures
from tests.filmed import a_video
from tests.people import a_user, some_faces, some_media
from tests.videos import make_clip

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = Pictures(tmp_path_factory.mktemp("pictures"), processes=1)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, maker):
    monkeypatch.setattr(places, "maker", lambda: maker)


@pytest.fixture
def folder(tmp_path):
    return Collection.objects.create(title="Pictures", root=str(tmp_path))


@pytest.fixture
def photo(folder, tmp_path):
    """A photo of 600 x 400 pixels whose left half is red and whose right half is blue."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[:, :300, 0] = pixels[:, 300:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "1.jpg", quality=95)
    (media,) = some_media(1)
    Media.objects.filter(pk=media.pk).update(width=600, height=400, format="JPEG")
    Location.objects.create(collection=folder, media=media, path="1.jpg")
    return media


@pytest.fixture
def face(photo):
    """A face in the middle of the red half."""
    return some_faces(1, media=[photo], box=(0.2, 0.4, 0.3, 0.55))[0]


def addresses(photo, face):
    return (
        f"/pictures/{photo.uuid}/320.webp",
        f"/pictures/{photo.uuid}/1600.webp",
        f"/originals/{photo.uuid}",
        f"/faces/{face.uuid}/160.webp",
    )


def in_album(photo, **more):
    album = Album.objects.create(title="Gala", slug=f"gala-{uuid4()}", **more)
    AlbumItem.objects.create(album=album, media=photo)
    return album


def opened(answer):
    return Image.open(io.BytesIO(answer.content)).convert("RGB")


# --- who may ---


def test_the_unknown_see_nothing(client, photo, face):
    in_album(photo)
    thumbnail, large, original, crop = addresses(photo, face)

    assert [client.get(each).status_code for each in (thumbnail, large, crop)] == [404] * 3
    assert client.get(original).url == f"/sign-in?next={original}"


@pytest.mark.parametrize("album", (None, {"hidden": True}, {"processing": True}))
def test_a_member_sees_nothing_of_a_photo_that_is_not_for_them(client, member, photo, face, album):
    if album is not None:
        in_album(photo, **album)
    client.force_login(member)

    assert [client.get(each).status_code for each in addresses(photo, face)] == [404] * 4


def test_a_member_sees_the_photos_of_a_visible_album_but_no_faces_of_others(
    client, member, photo, face
):
    in_album(photo)
    client.force_login(member)

    answers = [client.get(each) for each in addresses(photo, face)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert b"".join(answers[2].streaming_content)


def test_a_member_sees_their_own_faces_in_what_they_may_search_and_no_others(
    client, member, photo, face, folder
):
    Collection.objects.update(policy=Collection.Policy.OWN)
    Person.objects.create(name="Mia", user=member)
    own = some_faces(1, media=[photo], person=Person.objects.get())[0]
    client.force_login(member)

    answers = [client.get(each) for each in addresses(photo, own)]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert b"".join(answers[2].streaming_content)
    assert client.get(f"/faces/{face.uuid}/160.webp").status_code == 404


def test_an_annotator_sees_faces(client, annotator, photo, face):
    client.force_login(annotator)

    assert client.get(f"/faces/{face.uuid}/160.webp").status_code == 200


def test_a_photo_that_lies_nowhere_is_gone(as_owner, photo, face):
    Media.objects.update(present=False)

    assert [as_owner.get(each).status_code for each in addresses(photo, face)] == [404] * 4


def test_what_is_not_there_is_not_found(as_owner):
    for path in ("pictures/{}/320.webp", "faces/{}/160.webp", "originals/{}"):
        assert as_owner.get("/" + path.format(uuid4())).status_code == 404


@pytest.mark.parametrize("side", (0, 1, 319, 321, 10**9, 10**30))
def test_only_some_sizes_are_made(as_owner, photo, face, side):
    assert as_owner.get(f"/pictures/{photo.uuid}/{side}.webp").status_code == 404
    assert as_owner.get(f"/faces/{face.uuid}/{side}.webp").status_code == 404


def test_pictures_are_only_read(as_owner, photo, face):
    assert [as_owner.post(each).status_code for each in addresses(photo, face)] == [405] * 4


# --- what is sent ---


def test_a_thumbnail_is_the_whole_photo_made_small(as_owner, photo):
    answer = as_owner.get(f"/pictures/{photo.uuid}/320.webp")

    thumbnail = opened(answer)
    assert (answer["Content-Type"], thumbnail.size) == ("image/webp", (320, 213))
    assert thumbnail.getpixel((40, 100))[0] > 200
    assert thumbnail.getpixel((280, 100))[2] > 200


def test_a_crop_is_the_square_around_the_face(as_owner, face):
    crop = opened(as_owner.get(f"/faces/{face.uuid}/160.webp"))

    assert crop.width == crop.height <= 160
    colours = np.asarray(crop).reshape(-1, 3).mean(axis=0)
    assert colours[0] > 200
    assert colours[2] < 60


def test_the_original_is_sent_as_it_is(as_owner, photo, tmp_path):
    answer = as_owner.get(f"/originals/{photo.uuid}")

    assert b"".join(answer.streaming_content) == (tmp_path / "1.jpg").read_bytes()
    assert answer["Content-Type"] == "image/jpeg"


def test_a_part_of_the_original_is_sent(as_owner, photo, tmp_path):
    answer = as_owner.get(f"/originals/{photo.uuid}", headers={"range": "bytes=2-5"})

    assert answer.status_code == 206
    assert b"".join(answer.streaming_content) == (tmp_path / "1.jpg").read_bytes()[2:6]


def test_pictures_stay_with_the_one_who_asked(as_owner, photo, face):
    thumbnail, large, _, crop = addresses(photo, face)
    for path in (thumbnail, large, crop):
        answer = as_owner.get(path)

        assert answer["Cache-Control"] == "private, max-age=3600"
        assert "Cookie" in answer["Vary"]
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_browser_that_has_the_picture_is_sent_nothing(as_owner, photo, face):
    for path in (f"/pictures/{photo.uuid}/320.webp", f"/faces/{face.uuid}/160.webp"):
        tag = as_owner.get(path)["ETag"]
        again = as_owner.get(path, headers={"if-none-match": f'"other", W/{tag}'})

        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)


def test_a_browser_that_has_the_picture_is_still_asked_who_it_is(client, owner, member, photo):
    path = f"/pictures/{photo.uuid}/320.webp"
    client.force_login(owner)
    tag = client.get(path)["ETag"]
    client.force_login(member)

    assert client.get(path, headers={"if-none-match": tag}).status_code == 404


def test_another_picture_has_another_tag(as_owner, photo, face):
    tags = [as_owner.get(path)["ETag"] for path in addresses(photo, face) if ".webp" in path]
    Media.objects.update(orientation=3)
    tags.append(as_owner.get(f"/pictures/{photo.uuid}/320.webp")["ETag"])

    assert len(set(tags)) == 4


# --- what goes wrong ---


def test_why_there_is_no_picture_is_said_in_plain_text(as_owner, photo, face, tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"no photo at all")

    for path in addresses(photo, face)[:2]:
        answer = as_owner.get(path)

        assert (answer.status_code, answer["Content-Type"]) == (422, "text/plain; charset=utf-8")
        assert "text file" in answer.content.decode()
        assert answer["Cache-Control"] == "no-store"


def test_a_file_that_is_gone_is_not_found(as_owner, photo, face, tmp_path):
    (tmp_path / "1.jpg").unlink()

    answers = [as_owner.get(path) for path in addresses(photo, face)]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert "1.jpg" in answers[2].content.decode()


def test_of_several_places_one_that_is_there_is_read(as_owner, photo, folder, tmp_path):
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "1.jpg").read_bytes())
    Location.objects.create(collection=folder, media=photo, path="copy.jpg")
    (tmp_path / "1.jpg").unlink()

    assert as_owner.get(f"/pictures/{photo.uuid}/320.webp").status_code == 200


def test_as_many_queries_are_made_for_a_photo_in_three_places_as_for_one(as_owner, photo, folder):
    counts = []
    for more in (0, 2):
        for number in range(more):
            Location.objects.create(collection=folder, media=photo, path=f"copy {number}.jpg")
        with CaptureQueriesContext(connection) as captured:
            assert as_owner.get(f"/pictures/{photo.uuid}/320.webp").status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_nobody_who_does_not_show_has_a_picture(client):
    owner = a_user()
    (media,) = some_media(1)
    drawing.absent(owner, media, "Anna")
    client.force_login(owner)

    answer = client.get(f"/faces/{media.faces.get().uuid}/160.webp")

    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert "no face of theirs shows" in answer.content.decode()


@pytest.fixture
def film(folder, tmp_path):
    """A video of one second in red, and one in blue."""
    red, blue = (np.full((64, 96, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    make_clip(tmp_path / "film.mp4", [red] * 25 + [blue] * 25)
    media = a_video(width=96, height=64, duration=2, format="MP4")
    Location.objects.create(collection=folder, media=media, path="film.mp4")
    return media


def test_of_a_video_the_whole_picture_in_which_a_face_is_may_be_asked_for(as_owner, film):
    address = f"/pictures/{film.uuid}/320.webp"
    red, blue = some_faces(2, media=[film, film])
    for face, time in ((red, 0.5), (blue, 1.5)):
        face.time = time
        face.save()
    answers = [as_owner.get(f"{address}?face={face.uuid}") for face in (red, blue)]
    colours = [np.asarray(Image.open(io.BytesIO(answer.content))) for answer in answers]

    assert [int(np.argmax(colour.mean(axis=(0, 1)))) for colour in colours] == [0, 2]
    assert answers[0]["ETag"] != answers[1]["ETag"]
    for wrong in ("nonsense", uuid4(), some_faces(1)[0].uuid):
        assert as_owner.get(f"{address}?face={wrong}").status_code == 404


def test_who_may_not_see_a_face_does_not_get_the_picture_it_is_in(client, member, film):
    Collection.objects.update(policy="open")
    (face,) = some_faces(1, media=[film], time=1.5)
    client.force_login(member)

    assert client.get(f"/pictures/{film.uuid}/320.webp").status_code == 200
    assert client.get(f"/pictures/{film.uuid}/320.webp?face={face.uuid}").status_code == 404


def test_a_face_of_a_video_is_cut_out_at_its_time(as_owner, film):
    red, blue = some_faces(2, media=[film, film])
    for face, time in ((red, 0.5), (blue, 1.5)):
        face.time = time
        face.save()

    answers = [as_owner.get(f"/faces/{face.uuid}/160.webp") for face in (red, blue)]

    means = [np.asarray(opened(answer)).mean(axis=(0, 1)) for answer in answers]
    assert [int(np.argmax(mean)) for mean in means] == [0, 2]
    assert answers[0]["ETag"] != answers[1]["ETag"]


@pytest.mark.parametrize("album", (None, {"hidden": True}, {}))
def test_of_a_video_everybody_sees_what_they_would_of_a_photo(client, member, film, album):
    (face,) = some_faces(1, media=[film], time=0.5)
    if album is not None:
        in_album(film, **album)
    client.force_login(member)

    answers = [client.get(each) for each in addresses(film, face)]

    expected = [200, 200, 200, 404] if album == {} else [404] * 4
    assert [answer.status_code for answer in answers] == expected
    if album == {}:
        assert answers[2]["Content-Type"] == "video/mp4"
        assert b"".join(answers[2].streaming_content)


def test_a_video_that_cannot_be_read_is_told_in_words(as_owner, film, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no video any more")
    Media.objects.filter(pk=film.pk).update(payload_hash=bytes(32))

    answer = as_owner.get(f"/pictures/{film.uuid}/640.webp")

    assert (answer.status_code, answer["Content-Type"]) == (422, "text/plain; charset=utf-8")
