import click
import numpy as np
import pytest

from bench import people


def test_the_later_initials_are_held_out():
    held_out, told = people.halves(("Ann", "Bob", "Cid", "Dan", "Eve"))

    assert held_out.tolist() == [False, False, False, True, True]
    assert told == "A-C for calibration, D-E held out"


def test_names_that_begin_alike_are_split_by_their_hashes():
    names = tuple(f"person{number}" for number in range(200))

    held_out, told = people.halves(names)

    assert 70 < held_out.sum() < 130
    assert told == "by a hash of the name"
    assert held_out[:50].tolist() == people.halves(names[:50])[0].tolist()


def test_photos_need_a_folder_for_each_person(tmp_path):
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "photo.jpg").touch()

    with pytest.raises(click.ClickException):
        people.photos(tmp_path)


def test_every_photo_is_named_for_its_folder(tmp_path):
    for name in ("ann", "bob"):
        (tmp_path / name / "old").mkdir(parents=True)
        (tmp_path / name / "old" / "photo.jpg").touch()
    (tmp_path / "notes.txt").touch()

    names = [name for name, _ in people.photos(tmp_path)]

    assert names == ["ann", "bob"]


def test_a_part_keeps_the_chosen_people():
    faces = people.People(
        names=("a", "b"),
        owners=np.array([0, 1, 1]),
        held_out=np.array([False, True]),
        split="",
        embeddings=np.eye(3, dtype=np.float32),
        encodings=np.eye(3, dtype=np.float32),
        quality=np.array([0.1, 0.2, 0.3], np.float32),
        photos=3,
        photos_held_out=2,
        without=(),
    )

    part = faces.part(faces.held_out)

    assert part.owners.tolist() == [1, 1]
    assert part.embeddings.tolist() == np.eye(3)[1:].tolist()


def test_too_few_photos_are_refused_before_any_is_looked_at(tmp_path):
    for name in ("Ann", "Bob", "Cid", "Dan"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.jpg").touch()

    with pytest.raises(click.ClickException, match="too few photos"):
        people.read(tmp_path)
