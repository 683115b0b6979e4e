import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import termios
import threading

import pytest

from lookwho.cli.progress import Progress, shown
from lookwho.core.batch import Outcome
from lookwho.core.errors import BrokenImage
from tests.faces import faces_of

WIDTH = 60
ENVIRONMENT = {"TERM": "xterm", "COLUMNS": ""}


@pytest.fixture
def album(samples, tmp_path):
    """Seven photos and a broken one, with a path longer than the terminal is wide."""
    folder = tmp_path / "a folder whose name is longer than a terminal [bold]wide :smile: "
    shutil.copytree(samples, folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    return folder


class Terminal:
    """A terminal to give to a command; what it is sent is read at once, as a person would."""

    def __init__(self):
        self._ours, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
        self._sent = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with contextlib.suppress(OSError):  # so Linux says that the other end is closed
            while data := os.read(self._ours, 4096):
                self._sent += data
        os.close(self._ours)

    def text(self):
        """All that it was sent; to be asked for once, when the command has ended."""
        os.close(self.end)
        self._reader.join()
        return self._sent.decode()


def plain(text):
    """The lines that a terminal is sent, without colours and movements of the cursor."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text))


def test_a_bar_shows_how_far_and_how_fast_and_leaves_pipes_alone(start, album):
    terminal = Terminal()
    process = start("faces", "--json", album, stderr=terminal.end, environment=ENVIRONMENT)
    out, _ = process.communicate()
    text = terminal.text()
    lines = plain(text)

    assert process.returncode == 3
    assert [json.loads(line)["path"] for line in out.splitlines()] == [
        str(path) for path in sorted(album.iterdir()) if path.suffix in {".jpg", ".png"}
    ]
    assert any("8/8" in line for line in lines if line.startswith("photos "))
    assert any("photos/s" in line for line in lines)
    assert f"{album}/broken.jpg: broken_image: " in text  # in one line, however long
    assert lines[-2:] == ["1 of 8 files could not be read.", ""]
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back


def test_results_and_bar_on_one_terminal_do_not_disturb_each_other(start, album):
    terminal = Terminal()
    streams = {"stdout": terminal.end, "stderr": terminal.end}
    start("faces", album, **streams, environment=ENVIRONMENT).wait()
    lines = plain(terminal.text())

    for name in ("biden.jpg", "obama3.jpg"):
        assert lines.count(f"{album}/{name}: 1 face") == 1
    assert sum(line.startswith(f"{album}/broken.jpg: ") for line in lines) == 1
    assert sum(bool(re.match(r"  \d+ x \d+ at ", line)) for line in lines) == 7


def test_for_a_few_photos_there_is_no_bar(start, samples):
    terminal = Terminal()
    process = start("faces", samples / "obama.jpg", stderr=terminal.end, environment=ENVIRONMENT)
    out, _ = process.communicate()

    assert out.startswith(f"{samples / 'obama.jpg'}: 1 face")
    assert terminal.text() == ""


@pytest.mark.parametrize(
    ("good", "bad", "status"), ((0, 0, 0), (2, 0, 0), (2, 1, 3), (0, 1, 4), (0, 2, 4))
)
def test_the_status_tells_whether_all_or_none_could_be_read(good, bad, status, capsys):
    with Progress(good + bad) as progress:
        for _ in range(good):
            progress.told(Outcome("a.jpg", faces_of((0, 0, 9, 9), (9, 9, 18, 18)), None))
        for _ in range(bad):
            progress.told(Outcome("b.jpg", None, BrokenImage("it was cut short")))

    assert (progress.status(), progress.faces, progress.failed) == (status, 2 * good, bad)
    assert capsys.readouterr().err.splitlines() == [
        *["b.jpg: broken_image: it was cut short"] * bad,
        *[f"{bad} of {good + bad} files could not be read."] * (bad > 0),
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    (
        ("été 🙂 'a' \"b\" \\.jpg", "été 🙂 'a' \"b\" \\.jpg"),
        ("a\nb\tc\r.jpg", r"a\nb\tc\r.jpg"),
        ("\x1b]0;title\x07\x9b2J.jpg", r"\x1b]0;title\x07\x9b2J.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\udce9.jpg"),
    ),
)
def test_a_name_is_shown_in_one_line_that_does_nothing_to_a_terminal(name, line):
    assert shown(name) == line
