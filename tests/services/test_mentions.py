import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.library.models import Decision, Person, Project, Share
from lookwho.services import accounts, mentions, releases
from lookwho.services.mentions import _cut, _pattern, _without
from tests.gallery import NOON
from tests.people import a_person, a_user


@pytest.mark.parametrize(
    ("text", "left"),
    (
        ("Anna Nová is in it", "… is in it"),
        ("ANNA NOVÁ and anna", "… and …"),
        ("trip/Anna Nová.jpg", "trip/….jpg"),
        ("Annabel and Joanna stay", "Annabel and Joanna stay"),
        ("(Anna)", "(…)"),
        ("", ""),
    ),
)
def test_a_name_is_cut_out_of_a_text_as_whole_words(text, left):
    assert _cut(text, _pattern({"Anna", "Anna Nová"})) == left


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    )
)
def test_what_names_nobody_stays_as_it_is(value):
    assert _without(value, _pattern(())) == value
    assert _without(value, _pattern({"Zdenka-that-nobody-writes"})) == value


def test_names_with_signs_are_taken_as_they_are():
    assert _cut("a.b+c and axb+c", _pattern({"a.b+c"})) == "… and axb+c"


@pytest.mark.django_db
def test_all_names_that_somebody_ever_had_are_known_and_none_of_a_namesake():
    owner, user = a_user("owner"), a_user("member", email="z@example.org", external_id="4711")
    person, _ = a_person("Zdenka Nová")
    Decision.objects.create(
        actor=owner, verb="rename", person=person, text="Zdenka Nová", before="Zdenka Stará"
    )
    namesake, _ = a_person("Zdenka Stará")

    names = mentions.names_of(user, [person])

    assert names == {"Zdenka Nová", user.username, "z@example.org", "4711"}
    assert namesake.name not in names


@pytest.mark.django_db
def test_what_tells_of_others_stays(settings):
    owner = accounts.the_owner()
    person, faces = a_person("Zdenka")
    other, _ = a_person("Bert")
    share = Share.objects.create(
        kind="invitation", name="Bert", token_hash=bytes(32), expires_at=NOON
    )
    Decision.objects.create(actor=owner, verb="rename", person=other, text="Bert", before="Berta")
    assert Project.objects.count() == 0

    mentions.forget({"Zdenka"}, None, [person], [face.pk for face in faces])

    share.refresh_from_db()
    assert share.name == "Bert"
    assert Decision.objects.filter(text="Bert", before="Berta").exists()


@pytest.mark.django_db
def test_a_release_keeps_all_but_the_one_who_goes(tmp_path):
    import gzip
    import hashlib
    import json

    from lookwho.library.models import Release

    owner, annotator = accounts.the_owner(), a_user("annotator")
    project = Project.objects.create(title="Faces", created_by=owner)
    gone, stays = Person.objects.create(name="Zdenka"), Person.objects.create(name="Bert")

    def face(person, box):
        told = {"person": str(person.uuid), "name": person.name}
        label = {"annotator": releases.pseudonym(project, annotator.pk), "verdict": "person"}
        return {
            "id": str(person.uuid),
            "face": "f",
            "box": box,
            "verdict": "person",
            "split": "train",
            **told,
            "labels": [{**label, **told, "box": None, "seconds": 1, "given_at": None}],
        }

    rows = [{"format": releases.FORMAT}, face(gone, [1, 2, 3, 4]), face(stays, [5, 6, 7, 8])]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    release = Release.objects.create(
        project=project,
        version=1,
        content=gzip.compress(lines),
        digest=hashlib.sha256(lines).digest(),
    )

    counts = mentions.forget({"Zdenka"}, None, [gone], [])

    assert counts["releases"] == 1
    release.refresh_from_db()
    head, first, second = map(json.loads, releases.content(release).splitlines())
    assert head["erased"] == 1
    assert (first["name"], first["person"], first["box"], first["erased"]) == (
        None,
        None,
        [0, 0, 0, 0],
        True,
    )
    assert (first["labels"][0]["name"], first["labels"][0]["person"]) == (None, None)
    assert second == rows[2]
    assert mentions.forget({"Zdenka"}, None, [gone], [])["releases"] == 0
    # Of an annotator who goes, the pseudonym goes.
    mentions.forget({annotator.username}, annotator, [], [])
    release.refresh_from_db()
    assert releases.pseudonym(project, annotator.pk) not in releases.content(release).decode()
