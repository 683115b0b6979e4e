import numpy as np
import pytest

from lookwho.library.models import Face, Track
from lookwho.library.queries import tracks
from tests.filmed import a_video
from tests.gallery import make_pack
from tests.people import some_faces, some_media

pytestmark = pytest.mark.django_db


def followed(media, *spans, **more):
    """A face of a video that is seen from when to when."""
    face = Face.objects.create(
        media=media, **{"time": 1, "x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2, **more}
    )
    for start, end in spans:
        place = {"x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2}
        path = np.float32([[start, 0.1, 0.1, 0.2, 0.2]]).tobytes()
        Track.objects.create(
            media=media,
            face=face,
            pack=make_pack(),
            start=start,
            end=end,
            time=start,
            path=path,
            **place,
        )
    return face


def test_when_a_face_is_seen_is_told_without_short_gaps():
    media = a_video()
    face, other = followed(media, (8, 9), (1, 3), (3.5, 4)), followed(media)

    assert tracks.times_of([face.pk, other.pk]) == {face.pk: ((1, 4), (8, 9))}


def test_faces_of_one_video_meet_where_they_are_seen_at_the_same_time():
    media, elsewhere = a_video(), a_video()
    one = followed(media, (1, 10), (50, 60))
    within = followed(media, (3, 4))
    across = followed(media, (8, 20))
    touching = followed(media, (20, 50.2))
    late = followed(media, (59, 59.8))
    followed(media, (2, 9), dismissed=True)
    followed(elsewhere, (1, 10))

    expected = {(one.pk, other.pk) for other in (within, across, late)}
    assert tracks.meeting() == expected
    assert tracks.meeting([media.pk]) == expected
    assert tracks.meeting([elsewhere.pk]) == set()
    assert (across.pk, touching.pk) not in expected


def test_in_a_photo_all_others_are_two_people_with_a_face_and_in_a_video_who_is_seen_with_it():
    media, (photo,) = a_video(), some_media(1)
    one, other, later = followed(media, (1, 5)), followed(media, (3, 9)), followed(media, (8, 12))
    here, there = some_faces(2, media=[photo, photo])

    assert tracks.in_company([one.pk, other.pk, here.pk]) == {
        one.pk: {other.pk},
        other.pk: {one.pk, later.pk},
        here.pk: {there.pk},
    }


def test_somebody_has_room_once_in_a_photo_and_once_at_a_time_in_a_video():
    media, (photo, another) = a_video(), some_media(2)
    one, other, later = followed(media, (1, 5)), followed(media, (3, 9)), followed(media, (8, 12))
    here, there, free = some_faces(3, media=[photo, photo, another])
    asked = [(face.pk, face.media_id, face.time) for face in (other, later, there, free)]
    room = tracks.Room(Face.objects.filter(pk__in=[one.pk, here.pk]), asked)

    assert [room.takes(*each) for each in asked] == [False, True, False, True]
    assert [room.takes(*each) for each in asked[3:]] == [False]


def test_stretches_tell_the_way_of_a_face():
    media = a_video()
    face = followed(media, (5, 6), (1, 3))

    first, second = tracks.stretches_of([face.pk])[face.pk]
    assert (first.start, second.start) == (1, 5)
    assert first.path.tolist() == [pytest.approx([1, 0.1, 0.1, 0.2, 0.2])]
    assert first.best.time == 1
