"""What every test relies on: no network, a cache of its own, real photos, no quiet skips.

Real photos are never committed. The fixture `media` is a folder of labelled media, beside the
repository or where LOOKWHO_MEDIA says; `samples` is seven photos that `make venv` fetched; `photos`
is some of the first, or else the second.
"""

import os
from pathlib import Path

import hypothesis
import pytest
import refuse_network  # noqa: F401  from here on, no connection leaves the machine

from tests.media import MEDIA
from tools.samples import folder as samples_folder

ROOT = Path(__file__).resolve().parent.parent
UNDER_CI = bool(os.environ.get("CI"))
NO_MEDIA = "no folder of real media; LOOKWHO_MEDIA names it, see CONTRIBUTING.md"
NO_SAMPLES = "no sample photos: `make venv` fetches them when it can reach a package index"

# Processes that tests start refuse connections too, and share one cache of built models. The
# user's own cache is never touched, except that the sample photos are read from it.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "tests" / "offline"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ.setdefault("LOOKWHO_SAMPLES", str(samples_folder()))
os.environ["XDG_CACHE_HOME"] = str(ROOT / ".cache")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Tests that start commands, pools of workers and browsers are long. They come first, so that at the
# end no process of the run waits for another that has only just begun with one of them.
SLOW = tuple(f"tests/{name}" for name in ("cli/", "workers/", "web/test_browsing", "bench/"))
ON_POSTGRESQL = os.environ.get("LOOKWHO_TEST_DATABASE") == "postgresql"

hypothesis.settings.register_profile("here", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.load_profile("ci" if UNDER_CI else "here")


@pytest.fixture(scope="session")
def django_db_keepdb():
    """On SQLite the database of the tests is there before they begin: see below."""
    return not ON_POSTGRESQL


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """The database of the tests begins as a copy of one in which all migrations are done."""
    from django.db import connection  # which other tests need not load

    from tests import migrated

    test = connection.settings_dict["TEST"]
    if ON_POSTGRESQL:
        test["TEMPLATE"] = migrated.postgresql_template()
    else:
        migrated.copy_sqlite(Path(test["NAME"]))


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real, labelled media; the test is skipped without it."""
    if MEDIA is None:
        pytest.skip(NO_MEDIA)
    return MEDIA


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the seven sample photos: obama.jpg, obama2.jpg, biden.jpg and others."""
    folder = samples_folder()
    if not (folder / "obama.jpg").is_file():
        pytest.skip(NO_SAMPLES)
    return folder


@pytest.fixture(scope="session")
def photos(request) -> list[Path]:
    """At least seven photos, each with at least one face, wherever they can be had from."""
    if MEDIA is None:
        folder = request.getfixturevalue("samples")
        return sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    found = sorted((MEDIA / "official").glob("*.jpg"))
    # A name ends in the number of people, or in who it is: one photo shows nobody.
    groups = sorted((MEDIA / "compreface").glob("*.jpg"))
    found += [path for path in groups if not path.stem.endswith("_0")]
    for person in sorted((MEDIA / "identities").iterdir())[:5]:
        found += sorted(person.iterdir())[:2]
    return found


@pytest.fixture(scope="session")
def analyzer():
    """The engine with its defaults."""
    from lookwho.core.pipeline import Analyzer  # so that tests which do without start sooner

    return Analyzer()


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Under CI a skip is a failure, unless the media are absent or the test expects to fail."""
    if not (UNDER_CI and report.skipped) or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if NO_MEDIA not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    refuse_skip(report)
    return report


def uses_database(item: pytest.Item) -> bool:
    fixtures = {"_django_db_helper", "live_server"}.intersection(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]):
    if ON_POSTGRESQL:  # whatever has nothing to do with it has been run on SQLite
        config.hook.pytest_deselected(items=[item for item in items if not uses_database(item)])
        items[:] = filter(uses_database, items)
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_terminal_summary(terminalreporter):
    skipped = [str(report.longrepr) for report in terminalreporter.getreports("skipped")]
    without_media = sum(NO_MEDIA in reason for reason in skipped)
    if without_media:
        terminalreporter.line(f"{without_media} skipped for want of media: {NO_MEDIA}", yellow=True)
