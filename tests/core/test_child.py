import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import child
from lookwho.core.child import Child
from lookwho.core.errors import (
    BrokenImage,
    InputError,
    LookwhoError,
    OutOfMemory,
    TimedOut,
    WorkerDied,
)

ROOT = Path(__file__).resolve().parents[2]


def serve():
    """What the children of these tests run: they import this very module."""
    child.serve(prepare)


def prepare(*, greeting="", refuse=None):
    if refuse:
        raise InputError(refuse)

    def answer(request):
        verb, _, rest = request.partition(b" ")
        if verb == b"greet":
            return f"{greeting} {rest.decode()}".encode()
        if verb == b"pid":
            return str(os.getpid()).encode()
        if verb == b"print":
            print("a library prints this")
            os.write(1, b"and its C code that")
        if verb == b"sleep":
            time.sleep(float(rest))
        if verb == b"take":
            return str(len(bytes(int(rest)))).encode()
        if verb == b"die":
            os.kill(os.getpid(), int(rest))
        if verb == b"exit":
            os._exit(int(rest))
        if verb == b"break":
            raise BrokenImage(rest.decode())
        if verb == b"fail":
            raise RuntimeError(rest.decode())
        return request

    return answer


@pytest.fixture(scope="module")
def echo():
    process = Child("tests.core.test_child", {})
    yield process
    process.stop()


@pytest.fixture
def started():
    """Makes children, and stops them."""
    made = []

    def start(arguments=None, **limits):
        made.append(Child("tests.core.test_child", arguments or {}, **limits))
        return made[-1]

    yield start
    for process in made:
        process.stop()


def test_a_child_is_told_its_arguments_and_answers(started):
    process = started({"greeting": "Grüß dich,"})

    assert process.ask(b"greet Ada").decode() == "Grüß dich, Ada"
    assert process.ask(b"greet Alan").decode() == "Grüß dich, Alan"


@given(request=st.binary(max_size=300).map(b"x".__add__))
def test_any_bytes_cross_unchanged(echo, request):
    assert echo.ask(request) == request


def test_megabytes_cross_unchanged(echo):
    request = os.urandom(5 << 20)

    assert echo.ask(b"x" + request) == b"x" + request


def test_what_libraries_print_is_no_answer(echo):
    assert echo.ask(b"print") == b"print"
    assert echo.ask(b"again") == b"again"


def test_errors_cross_with_their_class_and_words_and_the_process_goes_on(echo):
    before = echo.ask(b"pid")

    with pytest.raises(BrokenImage, match=r"^half of 'ä\.jpg' is missing$"):
        echo.ask("break half of 'ä.jpg' is missing".encode())

    assert echo.ask(b"pid") == before


def test_an_error_that_nobody_expected_is_told_and_the_process_goes_on(echo):
    before = echo.ask(b"pid")

    with pytest.raises(LookwhoError, match=r"^unexpected RuntimeError: seven$"):
        echo.ask(b"fail seven")

    assert echo.ask(b"pid") == before


@pytest.mark.parametrize(
    ("request_", "how"),
    ((b"die 9", "SIGKILL"), (b"die 11", "SIGSEGV"), (b"exit 3", "exit status 3")),
)
def test_a_process_that_dies_is_told_and_replaced(started, request_, how):
    process = started()

    with pytest.raises(WorkerDied, match=f"^reading the file crashed its process: {how}$"):
        process.ask(request_)

    assert process.ask(b"next") == b"next"


def test_a_process_that_hangs_is_given_up_and_replaced(started):
    process = started(seconds=2)
    before = process.ask(b"pid")

    with pytest.raises(TimedOut, match=r"^reading the file took longer than 2 seconds$"):
        process.ask(b"sleep 60")

    assert process.ask(b"pid") not in (before, b"sleep 60")


@pytest.mark.parametrize("request_", (b"take 300000000", b"fail std::bad_alloc"))
def test_a_process_without_memory_says_so_and_is_replaced(started, request_):
    process = started(memory=100 << 20)
    before = process.ask(b"pid")

    with pytest.raises(OutOfMemory, match="more memory than the 100 MB that one file may take"):
        process.ask(request_)

    assert process.ask(b"pid") != before
    assert process.ask(b"take 50000000") == b"50000000"


class Interruption(Exception):
    pass


def test_no_answer_is_taken_for_that_to_the_next_request_after_an_interruption(started):
    process = started()
    process.start()

    def interrupt(*_):
        raise Interruption

    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        with pytest.raises(Interruption):
            process.ask(b"sleep 1")
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)

    assert process.ask(b"next") == b"next"


def test_what_refuses_to_start_raises_its_own_error(started):
    with pytest.raises(InputError, match=r"^not like this$"):
        started({"refuse": "not like this"}).ask(b"x")


def test_a_machine_without_a_place_for_complaints_is_told(started, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(WorkerDied, match=r"a worker did not start: .*missing"):
        started().start()


def test_a_child_that_was_stopped_does_nothing_more(started):
    process = started()
    process.ask(b"x")
    process.stop()

    with pytest.raises(WorkerDied, match="the work was stopped"):
        process.ask(b"x")


@pytest.mark.parametrize("answer", (b"", b"x", b"-", b"-[]", b"-{}", b"-3", b"-" + b"[" * 100_000))
def test_nonsense_from_a_child_is_an_error_like_others(answer, tmp_path, monkeypatch):
    (tmp_path / "babbling.py").write_text(
        f"""
import sys
from lookwho.core import record

def serve():
    record.send(sys.stdout.buffer, record.OK)
    while True:
        record.receive(sys.stdin.buffer)
        record.send(sys.stdout.buffer, {answer!r})
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    process = Child("babbling", {})
    try:
        with pytest.raises(WorkerDied, match="answered nonsense"):
            process.ask(b"x")
    finally:
        process.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_has_a_child_of_its_own():
    # Otherwise two processes read from one pipe, and each gets what the other asked for.
    code = """
        import os
        from lookwho.core.child import Child
        process = Child("tests.core.test_child", {})
        first = process.ask(b"pid")
        if forked := os.fork():
            assert os.waitpid(forked, 0)[1] == 0
            assert process.ask(b"pid") == first
            process.stop()
        else:
            own = process.ask(b"pid")
            process.stop()
            os._exit(own == first)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_in_the_middle_of_a_request_ends_when_its_parent_is_killed():
    script = textwrap.dedent(f"""
        from lookwho.core.child import Child
        child = Child({__name__!r}, {{}}, seconds=100)
        print(child.ask(b"pid").decode(), flush=True)
        child.ask(b"sleep 100")
    """)
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with parent:
        pid = int(parent.stdout.readline())
        parent.kill()

    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.1)
