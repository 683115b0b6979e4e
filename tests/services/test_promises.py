"""Promises: whatever people say, take back and analyse anew, in whatever order, what holds.

A library of vectors on the real database, and beside it a model so simple that it can be believed:
a list of what was said, and what of it stands. After every step the tables are compared with it.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lookwho.core.batch import Outcome
from lookwho.core.errors import Cancelled, LookwhoError
from lookwho.core.types import Faces
from lookwho.core.vectors import unit
from lookwho.library.models import (
    Analysis,
    Decision,
    Embedding,
    Face,
    Job,
    Location,
    Media,
    Pack,
    Person,
)
from lookwho.library.queries.people import census
from lookwho.library.scope import Purpose, Scope
from lookwho.services import analysis, drawing, faces, grouping, people, work
from tests.people import DIM, NOON, a_user
from tests.work import make_collection, make_worker

pytestmark = pytest.mark.django_db

PEOPLE = ("Anna", "Bea", "Cid")
WIDTH, HEIGHT = 1000, 800
EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True, names=True)
# A face is where it was, to so many parts of the photo, however often it is detected.
SHAKE = 0.01


@dataclass
class Spot:
    """A place in a photo where a face shows: what the model knows a face by."""

    media: int
    box: tuple
    owner: int
    gone: bool = False  # a detector no longer finds it
    drawn: bool = False


@dataclass
class Saying:
    """One act, as the model keeps it: sayings about spots, in order."""

    batch: object
    facts: list = field(default_factory=list)  # (verb, spot, person id or None)
    merged: tuple = ()  # (one, into) ids
    standing: bool = True


class Library(RuleBasedStateMachine):
    """Everything that can be said, in any order."""

    def __init__(self):
        super().__init__()
        self.all_of_it = transaction.atomic()
        self.all_of_it.__enter__()
        self.random = np.random.default_rng(7)
        self.owner = a_user()
        self.collection = make_collection("/promises")
        self.worker = make_worker()
        self.spots = []
        self.said = []
        self.boxes = {}  # by the decision that put a face there
        self.centres = unit(self.random.standard_normal((5, DIM)).astype(np.float32))

    # --- what there is ---

    @initialize(photos=st.integers(4, 8))
    def begin(self, photos):
        for _ in range(photos):
            self._add_photo()
        self._analyse(list(Media.objects.values_list("pk", flat=True)))
        self.regroup()

    def _add_photo(self):
        number = Media.objects.count()
        content = f"promise {number} {id(self)}".encode()
        media = Media.objects.create(
            payload_hash=hashlib.sha256(content).digest(),
            width=WIDTH,
            height=HEIGHT,
            taken_at=NOON + timedelta(minutes=number),
            day=NOON.date(),
        )
        Location.objects.create(
            collection=self.collection, media=media, path=f"{number}.jpg", size=1
        )
        for place in range(int(self.random.integers(1, 4))):
            x = 0.05 + 0.3 * place
            owner = int(self.random.integers(len(self.centres)))
            self.spots.append(Spot(media.pk, (x, 0.2, x + 0.2, 0.5), owner))
        return media.pk

    def _vector(self, spot):
        noise = self.random.standard_normal(DIM) * 0.2 / np.sqrt(DIM)
        return unit((self.centres[spot.owner] + noise).astype(np.float32))

    def _analyse(self, media):
        """Find the faces of these photos, through a job, as a worker would."""
        pack = analysis.current_pack()
        for pk in media:
            Analysis.objects.update_or_create(
                media_id=pk, pack=pack, defaults={"state": Analysis.State.WAITING}
            )
        payload = {"pack": pack.pk, "media": list(media)}
        Job.objects.filter(kind=Job.Kind.ANALYSE, state=Job.State.WAITING).delete()
        Job.objects.create(kind=Job.Kind.ANALYSE, payload=payload)
        job = work.claim(self.worker, [Job.Kind.ANALYSE])
        results = [(pk, Outcome("photo.jpg", self._faces(pk), None)) for pk in media]
        analysis.record_faces(job.pk, job.ticket, results)
        work.finish(job.pk, job.ticket)

    def _faces(self, media):
        there = [spot for spot in self.spots if spot.media == media and not spot.drawn]
        count = len(there)
        boxes = np.array([spot.box for spot in there], np.float32).reshape(count, 4)
        boxes = boxes + self.random.uniform(-SHAKE, SHAKE, boxes.shape).astype(np.float32)
        vectors = [self._vector(spot) for spot in there] or np.zeros((0, DIM))
        return Faces(
            boxes=(boxes * [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32),
            landmarks=np.zeros((count, 5, 2), np.float32),
            scores=np.ones(count, np.float32),
            quality=np.full(count, 0.8, np.float32),
            embeddings=np.array(vectors, np.float32),
            encodings=None,
            width=WIDTH,
            height=HEIGHT,
            reason=None,
            pack="default",
        )

    def _row(self, spot, rows):
        """The face at a spot, or None."""
        x, y = (spot.box[0] + spot.box[2]) / 2, (spot.box[1] + spot.box[3]) / 2
        for row in rows.get(spot.media, ()):
            if row.x1 <= x <= row.x2 and row.y1 <= y <= row.y2:
                return row
        return None

    def _rows(self):
        rows = {}
        for row in Face.objects.exclude(source=Face.Source.ABSENT).order_by("dismissed", "pk"):
            rows.setdefault(row.media_id, []).append(row)
        return rows

    def _some(self, picks):
        """Spots, and the faces there that are taken for faces."""
        rows = self._rows()
        found = []
        for pick in picks:
            spot = self.spots[pick % len(self.spots)]
            row = self._row(spot, rows)
            if row is not None and not row.dismissed and all(spot is not one for one, _ in found):
                found.append((spot, row))
        return found

    def _medium(self, pick):
        media = sorted({spot.media for spot in self.spots})
        return media[pick % len(media)]

    # --- what is said ---

    picks = st.lists(st.integers(0, 60), min_size=1, max_size=4)
    pick = st.integers(0, 60)
    name = st.sampled_from(PEOPLE)

    def _say(self, act, *args, **more):
        """Do something; return the decisions that it made, or None where it was refused."""
        before = Decision.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        try:
            act(self.owner, *args, **more)
        except LookwhoError:
            assert not Decision.objects.filter(pk__gt=before).exists()
            return
        made = list(Decision.objects.filter(pk__gt=before).order_by("pk"))
        if made:
            self._note(made)

    def _note(self, made):
        """Write down what was said, from the decisions: the rows that are never changed."""
        rows = self._rows()
        by_face = {}
        for spot in self.spots:
            if (row := self._row(spot, rows)) is not None:
                by_face[row.pk] = spot
        saying = Saying(made[0].batch)
        for decision in made:
            if decision.verb == Decision.Verb.MERGE:
                saying.merged = (decision.person_id, decision.other_id)
            for about in decision.faces.all():
                if decision.verb == Decision.Verb.BOX:
                    self.boxes[decision.pk] = about.x1, about.y1, about.x2, about.y2
                if about.face_id in by_face:
                    saying.facts.append(
                        (decision.pk, decision.verb, by_face[about.face_id], decision.person_id)
                    )
        self.said.append(saying)

    @rule(picks=picks, name=name)
    def assign(self, picks, name):
        if some := self._some(picks):
            self._say(people.assign, [row for _, row in some], name)

    @rule(picks=picks)
    def confirm_guesses(self, picks):
        for _, row in self._some(picks):
            if row.guess_id is not None:
                self._say(people.confirm, [row], row.guess)

    @rule(picks=picks)
    def reject(self, picks):
        for _, row in self._some(picks):
            if who := row.person or row.guess:
                self._say(people.reject, [row], who)

    @rule(pick=pick, name=name)
    def reject_somebody_not_guessed(self, pick, name):
        who = Person.objects.filter(name=name).first()
        if who is not None and (some := self._some([pick])):
            self._say(people.reject, [row for _, row in some], who)

    @rule(pick=pick)
    def not_a_face(self, pick):
        if some := self._some([pick]):
            self._say(people.not_a_face, [row for _, row in some])

    @rule(picks=picks, name=st.sampled_from((None, *PEOPLE)))
    def split(self, picks, name):
        some = self._some(picks)
        if some and (who := some[0][1].person or some[0][1].guess):
            self._say(faces.split, [row for _, row in some], who, name=name)

    @rule(pick=pick, name=name)
    def name_group(self, pick, name):
        groups = list(Person.objects.filter(name="", root=None).order_by("pk"))
        if groups:
            self._say(people.name_person, groups[pick % len(groups)], name)

    @rule(first=pick, second=pick)
    def merge(self, first, second):
        everybody = list(Person.objects.order_by("pk"))
        if everybody:
            one, other = (everybody[at % len(everybody)] for at in (first, second))
            self._say(people.merge, one, other)

    @rule(pick=pick, name=st.sampled_from((*PEOPLE, "Dora", "anna")))
    def rename(self, pick, name):
        named = list(Person.objects.exclude(name="").order_by("pk"))
        if named:
            self._say(people.rename, named[pick % len(named)], name)

    @rule(pick=pick, hidden=st.booleans())
    def hide(self, pick, hidden):
        everybody = list(Person.objects.order_by("pk"))
        if everybody:
            self._say(people.hide, everybody[pick % len(everybody)], hidden)

    @rule(pick=pick, name=st.sampled_from(("", *PEOPLE)))
    def draw(self, pick, name):
        media = sorted({spot.media for spot in self.spots})[
            pick % len({s.media for s in self.spots})
        ]
        count = sum(spot.media == media and spot.drawn for spot in self.spots)
        if count < 3:
            x = 0.05 + 0.3 * count
            spot = Spot(media, (x, 0.6, x + 0.2, 0.9), pick % len(self.centres), drawn=True)
            self.spots.append(spot)
            self._say(drawing.draw, Media.objects.get(pk=media), spot.box, name)
            row = self._row(spot, self._rows())
            if row is None:
                self.spots.remove(spot)
            elif pick % 2:  # else its vector is still to come
                Embedding.objects.get_or_create(
                    face=row,
                    pack=analysis.current_pack(),
                    defaults={"vector": self._vector(spot).astype("<f4").tobytes()},
                )

    @rule(pick=pick, x=st.integers(-4, 4), y=st.integers(-4, 4))
    def fix_box(self, pick, x, y):
        for spot, row in self._some([pick]):
            away = np.array([x, y, x, y]) / 100
            self._say(people.fix_box, row, (np.array(spot.box) + away).tolist())

    @rule(pick=pick, name=name)
    def absent(self, pick, name):
        self._say(drawing.absent, Media.objects.get(pk=self._medium(pick)), name)

    @precondition(lambda self: any(saying.standing for saying in self.said))
    @rule(pick=pick)
    def undo(self, pick):
        standing = [saying for saying in self.said if saying.standing]
        saying = standing[pick % len(standing)]
        people.undo(self.owner, saying.batch)
        saying.standing = False

    # --- what happens ---

    @rule(whole=st.booleans())
    def regroup(self, whole=False):
        self._pass(whole)
        self._check_guesses()

    def _pass(self, whole=False, beat=lambda done: None):
        return grouping.regroup(beat=beat, whole=whole)

    @rule()
    def passes_come_to_rest(self):
        # Who was grouped with somebody whom they cannot be is looked at by the pass after.
        for _ in range(3):
            self._pass()
        before = list(self._guesses())
        self._pass()
        assert list(self._guesses()) == before

    def _guesses(self):
        return Face.objects.order_by("pk").values_list("pk", "person", "guess")

    @rule(after=st.integers(0, 2))
    def a_pass_dies(self, after):
        beats = iter(range(100))

        def beat(done):
            if next(beats) >= after:
                raise Cancelled("the machine went down")

        with pytest.raises(Cancelled):
            self._pass(beat=beat)

    @rule(pick=pick, name=name)
    def an_act_dies(self, pick, name):
        def dying():
            with transaction.atomic():
                people.assign(self.owner, [row for _, row in some], name)
                raise RuntimeError("the machine went down")

        if some := self._some([pick]):
            with pytest.raises(RuntimeError):
                dying()

    @rule()
    def a_photo_comes(self):
        if len(self.spots) < 40:
            self._analyse([self._add_photo()])

    @rule(pick=pick)
    def a_photo_is_analysed_again(self, pick):
        self._analyse([self._medium(pick)])

    @rule()
    def a_new_model_comes(self):
        old = Pack.objects.order_by("-pk").first()
        if Pack.objects.count() < 4:
            # The pack that is current is told by its name and revision: what was is an older one.
            Pack.objects.filter(pk=old.pk).update(revision=100 + old.pk)
            self.centres = unit(self.random.standard_normal(self.centres.shape).astype(np.float32))
            self._analyse(sorted({spot.media for spot in self.spots}))

    @rule(pick=pick)
    def a_file_moves(self, pick):
        places = list(Location.objects.order_by("pk"))
        place = places[pick % len(places)]
        Location.objects.filter(pk=place.pk).update(path=f"moved/{timezone.now().timestamp()}.jpg")

    # --- what holds ---

    def _standing(self, spot):
        """What stands of a spot: who it is, whether it is a face, who it is not, and its box."""
        person, barred, box = None, set(), None
        facts = sorted(
            (pk, verb, who)
            for saying in self.said
            if saying.standing
            for pk, verb, about, who in saying.facts
            if about is spot
        )
        face = not spot.drawn
        for pk, verb, who in facts:
            if verb == Decision.Verb.CONFIRM:
                person = who
            elif verb == Decision.Verb.REJECT:
                barred.add(who)
                if person == who:
                    person = None
            elif verb == Decision.Verb.NOT_A_FACE:
                face = False
            elif verb == Decision.Verb.DRAW:
                face = True
            elif verb == Decision.Verb.BOX:
                box = self.boxes[pk]
        return person, face, barred, box

    def _roots(self):
        into = {
            saying.merged[0]: saying.merged[1]
            for saying in self.said
            if saying.standing and saying.merged
        }

        def root(person):
            while person in into:
                person = into[person]
            return person

        return root

    @invariant()
    def what_was_said_is_what_is(self):
        if not self.spots:
            return
        rows, root = self._rows(), self._roots()
        for pk, found in Person.objects.values_list("pk", "root_id"):
            assert (found or pk) == root(pk)
        for spot in self.spots:
            person, face, barred, box = self._standing(spot)
            row = self._row(spot, rows)
            if not face:
                assert row is None or row.dismissed
                continue
            assert row is not None
            assert not row.dismissed
            assert row.person_id == person
            assert row.box == pytest.approx(box or spot.box, abs=1e-6 if box else 1.01 * SHAKE)
            if person is None and row.guess_id is not None:
                assert root(row.guess_id) not in {root(who) for who in barred}

    @invariant()
    def nobody_is_counted_wrongly(self):
        found = census(EVERYTHING)
        shown = {
            each.id: each.photos
            for part in (found.named, found.groups, found.few, found.hidden)
            for each in part
        }
        root = self._roots()
        photos = {
            (root(person or guess), media)
            for person, guess, media in Face.objects.filter(dismissed=False).values_list(
                "person", "guess", "media"
            )
            if person or guess
        }
        counted = Counter(person for person, _ in photos)
        assert {person: count for person, count in shown.items() if count} == dict(counted)

    def _check_guesses(self):
        """Right after a pass a person is in a photo once, but for what humans said."""
        root = self._roots()
        seen = {}
        for row in Face.objects.filter(dismissed=False).order_by("pk"):
            who = row.person_id or row.guess_id
            if who is not None:
                seen.setdefault((row.media_id, root(who)), []).append(row.person_id is None)
        for guessed in seen.values():
            assert sum(guessed) <= (1 if len(guessed) == sum(guessed) else 0)

    def teardown(self):
        connection.check_constraints()
        transaction.set_rollback(True)
        self.all_of_it.__exit__(None, None, None)


def play(examples, steps):
    kept = {"deadline": None, "suppress_health_check": list(HealthCheck)}
    run_state_machine_as_test(
        Library,
        settings=settings(max_examples=examples, stateful_step_count=steps, **kept),
    )


def test_what_people_say_holds_whatever_happens():
    play(examples=15, steps=15)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_what_people_say_holds_whatever_happens_for_thousands_of_steps():
    play(examples=200, steps=60)
