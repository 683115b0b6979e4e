import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Consent,
    Face,
    Job,
    Person,
    Segment,
)
from lookwho.services import montages, proxies, sharing, work
from tests.films import a_clip, a_video, at_work, seen, somebody
from tests.people import a_user, some_media
from tests.work import claimed

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.PROXIES = tmp_path / "proxies"
    settings.MONTAGES = tmp_path / "montages"


def carry_out(kind):
    """Do the one job of a kind that waits."""
    job = claimed(kind)
    run = {"proxy": proxies.run_proxy, "montage": montages.run_montage}[kind]
    run(job, beat=lambda done=None: None)
    work.finish(job.pk, job.ticket)


def body(answer):
    return answer.content.decode()


def words(answer):
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body(answer)))


def open_album(*media, **more):
    album = Album.objects.create(title="Gala", slug=f"gala-{uuid4()}", **more)
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=one) for one in media)
    return album


def page(media):
    return f"/videos/{media.uuid}"


def lanes(answer):
    """The names of the lanes, from the top to the bottom."""
    return re.findall(r'data-lane="[^"]+" data-name="([^"]*)"', body(answer))


def blocks(answer):
    return re.findall(r'data-start="([\d.]+)" data-end="([\d.]+)"', body(answer))


# --- who may ---


@pytest.mark.parametrize("path", ("", "/file", "/paths"))
def test_the_unknown_are_asked_to_sign_in(client, path):
    media = a_video()
    open_album(media)

    answer = client.get(page(media) + path)

    assert answer.status_code == 302
    assert answer.url.startswith("/sign-in?next=")


@pytest.mark.parametrize("path", ("", "/file", "/paths"))
def test_a_video_that_is_not_for_a_member_is_not_there(client, member, path):
    media = a_video()
    open_album(media, hidden=True)
    client.force_login(member)

    assert client.get(page(media) + path).status_code == 404
    assert str(media.uuid) not in body(client.get("/videos"))


@pytest.mark.parametrize("act", ("cancel", "retry", "move"))
def test_members_and_annotators_do_not_touch_the_work(client, member, annotator, act):
    media = a_video(state="waiting")
    at_work(media, 0)
    open_album(media)
    for user in (member, annotator):
        client.force_login(user)

        assert client.post(f"{page(media)}/{act}", {"to": "first"}).status_code == 404
    assert Job.objects.filter(state="waiting", kind="segment").count() == 1


def test_members_say_nothing_of_faces(client, member):
    media = a_video()
    open_album(media)
    face = seen(media, (1, 2))
    client.force_login(member)

    answer = client.post(f"{page(media)}/faces/{face.uuid}", {"say": "name", "name": "Anna"})
    apart = client.post(f"{page(media)}/split", {"track": face.tracks.get().pk})

    assert answer.status_code == apart.status_code == 404
    assert not Person.objects.exists()


def test_members_see_the_names_of_those_who_agreed_and_no_other_lane(client, member):
    media = a_video()
    open_album(media)
    agreed, _ = somebody("Anna", media, (1, 4))
    somebody("Ben", media, (2, 6))
    seen(media, (5, 9))
    anna = a_user("member")
    Person.objects.filter(pk=agreed.pk).update(user=anna)
    Consent.objects.create(user=anna, purpose="names", version="1")
    client.force_login(member)

    answer = client.get(page(media))
    told = client.get(f"{page(media)}/paths").json()["tracks"]

    assert lanes(answer) == ["Anna"]
    assert blocks(answer) == [("1.0", "4.0")]
    assert len(told) == 1
    assert "Ben" not in body(answer)
    assert "appearances.csv" not in body(answer)


def test_members_see_no_face_crops_of_others(client, member):
    media = a_video()
    open_album(media)
    somebody("Ben", media, (2, 6))
    client.force_login(member)

    assert "/faces/" not in body(client.get(page(media)))
    assert "/faces/" not in body(client.get("/videos"))
    assert "Ben" not in body(client.get("/videos"))


# --- the list ---


def test_where_there_is_nothing_the_page_says_what_to_do(as_owner):
    answer = as_owner.get("/videos")

    assert "There are no videos yet" in words(answer)
    assert 'href="/welcome"' in body(answer)


def test_each_video_is_listed_with_its_length_and_with_who_is_seen_longest_first(as_owner):
    media = a_video(seconds=83)
    somebody("Anna", media, (1, 4))
    somebody("Ben", media, (10, 40))

    told = body(as_owner.get("/videos")).partition('id="video-')[2]

    assert f'href="/videos/{media.uuid}"' in told
    assert ">1:23<" in told
    assert told.index("Ben") < told.index("Anna")


def test_a_list_of_videos_makes_a_fixed_number_of_queries(as_owner):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert as_owner.get("/videos").status_code == 200
        return len(asked)

    somebody("Anna", a_video(), (1, 4))
    as_owner.get("/videos")
    one = queries()
    for name in ("Anna", "Ben", "Cleo"):
        somebody(name, a_video(), (1, 4), (6, 7))

    assert queries() == one


def test_the_queue_says_how_long_it_takes_and_how_far_each_is(as_owner):
    going, waiting = a_video(seconds=120, state="waiting"), a_video(seconds=60, state="waiting")
    at_work(going, 60, 90)
    at_work(waiting, 0)

    answer = as_owner.get("/videos")

    told = words(answer)
    assert "2 videos are still to be looked at, 3 min long in all." in told
    assert "Looked at 1:30 of 2:00" in told
    assert "Next to be looked at" in told
    assert "75 % of the video was looked at" in body(answer)
    assert body(answer).index(str(going.uuid)) < body(answer).index(str(waiting.uuid))
    assert 'data-every="2000"' in body(answer)


def test_a_failure_is_told_in_words_and_can_be_tried_again(as_owner):
    media = a_video(state="failed")
    Analysis.objects.update(error_code="broken_video", error="clip.mp4 has no picture track")
    Job.objects.create(
        kind="video",
        state="done",
        payload={"media": media.pk, "pack": Analysis.objects.get().pack_id},
    )

    assert "Clip.mp4 has no picture track" in words(as_owner.get("/videos"))
    as_owner.post(f"{page(media)}/retry")

    assert Analysis.objects.get().state == "waiting"
    assert "Next to be looked at" in words(as_owner.get("/videos"))


def test_cancelling_is_undone_by_looking_again(as_owner):
    media = a_video(state="waiting")
    at_work(media, 0, 60)

    answer = as_owner.post(f"{page(media)}/cancel", headers=HTMX)

    assert f'hx-post="{page(media)}/retry"' in body(answer)
    assert answer.headers["HX-Trigger"] == "changed"
    assert not Segment.objects.exists()
    assert "was cancelled" in words(as_owner.get(page(media)))
    as_owner.post(f"{page(media)}/retry")
    assert "Next to be looked at" in words(as_owner.get(page(media)))


def order(answer):
    return re.findall(r'id="video-([0-9a-f-]{36})"', body(answer))


@pytest.mark.parametrize(
    ("which", "to", "then"),
    (
        (2, "first", "cab"),
        (2, "up", "acb"),
        (1, "up", "bac"),
        (0, "down", "bac"),
        (0, "last", "bca"),
    ),
)
def test_the_order_of_the_queue_is_changed(as_owner, which, to, then):
    films = [a_video(state="waiting") for _ in "abc"]
    for media in films:
        at_work(media, 0)
    names = {str(media.uuid): name for media, name in zip(films, "abc", strict=True)}

    as_owner.post(f"{page(films[which])}/move", {"to": to})

    assert "".join(names[uuid] for uuid in order(as_owner.get("/videos"))) == then


# --- one ---


def test_a_lane_for_each_person_tells_when_they_appear(as_owner):
    media = a_video()
    somebody("Anna", media, (1, 4), (20, 22.5))
    seen(media, (30, 31))

    answer = as_owner.get(page(media))

    assert lanes(answer) == ["Anna", ""]
    assert blocks(answer) == [("1.0", "4.0"), ("20.0", "22.5"), ("30.0", "31.0")]
    assert 'aria-label="0:01 to 0:04, 3 seconds"' in body(answer)
    assert "6 seconds in 2 appearances" in words(answer)


def test_the_page_of_a_photo_of_a_video_leads_to_the_video_and_back(as_owner):
    media, (photo,) = a_video(), some_media(1)

    to_video = as_owner.get(f"/photos/{media.uuid}?person=x")
    to_photo = as_owner.get(f"/videos/{photo.uuid}")

    assert to_video.url == f"/videos/{media.uuid}?person=x"
    assert to_photo.url.startswith(f"/photos/{photo.uuid}")


def test_somebody_is_named_in_a_video_and_that_is_taken_back(as_owner):
    media = a_video()
    face = seen(media, (1, 4))

    done = as_owner.post(
        f"{page(media)}/faces/{face.uuid}",
        {"say": "name", "name": "Anna", "face": f"{face.uuid}/"},
        headers=HTMX,
    )

    assert lanes(as_owner.get(page(media))) == ["Anna"]
    as_owner.post(re.search(r'hx-post="(/people/undo/[^"]+)"', body(done))[1])
    assert lanes(as_owner.get(page(media))) == [""]


def test_a_guess_is_confirmed_or_refused(as_owner):
    media = a_video()
    ben = Person.objects.create(name="Ben")
    face = seen(media, (1, 4), guess=ben, probability=0.8)
    told = {"person": ben.uuid, "face": f"{face.uuid}/"}

    assert "80 % sure" in words(as_owner.get(page(media)))
    as_owner.post(f"{page(media)}/faces/{face.uuid}", {"say": "yes", **told})
    face.refresh_from_db()
    assert face.person == ben
    told["face"] = f"{face.uuid}/{ben.uuid}"
    as_owner.post(f"{page(media)}/faces/{face.uuid}", {"say": "no", **told})
    face.refresh_from_db()
    assert face.person is None


def test_both_faces_of_one_person_in_a_video_are_named_at_once(as_owner):
    media, group = a_video(), Person.objects.create()
    faces = [seen(media, stretch, guess=group) for stretch in ((1, 4), (8, 9))]

    shown = body(as_owner.get(page(media)))
    told = re.findall(r'name="face" value="([^"]+)"', shown)[:2]
    as_owner.post(
        f"{page(media)}/faces/{faces[0].uuid}", {"say": "name", "name": "Anna", "face": told}
    )

    assert {face.person.name for face in Face.objects.select_related("person")} == {"Anna"}
    assert lanes(as_owner.get(page(media))) == ["Anna"]


def test_what_is_no_face_has_no_lane_any_more(as_owner):
    media = a_video()
    face = seen(media, (1, 4))

    as_owner.post(f"{page(media)}/faces/{face.uuid}", {"say": "none", "face": f"{face.uuid}/"})

    assert lanes(as_owner.get(page(media))) == []


def test_a_stretch_that_is_somebody_else_gets_a_lane_of_its_own(as_owner):
    media = a_video()
    _, face = somebody("Anna", media, (1, 4), (10, 12))
    last = face.tracks.order_by("start").last()

    as_owner.post(f"{page(media)}/split", {"track": last.pk, "name": "Ben"})

    answer = as_owner.get(page(media))
    assert lanes(answer) == ["Anna", "Ben"]
    assert blocks(answer) == [("1.0", "4.0"), ("10.0", "12.0")]


def test_without_a_stretch_there_is_nothing_to_split(as_owner):
    media = a_video()
    seen(media, (1, 4), (8, 9))

    assert as_owner.post(f"{page(media)}/split", {"name": "Ben"}, headers=HTMX).status_code >= 400
    assert Face.objects.count() == 1


def test_a_stretch_of_another_video_cannot_be_split_from_this_one(as_owner):
    media, other = a_video(), a_video()
    seen(media, (1, 4), (8, 9))
    theirs = seen(other, (1, 4), (8, 9)).tracks.first()

    answer = as_owner.post(f"{page(media)}/split", {"track": theirs.pk})

    assert answer.status_code == 404
    assert Face.objects.count() == 2


def test_a_stale_answer_says_who_has_just_been_named(as_owner):
    media = a_video()
    face = seen(media, (1, 4))
    Face.objects.update(person=Person.objects.create(name="Ben"))

    answer = as_owner.post(
        f"{page(media)}/faces/{face.uuid}",
        {"say": "name", "name": "Anna", "face": f"{face.uuid}/"},
    )

    assert answer.status_code == 409
    face.refresh_from_db()
    assert face.person.name == "Ben"


def test_paths_are_told_for_a_stretch_of_time_with_what_leads_into_it(as_owner):
    media = a_video(seconds=600)
    face = seen(media, (10, 20), (300, 310))

    told = as_owner.get(f"{page(media)}/paths?from=120&to=305").json()["tracks"]

    assert [each["face"] for each in told] == [str(face.uuid)]
    assert told[0]["path"][::5] == [300.0, 310.0]
    assert told[0]["path"][1:5] == [0.25, 0.25, 0.5, 0.75]


def test_nonsense_for_a_time_is_no_error(as_owner):
    media = a_video()
    seen(media, (10, 20))

    assert len(as_owner.get(f"{page(media)}/paths?from=x&to=nan").json()["tracks"]) <= 1


def test_a_player_asks_for_any_part_of_the_file(as_owner, tmp_path):
    path = a_clip(tmp_path / "clip.webm", seconds=1)
    media = a_video(path=path)

    part = as_owner.get(f"{page(media)}/file", headers={"Range": "bytes=10-19"})

    assert part.status_code == 206
    assert b"".join(part) == path.read_bytes()[10:20]
    assert part["Content-Type"] == "video/webm"
    assert part["Content-Disposition"].startswith("inline")


def test_what_is_asked_of_videos_is_not_there_for_photos(as_owner):
    (photo,) = some_media(1)

    assert [as_owner.get(f"{page(photo)}/{what}").status_code for what in ("file", "paths")] == [
        404
    ] * 2
    assert as_owner.post(f"{page(photo)}/copy").status_code == 404


def test_what_a_browser_cannot_play_is_offered_as_a_copy(as_owner):
    media = a_video(plays=False)

    told = body(as_owner.get(page(media)))

    assert "<video" not in told
    assert f'action="{page(media)}/copy"' in told


def test_a_copy_is_asked_for_watched_and_stopped(as_owner, tmp_path):
    media = a_video(plays=False, path=a_clip(tmp_path / "clip.webm", seconds=1))

    as_owner.post(f"{page(media)}/copy")
    going = body(as_owner.get(page(media)))
    as_owner.post(f"{page(media)}/copy/stop")

    assert "is being made" in going
    assert 'data-every="2000"' in going
    assert "is being made" not in body(as_owner.get(page(media)))


def test_somebody_with_no_visible_face_is_in_the_video_until_that_is_denied(as_owner):
    media = a_video()
    as_owner.post(f"/photos/{media.uuid}/absent", {"name": "Dora"})

    told = as_owner.get(page(media))
    assert "Dora not visible" in words(told)
    assert lanes(told) == []
    face = Face.objects.get()
    person = {"person": face.person.uuid, "face": f"{face.uuid}/{face.person.uuid}"}
    as_owner.post(f"{page(media)}/faces/{face.uuid}", {"say": "no", **person})

    assert "Dora not visible" not in words(as_owner.get(page(media)))


# --- elsewhere ---


def test_tiles_of_videos_lead_to_their_pages(as_owner):
    media = a_video()

    assert f'href="/videos/{media.uuid}"' in body(as_owner.get("/photos"))


def test_the_page_of_a_person_shows_their_videos_and_leads_to_where_they_appear(as_owner):
    media = a_video()
    person, face = somebody("Anna", media, (1, 4), (20, 22.5))

    told = body(as_owner.get(f"/people/{person.uuid}"))

    assert f'href="/videos/{media.uuid}#t=20"' in told
    assert f"/faces/{face.uuid}/160.webp" in told
    assert f'href="/videos/{media.uuid}?person={person.uuid}#t=2.5"' in told


def test_shots_that_show_two_people_are_found_in_all_videos(as_owner):
    media, other = a_video(), a_video()
    anna, _ = somebody("Anna", media, (1, 4), (20, 22))
    somebody("Ben", media, (3, 6))
    somebody("Ben", other, (3, 6))

    told = as_owner.get(f"/videos/together?person={anna.uuid}&name=ben", follow=True)

    assert "Anna and Ben in one shot" in words(told)
    assert f"/videos/{media.uuid}" in body(told)
    assert f"/videos/{other.uuid}" not in body(told)


def test_the_menu_leads_to_videos_only_where_a_member_may_see_one(client, member, as_owner):
    entry = '<a href="/videos"'
    assert entry in body(as_owner.get("/albums"))
    media = a_video()
    client.force_login(member)
    assert entry not in body(client.get("/albums"))
    open_album(media)
    assert entry in body(client.get("/albums"))


# --- by a link ---


def test_whoever_follows_a_link_watches_the_copy_and_never_the_file_itself(client, owner, tmp_path):
    media = a_video(path=a_clip(tmp_path / "clip.webm", seconds=1))
    _, token = sharing.share(owner, album=open_album(media))
    alone = f"/g/{token}/photos/{media.uuid}"

    before = body(client.get(alone))
    carry_out("proxy")
    after = body(client.get(alone))

    assert "being made ready to play" in before
    assert "<video" not in before
    film = client.get(re.search(r'<video[^>]* src="([^"]+)"', after)[1])
    assert film["Content-Type"].startswith("video/")
    assert b"".join(film)
    assert client.get(f"{page(media)}/file").status_code == 302
    assert f'<span class="length">{media.duration // 60:.0f}:' in body(client.get(f"/g/{token}"))


def test_whoever_follows_a_link_is_told_no_names_and_no_times(client, owner, tmp_path):
    media = a_video(path=a_clip(tmp_path / "clip.webm", seconds=1))
    somebody("Anna", media, (0.2, 0.8))
    _, token = sharing.share(owner, album=open_album(media))

    told = body(client.get(f"/g/{token}/photos/{media.uuid}"))

    assert "Anna" not in told
    assert "data-start" not in told


# --- moments ---


def test_a_contact_sheet_is_made_and_only_whoever_asked_gets_it(as_owner, client, tmp_path):
    media = a_video(seconds=2, path=a_clip(tmp_path / "clip.webm", seconds=2))
    person, _ = somebody("Anna", media, (0.2, 0.8), (1.2, 1.8))
    theirs = f"/people/{person.uuid}/moments"

    asked = as_owner.post(theirs, {"kind": "sheet"}, headers=HTMX)
    carry_out("montage")
    there = body(as_owner.get(f"{theirs}/sheet"))

    assert "is being made" in body(asked)
    address = re.search(r'<img src="(/moments/[^"]+)"', there)[1]
    assert b"".join(as_owner.get(address))[:4] == b"RIFF"
    client.force_login(a_user())
    assert client.get(address).status_code == 404
    assert as_owner.post(theirs, {"kind": "opera"}).status_code >= 400


def test_my_photos_lead_to_where_one_appears_in_a_video(client, member):
    media = a_video()
    open_album(media)
    person, face = somebody("Mia", media, (12.5, 14), (20, 21))
    Person.objects.filter(pk=person.pk).update(user=member)
    Consent.objects.create(user=member, purpose="names", version="1")  # no second lane for it
    client.force_login(member)

    told = body(client.get("/me"))
    mine = client.get(f"{page(media)}?list=me")

    assert f'href="{page(media)}?list=me#t=12.5"' in told
    assert lanes(mine) == ["You"]
    assert blocks(mine) == [("12.5", "14.0"), ("20.0", "21.0")]
    assert len(client.get(f"{page(media)}/paths").json()["tracks"]) == 2
    assert str(face.uuid) in body(mine)
