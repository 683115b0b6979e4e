import os
import time

import pytest

from lookwho.core import steps
from lookwho.core.errors import Cancelled, InputError, OutOfMemory, TimedOut, WorkerDied
from tests.children import children, see_children, wait_until

HERE = "tests.core.test_steps"
pytestmark = see_children


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = set(children())
    yield
    wait_until(lambda: set(children()) <= before)


def serve():
    """The process of these tests: does what it is told, in steps."""
    steps.serve(_work)


def _work(what, count=3, **more):
    if what == "refuse":
        raise InputError("this file is no video")
    for number in range(count):
        yield number / count
        if what == "hang":
            time.sleep(3600)
        if what == "die":
            os._exit(7)
        if what == "fill":
            bytearray(1 << 34)
        if what == "slow":
            time.sleep(0.05)
    return {"what": what, **more}


def run(what, on_step=lambda share: None, **more):
    limits = {name: more.pop(name) for name in ("seconds", "memory") if name in more}
    return steps.run(HERE, {"what": what, **more}, on_step, **limits)


def test_what_comes_of_it_is_returned():
    assert run("count", count=0) == {"what": "count"}
    assert run("count", count=1000, answer=[1, None]) == {"what": "count", "answer": [1, None]}


def test_how_far_it_is_is_told_and_never_goes_back():
    told = []

    run("slow", told.append, count=60)

    assert len(told) >= 3
    assert told == sorted(told)
    assert 0 < told[-2] < told[-1] == 1


@pytest.mark.parametrize("what", ("slow", "hang"))
def test_who_has_enough_stops_it_also_where_it_hangs(what):
    def stop(share):
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        run(what, stop, count=1_000_000)


@pytest.mark.parametrize(
    ("what", "limits", "error"),
    (
        ("refuse", {}, InputError),
        ("hang", {"seconds": 1}, TimedOut),
        ("die", {}, WorkerDied),
        ("fill", {"memory": 1 << 28}, OutOfMemory),
    ),
)
def test_what_goes_wrong_is_told(what, limits, error):
    with pytest.raises(error):
        run(what, **limits)
