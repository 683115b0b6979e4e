from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.identify import Settings
from lookwho.core.reliability import NOBODY, Outcomes
from lookwho.core.trial import FOLDS, Faces, Verdict, clusters, compare, judge
from tests.people import lookalikes

PEOPLE, EACH = 12, 6


def keys(*names):
    return frozenset(names)


def a_trial(*, asked=2, seed=0):
    """Evidence and an audit of the same people, each photo an event of its own; two strangers."""
    vectors = lookalikes(PEOPLE + 2, EACH, seed=seed).reshape(PEOPLE + 2, EACH, -1)
    people = np.arange(1, PEOPLE + 1)

    def faces(part, who, name):
        return Faces(
            part.reshape(-1, part.shape[-1]),
            np.full(len(part) * part.shape[1], 0.9, np.float32),
            np.repeat(who, part.shape[1]),
            [keys(f"{name} {at}") for at in range(len(part) * part.shape[1])],
        )

    evidence = faces(vectors[:PEOPLE, asked:], people, "known")
    audit = faces(vectors[:, :asked], np.array([*people, NOBODY, NOBODY]), "asked")
    return evidence, audit


def test_people_are_recognised_and_strangers_are_not():
    evidence, audit = a_trial()
    found = judge(evidence, audit, None)

    assert found.right(0.5).sum() == found.known.sum() == 2 * PEOPLE
    assert found.wrong(0.5).sum() == 0
    assert (found.probabilities[found.truth == NOBODY] < 0.5).all()


def test_photos_of_the_same_event_do_not_help():
    evidence, audit = a_trial()
    # The first person's photos are all of one day, that of the first face asked about.
    events = list(evidence.events)
    for at in np.flatnonzero(evidence.people == 1):
        events[at] = keys("a day", f"album {at}")
    asked = [keys("a day"), *audit.events[1:]]
    found = judge(replace(evidence, events=events), replace(audit, events=asked), None)

    assert not found.known[0]
    assert not found.right(0.5)[0]
    assert found.known[1:].sum() == 2 * PEOPLE - 1
    assert found.right(0.5).sum() == 2 * PEOPLE - 1


def test_however_many_events_there_are_none_helps_its_own_faces():
    # Each person's photos are of one day: of theirs nothing is left to know them by.
    evidence, audit = a_trial()
    days = [keys(f"day {who}") for who in evidence.people]
    asked = [keys(f"day {who}" if who else f"photo {at}") for at, who in enumerate(audit.people)]
    found = judge(replace(evidence, events=days), replace(audit, events=asked), None)

    assert PEOPLE > FOLDS
    assert not found.known.any()
    assert not found.right(0.0).any()


def test_worse_settings_do_worse():
    evidence, audit = a_trial()
    deaf = replace(Settings.default(), shift=-1e4)
    found = judge(evidence, audit, deaf)

    assert found.missed(0.5).sum() == 2 * PEOPLE


def test_how_common_people_are_is_told_by_the_faces_around():
    evidence, audit = a_trial()
    crowd = lookalikes(400, 1, seed=9)
    found = judge(evidence, audit, None, around=crowd)

    assert len(found.truth) == len(audit)
    assert found.right(0.5).sum() == 2 * PEOPLE


def test_without_evidence_nobody_is_known():
    evidence, audit = a_trial()
    found = judge(evidence.only(np.zeros(0, np.int64)), audit, None)

    assert not found.known.any()
    assert (found.probabilities == 0).all()


def test_without_an_audit_there_is_nothing_to_say():
    evidence, audit = a_trial()
    found = judge(evidence, audit.only(np.zeros(0, np.int64)), None)

    assert len(found.truth) == len(found.events) == 0


def test_the_work_can_be_stopped_in_between():
    evidence, audit = a_trial()

    class Stopped(Exception):
        pass

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        judge(evidence, audit, None, beat=stop)


def test_faces_that_share_a_key_are_one_event_also_by_way_of_others():
    found = clusters([keys("a"), keys("b"), keys("a", "c"), keys("c"), keys("d"), keys("b")])

    assert found[0] == found[2] == found[3]
    assert found[1] == found[5]
    assert len(set(found.tolist())) == 3
    assert sorted(set(found.tolist())) == [0, 1, 2]
    assert clusters([]).tolist() == []


@given(st.lists(st.frozensets(st.integers(0, 8), min_size=1, max_size=3), max_size=20))
def test_whoever_shares_a_key_is_in_one_event(events):
    found = clusters([frozenset(map(str, each)) for each in events])

    for one, first in zip(events, found, strict=True):
        for other, second in zip(events, found, strict=True):
            if one & other:
                assert first == second


# --- how well the comparison decides ---


def tried(generator, *, faces, better, worse):
    """Two fits on the same faces: the second is better on a share of them, and worse on another."""
    people = generator.integers(1, 50, faces)
    sure = np.full(faces, 0.9)
    lost = generator.random(faces) < 0.1  # by both
    turn = generator.random(faces)
    gained, dropped = ~lost & (turn < better), ~lost & (turn > 1 - worse)
    first, second = (np.where(lost | which, 0.2, sure) for which in (gained, dropped))
    return [
        Outcomes(people, each, people, np.ones(faces, bool), np.arange(faces))
        for each in (first, second)
    ]


def accepted(*, draws=200, **more):
    generator = np.random.default_rng(1)
    verdicts = [compare(*tried(generator, **more), 0.5).verdict for _ in range(draws)]
    return sum(verdict == Verdict.USED for verdict in verdicts) / draws


def test_a_fit_that_loses_more_than_the_margin_is_hardly_ever_taken():
    # One point is lost in all, in three ways.
    for better, worse in ((0.0, 0.011), (0.02, 0.031), (0.05, 0.061)):
        assert accepted(faces=400, better=better, worse=worse) <= 0.04


def test_a_fit_that_gains_much_is_mostly_taken():
    assert accepted(faces=400, better=0.05, worse=0.005) >= 0.9
    assert accepted(faces=200, better=0.05, worse=0.0) == 1


def test_a_fit_that_says_the_same_is_taken():
    assert accepted(faces=200, better=0.0, worse=0.0, draws=3) == 1


def test_a_fit_with_untrue_probabilities_is_refused_though_names_stay_the_same():
    before, _ = tried(np.random.default_rng(0), faces=300, better=0.0, worse=0.0)
    boasting = replace(before, probabilities=np.where(before.probabilities > 0.5, 0.501, 0.499))

    assert compare(before, boasting, 0.5).verdict == Verdict.REFUSED
    assert compare(boasting, before, 0.5).verdict == Verdict.USED
