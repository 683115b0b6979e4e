import os
import re

import pytest

from lookwho.services import processes
from tests.children import see_children
from tests.work import asleep


@see_children
def test_a_birth_is_told_by_machine_container_and_time():
    assert re.fullmatch(r"[0-9a-f]{8}/\d+/\d+", processes.born(os.getpid()))


def test_a_process_that_runs_is_not_dead():
    assert not processes.is_dead(os.getpid(), processes.born(os.getpid()))
    assert not processes.is_dead(os.getpid(), "")


def test_a_process_that_has_ended_is_dead():
    with asleep() as process:
        birth = processes.born(process.pid)
        before = processes.is_dead(process.pid, birth)

    assert (before, processes.is_dead(process.pid, birth)) == (False, True)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody can be asked")
def test_a_process_that_has_ended_is_dead_where_births_are_not_known():
    with asleep() as process:
        before = processes.is_dead(process.pid, "")

    assert (before, processes.is_dead(process.pid, "")) == (False, True)


@see_children
def test_a_process_that_has_ended_is_dead_before_its_parent_has_taken_note():
    with asleep() as process:
        birth = processes.born(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        dead = processes.is_dead(process.pid, birth)

    assert dead


@see_children
@pytest.mark.parametrize(
    ("part", "other", "dead"),
    (
        (0, "00000000", True),  # the machine was started again
        (1, "1", False),  # another container's processes are not ours to judge
        (2, "1", True),  # the number was given to another process
    ),
)
def test_who_has_the_number_now_need_not_be_who_had_it(part, other, dead):
    birth = processes.born(os.getpid()).split("/")
    birth[part] = other

    assert processes.is_dead(os.getpid(), "/".join(birth)) is dead
