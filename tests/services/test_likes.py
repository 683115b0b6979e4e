import pytest

from lookwho.core.errors import NotFound
from lookwho.library.models import Album, AlbumItem, Like, Person, User
from lookwho.services import likes
from tests.gallery import make_album, make_collection, make_photo
from tests.people import a_user, some_faces, some_media

pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return a_user("member")


def shown(*media, **more):
    album = Album.objects.create(**{"title": "Gala", "slug": "gala", **more})
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)
    return album


def test_a_photo_is_liked_once_however_often_that_is_said(member):
    (media,) = some_media(1)
    shown(media)

    assert [likes.like(member, media), likes.like(member, media)] == [True, False]
    assert Like.objects.count() == 1
    assert [likes.unlike(member, media), likes.unlike(member, media)] == [True, False]
    assert Like.objects.count() == 0


def test_a_like_that_is_taken_back_leaves_those_of_others(member):
    (media,) = some_media(1)
    shown(media)
    other = a_user("member")
    likes.like(member, media)
    likes.like(other, media)

    likes.unlike(member, media)

    assert Like.objects.get().user == other


@pytest.mark.parametrize("closed", ({"hidden": True}, {"processing": True}, None))
def test_what_one_may_not_see_is_neither_liked_nor_unliked(member, closed):
    (media,) = some_media(1)
    if closed is not None:
        shown(media, **closed)
    Like.objects.create(user=a_user("owner"), media=media)

    for act in (likes.like, likes.unlike):
        with pytest.raises(NotFound):
            act(member, media)

    assert Like.objects.count() == 1


def test_nobody_likes_without_an_account(member):
    (media,) = some_media(1)
    shown(media)
    User.objects.filter(pk=member.pk).update(is_active=False)
    member.refresh_from_db()

    with pytest.raises(NotFound):
        likes.like(member, media)


def test_likes_of_photos_that_were_hidden_meanwhile_are_not_shown(member):
    kept, hidden = some_media(2)
    shown(kept)
    album = shown(hidden, slug="other")
    likes.like(member, kept)
    likes.like(member, hidden)
    assert likes.liked_by(member) == [hidden, kept]

    album.hidden = True
    album.save()

    assert likes.liked_by(member) == [kept]


def test_a_photo_that_one_may_see_for_being_in_it_is_liked_and_listed(member):
    folder = make_collection(policy="own")
    mine, other = (make_photo(collection=folder) for _ in range(2))
    album = make_photo(collection=folder)
    make_album(album)
    some_faces(1, media=[mine], person=Person.objects.create(name="Mia", user=member))
    Like.objects.create(user=member, media=other)  # of a time when they might see it

    likes.like(member, mine)
    likes.like(member, album)

    assert likes.liked_by(member) == [album, mine]
