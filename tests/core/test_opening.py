import os

import pytest

from lookwho.core.errors import FileMissing
from lookwho.core.opening import opened


def test_an_ordinary_file_is_opened(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")

    with opened(tmp_path / "a") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    ("name", "reason"),
    (("absent", "there is no file"), (".", "is a folder"), ("pipe", "not an ordinary file")),
)
def test_what_cannot_be_opened_is_named_with_the_reason(tmp_path, name, reason):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FileMissing, match=reason) as caught, opened(tmp_path / name):
        pass
    assert repr(str(tmp_path / name)) in str(caught.value)


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(FileMissing, match="cannot be read"), opened("a\0b"):
        pass
