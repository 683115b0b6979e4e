"""Videos through the API: what there is, who is in it and when, and how far it is."""

import csv
import io
import shutil
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Consent,
    Job,
    Location,
    Media,
    Membership,
    Person,
    Track,
    Video,
)
from lookwho.services import accounts, tokens
from tests.films import a_clip, a_video, at_work, seen, somebody

JSON = "application/json"

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video of six seconds."""
    return a_clip(tmp_path_factory.mktemp("clips") / "clip.webm")


@pytest.fixture
def film(shelf, clip, tmp_path):
    """A video with a file that nobody else has."""
    media = a_video(seconds=6.0, path=shutil.copy(clip, tmp_path / "Party.webm"))
    Location.objects.filter(media=media).update(
        size=(tmp_path / "Party.webm").stat().st_size, file_hash=b"f" * 32
    )
    return media


def opened(*media):
    """Let members see these videos alone: in an album that is open."""
    album, _ = Album.objects.get_or_create(title="Gala", slug="gala")
    for each in media:
        AlbumItem.objects.get_or_create(album=album, media=each)


def of(media, what=""):
    return f"/api/v1/videos/{media.uuid}{what}"


# --- what there is ---


def test_videos_are_listed_in_pieces_the_newest_first(owner, film):
    media = [film, *(a_video() for _ in range(3))]
    whole = owner.get("/api/v1/videos").json()
    first = owner.get("/api/v1/videos?limit=3").json()
    second = owner.get("/api/v1/videos", {"limit": 3, "cursor": first["next"]}).json()

    assert [each["uuid"] for each in whole["videos"]] == [str(each.uuid) for each in media[::-1]]
    assert first["videos"] + second["videos"] == whole["videos"]
    assert (whole["total"], whole["next"], second["next"]) == (4, None, None)
    told = whole["videos"][-1]
    assert (told["title"], told["state"], told["duration"]) == ("Party.webm", "done", 6.0)
    assert told["file"] == f"http://testserver{of(film, '/file')}"


def test_videos_are_narrowed_by_state_person_and_album(owner, film):
    waiting = a_video()
    at_work(waiting, 0.0)
    ann, _ = somebody("Ann", film, (1, 2))
    opened(waiting)

    def found(**asked):
        return [each["uuid"] for each in owner.get("/api/v1/videos", asked).json()["videos"]]

    assert found(state="waiting") == [str(waiting.uuid)]
    assert found(state=["done", "failed"]) == [str(film.uuid)]
    assert found(person=str(ann.uuid)) == [str(film.uuid)]
    assert found(album=str(Album.objects.get().uuid)) == [str(waiting.uuid)]
    assert owner.get("/api/v1/videos?state=odd").status_code == 422


def test_a_video_is_told_with_what_its_file_says(owner, film):
    Video.objects.filter(media=film).update(warning="the last 2 s cannot be read")
    opened(film)

    told = owner.get(of(film)).json()

    assert (told["format"], told["codec"], told["frame_rate"]) == ("WEBM", "vp9", 25)
    assert (told["warning"], told["albums"]) == ("the last 2 s cannot be read", ["Gala"])
    assert told["files"][0].endswith("Party.webm")


# --- who may ---


def test_a_member_sees_videos_of_open_albums_and_nothing_of_others(member, film):
    hidden = a_video()
    somebody("Ann", film, (1, 2))
    opened(film)

    listed = member.get("/api/v1/videos").json()

    assert [each["uuid"] for each in listed["videos"]] == [str(film.uuid)]
    assert (listed["videos"][0]["title"], listed["videos"][0]["people"]) == ("", [])
    assert member.get(of(film)).json()["files"] == []
    assert member.get(of(film, "/people")).json() == []
    assert (
        Person.objects.get(name="Ann").name
        not in member.get(of(film, "/appearances.csv")).content.decode()
    )
    for what in ("", "/status", "/people", "/file", "/appearances.vtt", "/copy"):
        assert member.get(of(hidden, what)).status_code == 404
    for what in ("/cancel", "/retry", "/move"):
        assert member.post(of(film, what), {"to": "first"}, JSON).status_code == 404
    assert member.get("/api/v1/videos/status").status_code == 404
    assert member.get(of(film, "/profiles")).status_code == 404
    Media.objects.filter(pk=film.pk).update(present=False, hidden=True)
    assert member.get(of(film)).status_code == 404
    assert member.get("/api/v1/videos").json()["total"] == 0


def test_a_member_is_told_of_whoever_agreed_to_be_named(member, shelf, film):
    ann, _ = somebody("Ann", film, (1, 2))
    somebody("Ben", film, (1, 5))
    opened(film)
    named = accounts.make_user("Ann")
    Person.objects.filter(pk=ann.pk).update(user=named)
    Consent.objects.create(user=named, purpose="names", version="1")

    (told,) = member.get(of(film, "/people")).json()

    assert (told["person"]["name"], told["you"]) == ("Ann", False)
    assert member.get("/api/v1/videos").json()["videos"][0]["people_count"] == 1
    text = member.get(of(film, "/appearances.vtt")).content.decode()
    assert "Ann" in text
    assert "Ben" not in text


def test_a_member_is_told_when_they_are_seen_themselves(member, shelf, film):
    ben, face = somebody("Bert", film, (1, 2), (4, 5))
    somebody("Eve", film, (1, 5))
    Person.objects.filter(pk=ben.pk).update(user=shelf.member)
    Collection.objects.update(policy="own")

    assert member.get("/api/v1/videos").json()["total"] == 0  # to find oneself is not to browse
    (told,) = member.get(of(film, "/people")).json()

    assert (told["you"], told["person"], told["face"]) == (True, None, str(face.uuid))
    assert [each["start"] for each in told["appearances"]] == [1, 4]


def test_a_former_member_sees_the_videos_of_their_time(member, shelf, film):
    Collection.objects.update(policy="open")
    Membership.objects.create(user=shelf.member, since="2001-01-01", until="2002-01-01")
    assert member.get(of(film)).status_code == 404

    Media.objects.filter(pk=film.pk).update(day="2001-05-06", taken_at="2001-05-06T12:00Z")

    assert member.get(of(film)).status_code == 200
    assert member.get("/api/v1/videos").json()["total"] == 1


def test_a_token_is_good_for_what_it_is_for(shelf, film):
    def program(*scopes):
        token = tokens.make_token(shelf.owner, "program", scopes=scopes)
        return Client(headers={"Authorization": f"Bearer {token}"})

    assert program("videos:read").get("/api/v1/videos").status_code == 200
    for refused in (
        program("photos:write").get("/api/v1/videos"),
        program("videos:read").post(of(film, "/cancel")),
        program("videos:write").get("/api/v1/profiles"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert program("people:read").get("/api/v1/profiles").status_code == 200


# --- how far ---


def test_progress_is_told_of_one_and_of_all(owner, film):
    running, next_one = a_video(seconds=120.0), a_video(seconds=60.0)
    at_work(running, 60.0, 90.0)
    at_work(next_one, 0.0)

    one = owner.get(of(running, "/status")).json()
    every = owner.get("/api/v1/videos/status").json()

    assert (one["state"], one["share"], one["reached"]) == ("running", 0.75, 90.0)
    assert [part["state"] for part in one["segments"]] == ["done", "waiting"]
    assert [each["uuid"] for each in every["queue"]] == [str(running.uuid), str(next_one.uuid)]
    assert [each["place"] for each in every["queue"]] == [None, 1]
    assert (every["videos"], every["seconds"]) == (2, 180.0)
    assert every["needed"] == pytest.approx(90.0 / every["rate"])


def test_a_failure_says_why(owner, film):
    Analysis.objects.filter(media=film).update(
        state="failed", error_code="broken_video", error="Party.webm: nothing of it can be shown"
    )

    told = owner.get(of(film, "/status")).json()

    assert (told["state"], told["code"]) == ("failed", "broken_video")
    assert told["message"] == "Party.webm: nothing of it can be shown"


def test_a_video_is_cancelled_looked_at_again_and_moved(owner):
    media, other = a_video(seconds=60.0), a_video(seconds=60.0)
    at_work(media, 0.0)
    at_work(other, 0.0)

    moved = owner.post(of(other, "/move"), {"to": "first"}, JSON).json()
    assert (moved["place"], owner.get(of(media, "/status")).json()["place"]) == (1, 2)
    owner.post(of(other, "/move"), {"after": str(media.uuid)}, JSON)
    assert owner.get(of(other, "/status")).json()["place"] == 2

    assert owner.post(of(media, "/cancel")).status_code == 204
    assert owner.get(of(media, "/status")).json()["state"] == "cancelled"
    assert owner.post(of(media, "/cancel")).status_code == 204
    again = owner.post(of(media, "/retry"))
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    assert owner.post(of(media, "/retry")).status_code == 409


@pytest.mark.parametrize("asked", ({}, {"to": "first", "after": str(uuid4())}, {"to": "odd"}))
def test_a_place_in_the_queue_that_is_none_is_refused(owner, asked):
    media = a_video()
    at_work(media, 0.0)

    assert owner.post(of(media, "/move"), asked, JSON).status_code == 422


def test_what_a_video_shows_is_forgotten_and_the_video_stays(owner, film):
    seen(film, (1, 2))

    assert owner.delete(of(film, "/analysis")).status_code == 204

    assert (Track.objects.count(), Media.objects.filter(pk=film.pk).exists()) == (0, True)
    assert owner.get(of(film, "/status")).json()["state"] == "cancelled"


# --- who is in it ---


def test_people_come_with_their_appearances_and_tracks(owner, film):
    ann, face = somebody("Ann", film, (1, 2), (2.5, 3))
    group = Person.objects.create()
    seen(film, (4, 4.5), guess=group, probability=0.9)

    one, other = owner.get(of(film, "/people")).json()

    assert one["person"] == {"uuid": str(ann.uuid), "name": "Ann"}
    assert (one["appearances"], one["seconds"]) == ([{"start": 1, "end": 3}], 2)
    assert [track["start"] for track in one["tracks"]] == [1, 2.5]
    assert one["crop"] == f"http://testserver/api/v1/faces/{face.uuid}/crop"
    assert other["guess"] == {"uuid": str(group.uuid), "name": ""}


def test_a_stretch_that_is_somebody_else_is_split_off_and_put_back(owner, film):
    somebody("Ann", film, (1, 2), (4, 5))
    (ann,) = owner.get(of(film, "/people")).json()
    second = ann["tracks"][1]["id"]

    done = owner.post("/api/v1/tracks/split", {"tracks": [second], "name": "Ben"}, JSON)

    assert done.status_code == 200, done.content
    people = owner.get(of(film, "/people")).json()
    assert {(each["person"]["name"], each["appearances"][0]["start"]) for each in people} == {
        ("Ann", 1),
        ("Ben", 4),
    }
    owner.post("/api/v1/undo", {"batch": done.json()["batch"]}, JSON)
    (ann,) = owner.get(of(film, "/people")).json()
    assert [track["start"] for track in ann["tracks"]] == [1, 4]


def test_stretches_that_are_not_there_or_not_of_one_face_are_refused(owner, member, film):
    somebody("Ann", film, (1, 2), (4, 5))
    tracks = list(Track.objects.values_list("pk", flat=True))

    def split(client, some):
        return client.post("/api/v1/tracks/split", {"tracks": some}, JSON).status_code

    assert split(owner, [987654]) == 404
    assert split(owner, [1 << 70]) == 404
    assert split(owner, [-1]) == 404
    assert split(owner, tracks) == 422  # all of it: that is another name, and no split
    opened(film)
    assert split(member, tracks[:1]) == 404


def test_people_of_one_shot_are_found(owner, member, film):
    ann, _ = somebody("Ann", film, (1, 2))
    ben, _ = somebody("Ben", film, (1.5, 3))
    asked = {"person": [str(ann.uuid), str(ben.uuid)]}

    (moment,) = owner.get("/api/v1/videos/together", asked).json()["moments"]

    assert (moment["video"], moment["start"], moment["end"]) == (str(film.uuid), 1, 3)
    assert moment["overlaps"] == [{"start": 1.5, "end": 2}]
    assert owner.get("/api/v1/videos/together", {"person": str(ann.uuid)}).status_code == 422
    assert owner.get("/api/v1/videos/together", {"person": [str(uuid4())] * 2}).status_code == 404
    assert member.get("/api/v1/videos/together", asked).status_code == 404


# --- appearances as files ---


def test_appearances_are_saved_as_a_table_as_subtitles_and_as_an_edit_list(owner, film):
    ann, _ = somebody("Ann", film, (1, 2), (4, 5))
    somebody("Ben", film, (0, 5))
    Video.objects.filter(media=film).update(frame_rate=29.97)

    answers = {kind: owner.get(of(film, f"/appearances.{kind}")) for kind in ("csv", "vtt", "edl")}

    kinds = {kind: answer["Content-Type"] for kind, answer in answers.items()}
    assert kinds == {
        "csv": "text/csv; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
        "edl": "text/plain; charset=utf-8",
    }
    assert answers["edl"]["Content-Disposition"] == "attachment; filename*=UTF-8''Party.edl"
    rows = list(csv.DictReader(io.StringIO(answers["csv"].content.decode())))
    assert [(row["name"], row["start"], row["end"]) for row in rows] == [
        ("Ben", "0.000", "5.000"),
        ("Ann", "1.000", "2.000"),
        ("Ann", "4.000", "5.000"),
    ]
    assert "00:00:04.000 --> 00:00:05.000\nAnn" in answers["vtt"].content.decode()
    edl = answers["edl"].content.decode()
    assert "FCM: DROP FRAME" in edl
    # Who is seen longest comes first, and the rest right behind.
    assert "001  AX       V     C        00:00:00;00 00:00:04;29 01:00:00;00 01:00:04;29" in edl
    one = owner.get(of(film, "/appearances.csv"), {"person": str(ann.uuid)}).content.decode()
    assert ("Ann" in one, "Ben" in one) == (True, False)
    assert owner.get(of(film, "/appearances.srt")).status_code == 422


# --- the file itself ---


def test_the_file_is_sent_whole_or_in_part(owner, film, tmp_path):
    content = (tmp_path / "Party.webm").read_bytes()

    def asked(**headers):
        answer = owner.get(of(film, "/file"), headers=headers)
        return answer, b"".join(answer) if answer.streaming else answer.content

    whole, all_of_it = asked()
    assert (whole.status_code, all_of_it, whole["Accept-Ranges"]) == (200, content, "bytes")
    assert (whole["Content-Type"], whole["X-Content-Type-Options"]) == ("video/webm", "nosniff")
    part, some = asked(Range="bytes=100-199")
    assert (part.status_code, some) == (206, content[100:200])
    assert part["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert asked(Range=f"bytes={len(content)}-")[0].status_code == 416
    same, nothing = asked(**{"If-None-Match": whole["ETag"]})
    assert (same.status_code, nothing) == (304, b"")
    saved = owner.get(of(film, "/file?save=1"))
    assert (b"".join(saved), "attachment" in saved["Content-Disposition"]) == (content, True)
    head = owner.head(of(film, "/file"))
    assert (head.status_code, head["Content-Length"]) == (200, str(len(content)))
    for close in head._resource_closers:  # as a server does it: closing all would end the database
        close()


def test_a_file_that_is_gone_is_an_error_in_words(owner, film, tmp_path):
    (tmp_path / "Party.webm").unlink()

    answer = owner.get(of(film, "/file"))

    assert (answer.status_code, answer.json()["code"]) == (422, "file_missing")
    assert "Party.webm" in answer.json()["message"]


def test_a_crop_shows_the_face_at_its_time_also_in_parts(owner, member, film):
    face = seen(film, (1, 2))
    path = f"/api/v1/faces/{face.uuid}/crop"

    whole = owner.get(path)
    picture = b"".join(whole)
    part = owner.get(path, headers={"Range": "bytes=0-3"})

    assert (whole["Content-Type"], picture[:4], picture[8:12]) == ("image/webp", b"RIFF", b"WEBP")
    assert (part.status_code, b"".join(part)) == (206, b"RIFF")
    assert owner.get(f"{path}?side=161").status_code == 422
    opened(film)
    assert member.get(path).status_code == 404  # a face by itself is for who names it


def test_a_copy_that_browsers_play_is_asked_for_and_cancelled(owner, film):
    Video.objects.filter(media=film).update(plays=False)

    assert owner.get(of(film, "/copy")).json() == {"state": "none", "share": 0, "message": ""}
    assert owner.get(of(film, "/copy/file")).status_code == 404
    asked = owner.post(of(film, "/copy"))
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    assert owner.post(of(film, "/copy")).status_code == 202
    assert Job.objects.filter(kind="proxy", state="waiting").count() == 1
    assert owner.delete(of(film, "/copy")).status_code == 204
    assert owner.get(of(film, "/copy")).json()["state"] == "none"


def test_a_montage_is_asked_for_and_is_nobody_elses(owner, ask, film):
    ann, _ = somebody("Ann", film, (1, 3))
    asked = {"person": str(ann.uuid), "kind": "sheet"}

    made = owner.post("/api/v1/montages", asked, JSON)

    assert made.status_code == 202, made.content
    path = f"/api/v1/montages/{made.json()['uuid']}"
    assert (made.json()["state"], made.json()["kind"]) == ("waiting", "sheet")
    assert owner.get(path).status_code == 200
    assert owner.get(f"{path}/file").status_code in (404, 422)
    curator = ask(accounts.make_user("Cid", role="curator"))
    assert curator.get(path).status_code == 404
    assert owner.delete(path).status_code == 204
    assert owner.get(path).json()["state"] == "cancelled"
    assert owner.post("/api/v1/montages", {"person": str(uuid4())}, JSON).status_code == 404


# --- what it costs ---


def test_a_list_makes_as_many_queries_for_one_as_for_three(owner, shelf):
    media = [a_video() for _ in range(3)]
    for each in media:
        for name in ("Ann", "Ben"):
            somebody(name, each, (1, 4))
    paths = ("/api/v1/videos", "/api/v1/profiles", of(media[0], "/people"))

    def cost():
        with CaptureQueriesContext(connection) as made:
            for path in paths:
                assert owner.get(path).status_code == 200
        return len(made)

    cost()
    three = cost()
    Media.objects.filter(pk__in=[each.pk for each in media[1:]]).delete()
    Person.objects.filter(name="Ben").delete()
    assert cost() == three
