import numpy as np
import pytest

from bench.population import Population
from lookwho.library.models import Decision, Embedding, Face, Person

pytestmark = pytest.mark.django_db


def test_faces_come_part_by_part_and_some_are_confirmed():
    made = Population(500, named=100)

    made.add(400, confirmed=100)
    made.add(100)

    assert len(made.ids) == Face.objects.count() == Embedding.objects.count() == 500
    confirmed = dict(Face.objects.exclude(person=None).values_list("pk", "person__name"))
    assert len(confirmed) == 100
    for face, name in confirmed.items():
        assert name == f"Person {made.owners[made.ids.index(face)]}"


def test_those_with_most_faces_have_a_name():
    made = Population(500, named=20)

    named = [int(name.split()[1]) for name in Person.objects.values_list("name", flat=True)]

    counts = np.bincount(made.owners)
    assert len(named) == 20
    assert counts[named].min() >= np.sort(counts)[-20]


def test_faces_are_confirmed_by_decisions_to_be_who_they_are():
    made = Population(100, named=5)
    made.add(100)

    made.confirm(7)

    assert Decision.objects.filter(verb=Decision.Verb.CONFIRM).count() == 7
    for face, name in Face.objects.exclude(person=None).values_list("pk", "person__name"):
        assert name == f"Person {made.owners[made.ids.index(face)]}"
