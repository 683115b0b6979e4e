import re
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lookwho.core.types import Reason
from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Decision,
    Face,
    Job,
    Location,
    Media,
    Person,
)
from lookwho.services import analysis
from tests.people import a_pack, a_user, some_faces, some_media

pytestmark = pytest.mark.django_db


def page(photo, query=""):
    return f"/photos/{photo.uuid}{query}"


def in_album(*media, **more):
    album = Album.objects.create(title="Gala", slug=f"gala-{uuid4()}", **more)
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=one) for one in media)
    return album


def in_folder(photo, path="2024/1.jpg"):
    folder, _ = Collection.objects.get_or_create(title="Pictures", root="/pictures")
    return Location.objects.create(collection=folder, media=photo, path=path, size=3_400_000)


def looked_at(photo, state="done", **more):
    return Analysis.objects.create(media=photo, pack=a_pack(), state=state, **more)


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def links(answer):
    """The addresses of the photo before and of the photo after."""
    found = dict(re.findall(r'rel="(prev|next)" href="([^"]+)"', answer.content.decode()))
    return found.get("prev"), found.get("next")


# --- who may ---


def test_the_unknown_are_asked_to_sign_in(client):
    (photo,) = some_media(1)
    in_album(photo)

    assert client.get(page(photo)).url == f"/sign-in?next={page(photo)}"


def test_a_member_sees_a_photo_of_a_visible_album_and_no_other(client, member):
    visible, hidden, loose = some_media(3)
    in_album(visible)
    in_album(hidden, hidden=True)
    client.force_login(member)

    assert client.get(page(visible)).status_code == 200
    assert [client.get(page(each)).status_code for each in (hidden, loose)] == [404, 404]
    assert client.get(f"/photos/{uuid4()}").status_code == 404


def test_a_member_is_told_neither_who_is_in_it_nor_where_it_lies(client, member):
    (photo,) = media = some_media(1)
    in_album(photo)
    in_album(photo, hidden=True, event="secret")
    Album.objects.filter(hidden=True).update(title="Surprise")
    in_folder(photo)
    (face,) = some_faces(1, media=media, person=Person.objects.create(name="Anna"))
    looked_at(photo, reason=Reason.BLANK)
    client.force_login(member)

    told = client.get(page(photo)).content.decode()

    assert "Gala" in told
    for secret in ("Anna", "Surprise", "Pictures", "1.jpg", str(face.uuid), "No face was found"):
        assert secret not in told


@pytest.mark.parametrize("say", ("name", "yes", "no", "none"))
def test_a_member_cannot_say_who_somebody_is(client, member, say):
    (photo,) = media = some_media(1)
    in_album(photo)
    anna = Person.objects.create(name="Anna")
    (face,) = some_faces(1, media=media, guess=anna)
    client.force_login(member)

    answer = client.post(
        f"{page(photo)}/faces/{face.uuid}", {"say": say, "person": anna.uuid, "name": "Eve"}
    )

    assert answer.status_code == 404
    face.refresh_from_db()
    assert (face.person, face.dismissed, Person.objects.count()) == (None, False, 1)


ACTS = ("draw", "absent", "fix-box")


def act(name, photo, face):
    more = [face.uuid] if name == "fix-box" else []
    return reverse(name, args=[photo.uuid, *more])


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("role", ("member", None))
def test_nobody_else_puts_anybody_into_a_photo(client, name, role):
    (photo,) = media = some_media(1)
    in_album(photo)
    (face,) = some_faces(1, media=media)
    if role:
        client.force_login(a_user(role))

    answer = client.post(act(name, photo, face), {"box": "0.6 0.6 0.9 0.9", "name": "Eve"})

    assert answer.status_code == (404 if role else 302)
    assert list(Face.objects.values_list("x1", "person")) == [(face.x1, None)]
    assert not Decision.objects.exists()


def test_a_member_is_offered_none_of_that(client, member):
    (photo,) = some_media(1)
    in_album(photo)
    client.force_login(member)

    told = client.get(page(photo)).content.decode()

    for words in ("Someone is missing", "No visible face", "What was said of it", "drawing.js"):
        assert words not in told


def test_only_who_sees_everything_has_a_photo_looked_at_again(client, member, annotator):
    (photo,) = some_media(1)
    in_album(photo)
    looked_at(photo, "failed")

    for user in (member, annotator):
        client.force_login(user)
        assert client.post(f"{page(photo)}/again").status_code == 404

    assert not Job.objects.exists()


def test_acts_are_not_for_reading(as_owner):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    assert as_owner.get(f"{page(photo)}/faces/{face.uuid}").status_code == 405
    assert as_owner.get(f"{page(photo)}/again").status_code == 405
    for name in ACTS:
        assert as_owner.get(act(name, photo, face)).status_code == 405


# --- what the page says ---


def test_the_page_names_who_is_in_the_photo_and_asks_for_the_others(as_owner):
    (photo,) = media = some_media(1)
    anna, ben = Person.objects.create(name="Anna"), Person.objects.create(name="Ben")
    some_faces(1, media=media, person=anna)
    some_faces(1, media=media, guess=ben, probability=0.876)
    some_faces(1, media=media, guess=Person.objects.create())

    told = text_of(as_owner.get(page(photo)))

    assert "Ben? 87 % sure" in told
    assert "Yes, Ben" in told
    assert told.count("Who is this?") == 1
    assert "Not Anna" in told


def test_each_face_has_its_box_in_pixels_of_the_photo(as_owner):
    (photo,) = media = some_media(1)  # 1200 x 800
    some_faces(1, media=media, box=(0.25, 0.25, 0.5, 0.5))

    told = as_owner.get(page(photo)).content.decode()

    assert 'viewBox="0 0 1200 800"' in told
    assert '<rect x="300" y="200" width="300" height="200"' in told


def test_the_page_says_where_the_photo_lies_and_how_large_it_is(as_owner):
    (photo,) = some_media(1)
    in_album(photo)
    in_folder(photo)
    Media.objects.filter(pk=photo.pk).update(format="JPEG", width=4000, height=3000)

    told = text_of(as_owner.get(page(photo)))

    assert "Pictures / 2024/1.jpg" in told
    assert "4000 × 3000 · 12 million pixels · 3.2 MB · JPEG" in told
    assert "Gala" in told


def test_a_file_whose_name_is_no_text_is_shown_all_the_same(as_owner):
    (photo,) = some_media(1)
    in_folder(photo, path=r"Zo\xeb.jpg")

    assert r"Zo\xeb.jpg" in text_of(as_owner.get(page(photo)))


@pytest.mark.parametrize("kind", ("JPEG", "HEIF", ""))
def test_what_a_browser_cannot_show_is_offered_to_be_saved(as_owner, kind):
    (photo,) = some_media(1)
    Media.objects.update(format=kind)

    told = text_of(as_owner.get(page(photo)))

    assert ("Open the original" in told, "Save the original" in told) == (
        kind == "JPEG",
        kind != "JPEG",
    )


def test_where_no_face_was_found_the_page_says_why(as_owner):
    for reason in Reason:
        (photo,) = some_media(1)
        looked_at(photo, reason=reason)

        assert f"No face was found: {reason.message}." in text_of(as_owner.get(page(photo)))


def test_before_it_was_looked_at_the_page_says_so(as_owner):
    planned, unplanned = some_media(2)
    looked_at(planned, "waiting")

    for photo in (planned, unplanned):
        assert "Nobody has looked for faces in it yet" in text_of(as_owner.get(page(photo)))


def test_a_failed_search_says_why_and_is_tried_again(as_owner):
    (photo,) = some_media(1)
    row = looked_at(photo, "failed", error_code="timed_out", error="took over 60 s", attempts=3)
    Analysis.objects.filter(pk=row.pk).update(pack=analysis.current_pack())
    told = text_of(as_owner.get(page(photo)))

    answer = as_owner.post(f"{page(photo)}/again", {"next": page(photo)})

    assert "The search for faces failed: took over 60 s" in told
    assert answer.url == page(photo)
    row.refresh_from_db()
    assert row.state == Analysis.State.WAITING
    assert [job.payload["media"] for job in Job.objects.filter(kind="analyse")] == [[photo.pk]]


def test_as_many_queries_are_made_for_three_faces_as_for_one(as_owner):
    (photo,) = media = some_media(1)
    counts = []
    for more in (1, 2):
        some_faces(more, media=media * more, person=Person.objects.create(name=f"Anna {more}"))
        in_folder(photo, f"{more}.jpg")
        in_album(photo)
        with CaptureQueriesContext(connection) as captured:
            assert as_owner.get(page(photo)).status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


# --- the ones beside it ---


def test_the_ones_beside_it_are_those_of_the_timeline(as_owner):
    old, middle, new = some_media(3)

    assert links(as_owner.get(page(middle))) == (page(new), page(old))
    assert links(as_owner.get(page(new))) == (None, page(middle))
    assert links(as_owner.get(page(old))) == (page(middle), None)


def test_the_ones_beside_it_are_those_that_were_asked_for(as_owner):
    old, _, new = some_media(3)
    album = in_album(old, new)
    query = f"?album={album.uuid}"

    assert links(as_owner.get(page(new, query))) == (None, page(old, query))


def test_the_way_back_leads_to_the_photos_place_in_the_grid(as_owner):
    old, _, _ = some_media(3)
    album = in_album(old)

    back = re.compile(r'href="([^"]+)" data-back')
    plain = back.search(as_owner.get(page(old)).content.decode())[1]
    inside = back.search(as_owner.get(page(old, f"?album={album.uuid}")).content.decode())[1]
    query = f"album={album.uuid}&since=2024-06-01"
    narrow = back.search(as_owner.get(page(old, f"?{query}")).content.decode())[1]

    assert plain == "/photos#2024-06-01/2"
    assert inside == f"/albums/{album.slug}#2024-06-01/0"
    assert narrow == f"/photos?{query.replace('&', '&amp;')}#2024-06-01/0"


# --- what is said of a face ---


def say(client, photo, face, **told):
    return client.post(f"{page(photo)}/faces/{face.uuid}", told)


def now(face):
    face.refresh_from_db()
    return face.person and face.person.name


def test_a_face_is_named_and_that_can_be_undone(as_owner):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    answer = say(as_owner, photo, face, say="name", name="Anna")

    assert (answer.status_code, now(face)) == (302, "Anna")
    undo = re.search(r"/people/undo/([0-9a-f-]{36})", as_owner.get(answer.url).content.decode())
    as_owner.post(f"/people/undo/{UUID(undo[1])}")
    assert now(face) is None


def test_a_guess_is_confirmed_or_refused(as_owner):
    (photo,) = media = some_media(1)
    ben = Person.objects.create(name="Ben")
    right, wrong = some_faces(2, media=media * 2, guess=ben, probability=0.8)

    say(as_owner, photo, right, say="yes", person=ben.uuid)
    say(as_owner, photo, wrong, say="no", person=ben.uuid)

    assert (now(right), now(wrong)) == ("Ben", None)
    assert wrong.guess is None


def test_what_is_no_face_goes(as_owner):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    say(as_owner, photo, face, say="none")

    assert str(face.uuid) not in as_owner.get(page(photo)).content.decode()


def test_an_annotator_names_faces_too(client, annotator):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)
    client.force_login(annotator)

    say(client, photo, face, say="name", name="Anna")

    assert now(face) == "Anna"


def test_after_an_answer_the_page_is_the_one_it_was_given_on(as_owner):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)
    here = page(photo, f"?person={uuid4()}")

    answer = say(as_owner, photo, face, say="name", name="Anna", next=here)

    assert answer.url == here


def test_scripts_get_a_toast_and_are_told_that_something_changed(as_owner):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    answer = as_owner.post(
        f"{page(photo)}/faces/{face.uuid}", {"say": "name", "name": "Anna"}, HTTP_HX_REQUEST="true"
    )

    assert answer.status_code == 200
    assert answer.headers["HX-Trigger"] == "changed"
    assert b"data-toast" in answer.content


@pytest.mark.parametrize(
    ("told", "status"),
    (
        ({"say": "nonsense"}, 422),
        ({}, 422),
        ({"say": "name", "name": "  "}, 422),
        ({"say": "yes", "person": "nonsense"}, 404),
        ({"say": "yes", "person": str(uuid4())}, 404),
    ),
)
def test_what_cannot_be_said_is_refused(as_owner, told, status):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    assert say(as_owner, photo, face, **told).status_code == status
    assert now(face) is None


def test_a_face_of_another_photo_is_not_found(as_owner):
    photo, other = some_media(2)
    (face,) = some_faces(1, media=[other])

    assert say(as_owner, photo, face, say="name", name="Anna").status_code == 404
    assert Face.objects.filter(person=None).count() == 1


def test_the_day_is_the_cameras_own(as_owner):
    (photo,) = some_media(1)
    taken = datetime(2024, 12, 31, 23, 59, tzinfo=UTC)
    Media.objects.update(taken_at=taken, day=taken.date())

    told = text_of(as_owner.get(page(photo)))

    assert "Tuesday 31 December 2024" in told
    assert "23:59" in told


@pytest.mark.parametrize(
    ("born", "words"),
    ((date(1987, 3, 21), "Anna 37 years old"), (date(2025, 1, 1), "Anna before birth")),
)
def test_somebody_whose_birth_date_is_known_has_an_age(as_owner, born, words):
    (photo,) = media = some_media(1)  # of 1 June 2024
    some_faces(1, media=media, person=Person.objects.create(name="Anna", birth_date=born))

    assert words in text_of(as_owner.get(page(photo)))


def test_what_was_said_of_a_photo_is_linked(as_owner):
    (photo,) = some_media(1)
    path = f"/history?photo={photo.uuid}"

    assert path in as_owner.get(page(photo)).content.decode()
    assert as_owner.get(path).status_code == 200


# --- who was overlooked ---


def test_a_face_is_drawn_by_an_annotator_too_and_has_a_box(client, annotator):
    (photo,) = media = some_media(1)
    client.force_login(annotator)

    client.post(act("draw", photo, None), {"box": "0.5 0.5 0.75 0.75", "name": "Anna"})

    face = Face.objects.get(media=photo)
    assert (face.box, face.person.name) == ((0.5, 0.5, 0.75, 0.75), "Anna")
    told = client.get(page(photo)).content.decode()
    assert '<rect x="600" y="400" width="300" height="200"' in told
    assert media


def test_somebody_who_does_not_show_is_listed_without_a_box_or_a_crop(as_owner):
    (photo,) = some_media(1)

    as_owner.post(act("absent", photo, None), {"name": "Anna"})

    as_owner.get(page(photo))  # with the message
    answer = as_owner.get(page(photo))
    face = Face.objects.get(media=photo)
    assert "Anna not visible" in text_of(answer)
    assert "Not in this photo" in text_of(answer)
    told = answer.content.decode()
    assert "<rect" not in told
    assert reverse("face", args=[face.uuid, 160]) not in told
    say(as_owner, photo, face, say="no", person=face.person.uuid)
    assert "Anna" not in text_of(as_owner.get("/photos/" + str(photo.uuid))).partition("Undo")[2]


def test_a_frame_is_put_right(as_owner):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    as_owner.post(act("fix-box", photo, face), {"box": "0.1 0.1 0.2 0.2"})

    face.refresh_from_db()
    assert face.box == (0.1, 0.1, 0.2, 0.2)


@pytest.mark.parametrize("name", ("draw", "fix-box"))
@pytest.mark.parametrize("box", ("", "1 2", "0.1 0.1 0.5 x", "0.1 0.1 0.1001 0.5", "0 0 nan 1"))
def test_a_box_that_is_none_is_refused(as_owner, name, box):
    (photo,) = media = some_media(1)
    (face,) = some_faces(1, media=media)

    assert as_owner.post(act(name, photo, face), {"box": box}).status_code == 422
    assert Face.objects.count() == 1
    assert not Decision.objects.exists()


def test_a_video_has_no_faces_to_draw_but_people_who_do_not_show(as_owner):
    (video,) = some_media(1)
    Media.objects.update(kind=Media.Kind.VIDEO)

    told = as_owner.get(page(video), follow=True).content.decode()

    assert "Someone is missing" not in told
    assert "No visible face" in told


# --- what was shown ---


@pytest.mark.parametrize("verb", ("name", "yes", "no", "none"))
def test_an_answer_to_what_is_no_longer_so_is_refused(as_owner, verb):
    (photo,) = media = some_media(1)
    anna, ben = Person.objects.create(name="Anna"), Person.objects.create(name="Ben")
    (face,) = some_faces(1, media=media, person=ben)

    answer = say(as_owner, photo, face, say=verb, name="Anna", person=anna.uuid, seen="")

    assert answer.status_code == 409
    assert "This was just named Ben" in text_of(answer)
    assert now(face) == "Ben"
    assert not Decision.objects.exists()


def test_an_answer_to_what_is_still_so_is_taken(as_owner):
    (photo,) = media = some_media(1)
    ben = Person.objects.create(name="Ben")
    (face,) = some_faces(1, media=media, person=ben)
    assert f'name="seen" value="{ben.uuid}"' in as_owner.get(page(photo)).content.decode()

    say(as_owner, photo, face, say="name", name="Anna", seen=ben.uuid)

    assert now(face) == "Anna"
