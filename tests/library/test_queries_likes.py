import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Album, AlbumItem, Embedding, Like, Media, Reference
from lookwho.library.queries import likes
from lookwho.library.queries.likes import Likes
from lookwho.library.scope import Purpose, scope_of
from tests.people import a_pack, a_user, some_faces, some_media

pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return a_user("member")


def in_album(*media, **more):
    slug = f"album-{Album.objects.count()}"
    album = Album.objects.create(**{"title": "Gala", "slug": slug, **more})
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)
    return album


def liked_by(count, media):
    for _ in range(count):
        Like.objects.create(user=a_user("member"), media=media)


def browsing(user):
    return scope_of(user, Purpose.BROWSE)


def test_three_likes_are_three_however_many_faces_albums_and_selfies_there_are(member):
    (media,) = some_media(1)
    liked_by(3, media)
    for _ in range(5):  # five selfies that match, of five faces, in five albums
        in_album(media)
        (face,) = some_faces(1, media=[media])
        selfie = Reference.objects.create(user=member, file="x.jpg", state="done")
        vector = bytes(512)
        Embedding.objects.create(reference=selfie, pack=a_pack(), vector=vector)
        Embedding.objects.create(face=face, pack=a_pack(), vector=vector)

    assert likes.of(member, [media]) == {media.pk: Likes(3, False)}
    assert likes.most_liked(browsing(member)) == [(media, 3)]


def test_each_photo_tells_how_many_like_it_and_whether_one_does_oneself(member):
    mine, others, none = media = some_media(3)
    liked_by(2, others)
    Like.objects.create(user=member, media=mine)

    assert likes.of(member, media) == {
        mine.pk: Likes(1, True),
        others.pk: Likes(2, False),
        none.pk: Likes(0, False),
    }


def test_the_twelve_that_most_people_like_come_first_and_of_those_alike_the_newest(member):
    media = some_media(15)
    in_album(*media)
    for each in media[:14]:
        liked_by(1, each)
    liked_by(2, media[3])

    found = likes.most_liked(browsing(member))

    assert found[0] == (media[3], 3)
    assert [each for each, _ in found[1:]] == [
        each for each in reversed(media[:14]) if each != media[3]
    ][:11]
    assert len(found) == likes.MOST_LIKED == 12


def test_what_is_hidden_is_among_no_likes(member):
    seen, closed, gone = some_media(3)
    in_album(seen, gone)
    in_album(closed, hidden=True)
    Media.objects.filter(pk=gone.pk).update(present=False)
    for each in (seen, closed, gone):
        liked_by(1, each)
        Like.objects.create(user=member, media=each)

    assert [media for media, _ in likes.most_liked(browsing(member))] == [seen]
    assert list(likes.liked(browsing(member), member)) == [seen]


def test_likes_of_many_photos_are_one_query(member):
    media = some_media(50)

    with CaptureQueriesContext(connection) as made:
        likes.of(member, media)

    assert len(made) == 1
