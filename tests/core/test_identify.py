import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.calibration import calibration_error
from lookwho.core.errors import InputError
from lookwho.core.identify import (
    LEAST_FACES,
    LEAST_PEOPLE,
    LEAST_PROBABILITY,
    Identifier,
    Settings,
    learn,
)
from lookwho.core.vectors import unit

# Faces of one person at about 0.96, of two at about 0.87, as embeddings of photos are.
ALIKE, APART = 0.21, 0.36


def centres(generator, people, dim=128, apart=APART):
    """Directions of people, who have much in common."""
    common = unit(np.ones(dim, np.float32))
    return unit(common + apart * generator.standard_normal((people, dim)) / np.sqrt(dim))


def around(generator, middles, spread=ALIKE):
    dim = middles.shape[1]
    return unit(middles + spread * generator.standard_normal(middles.shape) / np.sqrt(dim))


def library(seed, people=12, each=6, spread=ALIKE, dim=128):
    """Faces (people * each, d) and whose they are."""
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), each)
    return around(generator, centres(generator, people, dim)[owners], spread), owners


def strangers(seed, count):
    generator = np.random.default_rng([seed, 1])
    return around(generator, centres(generator, count))


def test_each_face_of_known_people_is_theirs_and_strangers_are_nobody():
    faces, owners = library(1, people=40)
    known = np.arange(len(faces)) % 2 == 0

    found = Identifier.fit(faces[known], owners[known]).predict(
        np.concatenate([faces[~known], strangers(1, 100)])
    )

    assert found.people[:120].tolist() == owners[~known].tolist()
    assert found.accepted[:120].mean() > 0.95
    assert found.accepted[120:].mean() < 0.05


def test_people_are_named_as_they_were_given():
    faces, owners = library(2, people=4)
    names = np.array(["Dora", "Ann", "Çem", "Bob"])[owners]

    identifier = Identifier.fit(faces[::2], names[::2])
    found = identifier.predict(faces[1::2])

    assert identifier.people.tolist() == ["Ann", "Bob", "Dora", "Çem"]
    assert identifier.references.tolist() == [3, 3, 3, 3]
    assert found.people.tolist() == names[1::2].tolist()


@given(
    seed=st.integers(0, 10_000), people=st.integers(1, 6), dim=st.sampled_from([2, 16, 128, 300])
)
def test_candidates_are_probabilities_and_the_best_is_the_prediction(seed, people, dim):
    faces, owners = library(seed, people, each=3, dim=dim)
    asked = np.concatenate([faces, faces[::-1] * -1])
    identifier = Identifier.fit(faces, owners)

    found, said = identifier.candidates(asked), identifier.predict(asked)

    pairs = list(zip(found.faces.tolist(), found.owners.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert (found.probabilities >= LEAST_PROBABILITY).all()
    assert np.bincount(found.faces, found.probabilities).max(initial=0) <= 1 + 1e-9
    assert np.isfinite(said.probabilities).all()
    assert (said.accepted == (said.probabilities >= 0.5)).all()
    best = np.zeros(len(asked))
    np.maximum.at(best, found.faces, found.probabilities)
    listed = said.probabilities >= LEAST_PROBABILITY
    np.testing.assert_allclose(best[listed], said.probabilities[listed])


@given(seed=st.integers(0, 10_000))
def test_the_order_of_faces_people_and_negatives_changes_nothing(seed):
    faces, owners = library(seed, people=8)
    others = strangers(seed, 40)
    asked = np.concatenate([faces[1::2], strangers(seed + 1, 20)])
    order = np.random.default_rng(seed).permutation(len(faces))
    turned = np.random.default_rng(seed).permutation(len(asked))

    one = Identifier.fit(faces, owners, negatives=others).predict(asked)
    two = Identifier.fit(faces[order], owners[order], negatives=others[::-1]).predict(asked[turned])

    assert two.people.tolist() == one.people[turned].tolist()
    np.testing.assert_allclose(two.probabilities, one.probabilities[turned], atol=1e-3)


def test_the_same_always_gives_the_same():
    faces, owners = library(3)
    others = strangers(3, 3000)  # more than are used

    def once():
        return Identifier.fit(faces, owners, negatives=others).predict(others)

    assert once().probabilities.tolist() == once().probabilities.tolist()


def test_of_two_who_look_alike_neither_is_sure():
    generator = np.random.default_rng(4)
    faces = around(generator, np.repeat(centres(generator, 1), 9, axis=0))

    found = Identifier.fit(faces[:4], [0, 0, 1, 1]).candidates(faces[4:])

    for face in range(5):
        shares = found.probabilities[found.faces == face]
        assert len(shares) == 2
        assert 0.5 < shares.sum() <= 1
        assert shares.max() < 0.9


def test_a_resemblance_says_less_where_strangers_resemble_the_person_too():
    faces, owners = library(5, people=30, each=2)
    generator = np.random.default_rng(0)
    crowd = around(generator, np.repeat(faces[6][None], 60, axis=0), 0.7)
    asked = around(generator, np.repeat(faces[6][None], 20, axis=0), 0.35)

    def evidence(negatives):
        identifier = Identifier.fit(faces[::2], owners[::2], negatives=negatives)
        assert not identifier.predict(crowd).accepted.any()
        found = identifier.evidence(asked)
        return found.values[found.owners == 3].mean()

    alone = evidence(strangers(5, 300))
    beset = evidence(np.concatenate([strangers(5, 240), crowd]))
    assert beset < alone - 1


def test_known_people_among_the_negatives_do_little_harm():
    faces, owners = library(6, people=40)
    fitted, asked = np.arange(240) % 6 == 0, np.arange(240) % 6 == 1
    others = strangers(6, 100)

    clean = Identifier.fit(faces[fitted], owners[fitted], negatives=others)
    mixed = Identifier.fit(
        faces[fitted], owners[fitted], negatives=np.concatenate([others, faces[~fitted & ~asked]])
    )

    before, after = (each.evidence(faces[asked]) for each in (clean, mixed))
    assert after.values.max() > before.values.max() - 0.5


def test_a_face_may_be_among_the_negatives_itself():
    faces, owners = library(7, people=30)
    asked = strangers(7, 50)
    others = strangers(8, 100)

    without = Identifier.fit(faces, owners, negatives=others).predict(asked)
    within = Identifier.fit(faces, owners, negatives=np.concatenate([others, asked])).predict(asked)

    np.testing.assert_allclose(within.probabilities, without.probabilities, atol=0.2)


def test_a_rejected_face_is_not_them_and_what_resembles_it_is_less_likely():
    generator = np.random.default_rng(9)
    faces, owners = library(9, people=5, each=5)
    # Somebody halfway to person 2.
    double = unit(faces[owners == 2].mean(axis=0) + 0.2 * generator.standard_normal(128) / 11.3)
    theirs = around(generator, np.repeat(double[None], 20, axis=0), 0.1)
    asked = np.concatenate([theirs, faces])

    before = Identifier.fit(faces, owners).candidates(asked, share=0.5)
    after = Identifier.fit(faces, owners, rejected=[(theirs[0], 2), (theirs[1], 77)]).candidates(
        asked, share=0.5
    )

    def chances(found):
        table = np.zeros((len(asked), 5))
        table[found.faces, found.owners] = found.probabilities
        return table

    one, two = chances(before), chances(after)
    assert one[:20, 2].mean() > 0.6
    assert two[0, 2] == 0
    assert two[1:20, 2].mean() < one[1:20, 2].mean() / 2
    np.testing.assert_allclose(two[:, [0, 1, 3, 4]], one[:, [0, 1, 3, 4]])
    assert two[20:][owners == 2, 2].mean() > one[20:][owners == 2, 2].mean() - 0.1


def test_more_confirmed_faces_find_more():
    rates = []
    faces, owners = library(10, people=60, each=20, spread=0.37)
    place = np.arange(len(faces)) % 20
    asked = np.concatenate([faces[place >= 10], strangers(10, 600)])
    truth = owners[place >= 10]
    for each in (1, 2, 3, 5, 8):
        known = place < each
        said = Identifier.fit(faces[known], owners[known]).predict(asked)
        limit = np.sort(said.probabilities[600:])[-7]  # 1 % of the strangers are above
        rates.append(((said.people[:600] == truth) & (said.probabilities[:600] > limit)).mean())

    assert rates[0] < 0.9
    assert all(more >= less - 0.01 for less, more in pairwise(rates))
    assert rates[-1] > rates[0] + 0.1


def test_somebody_of_two_looks_is_found_by_either():
    generator = np.random.default_rng(11)
    middles = centres(generator, 30, apart=0.5)
    faces = around(generator, np.repeat(middles, 16, axis=0))
    # The first two are one person, as a child and grown up.
    owners = np.maximum(np.repeat(np.arange(30), 16), 1)
    known = np.arange(len(faces)) % 2 == 0

    said = Identifier.fit(faces[known], owners[known]).predict(faces[~known])

    both = owners[~known] == 1
    assert both.sum() == 16
    assert (said.people == owners[~known])[both].all()
    assert said.accepted[both].all()


def test_a_person_of_a_thousand_faces_and_twice_the_same_vector():
    generator = np.random.default_rng(12)
    middles = centres(generator, 3)
    faces = around(generator, middles[np.repeat([0, 1, 2], [1000, 4, 4])])
    faces[1001] = faces[1000]
    owners = np.repeat([0, 1, 2], [1000, 4, 4])

    said = Identifier.fit(faces, owners).predict(faces)

    assert (said.people == owners).all()
    assert said.accepted[owners > 0].all()


def test_few_faces_and_none():
    faces, _ = library(13, people=3)
    nobody = Identifier.fit(np.zeros((0, 128), np.float32), np.zeros(0, np.int64))
    one = Identifier.fit(faces[:1], ["Ann"])

    assert nobody.predict(faces).accepted.tolist() == [False] * len(faces)
    assert len(nobody.predict(faces).people) == len(faces)
    assert len(nobody.candidates(faces).faces) == 0
    assert Identifier.fit([], []).predict([]).people.tolist() == []
    assert one.predict(faces[:2]).people.tolist() == ["Ann", "Ann"]
    assert one.predict(faces[:1]).accepted.tolist() == [True]
    assert one.predict([]).probabilities.tolist() == []
    assert len(one.candidates(np.zeros((0, 128), np.float32)).faces) == 0


@pytest.mark.parametrize("bad", (np.nan, np.inf))
def test_what_is_no_number_is_refused_by_name(bad):
    faces, owners = library(14, people=2)
    spoiled = faces.copy()
    spoiled[7, 5] = bad

    with pytest.raises(
        InputError, match="confirmed faces: row 7 holds something that is not a num"
    ):
        Identifier.fit(spoiled, owners)
    with pytest.raises(InputError, match="faces: row 7"):
        Identifier.fit(faces, owners).predict(spoiled)
    with pytest.raises(InputError, match="negatives: row 7"):
        Identifier.fit(faces, owners, negatives=spoiled)
    with pytest.raises(InputError, match="rejected faces: row 0"):
        Identifier.fit(faces, owners, rejected=[(spoiled[7], 1)])
    with pytest.raises(InputError, match="quality: row 3"):
        Identifier.fit(faces, owners, quality=np.where(np.arange(12) == 3, bad, 1))


def test_vectors_that_do_not_match_are_refused():
    faces, owners = library(15, people=2)

    with pytest.raises(InputError, match="12 confirmed faces of 3 people"):
        Identifier.fit(faces, owners[:3])
    with pytest.raises(InputError, match=r"shape \(12, 64\), where \(n, 128\)"):
        Identifier.fit(faces, owners).predict(faces[:, :64])
    with pytest.raises(InputError, match=r"negatives: .*\(64,\)"):
        Identifier.fit(faces, owners, negatives=faces[0, :64])


def test_a_bad_face_counts_for_less():
    generator = np.random.default_rng(16)
    middles = centres(generator, 2)
    faces = np.concatenate([around(generator, middles[[0, 0, 0]]), middles[1:]])

    said = [
        Identifier.fit(faces, [0] * 4, quality=quality).predict(middles[:1], share=0.5)
        for quality in (None, np.array([1, 1, 1, 0.1]))
    ]

    assert said[1].probabilities[0] > said[0].probabilities[0]


def test_the_share_of_strangers_is_estimated_or_told():
    faces, owners = library(17, people=20)
    identifier = Identifier.fit(faces[::6], owners[::6])
    asked = faces[1::6]

    said = {share: identifier.predict(asked, share=share) for share in (0.01, 0.5, 0.99)}
    among = identifier.predict(np.concatenate([asked, strangers(17, 2000)]))
    alone = identifier.predict(asked)

    assert said[0.01].probabilities.mean() < said[0.5].probabilities.mean()
    assert said[0.5].probabilities.mean() < said[0.99].probabilities.mean()
    assert among.probabilities[:20].mean() < alone.probabilities.mean()


def test_settings_come_back_from_json():
    settings = Settings.default()

    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert len(settings.lines) == len(settings.planes) == len(settings.references)


def error_of(settings, seed):
    """Calibration error where photos of a person differ by more than they usually do."""
    faces, owners = library(seed, people=80, each=6, spread=0.33)
    place = np.arange(len(faces)) % 6
    said = Identifier.fit(faces[place < 3], owners[place < 3], settings=settings).predict(
        np.concatenate([faces[place >= 3], strangers(seed, 240)])
    )
    right = np.append(said.people[:240] == owners[place >= 3], np.zeros(240, bool))
    return calibration_error(said.probabilities, right)


def test_what_is_learned_from_a_library_is_truer_of_it():
    faces, owners = library(18, people=80, each=6, spread=0.33)

    learned = learn(faces, owners)

    assert learned.planes == Settings.default().planes
    assert error_of(learned, 19) < error_of(None, 19) - 0.1


def test_a_few_wrong_names_change_little():
    faces, owners = library(20, people=60, each=5)
    wrong = owners.copy()
    wrong[::50] = (wrong[::50] + 7) % 60

    clean, spoiled = learn(faces, owners), learn(faces, wrong)

    assert spoiled.shift == pytest.approx(clean.shift, abs=0.6)
    assert spoiled.scale == pytest.approx(clean.scale, rel=0.25)


def test_too_little_to_learn_from_changes_nothing():
    base = Settings.default()
    few, owners = library(21, people=LEAST_PEOPLE - 1, each=30)
    thin, thin_owners = library(21, people=LEAST_PEOPLE * 2, each=2)
    assert len(thin) < LEAST_FACES

    assert learn(few, owners, base=base) == base
    assert learn(thin, thin_owners, base=base) == base
    assert learn([], [], base=base) == base
    # All of one event: nobody is known by another.
    faces, owners = library(21, people=60, each=5)
    assert learn(faces, owners, events=np.zeros(300), base=base) == base


def test_faces_of_one_event_do_not_speak_for_each_other():
    generator = np.random.default_rng(22)
    faces, owners = library(22, people=60, each=6, spread=0.45)
    # Each is there twice in a row, all but the same.
    twice = np.concatenate([faces, around(generator, faces, 0.02)])
    events = np.tile(np.arange(len(faces)), 2)

    alone = learn(faces, owners)
    honest = learn(twice, np.tile(owners, 2), events=events)
    fooled = learn(twice, np.tile(owners, 2))

    assert abs(honest.shift - alone.shift) + abs(honest.scale - alone.scale) < abs(
        fooled.shift - alone.shift
    ) + abs(fooled.scale - alone.scale)


def test_the_order_does_not_change_what_is_learned():
    faces, owners = library(23, people=40, each=5)
    order = np.random.default_rng(0).permutation(len(faces))

    one, two = learn(faces, owners), learn(faces[order], owners[order])

    assert two.shift == pytest.approx(one.shift, abs=1e-6)
    assert two.scale == pytest.approx(one.scale, abs=1e-6)
