"""Whatever dies, and however often: in the end everything is analysed, and nothing twice."""

import random

import pytest

from lookwho.core.errors import WorkerDied
from lookwho.library.models import Analysis, Embedding, Face, Job, VectorChange
from lookwho.services import analysis, intake
from lookwho.services.progress import progress
from tests.children import see_children
from tests.workers.processes import analysers, below, engines, is_gone, kill, until

pytestmark = [pytest.mark.usefixtures("outside"), see_children]

KILLS = 30
PHOTOS = 100


def settled():
    return Analysis.objects.exclude(state="waiting").count()


def rows():
    """All faces: where, and with which vector."""
    return sorted(
        (path, box, bytes(vector))
        for path, *box, vector in Face.objects.values_list(
            "media__locations__path", "x1", "y1", "x2", "y2", "embeddings__vector"
        )
    )


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_an_import_in_which_everything_keeps_dying_ends_like_one_that_nobody_disturbed(
    a_pool_apart, drawer, tmp_path
):
    choose = random.Random(7)
    drawer(tmp_path / "photos", PHOTOS)
    _, job = intake.add_folder(tmp_path / "photos", by=None)
    family = set()
    parent = a_pool_apart()
    for number in range(KILLS):
        # It gets a little further each time, so that there is something to kill to the end.
        goal = min(PHOTOS, number * PHOTOS // (KILLS + 5))
        until(lambda goal=goal, pid=parent.pid: settled() >= goal and engines(pid), seconds=300)
        family.update(below(parent.pid))
        which = number % 3
        if which == 0:
            kill(choose.choice(analysers(parent.pid) or [parent.pid]))
        elif which == 1:
            kill(choose.choice(engines(parent.pid) or [parent.pid]))
        else:
            for each in [parent.pid, *below(parent.pid)]:
                kill(each)
        if parent.poll() is not None or which == 2:
            parent.wait()
            parent = a_pool_apart()
    until(lambda: progress(job.pk).over, seconds=600)

    # A photo that was in hand three times when something was killed has failed, as it should; to
    # whoever asks for it it is tried again.
    failed = Analysis.objects.filter(state="failed")
    assert set(failed.values_list("error_code", "attempts")) <= {(WorkerDied.code, 3)}
    analysis.retry_failures()
    until(lambda: progress(job.pk).over and settled() == PHOTOS, seconds=600)
    parent.terminate()
    parent.wait(30)

    assert Analysis.objects.filter(state="done").count() == PHOTOS
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}
    assert all(map(is_gone, family))
    disturbed = rows()
    assert len(disturbed) == Embedding.objects.count() == VectorChange.objects.count() > 0

    Analysis.objects.all().delete()
    Face.objects.all().delete()
    assert analysis.resume() == PHOTOS
    parent = a_pool_apart()
    until(lambda: settled() == PHOTOS, seconds=600)
    parent.terminate()
    parent.wait(30)

    assert rows() == disturbed
