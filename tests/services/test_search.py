from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from lookwho.core import batch, packs
from lookwho.core.errors import NotFound
from lookwho.core.match import Query
from lookwho.library import vectors
from lookwho.library.models import (
    AlbumItem,
    Collection,
    Decision,
    DecisionFace,
    Embedding,
    Face,
    Guest,
    Job,
    Media,
    Person,
    Reference,
    SearchLog,
    Share,
    User,
)
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import search
from lookwho.services.search import find_by_face, may_see, my_photos, own_face
from tests.gallery import (
    NOON,
    consented,
    draw,
    face_in,
    make_album,
    make_collection,
    make_faces,
    make_guest,
    make_member,
    make_pack,
    make_photo,
    make_selfie,
    near,
)

Policy, State = Collection.Policy, Reference.State
SURE, DOUBTFUL, STRANGE = 0.03, 0.074, 0.3


@pytest.fixture
def generator():
    return np.random.default_rng(11)


@pytest.fixture
def mia(db):
    return make_member("mia")


@pytest.fixture
def me(generator):
    """Mia's face."""
    return draw(generator)


def strangers(generator, count=60, **more):
    return [make_photo(each, **more) for each in draw(generator, count)]


def mine(user):
    return [match.media for match in my_photos(user) if match.mine]


def maybe(user):
    return [match.media for match in my_photos(user) if not match.mine]


def nothing(user, photo):
    """Whether a user gets nothing of a photo, whichever way they ask."""
    offered = {match.media.pk for match in my_photos(user)}
    return photo.pk not in offered and not may_see(user, photo) and own_face(user, photo) is None


# --- my photos ---


def test_a_selfie_finds_its_owner_and_nobody_else(generator, mia, me):
    album = make_album(*strangers(generator))
    first, second = (make_photo(near(generator, me, SURE)) for _ in range(2))
    album.items.bulk_create(AlbumItem(album=album, media=each) for each in (first, second))
    make_selfie(mia, me)

    matches = my_photos(mia)

    assert [match.media for match in matches] == [second, first]
    assert [match.face for match in matches] == [face_in(second), face_in(first)]
    assert all(match.mine and match.probability > 0.99 for match in matches)
    assert [match.distance for match in matches] == pytest.approx([SURE] * 2, abs=1e-6)


def test_probabilities_are_those_of_a_comparison_with_every_face_that_may_be_searched(
    generator, mia, me
):
    shown = [make_photo(near(generator, me, far)) for far in np.linspace(0.05, 0.12, 60)]
    make_album(*shown, *strangers(generator, 200))
    references = [near(generator, me, 0.01) for _ in range(3)]
    for each in references:
        make_selfie(mia, each)

    found = {match.face_id: match.probability for match in my_photos(mia)}

    rows = Embedding.objects.exclude(face=None).order_by("face_id")
    stored = np.stack([np.frombuffer(row.vector, "<f4") for row in rows])
    whole = Query.of(np.stack(references)).score(stored).probabilities
    expected = {
        row.face_id: probability
        for row, probability in zip(rows, whole, strict=True)
        if probability >= search.MAYBE
    }
    assert found == pytest.approx(expected, abs=1e-3)
    assert 0 < sum(probability < 0.5 for probability in found.values()) < len(found)


def test_more_selfies_find_what_one_does_not(generator, mia, me):
    photo = make_photo(me)
    make_album(photo, *strangers(generator, 200))
    selfies = [near(generator, me, 0.07) for _ in range(4)]
    make_selfie(mia, near(generator, me, 0.1))
    alone = mine(mia)

    for each in selfies:
        make_selfie(mia, each)

    assert (alone, mine(mia)) == ([], [photo])


def test_the_newest_come_first(generator, mia, me):
    days = [3, 1, 4, 1, 5]
    photos = [
        make_photo(near(generator, me, SURE), taken_at=NOON + timedelta(days=day)) for day in days
    ]
    make_album(*photos)
    make_selfie(mia, me)

    found = mine(mia)

    assert [photo.day.day for photo in found] == sorted((1 + day for day in days), reverse=True)
    assert found[3:] == [photos[3], photos[1]]


def test_a_photo_is_found_once_by_the_face_that_is_likeliest(generator, mia, me):
    photo = make_photo(near(generator, me, 0.05), near(generator, me, 0.02), draw(generator))
    make_album(photo, *strangers(generator))
    make_selfie(mia, me)

    [match] = my_photos(mia)

    assert match.face == photo.faces.order_by("pk")[1]


@pytest.mark.parametrize(
    "told",
    (
        {"state": State.PROCESSING},
        {"state": State.REJECTED},
        {"approved": False},
        {"deleted_at": timezone.now()},
    ),
)
def test_only_selfies_that_are_done_approved_and_not_removed_count(generator, mia, me, told):
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OWN))
    make_selfie(mia, me, **told)

    assert nothing(mia, photo)


def test_the_selfie_of_another_member_finds_nothing_for_this_one(generator, mia, me):
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OWN))
    other = make_member("max")
    make_selfie(mia, me)

    assert nothing(other, photo)
    make_selfie(other, draw(generator))
    assert nothing(other, photo)
    assert mine(mia) == [photo]


def test_what_is_not_open_to_a_member_is_not_found(generator, mia, me):
    closed = make_collection(policy=Policy.CLOSED)
    photo = make_photo(near(generator, me, SURE), collection=closed)
    album = make_album(photo)
    make_selfie(mia, me)
    assert mine(mia) == [photo]

    for hidden in ({"hidden": True}, {"processing": True}):
        type(album).objects.update(**{"hidden": False, "processing": False, **hidden})
        assert nothing(mia, photo)
    type(album).objects.update(hidden=False, processing=False)
    album.items.all().delete()
    assert nothing(mia, photo)
    Collection.objects.update(policy=Policy.OWN)
    assert mine(mia) == [photo]


@pytest.mark.parametrize("gone", ("dismissed", "lies nowhere", "deleted"))
def test_what_is_no_longer_there_is_not_found(generator, mia, me, gone):
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OWN))
    make_selfie(mia, me)
    before = mine(mia)

    if gone == "dismissed":
        photo.faces.update(dismissed=True)
    elif gone == "lies nowhere":
        Media.objects.update(present=False)
    else:
        photo.faces.all().delete()

    assert before == [photo]
    assert nothing(mia, photo)


def test_nobody_who_is_not_signed_in_finds_anything(generator, mia, me):
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OPEN))
    make_selfie(mia, me)
    User.objects.update(is_active=False)
    mia.refresh_from_db()

    assert nothing(mia, photo)
    assert nothing(AnonymousUser(), photo)


def test_what_may_be_somebody_else_is_offered_only_where_the_member_may_look_anyway(
    generator, mia, me
):
    own, shown = make_collection(policy=Policy.OWN), make_collection(policy=Policy.OPEN)
    strangers(generator, 40, collection=own)
    secret = make_photo(near(generator, me, DOUBTFUL), collection=own)
    open_ = make_photo(near(generator, me, DOUBTFUL), collection=shown)
    make_selfie(mia, me)

    assert (mine(mia), maybe(mia)) == ([], [open_])
    assert nothing(mia, secret)
    assert may_see(mia, open_)


def test_selfies_of_two_packs_are_compared_each_with_its_own(generator, mia, me):
    old, new = make_pack("old"), make_pack("new")
    before, after = near(generator, me, SURE), draw(generator)
    photos = [
        make_photo(before, pack=old),
        make_photo(near(generator, after, SURE), pack=new),
        make_photo(near(generator, me, SURE), pack=new),
    ]
    make_album(*photos, *strangers(generator, pack=new), *strangers(generator, pack=old))
    reference = make_selfie(mia, me, pack=old)
    Embedding.objects.create(reference=reference, pack=new, vector=after.astype("<f4").tobytes())

    assert mine(mia) == [photos[1], photos[0]]


def test_it_asks_as_often_for_many_photos_as_for_few(
    generator, mia, me, django_assert_num_queries, django_assert_max_num_queries
):
    album = make_album(make_photo(near(generator, me, SURE)))
    make_album(*strangers(generator, 20))
    make_selfie(mia, me)
    my_photos(mia)
    with django_assert_max_num_queries(24) as few:
        assert len(mine(mia)) == 1

    for _ in range(30):
        album.items.create(media=make_photo(near(generator, me, SURE)))

    with django_assert_num_queries(len(few)):
        assert len(mine(mia)) == 31


# --- what people said ---


def test_faces_confirmed_as_the_member_are_theirs_however_far_and_without_a_selfie(
    generator, mia, me
):
    photo, other = make_photo(draw(generator)), make_photo(draw(generator))
    make_album(photo, other)
    anna = Person.objects.create(name="Anna", user=mia)
    annie = Person.objects.create(name="Annie", merged_into=anna, root=anna)
    photo.faces.update(person=annie)

    [match] = my_photos(mia)

    assert (match.media, match.probability, match.distance) == (photo, 1.0, None)
    assert own_face(mia, photo) == match.face_id
    make_selfie(mia, me)
    assert mine(mia) == [photo]


def test_a_member_whose_person_was_merged_into_another_is_that_one(generator, mia):
    photo = make_photo(draw(generator), collection=make_collection(policy=Policy.OWN))
    anna = Person.objects.create(name="Anna")
    Person.objects.create(name="Annie", user=mia, merged_into=anna, root=anna)
    photo.faces.update(person=anna)

    assert mine(mia) == [photo]


def test_what_somebody_said_is_not_the_member_is_offered_no_more_until_it_is_taken_back(
    generator, mia, me
):
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OWN))
    make_selfie(mia, me)
    person = Person.objects.create(name="Mia", user=mia)
    merged = Person.objects.create(name="Mimi", merged_into=person, root=person)
    assert mine(mia) == [photo]

    for who in (person, merged):
        decision = Decision.objects.create(verb=Decision.Verb.REJECT, person=who)
        DecisionFace.objects.create(
            decision=decision,
            face=face_in(photo),
            payload_hash=photo.payload_hash,
            x1=0,
            y1=0,
            x2=1,
            y2=1,
        )
        assert nothing(mia, photo)
        Decision.objects.create(verb=Decision.Verb.REVOKE, revokes=decision)
        assert mine(mia) == [photo]
    photo.faces.update(person=person)
    assert mine(mia) == [photo]


def test_confirmed_faces_are_found_only_in_what_is_open(generator, mia):
    photo = make_photo(draw(generator), collection=make_collection(policy=Policy.CLOSED))
    photo.faces.update(person=Person.objects.create(name="Anna", user=mia))

    assert nothing(mia, photo)


def test_a_face_confirmed_as_somebody_else_is_not_the_members(generator, mia, me):
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OWN))
    Person.objects.create(name="Anna", user=mia)
    twin = Person.objects.create(name="Twin")
    make_selfie(mia, me)
    before = mine(mia)

    photo.faces.update(person=twin)

    assert before == [photo]
    assert nothing(mia, photo)


def test_a_member_whom_nobody_has_named_yet_is_not_the_person_of_another_member(generator, mia, me):
    own = make_collection(policy=Policy.OWN)
    photos = [make_photo(near(generator, me, SURE), collection=own) for _ in range(4)]
    linked = Person.objects.create(name="Twin", user=make_member("twin"))
    merged = Person.objects.create(name="Twinnie", merged_into=linked, root=linked)
    unlinked = Person.objects.create(name="Perhaps Mia")
    for photo, person in zip(photos, (linked, merged, unlinked), strict=False):
        photo.faces.update(person=person)
    make_selfie(mia, me)

    assert mine(mia) == [photos[3], photos[2]]
    assert nothing(mia, photos[0])
    assert nothing(mia, photos[1])


# --- the log ---


def test_a_search_is_logged_once_an_hour(generator, mia, me):
    make_album(make_photo(near(generator, me, SURE)), *strangers(generator))
    make_selfie(mia, me)

    for _ in range(3):
        my_photos(mia)
    assert list(SearchLog.objects.values_list("user", "purpose", "matches")) == [
        (mia.pk, "find_self", 1)
    ]
    SearchLog.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    my_photos(mia)

    assert SearchLog.objects.count() == 2


def test_who_has_no_selfie_searches_for_nobody(mia):
    my_photos(mia)

    assert not SearchLog.objects.exists()


def other_people(log):
    """Whose face was searched for, by whom, as it is written down."""
    return set(log.exclude(person=None).values_list("user", "guest", "purpose", "person"))


def test_who_is_met_by_somebody_elses_selfie_is_written_down(generator, mia, me):
    own = make_collection(policy=Policy.OWN)
    photos = [make_photo(near(generator, me, SURE), collection=own) for _ in range(3)]
    strangers(generator, collection=own)
    max_ = Person.objects.create(name="Max", user=make_member("max"))
    merged = Person.objects.create(name="Maxi", merged_into=max_, root=max_)
    unlinked = Person.objects.create(name="Somebody")
    for photo, person in zip(photos, (max_, merged, unlinked), strict=True):
        photo.faces.update(person=person)
    make_selfie(mia, me)

    my_photos(mia)
    my_photos(mia)

    log = SearchLog.objects.all()
    assert other_people(log) == {(mia.pk, None, "find_self", max_.pk)}
    assert set(log.values_list("person", "matches")) == {(None, 1), (max_.pk, 2)}
    SearchLog.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    my_photos(mia)
    assert SearchLog.objects.count() == 4


def test_who_finds_only_themselves_has_searched_for_nobody_else(generator, mia, me):
    own = make_collection(policy=Policy.OWN)
    photo = make_photo(near(generator, me, SURE), collection=own)
    stranger = make_photo(draw(generator), collection=own)
    photo.faces.update(person=Person.objects.create(name="Mia", user=mia))
    stranger.faces.update(person=Person.objects.create(name="Max", user=make_member("max")))
    make_selfie(mia, me)

    my_photos(mia)

    assert other_people(SearchLog.objects) == set()


def test_what_lookwho_asks_by_itself_is_not_written_down(generator, mia, me):
    make_album(make_photo(near(generator, me, SURE)))
    make_selfie(mia, me)

    assert len(search.hits(mia, log=False)) == 1

    assert not SearchLog.objects.exists()


# --- guests ---


def test_a_guest_finds_their_own_photos_of_the_album_and_nothing_else(db, generator, me):
    inside, outside = (make_photo(near(generator, me, SURE)) for _ in range(2))
    others = strangers(generator)
    album = make_album(inside, *others)
    make_album(outside)
    guest = make_guest(album=album)
    make_selfie(guest, me)

    assert mine(guest) == [inside]
    assert may_see(guest, inside)
    assert own_face(guest, inside) == face_in(inside).pk
    for photo in (outside, others[0]):
        assert nothing(guest, photo)
    assert SearchLog.objects.get().guest == guest


def test_a_link_to_look_at_shows_all_of_the_album_to_a_guest(db, generator, me):
    inside, outside = make_photo(draw(generator)), make_photo(draw(generator))
    album = make_album(inside)
    make_album(outside)
    guest = make_guest(album=album, only_mine=False)

    assert (may_see(guest, inside), may_see(guest, outside)) == (True, False)


GUEST_ENDS = {
    "the link is revoked": lambda guest: Share.objects.update(revoked_at=timezone.now()),
    "the link has expired": lambda guest: Share.objects.update(expires_at=timezone.now()),
    "the guest's time is over": lambda guest: Guest.objects.update(keep_until=timezone.now()),
    "the guest was forgotten": lambda guest: Guest.objects.all().delete(),
    "the album is hidden": lambda guest: guest.share.album.__class__.objects.update(hidden=True),
    "the selfie is removed": lambda guest: Reference.objects.all().delete(),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", GUEST_ENDS)
def test_a_guest_sees_nothing_any_more_at_once(generator, me, soon, end):
    photo = make_photo(near(generator, me, SURE))
    guest = make_guest(album=make_album(photo))
    make_selfie(guest, me)
    assert may_see(guest, photo)

    GUEST_ENDS[end](guest)

    assert not may_see(guest, photo)
    assert nothing(guest, photo)


def test_a_guest_is_nobody_of_whom_something_was_said(generator, me, mia):
    """The number of a guest may be that of a user: neither is ever taken for the other."""
    photos = [make_photo(near(generator, me, SURE)) for _ in range(2)]
    guest = make_guest(album=make_album(*photos, *strangers(generator)))
    Guest.objects.filter(pk=guest.pk).delete()
    guest.pk = mia.pk
    guest.save()
    photos[0].faces.update(person=Person.objects.create(name="Mia", user=mia))

    assert (mine(guest), mine(mia)) == ([], [photos[0]])
    make_selfie(guest, me)
    assert mine(guest) == [photos[1]]
    assert mine(mia) == [photos[0]]


# --- may see ---


@pytest.mark.parametrize("role", (User.Role.OWNER, User.Role.CURATOR, User.Role.ANNOTATOR))
def test_who_sees_everything_may_see_any_photo_that_is_there(generator, db, role):
    photo = make_photo(draw(generator), collection=make_collection())
    user = make_member(role=role)

    assert may_see(user, photo)
    Media.objects.update(present=False)
    assert not may_see(user, photo)


def test_a_member_may_see_what_is_shown_and_what_is_theirs(generator, mia, me):
    own, closed = make_collection(policy=Policy.OWN), make_collection(policy=Policy.CLOSED)
    shown = make_photo(collection=make_collection(policy=Policy.OPEN))
    in_album = make_photo(collection=closed)
    make_album(in_album)
    theirs = make_photo(near(generator, me, SURE), collection=own)
    hidden = make_photo(near(generator, me, SURE), collection=closed)
    others = make_photo(draw(generator), collection=own)
    make_selfie(mia, me)

    photos = (shown, in_album, theirs, hidden, others)

    assert [may_see(mia, each) for each in photos] == [True, True, True, False, False]


@pytest.fixture
def soon(monkeypatch):
    """Refusals hold for no time, or as long as a test likes."""

    def last(seconds):
        search._found.clear()
        monkeypatch.setattr(search, "REFUSAL_LASTS", seconds)

    last(1000)
    return last


@pytest.mark.django_db(transaction=True)
def test_a_page_of_thumbnails_makes_one_search(generator, me, soon, monkeypatch):
    mia, own = make_member(), make_collection(policy=Policy.OWN)
    photos = [make_photo(near(generator, me, SURE), collection=own) for _ in range(5)]
    others = strangers(generator, 5, collection=own)
    make_selfie(mia, me)
    assert may_see(mia, photos[0])

    monkeypatch.setattr(vectors, "nearest", None)  # another search would fail
    assert [may_see(mia, each) for each in photos + others] == [True] * 5 + [False] * 5


CHANGES = {
    "the photo leaves the collection": lambda mia, photo: Collection.objects.update(
        policy=Policy.CLOSED
    ),
    "the photo lies nowhere": lambda mia, photo: Media.objects.update(present=False),
    "its place is gone": lambda mia, photo: photo.locations.update(missing_since=timezone.now()),
    "the face is none": lambda mia, photo: photo.faces.update(dismissed=True),
    "the face is another member's": lambda mia, photo: photo.faces.update(
        person=Person.objects.create(name="Max", user=make_member("max"))
    ),
    "the face is not the member's": lambda mia, photo: (
        Person.objects.create(name="Mia", user=mia),
        photo.faces.update(person=Person.objects.create(name="Max")),
    ),
    "the face is erased": lambda mia, photo: photo.faces.all().delete(),
    "the selfie is removed": lambda mia, photo: Reference.objects.all().delete(),
    "the selfie is approved no more": lambda mia, photo: Reference.objects.update(approved=False),
    "the selfie is exchanged for another's": lambda mia, photo: (
        Reference.objects.all().delete(),
        make_selfie(mia, draw(np.random.default_rng(99))),
    ),
    "the member may not sign in": lambda mia, photo: User.objects.update(is_active=False),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_remembered_never_shows_what_may_no_longer_be_seen(generator, me, soon, change):
    mia = make_member()
    photo = make_photo(near(generator, me, SURE), collection=make_collection(policy=Policy.OWN))
    make_selfie(mia, me)
    assert may_see(mia, photo)

    CHANGES[change](mia, photo)
    mia.refresh_from_db()

    # Asked first: `my_photos` would remember anew.
    assert (may_see(mia, photo), own_face(mia, photo)) == (False, None)
    assert nothing(mia, photo)


@pytest.mark.django_db(transaction=True)
def test_a_photo_that_comes_may_be_seen_at_once(generator, me, soon):
    mia, own = make_member(), make_collection(policy=Policy.OWN)
    make_selfie(mia, me)
    first = make_photo(near(generator, me, SURE), collection=own)
    assert may_see(mia, first)

    with transaction.atomic():
        second = make_photo(near(generator, me, SURE), collection=own)

    assert may_see(mia, second)


@pytest.mark.django_db(transaction=True)
def test_a_photo_may_be_seen_for_as_long_as_it_is_in_an_album_that_is_shown(generator, me, soon):
    mia, closed = make_member(), make_collection(policy=Policy.CLOSED)
    album, other = make_album(), make_album(hidden=True)
    photo = make_photo(near(generator, me, SURE), collection=closed)
    make_selfie(mia, me)
    assert not may_see(mia, photo)

    album.items.create(media=photo)
    assert may_see(mia, photo)
    album.items.all().delete()
    other.items.create(media=photo)

    assert not may_see(mia, photo)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_holds_for_a_moment_only(generator, me, soon):
    mia, own = make_member(), make_collection(policy=Policy.OWN)
    photo = make_photo(near(generator, me, SURE), collection=own)
    make_selfie(mia, me)
    photo.faces.update(dismissed=True)
    soon(0)
    assert not may_see(mia, photo)

    photo.faces.update(dismissed=False)  # which changes no vector

    assert may_see(mia, photo)


# --- who may this be? ---


@pytest.fixture
def owner(db):
    return scope_of(make_member("owner", role=User.Role.OWNER), Purpose.NAME)


def make_people(generator, names, vector, start=0.02, step=0.01):
    """A photo of each person, each a little farther from a face."""
    people = []
    for number, name in enumerate(names):
        photo = make_photo(near(generator, vector, start + step * number))
        people.append(Person.objects.create(name=name))
        photo.faces.update(person=people[-1])
    return people


def test_the_people_nearest_to_a_face_are_suggested_the_likeliest_first(generator, owner, me):
    people = make_people(generator, "ABCDEFG", me, step=0.005)
    make_faces([(make_photo(), near(generator, me, 0.04))])
    strangers(generator)

    found = find_by_face(owner, face_in(make_photo(me)))

    assert [each.person for each in found] == people[:5]
    assert [each.face.person for each in found] == people[:5]
    assert found[0].distance == pytest.approx(0.02, abs=1e-6)
    assert found[0].probability > 0.99
    probabilities = [each.probability for each in found]
    assert probabilities == sorted(probabilities, reverse=True)


def test_each_person_is_suggested_once_and_the_merged_as_who_they_are(generator, owner, me):
    a, b = make_people(generator, "AB", me)
    Person.objects.filter(pk=b.pk).update(merged_into=a, root=a)
    make_photo(near(generator, me, 0.01)).faces.update(person=b)

    [found] = find_by_face(owner, face_in(make_photo(me)))

    assert (found.person, found.distance) == (a, pytest.approx(0.01, abs=1e-6))


def test_a_guess_counts_for_as_much_as_it_is_sure(generator, owner, me):
    [sure] = make_people(generator, "A", me, start=0.05)
    guessed = Person.objects.create(name="B")
    make_photo(near(generator, me, 0.01)).faces.update(guess=guessed, probability=0.6)

    found = find_by_face(owner, face_in(make_photo(me)))

    assert [each.person for each in found] == [sure, guessed]
    assert found[1].probability == pytest.approx(0.6, abs=0.01)


def test_people_without_a_name_hidden_rejected_or_beside_it_are_not_suggested(generator, owner, me):
    unnamed, hidden, rejected, beside, taken_back = make_people(
        generator, ["", "Hidden", "Rejected", "Beside", "Perhaps"], me
    )
    Person.objects.filter(pk=hidden.pk).update(hidden=True)
    photo = make_photo(me, draw(generator))
    face, other = photo.faces.order_by("pk")
    Face.objects.filter(pk=other.pk).update(person=beside)
    for person in (rejected, taken_back):
        decision = Decision.objects.create(verb=Decision.Verb.REJECT, person=person)
        DecisionFace.objects.create(
            decision=decision, face=face, payload_hash=photo.payload_hash, x1=0, y1=0, x2=1, y2=1
        )
    Decision.objects.create(verb=Decision.Verb.REVOKE, revokes=decision)

    assert [each.person for each in find_by_face(owner, face)] == [taken_back]
    assert unnamed.pk


def test_who_may_not_be_told_names_is_told_none(generator, owner, mia, me):
    make_people(generator, "A", me)
    face = face_in(make_photo(me))
    make_album(*Media.objects.all())

    with pytest.raises(NotFound):
        find_by_face(scope_of(mia, Purpose.NAME), face)
    assert find_by_face(scope_of(mia, Purpose.BROWSE), face) == []
    assert len(find_by_face(owner, face)) == 1


def test_a_curators_search_by_a_face_is_written_down_for_whoever_has_an_account(
    generator, owner, me
):
    linked, merged, unlinked = make_people(generator, ["Anna", "Annie", "Ben"], me, step=0.005)
    Person.objects.filter(pk=linked.pk).update(user=make_member("anna"))
    Person.objects.filter(pk=merged.pk).update(merged_into=linked, root=linked)
    face, curator = face_in(make_photo(me)), make_member("curator", role=User.Role.CURATOR)

    find_by_face(owner, face)
    assert not SearchLog.objects.exists()
    for _ in range(2):
        assert len(find_by_face(owner, face, by=curator)) == 2

    assert other_people(SearchLog.objects) == {(curator.pk, None, "find_by_face", linked.pk)}
    assert SearchLog.objects.count() == 1
    assert unlinked.pk


def test_whoever_searches_for_themselves_by_a_face_is_not_told_of_it(generator, owner, me):
    [own] = make_people(generator, "A", me)
    curator = make_member("curator", role=User.Role.CURATOR)
    Person.objects.filter(pk=own.pk).update(user=curator)

    find_by_face(owner, face_in(make_photo(me)), by=curator)

    assert not SearchLog.objects.exists()


def test_a_face_without_an_embedding_resembles_nobody(owner, db):
    face = Face.objects.create(media=make_photo(), x1=0, y1=0, x2=1, y2=1)

    assert find_by_face(owner, face) == []


# --- with real photos ---


def test_a_selfie_of_obama_finds_obama_and_not_biden(samples, settings, tmp_path, mia):
    settings.SELFIES = tmp_path
    engine, own = batch.Worker(packs.settings()), make_collection(policy=Policy.OWN)
    consented(mia)
    try:
        photos = {}
        for name in ("obama2.jpg", "obama3.jpg", "biden.jpg"):
            faces = engine.analyze(str(samples / name)).faces
            photos[name] = make_photo(*faces.embeddings, collection=own)
        upload = SimpleUploadedFile("me.jpg", (samples / "obama.jpg").read_bytes())
        reference = search.add_selfie(mia, upload)
        search.run_reference(Job.objects.get(kind=Job.Kind.REFERENCE), engine)
    finally:
        engine.stop()

    assert set(mine(mia)) == {photos["obama2.jpg"], photos["obama3.jpg"]}
    assert nothing(mia, photos["biden.jpg"])
    search.remove_selfie(mia, reference)
    assert all(nothing(mia, photo) for photo in photos.values())
