"""Review in tests: doubts, questions in a row, and answers."""

from django.utils import timezone

from lookwho.library import vectors as library_vectors
from lookwho.library.models import Job
from lookwho.services import review
from tests.people import a_pack, some_faces


def a_doubt(person, probability=0.6, **more):
    """A face that Lookwho thinks is somebody, and is not sure."""
    return some_faces(1, guess=person, probability=probability, **more)[0]


def asked_of(by, count, **more):
    """The questions that a user is asked in a row, without answering any."""
    found = []
    for _ in range(count):
        held = [each.uuid for each in found if each]
        found.append(review.next_question(by, holding=held, **more))
    return found


def searched(faces, vectors):
    """Let faces be found by their vectors, as an analysis does."""
    pack = a_pack()
    library_vectors.added(
        (face.pk, pack.pk, vector) for face, vector in zip(faces, vectors, strict=True)
    )


def say(by, verdict, **more):
    """Ask a user something, and let them answer it."""
    return review.answer(by, review.next_question(by).slip, verdict, **more)


def uuids(faces):
    return [face.uuid for face in faces]


def thought_likely(*, groups=(), faces=()):
    """Let the last pass have thought so: group or face, whom it may be, and how probably."""
    told = {
        "faces": 1,
        "likely": [[group.pk, whom.pk, chance] for group, whom, chance in groups],
        "doubts": [[face.pk, whom.pk, chance] for face, whom, chance in faces],
    }
    now = timezone.now()
    Job.objects.create(
        kind=Job.Kind.GROUP, state=Job.State.DONE, payload=told, started_at=now, finished_at=now
    )
