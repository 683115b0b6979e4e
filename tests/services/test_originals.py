import asyncio
import os

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.errors import FileMissing
from lookwho.services import originals
from lookwho.services.originals import stream

CONTENT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("originals") / "Zoë's photo.jpg"
    path.write_bytes(CONTENT)
    return path


def asked(file, kind="JPEG", **headers):
    return stream(RequestFactory().get("/", headers=headers), file, kind=kind, name=file.name)


def body(answer):
    """All that is sent; afterwards the file is closed, as a server does it."""
    sent = b"".join(answer.streaming_content) if answer.streaming else answer.content
    ended(answer)
    return sent


def ended(answer):
    # Not `close`: it also says that a request has ended, and Django closes the test's database.
    for close in answer._resource_closers:
        close()


def test_the_whole_file_is_sent(file):
    answer = asked(file)

    assert (answer.status_code, body(answer)) == (200, CONTENT)
    assert answer["Content-Length"] == str(len(CONTENT))
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Content-Type"] == "image/jpeg"


def test_nothing_in_it_can_run(file):
    answer = asked(file)

    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"].startswith("private")
    body(answer)


@pytest.mark.parametrize(
    ("kind", "how", "told"),
    (
        ("PNG", "inline", "image/png"),
        ("HEIF", "attachment", "application/octet-stream"),
        ("TIFF", "attachment", "application/octet-stream"),
        ("", "attachment", "application/octet-stream"),
    ),
)
def test_what_browsers_cannot_show_is_to_be_saved_under_its_name(file, kind, how, told):
    answer = asked(file, kind)

    assert answer["Content-Disposition"] == f"{how}; filename*=UTF-8''Zo%C3%AB%27s%20photo.jpg"
    assert answer["Content-Type"] == told
    body(answer)


@pytest.mark.parametrize(
    ("part", "expected"),
    (
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=1000-9999", slice(1000, None)),
        ("bytes=-9999", slice(None)),
        ("bytes=0-", slice(None)),
    ),
)
def test_a_part_is_sent_where_one_is_asked_for(file, part, expected):
    answer = asked(file, range=part)

    begin, end, _ = expected.indices(len(CONTENT))
    assert body(answer) == CONTENT[expected]
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {begin}-{end - 1}/{len(CONTENT)}"


@pytest.mark.parametrize("part", ("bytes=1024-", "bytes=5000-6000", "bytes=-0"))
def test_a_part_behind_the_end_is_refused(file, part):
    answer = asked(file, range=part)

    assert (answer.status_code, body(answer)) == (416, b"")
    assert answer["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize(
    "part", ("bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2", "bytes=a-b", "nonsense")
)
def test_what_is_no_single_part_gets_the_whole_file(file, part):
    answer = asked(file, range=part)

    assert (answer.status_code, body(answer)) == (200, CONTENT)


def test_a_part_of_an_older_version_is_not_mixed_with_this_one(file):
    versions = asked(file)
    body(versions)

    for told in (versions["ETag"], versions["Last-Modified"]):
        assert body(asked(file, range="bytes=0-9", if_range=told)) == CONTENT[:10]
    other = asked(file, range="bytes=0-9", if_range='"another"')

    assert (other.status_code, body(other)) == (200, CONTENT)


@given(st.text(alphabet="bytes=-,0123456789 ", max_size=20))
def test_whatever_is_asked_for_is_answered_with_bytes_of_the_file(file, part):
    answer = asked(file, range=part)
    sent = body(answer)

    if answer.status_code == 416:
        assert sent == b""
    else:
        assert answer.status_code in (200, 206)
        assert len(sent) == int(answer["Content-Length"])
        assert sent in CONTENT


def test_a_file_that_nobody_waits_for_any_more_is_closed(file):
    # Warnings are errors: a file that is left open fails the test.
    ended(asked(file))


def test_an_empty_file_is_sent(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()

    assert body(asked(path)) == b""
    assert body(asked(path, range="bytes=0-9")) == b""


def test_under_asgi_it_is_read_piece_by_piece(file, monkeypatch):
    monkeypatch.setattr(originals, "_CHUNK", 100)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"range", b"bytes=10-")]}
    answer = stream(ASGIRequest(scope, None), file, kind="JPEG", name=file.name)

    async def pieces():
        return [piece async for piece in answer.streaming_content]

    sent = asyncio.run(pieces())
    ended(answer)

    assert answer.is_async
    assert b"".join(sent) == CONTENT[10:]
    assert max(map(len, sent)) == 100


@pytest.mark.parametrize("make", (lambda path: None, os.mkfifo, os.mkdir))
def test_what_is_no_file_is_missing_and_nobody_waits_for_it(tmp_path, make):
    path = tmp_path / "1.jpg"
    make(path)

    with pytest.raises(FileMissing, match=r"1\.jpg"):
        asked(path)


# --- what the browser has, and what nginx sends ---


def test_a_browser_that_has_the_file_is_sent_nothing(file):
    tag = asked(file)
    body(tag)

    answer = asked(file, if_none_match=tag["ETag"])
    changed = asked(file, if_none_match='"another"')

    assert (answer.status_code, body(answer)) == (304, b"")
    assert answer["ETag"] == tag["ETag"]
    assert (changed.status_code, body(changed)) == (200, CONTENT)


def test_a_tag_of_the_content_can_be_told(file):
    def told(**headers):
        request = RequestFactory().get("/", headers=headers)
        return stream(request, file, kind="JPEG", name="x.jpg", etag="abc", save=True)

    whole = told()
    assert (whole["ETag"], body(whole)) == ('"abc"', CONTENT)
    assert whole["Content-Disposition"] == "attachment; filename*=UTF-8''x.jpg"
    assert told(if_none_match='"abc"').status_code == 304
    part = told(range="bytes=0-9", if_range='"abc"')
    assert body(part) == CONTENT[:10]


def test_nginx_is_only_told_where_the_file_is(file, settings):
    settings.ACCEL = "/internal/"

    answer = asked(file, range="bytes=0-9")

    assert (answer.status_code, body(answer)) == (200, b"")
    where = answer["X-Accel-Redirect"]
    assert where.startswith("/internal/")
    assert where.endswith("/Zo%C3%AB%27s%20photo.jpg")
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"].startswith("private")


def test_nginx_is_told_of_no_file_that_is_not_there(tmp_path, settings):
    settings.ACCEL = "/internal/"

    with pytest.raises(FileMissing):
        asked(tmp_path / "gone.jpg")


def test_a_file_that_goes_at_once_is_not_left_to_nginx(file, settings):
    settings.ACCEL = "/internal/"
    request = RequestFactory().get("/")

    answer = stream(request, file, kind="JPEG", name="x.jpg", hand_over=False)

    assert body(answer) == CONTENT
    assert "X-Accel-Redirect" not in answer.headers


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A video of 6 GB, as far as anybody can tell: a hole with something at its end."""
    path = tmp_path_factory.mktemp("large") / "long.mp4"
    with path.open("wb") as file:
        file.seek(6 << 30)
        file.write(CONTENT)
    return path


@pytest.mark.parametrize("told", (f"bytes={6 << 30}-", f"bytes=-{len(CONTENT)}"))
def test_a_part_behind_4_gb_is_sent(told, large):
    answer = asked(large, kind="MP4", Range=told)

    assert (answer.status_code, body(answer)) == (206, CONTENT)
    total = (6 << 30) + len(CONTENT)
    assert answer["Content-Range"] == f"bytes {6 << 30}-{total - 1}/{total}"
    assert answer["Content-Length"] == str(len(CONTENT))


def test_a_player_that_asks_for_all_from_the_beginning_need_not_read_it(large):
    answer = asked(large, kind="MP4", Range="bytes=0-")

    assert answer.status_code == 206
    assert answer["Content-Length"] == str((6 << 30) + len(CONTENT))
    assert answer["Accept-Ranges"] == "bytes"
    assert len(next(iter(answer.streaming_content))) <= 1 << 20
    ended(answer)


def test_a_part_of_a_video_that_changed_meanwhile_is_not_sent(large):
    first = asked(large, kind="MP4")
    ended(first)

    same = asked(large, kind="MP4", Range="bytes=8-15", **{"If-Range": first["ETag"]})
    other = asked(large, kind="MP4", Range="bytes=8-15", **{"If-Range": '"of another"'})

    assert (same.status_code, same["Content-Range"].split("/")[0]) == (206, "bytes 8-15")
    assert other.status_code == 200
    for answer in (same, other):
        ended(answer)
