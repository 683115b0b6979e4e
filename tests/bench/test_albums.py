import numpy as np
import pytest

from bench import albums
from bench.albums import SELFIES, Event, as_my_photos, by_any_selfie, draw, outcome, report
from tests.bench.test_identification import people


def test_nobodys_selfie_is_in_the_album_and_everybody_else_is():
    faces = people()

    event = draw(faces, 0)

    assert event.selfies.shape[1] == SELFIES
    assert sorted([*event.album, *event.selfies.ravel()]) == list(range(len(faces.owners)))
    members = faces.owners[event.selfies]
    assert (members == members[:, :1]).all()
    owners = faces.owners[event.album]
    of_members = event.truth >= 0
    assert (owners[of_members] == members[event.truth[of_members], 0]).all()
    assert not set(owners[~of_members]) & set(members.ravel())


def test_what_is_offered_is_counted_face_by_face():
    event = Event(np.array([[0, 1], [2, 3]]), np.arange(4, 9), np.array([0, 0, 1, -1, -1]))
    offered = np.array([[1, 0, 1, 0, 0], [0, 0, 1, 1, 0]], bool)

    counted = outcome(event, offered)

    assert counted.found == pytest.approx(2 / 3)  # the first of member 0, the one of member 1
    assert counted.others == pytest.approx(1 / 3)
    assert counted.strangers == pytest.approx(1 / 2)


def test_people_who_are_easy_to_tell_apart_find_themselves():
    faces = people()
    event = draw(faces, 1)

    ours, theirs = (outcome(event, way(faces, event)) for way in (as_my_photos, by_any_selfie))

    assert ours.found > 0.9
    assert ours.strangers < 0.1
    assert theirs.found > 0


def test_the_table_says_what_it_is_of():
    lines = list(report(people(), quick=True))

    assert lines[0].startswith(f"{albums.FEW_DRAWS} events of")
    assert any(line.startswith("| My photos") for line in lines)
