import pytest

from bench.event import LEAST, Member, choose, photos_of, report


@pytest.fixture
def folders(tmp_path):
    """A folder of folders: of nine people, in one to nine photos each."""
    for person in range(1, 10):
        (tmp_path / f"p{person}").mkdir()
        for photo in range(person):
            (tmp_path / f"p{person}" / f"p{person}_{photo}.jpg").touch()
    return tmp_path


def test_members_have_enough_photos_and_strangers_are_all_others(folders):
    members, strangers = choose(folders, 3)

    assert len({member.name for member in members}) == 3
    own = [photo for member in members for photo in member.photos]
    assert all(len(member.photos) >= LEAST for member in members)
    assert all(photo.parent.name == member.name for member in members for photo in member.photos)
    assert sorted([*own, *strangers]) == sorted(folders.glob("*/*.jpg"))


def test_the_same_members_are_drawn_each_time_and_others_for_another_seed(folders):
    first, again, other = (choose(folders, 3, seed) for seed in (0, 0, 1))

    assert first == again
    assert first != other


def test_an_event_has_all_photos_of_members_and_as_many_strangers_as_it_takes(folders):
    members, strangers = choose(folders, 2)
    selfies = [member.photos.pop() for member in members]
    own = [photo for member in members for photo in member.photos]

    photos = photos_of(members, strangers, len(own) + 5)

    assert set(own) < set(photos)
    assert len(set(photos) & set(strangers)) == 5
    assert not set(selfies) & set(photos)
    with pytest.raises(ValueError, match=f"in {len(own)} photos already"):
        photos_of(members, strangers, len(own) - 1)


def test_there_may_be_fewer_strangers_than_asked_for(folders):
    members = [Member("p1", [])]

    assert photos_of(members, [], 10) == []


@pytest.mark.long
def test_members_of_an_event_that_is_really_held_find_themselves(media):
    lines = list(report(media / "identities", photos=30, members=2, processes=1))

    assert any(line.startswith("30 photos, ") and "; 2 members with " in line for line in lines)
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ")]
    steps = {row[0].strip(): float(row[1]) for row in rows[1:6]}
    alone, *times = steps.values()
    assert list(steps)[1:] == [
        "all was sent",
        "all was analysed",
        "no job waited",
        "every member's My photos was complete",
    ]
    assert 0 < times[0] < times[1] <= times[2] <= times[3]
    assert float(rows[5][3]) == pytest.approx(times[3] / alone, rel=0.2)
    found, of = (int(word) for word in rows[7][1].split(" (")[0].split(" of "))
    assert 0.5 * of < found <= of
    assert any("Somebody saw a first photo of theirs after " in line for line in lines)
