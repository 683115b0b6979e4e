import threading
from itertools import islice

import numpy as np
import pytest
from django.db import connection, transaction

from lookwho.core.errors import Invalid
from lookwho.library import vectors
from lookwho.library.models import Embedding, Face, Media, VectorChange
from lookwho.library.scope import Purpose, Scope
from tests import gallery
from tests.gallery import draw, make_album, make_collection, make_faces, make_pack, make_photo

ALL = Scope(purpose=Purpose.BROWSE, everything=True)


@pytest.fixture
def generator():
    return np.random.default_rng(7)


def brute_force(scope, vector, pack):
    """All that the search may return, the nearest first: every row measured, one by one."""
    rows = Embedding.objects.filter(
        pack=pack, face__in=list(scope.faces().values_list("pk", flat=True))
    )
    measured = sorted(
        (max(1 - float(np.frombuffer(found, "<f4").astype(float) @ vector), 0), face)
        for face, found in rows.values_list("face", "vector")
    )
    return [(face, far) for far, face in measured]


def found(*args, **more):
    answer = vectors.nearest(*args, **more)
    assert (answer.face_ids.dtype, answer.distances.dtype) == (np.int64, np.float64)
    return answer.face_ids.tolist()


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(25))
def test_the_nearest_are_those_of_a_comparison_with_all_that_the_scope_allows(seed):
    generator = np.random.default_rng(seed)
    pack, other = make_pack(), make_pack("other")
    collections = [make_collection(), make_collection()]
    middle = draw(generator)
    photos = [
        make_photo(
            *(gallery.near(generator, middle, far) for far in generator.uniform(0, 1, 4)),
            collection=collections[generator.integers(2)],
            present=bool(generator.random() < 0.8),
        )
        for _ in range(40)
    ]
    make_faces([(photos[0], middle), (photos[1], middle)], pack=other)
    album = make_album(*(each for each in photos if generator.random() < 0.1))
    Face.objects.filter(pk__in=[each.pk for each in Face.objects.all()[::7]]).update(dismissed=True)
    scopes = (
        ALL,
        Scope(purpose=Purpose.BROWSE),
        Scope(purpose=Purpose.BROWSE, open_albums=frozenset({album.pk})),
        Scope(purpose=Purpose.BROWSE, open_collections=frozenset({collections[0].pk})),
        ALL.within(since=photos[20].day),
        ALL.within(albums=frozenset({album.pk}), collections=frozenset({collections[1].pk})),
    )

    for scope in scopes:
        everything = brute_force(scope, middle, pack)
        for limit, within in ((1, None), (5, None), (1000, None), (10, 0.3), (1000, 0.1), (3, 2)):
            answer = vectors.nearest(scope, middle, pack, limit=limit, within=within)

            near = (each for each in everything if within is None or each[1] <= within)
            expected = list(islice(near, limit))
            assert answer.face_ids.tolist() == [face for face, _ in expected]
            assert answer.distances == pytest.approx([far for _, far in expected], abs=1e-12)


@pytest.mark.django_db
def test_a_few_that_are_allowed_are_found_behind_very_many_that_are_not(generator):
    pack, vector = make_pack(), draw(generator)
    crowd = make_photo()
    make_faces([(crowd, gallery.near(generator, vector, 0.01)) for _ in range(2000)])
    far = make_photo(gallery.near(generator, vector, 0.9))
    album = make_album(far)

    scope = Scope(purpose=Purpose.BROWSE, open_albums=frozenset({album.pk}))

    assert found(scope, vector, pack, limit=10) == [gallery.face_in(far).pk]


@pytest.mark.django_db
def test_a_few_that_are_left_are_found_behind_very_many_that_were_dismissed(generator):
    pack, vector = make_pack(), draw(generator)
    photo = make_photo()
    make_faces([(photo, gallery.near(generator, vector, 0.01)) for _ in range(2000)])
    Face.objects.update(dismissed=True)
    left = make_photo(gallery.near(generator, vector, 0.9))

    assert found(ALL, vector, pack, limit=10) == [gallery.face_in(left).pk]


@pytest.mark.django_db
def test_a_dismissed_face_is_not_found_until_that_is_taken_back(generator):
    pack, vector = make_pack(), draw(generator)
    face = gallery.face_in(make_photo(vector))

    Face.objects.update(dismissed=True)
    dismissed = found(ALL, vector, pack)
    Face.objects.update(dismissed=False)

    assert (dismissed, found(ALL, vector, pack)) == ([], [face.pk])


@pytest.mark.django_db
def test_faces_of_media_that_lie_nowhere_are_not_found(generator):
    pack, vector = make_pack(), draw(generator)
    make_photo(vector)

    Media.objects.update(present=False)

    assert found(ALL, vector, pack) == []


@pytest.mark.django_db
def test_vectors_of_another_pack_are_never_found(generator):
    vector = draw(generator)
    make_photo(vector, pack=make_pack("other"))

    assert found(ALL, vector, make_pack()) == []


@pytest.mark.django_db
def test_packs_may_have_vectors_of_different_lengths():
    short, long = make_pack("short", dim=4), make_pack("long", dim=6)
    photo = make_photo()
    [a] = make_faces([(photo, np.eye(4, dtype=np.float32)[0])], pack=short)
    [b] = make_faces([(photo, np.eye(6, dtype=np.float32)[0])], pack=long)

    assert found(ALL, np.eye(4, dtype=np.float32)[0], short) == [a.pk]
    assert found(ALL, np.eye(6, dtype=np.float32)[0], long) == [b.pk]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "vector", (np.ones(127, np.float32), np.ones((1, 128), np.float32), np.full(128, np.nan))
)
def test_what_is_no_vector_of_the_pack_is_refused(vector):
    with pytest.raises(Invalid, match="128 numbers"):
        vectors.nearest(ALL, vector, make_pack())


@pytest.mark.django_db
@pytest.mark.parametrize("limit", (0, -1))
def test_no_face_is_found_where_none_is_wanted(generator, limit):
    vector = draw(generator)
    make_photo(vector)

    assert found(ALL, vector, make_pack(), limit=limit) == []


@pytest.mark.django_db
def test_a_library_without_faces_has_no_nearest(generator):
    assert found(ALL, draw(generator), make_pack()) == []


@pytest.mark.django_db
def test_the_search_asks_as_often_for_many_faces_as_for_few(
    generator, django_assert_num_queries, django_assert_max_num_queries
):
    pack, vector = make_pack(), draw(generator)
    photo = make_photo(vector)
    with django_assert_max_num_queries(12) as few:
        found(ALL, vector, pack, limit=1000)
    make_faces([(photo, each) for each in draw(generator, 500)])

    with django_assert_num_queries(len(few)):
        assert len(found(ALL, vector, pack, limit=1000)) == 501


@pytest.mark.django_db(transaction=True)
def test_searches_follow_what_comes_and_goes(generator):
    pack, drawn = make_pack(), draw(generator, 6)
    first = gallery.face_in(make_photo(drawn[0]))
    assert found(ALL, drawn[0], pack, limit=1) == [first.pk]

    second, third = (gallery.face_in(make_photo(each)) for each in drawn[1:3])
    assert found(ALL, drawn[2], pack, limit=1) == [third.pk]

    vectors.removed([second.pk])
    second.delete()
    assert found(ALL, drawn[1], pack, limit=1) != [second.pk]
    fourth = gallery.face_in(make_photo(drawn[3]))
    assert found(ALL, drawn[3], pack, limit=1) == [fourth.pk]
    assert sorted(found(ALL, drawn[5], pack)) == [first.pk, third.pk, fourth.pk]


@pytest.mark.django_db(transaction=True)
def test_a_vector_that_is_made_anew_takes_the_place_of_the_old_one(generator):
    pack, (old, new) = make_pack(), draw(generator, 2)
    face = gallery.face_in(make_photo(old))
    found(ALL, old, pack)

    Embedding.objects.update(vector=new.tobytes())
    vectors.added([(face.pk, pack.pk, new)])

    answer = vectors.nearest(ALL, new, pack, within=0.01)
    assert answer.face_ids.tolist() == [face.pk]
    assert found(ALL, old, pack, within=0.01) == []


@pytest.mark.django_db(transaction=True)
def test_a_vector_that_is_made_anew_many_times_crowds_out_nobody(generator):
    pack, vector = make_pack(), draw(generator)
    face = gallery.face_in(make_photo(vector))
    other = gallery.face_in(make_photo(gallery.near(generator, vector, 0.2)))

    for _ in range(300):
        vectors.added([(face.pk, pack.pk, vector)])
        assert found(ALL, vector, pack, limit=2) == [face.pk, other.pk]


@pytest.mark.django_db(transaction=True)
def test_an_older_backup_that_takes_the_place_of_the_database_is_searched_as_it_is(generator):
    pack, vector = make_pack(), draw(generator)
    photo = make_photo(vector)
    rows = list(Face.objects.all()), list(Embedding.objects.all()), list(VectorChange.objects.all())
    vectors.removed([rows[0][0].pk])
    photo.faces.all().delete()
    assert found(ALL, vector, pack) == []

    with transaction.atomic():
        VectorChange.objects.all().delete()
        for backup in rows:
            type(backup[0]).objects.bulk_create(backup)
        vectors.tend()

    assert found(ALL, vector, pack) == [rows[0][0].pk]


@pytest.mark.django_db(transaction=True)
def test_who_is_too_far_behind_to_follow_starts_afresh(generator):
    pack, drawn = make_pack(), draw(generator, 40)
    faces = [gallery.face_in(make_photo(drawn[0]))]
    found(ALL, drawn[0], pack)

    for vector in drawn[1:]:
        faces.append(gallery.face_in(make_photo(vector)))
    vectors.removed([faces[0].pk])
    faces[0].delete()
    vectors.tend(keep=3)

    assert VectorChange.objects.count() == 3
    assert [found(ALL, vector, pack, within=0.01) for vector in drawn] == [
        [],
        *([face.pk] for face in faces[1:]),
    ]


@pytest.mark.django_db(transaction=True)
def test_tending_keeps_the_newest_changes_and_searches_go_on(generator):
    pack, drawn = make_pack(), draw(generator, 5)
    faces = [gallery.face_in(make_photo(vector)) for vector in drawn[:4]]
    found(ALL, drawn[0], pack)

    vectors.tend(keep=0)
    vectors.tend(keep=0)
    faces.append(gallery.face_in(make_photo(drawn[4])))

    assert VectorChange.objects.count() == 1
    assert sorted(found(ALL, drawn[0], pack)) == [face.pk for face in faces]


@pytest.mark.django_db(transaction=True)
def test_what_was_taken_back_is_not_found_even_where_its_numbers_are_given_again(generator):
    pack, (kept, dropped) = make_pack(), draw(generator, 2)
    found(ALL, kept, pack)
    photo = make_photo()

    with transaction.atomic():
        [gone] = make_faces([(photo, dropped)])
        inside = found(ALL, dropped, pack, within=0.01)
        transaction.set_rollback(True)
    [face] = make_faces([(photo, kept)])

    assert inside == [gone.pk]
    assert found(ALL, dropped, pack, within=0.01) == []
    assert found(ALL, kept, pack, within=0.01) == [face.pk]


@pytest.mark.django_db(transaction=True)
def test_faces_that_were_deleted_behind_its_back_are_not_found(generator):
    pack, vector = make_pack(), draw(generator)
    photo = make_photo(vector)
    found(ALL, vector, pack)

    photo.delete()  # with all that hangs on it, and without a word

    assert found(ALL, vector, pack) == []


@pytest.mark.django_db(transaction=True)
def test_many_threads_search_while_faces_come(generator):
    pack, drawn = make_pack(), draw(generator, 60)
    faces = [gallery.face_in(make_photo(vector)) for vector in drawn[:20]]
    wrong, over = [], threading.Event()

    def search():
        try:
            while not over.is_set():
                for face, vector in zip(faces[:20], drawn, strict=False):
                    if found(ALL, vector, pack, limit=1) != [face.pk]:
                        wrong.append(face.pk)
        except Exception as error:
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for vector in drawn[20:]:
        with transaction.atomic():
            faces.append(gallery.face_in(make_photo(vector)))
    over.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert [found(ALL, vector, pack, limit=1) for vector in drawn] == [[face.pk] for face in faces]


@pytest.mark.django_db(transaction=True)
def test_the_version_changes_with_every_vector(generator):
    seen = [vectors.version()]
    photo = make_photo()
    [face] = make_faces([(photo, draw(generator))])
    seen.append(vectors.version())
    vectors.removed([face.pk])
    seen.append(vectors.version())

    assert len(set(seen)) == 3
    assert vectors.version() == seen[-1]


@pytest.mark.django_db(transaction=True)
def test_a_large_pack_gets_an_index_that_overlooks_little(generator):
    pack, album = make_pack(), make_album()
    people = draw(generator, 400)
    photo = make_photo()
    rows = [
        (photo, gallery.near(generator, person, far))
        for person in people
        for far in generator.uniform(0.01, 0.15, 10)
    ]
    make_faces(rows)
    Face.objects.filter(pk__in=[face.pk for face in Face.objects.all()[::9]]).update(dismissed=True)
    vectors.tend(exact=1000)
    in_album = make_photo(people[0])
    album.items.create(media=in_album)

    hits = wanted = 0
    for person in people[::10]:
        best = [face for face, _ in brute_force(ALL, person, pack)[:50]]
        hits += len(set(best) & set(found(ALL, person, pack, limit=50)))
        wanted += len(best)

    assert hits / wanted > 0.99
    # A narrow scope is searched exactly all the same.
    scope = Scope(purpose=Purpose.BROWSE, open_albums=frozenset({album.pk}))
    assert found(scope, people[9], pack) == [gallery.face_in(in_album).pk]


@pytest.mark.django_db
def test_tending_makes_good_what_the_copy_lacks(generator):
    pack, vector = make_pack(), draw(generator)
    face = gallery.face_in(make_photo(vector))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("truncate lookwho_vector")
            cursor.execute(
                "insert into lookwho_vector (face_id, pack_id, embedding) values (0, %s, '[1]')",
                [pack.pk],
            )

    vectors.tend()

    assert found(ALL, vector, pack) == [face.pk]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("select face_id from lookwho_vector")
            assert cursor.fetchall() == [(face.pk,)]


@pytest.mark.django_db
def test_no_copy_of_a_vector_outlives_it(generator):
    make_photo(*draw(generator, 3)).delete()
    make_photo(draw(generator))

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from lookwho_vector")
            assert cursor.fetchone() == (1,)
    assert Embedding.objects.count() == 1


@pytest.mark.django_db
def test_the_number_of_faces_that_are_searched_is_that_of_the_scope(generator):
    photos = [make_photo(*draw(generator, 3)) for _ in range(4)]
    album = make_album(photos[0], photos[1])
    Face.objects.filter(media=photos[0]).update(dismissed=True)

    scope = Scope(purpose=Purpose.BROWSE, open_albums=frozenset({album.pk}))

    assert (vectors.searched(ALL), vectors.searched(scope)) == (9, 3)
