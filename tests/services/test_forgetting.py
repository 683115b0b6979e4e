import numpy as np
import pytest

from lookwho.core import footage
from lookwho.core.segments import SegmentResult
from lookwho.core.tracks import Track as Followed
from lookwho.core.tracks import View
from lookwho.library.models import Erasure, Face, Person, Segment, Suppression, Track, User
from lookwho.services import accounts, casting, erasure, forgetting, people
from tests.erasing import backup, database, restore
from tests.filmed import (
    LEFT,
    RIGHT,
    a_cast,
    a_track,
    a_video,
    faces_in,
    somebody,
    store,
    times,
)
from tests.gallery import consented, draw, make_member, make_pack, make_selfie, near

pytestmark = pytest.mark.django_db(transaction=True)

ANNA, BEN = draw(np.random.default_rng(7), 2)
WAY = (0.123456, 0.234567, 0.345678, 0.567891), (0.143456, 0.614567, 0.365678, 0.947891)


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    """A home of its own, in which nothing of other tests lies."""
    settings.HOME = tmp_path / "home"
    settings.SELFIES = settings.HOME / "selfies"
    settings.PICTURES = settings.HOME / "pictures"
    settings.PROXIES = settings.HOME / "proxies"
    settings.MONTAGES = settings.HOME / "montages"
    settings.LEDGER = settings.HOME / "erasures.jsonl"
    settings.HOME.mkdir()
    return settings.HOME


@pytest.fixture
def owner():
    return accounts.the_owner()


@pytest.fixture
def media(owner):
    """A video in which Anna is seen twice, and Ben, who stays."""
    media = a_video()
    anna = somebody(ANNA, a_track(1, 9, WAY[0], to=WAY[1]), a_track(20, 26))
    store(media, a_cast(anna, somebody(BEN, a_track(2, 12, RIGHT))))
    one, other = faces_in(media)
    people.assign(owner, [one], "Anna")
    people.assign(owner, [other], "Ben")
    return media


def found_in_segment(track, vector):
    """A track as a segment keeps it until it is joined."""
    view = View(track.time, track.box, track.landmarks, 0.9, 0.8, vector, None, b"\xff\xd8crop")
    return Followed(track.start, track.end, track.path, (view,))


def a_segment(media, *tracks):
    result = SegmentResult(0, 0, 60, 1280, 720, tracks, np.zeros(0, np.float32), "", "default")
    return Segment.objects.create(
        video=media.video,
        pack=make_pack(),
        part=0,
        start=0,
        end=60,
        state="done",
        result=footage.dump_segment(result),
    )


def left(*needles):
    """Which of these bytes are still anywhere in the database."""
    return {
        name
        for _, data in database()
        for name, needle in needles
        if needle in data or needle.hex().encode() in data
    }


def needles(face):
    path = bytes(face.tracks.order_by("start").first().path)
    vector = bytes(face.embeddings.get().vector)
    return ("path", path[40:80]), ("vector", vector[:32])


def test_after_an_erasure_no_byte_of_how_somebody_moved_or_is_recognised_is_left(
    owner, media, home
):
    anna, ben = faces_in(media)
    hers, his = needles(anna), needles(ben)
    segment = a_segment(
        media,
        found_in_segment(a_track(1.2, 9.3, WAY[0], to=WAY[1]), ANNA),
        found_in_segment(a_track(2, 12, RIGHT), BEN),
    )
    (home / "proxies").mkdir()
    copy = home / "proxies" / f"{bytes(media.payload_hash).hex()}.mp4"
    copy.write_bytes(b"a copy")
    assert left(*hers, *his) == {"path", "vector"}

    receipt = erasure.erase_person(owner, Person.objects.get(name="Anna"))
    assert receipt.state == Erasure.State.DONE
    assert receipt.counts["stretches of videos"] == 2
    assert left(*hers) == set()
    assert left(*his) == {"path", "vector"}
    assert [times(face) for face in faces_in(media)] == [[(2, 12)]]
    segment.refresh_from_db()
    (track,) = footage.load_segment(bytes(segment.result)).tracks
    assert np.array_equal(track.views[0].embedding, BEN)
    assert not copy.exists()


def test_who_was_erased_does_not_come_back_however_an_analysis_cuts_and_frames_them(owner, media):
    erasure.erase_person(owner, Person.objects.get(name="Anna"))
    middle = tuple((np.array(WAY[0]) + np.array(WAY[1])) / 2)
    head = tuple(np.array(LEFT) + np.array([-0.05, -0.1, 0.05, 0.1]))
    again = somebody(
        ANNA,
        a_track(0.8, 5, WAY[0], to=middle, at=1.5),
        a_track(5.1, 8.8, middle, to=WAY[1], at=8),
        a_track(19.8, 22, head),
        a_track(22.1, 26.2, head),
        # A little that was overlooked before is theirs, too.
        a_track(26.5, 27.5, RIGHT),
    )
    store(media, a_cast(again, somebody(BEN, a_track(2, 12, RIGHT))), revision=2)

    assert [(times(face), face.person.name) for face in faces_in(media)] == [([(2, 12)], "Ben")]
    assert Track.objects.count() == 1


def test_of_who_was_erased_not_even_a_segment_is_kept_until_it_is_joined(owner, media):
    erasure.erase_person(owner, Person.objects.get(name="Anna"))
    found = (
        found_in_segment(a_track(1.2, 9.3, WAY[0], to=WAY[1]), ANNA),
        found_in_segment(a_track(2, 12, RIGHT), BEN),
    )
    result = SegmentResult(0, 0, 60, 1280, 720, found, np.zeros(0, np.float32), "", "default")

    assert casting.spared(result, bytes(media.payload_hash)).tracks == found[1:]
    assert casting.spared(result, b"another video".ljust(32)).tracks == found


def test_who_crosses_the_way_of_somebody_who_was_erased_stays(owner, media):
    erasure.erase_person(owner, Person.objects.get(name="Anna"))
    across = somebody(BEN, a_track(19.5, 26.5, LEFT, to=RIGHT), a_track(27, 30, LEFT))
    store(media, a_cast(across), revision=2)

    (face,) = faces_in(media)
    assert times(face) == [(19.5, 26.5), (27, 30)]


def test_whoever_was_taken_for_one_with_the_erased_stays(owner, media):
    erasure.erase_person(owner, Person.objects.get(name="Anna"))
    both = somebody(
        BEN,
        a_track(20, 26, vector=ANNA),
        a_track(2, 12, RIGHT, vector=BEN),
        a_track(40, 44, vector=BEN),
    )
    store(media, a_cast(both), revision=2)

    (face,) = faces_in(media)
    assert times(face) == [(2, 12), (40, 44)]
    assert np.allclose(np.frombuffer(face.embeddings.get().vector, "<f4"), BEN, atol=1e-6)


def test_an_erasure_is_done_again_on_a_backup(owner, media, tmp_path):
    backup(tmp_path / "backup")
    erasure.erase_person(owner, Person.objects.get(name="Anna"))
    suppressed = Suppression.objects.count()
    restore(tmp_path / "backup")
    assert len(faces_in(media)) == 2

    assert erasure.resume() == 1
    assert [face.person.name for face in faces_in(media)] == ["Ben"]
    assert Suppression.objects.count() == suppressed


def test_of_faces_of_a_video_near_a_selfie_all_go_but_those_beside_a_nearer_one(owner):
    generator = np.random.default_rng(2)
    mia = consented(make_member("mia"))
    make_selfie(mia, ANNA)
    media = a_video()
    near_by = somebody(near(generator, ANNA, 0.01), a_track(1, 4))
    beside = somebody(near(generator, ANNA, 0.02), a_track(2, 6, RIGHT))
    later = somebody(near(generator, ANNA, 0.02), a_track(30, 36))
    store(media, a_cast(near_by, beside, later))
    one, other, third = faces_in(media)

    assert forgetting.faces_of(User.objects.get(pk=mia.pk), []) == [one.pk, third.pk]
    erasure.erase_account(mia)
    assert list(Face.objects.values_list("pk", flat=True)) == [other.pk]
