"""Runs the command as a person does, with a cache of results that no other test has seen."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lookwho.cli import main
from lookwho.core.weights import default_cache
from tests import migrated


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The user's cache folder, for all tests of a module: no results yet, but the models."""
    return with_models(tmp_path_factory.mktemp("home"))


@pytest.fixture
def fresh_home(tmp_path) -> Path:
    """The same for one test alone."""
    return with_models(tmp_path / "home")


@pytest.fixture
def used_home(tmp_path) -> Path:
    """A home in which Lookwho was started before: to make a new one's database takes seconds."""
    folder = tmp_path / "used"
    folder.mkdir()
    migrated.copy_sqlite(folder / "lookwho.sqlite3")
    return folder


@pytest.fixture
def lookwho(home, monkeypatch, capsys):
    """Runs a command in this process; its workers are processes of their own all the same."""

    def run(*arguments, home=home):
        monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(home))
        with pytest.raises(SystemExit) as ended:
            main([os.fspath(argument) for argument in arguments])
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def start(home):
    """Starts a command in a process of its own, which ends with the test if not before."""
    started = []

    def popen(*arguments, home=home, environment=None, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "lookwho", *map(os.fspath, arguments)],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
            env={**os.environ, "XDG_CACHE_HOME": os.fspath(home), **(environment or {})},
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def with_models(folder):
    models = default_cache() / "models"
    models.mkdir(parents=True, exist_ok=True)
    (folder / "lookwho").mkdir(parents=True)
    (folder / "lookwho" / "models").symlink_to(models)
    return folder
