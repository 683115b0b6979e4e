"""The site from the command line: started, watched, stopped, and what it says."""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lookwho.cli.server import listen
from lookwho.core.errors import SettingInvalid
from tests.children import children
from tests.site import PATIENCE, Site, command, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site without workers, for tests that only look at it."""
    with serving(tmp_path_factory.mktemp("home"), "--no-workers") as site:
        yield site


def until(condition):
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_the_printed_link_signs_the_owner_in_once(site):
    status, url, _ = site.enter()
    assert (status, url.removeprefix(site.address)) == (200, "/welcome")

    stranger = Site(site.process, site.said)
    status, _, page = stranger.enter()

    assert status == 410
    assert "used before" in page


def test_a_stranger_is_asked_to_sign_in(site):
    _, url, _ = Site(site.process, site.said).get("/photos")

    assert "/sign-in" in url


def test_a_site_answers_to_its_own_names_alone(site):
    request = urllib.request.Request(site.address, headers={"Host": "evil.example"})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)

    with refused.value as error:
        assert error.code == 400


def test_a_site_listens_on_this_machine_alone(site):
    port = int(site.address.rsplit(":", 1)[1])
    rows = Path("/proc/net/tcp").read_text().splitlines()
    listening = [row.split()[1] for row in rows if row.split()[3] == "0A"]

    assert [place for place in listening if place.endswith(f":{port:04X}")] == [
        f"0100007F:{port:04X}"  # 127.0.0.1, as Linux writes it
    ]


def test_a_web_server_that_is_killed_comes_back_at_the_same_place(used_home):
    with serving(used_home, "--no-workers") as site:
        (web,) = children(site.process.pid)
        os.kill(web, signal.SIGKILL)

        status, _, _ = site.get("/sign-in")

        assert status == 200
        assert children(site.process.pid) != [web]


def test_several_processes_answer_and_each_comes_back(used_home):
    with serving(used_home, "--no-workers", "--web", "2") as site:
        until(lambda: len(children(site.process.pid)) == 2)
        first, second = children(site.process.pid)
        os.kill(first, signal.SIGKILL)

        assert {site.get("/sign-in")[0] for _ in range(5)} == {200}
        until(lambda: len(set(children(site.process.pid)) - {first}) == 2)
        assert second in children(site.process.pid)


def test_no_process_outlives_a_site_that_is_killed(used_home):
    with serving(used_home) as site:
        until(lambda: len(children(site.process.pid)) >= 3)
        pids = children(site.process.pid)
        site.process.kill()

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_a_port_that_is_taken_is_named():
    first = listen("127.0.0.1", None)
    port = first.getsockname()[1]

    with first, pytest.raises(SettingInvalid, match=f"127.0.0.1:{port}: Address already in use"):
        listen("127.0.0.1", port)


def test_without_a_port_the_next_free_one_is_taken():
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert first.getsockname()[1] < second.getsockname()[1] < 8020


def test_a_folder_is_taken_in_and_its_people_are_found(tmp_path, photos):
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in photos[:7]:
        (folder / photo.name).write_bytes(photo.read_bytes())

    done = command(tmp_path / "home", "import", folder, "--album", "Party")

    assert done.returncode == 0, done.stderr
    assert re.search(r"7 photos\. In the library: \d+ faces, \d+ people\.", done.stdout)
    assert re.search(r"Its album: http://\S+/albums/party\n", done.stdout)
    again = command(tmp_path / "home", "import", folder)
    assert again.returncode == 0
    health = json.loads(command(tmp_path / "home", "doctor", "--json").stdout)
    assert {each["name"]: each["state"] for each in health} == {
        "python": "ok",
        "data": "ok",
        "database": "ok",
        "models": "ok",
        "heic": "ok",
        "video": "ok",
        "folder": "ok",
        "work": "ok",
        "erasures": "ok",
    }


def test_a_folder_that_is_not_there_is_named(tmp_path, used_home):
    done = command(used_home, "import", tmp_path / "nowhere")

    assert done.returncode == 4
    assert "file_missing" in done.stderr
    assert "nowhere" in done.stderr


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(tmp_path, used_home):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))

    done = command(used_home, "import", folder)

    assert done.returncode == 3
    assert "1 photos could not be read" in done.stderr


def test_doctor_says_what_is_wrong_and_what_to_do(tmp_path, used_home):
    folder = tmp_path / "photos"
    folder.mkdir()
    command(used_home, "import", folder, "--queue")
    folder.rmdir()

    done = command(used_home, "doctor")

    assert done.returncode == 1
    assert "is it plugged in?" in done.stdout
    assert "start `lookwho serve` or `lookwho work`" in done.stdout


def test_a_home_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()

    done = command(tmp_path / "file", "user", "list")

    assert done.returncode == 4
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_damaged_is_named(used_home):
    (used_home / "lookwho.sqlite3").write_bytes(b"no database" * 1000)

    done = command(used_home, "user", "list")

    assert done.returncode == 4
    assert "lookwho.sqlite3" in done.stderr
    assert "Traceback" not in done.stderr
