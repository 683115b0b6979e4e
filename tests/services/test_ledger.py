import json
import stat
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.errors import StorageReadOnly
from lookwho.services import ledger
from lookwho.services.ledger import Entry

AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
ENTRY = Entry(
    uuid=UUID(int=1),
    at=AT,
    user=UUID(int=2),
    people=(UUID(int=3), UUID(int=4)),
    faces={"ab" * 32: [(0.1, 0.2, 0.3, 0.4, None), (0.5, 0.5, 0.6, 0.6, 1.5)]},
)


@pytest.fixture(autouse=True)
def file(settings, tmp_path):
    settings.LEDGER = tmp_path / "kept" / "erasures.jsonl"
    return settings.LEDGER


def test_what_is_written_is_read_again_in_its_order(file):
    other = Entry(uuid=UUID(int=9), at=AT, purposes=("find_me",))

    ledger.append(ENTRY)
    ledger.append(other)

    assert list(ledger.entries()) == [ENTRY, other]
    assert ledger.entry_of(UUID(int=9)) == other
    assert ledger.entry_of(UUID(int=8)) is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_file_there_is_nothing():
    assert list(ledger.entries()) == []


def test_a_line_that_a_crash_cut_short_costs_no_other(file):
    ledger.append(ENTRY)
    whole = file.read_bytes()
    other = Entry(uuid=UUID(int=9), at=AT)
    for length in range(1, len(whole), 7):
        file.write_bytes(whole + whole[:length].rstrip(b"\n"))

        ledger.append(other)

        assert list(ledger.entries()) == [ENTRY, other]


@given(
    st.builds(
        Entry,
        uuid=st.uuids(),
        at=st.datetimes(timezones=st.just(UTC)),
        user=st.none() | st.uuids(),
        people=st.lists(st.uuids(), max_size=3).map(tuple),
        purposes=st.lists(st.sampled_from(["find_me", "names"])).map(tuple),
        faces=st.dictionaries(
            st.binary(min_size=32, max_size=32).map(bytes.hex),
            st.lists(st.tuples(*[st.floats(0, 1)] * 4, st.none() | st.floats(0, 1e6)), max_size=3),
            max_size=3,
        ),
    )
)
def test_every_entry_is_one_line_that_gives_it_again(entry):
    line = entry.line()

    assert "\n" not in line
    assert Entry.of_line(line) == entry
    assert set(json.loads(line)) == {"uuid", "at", "user", "people", "purposes", "faces"}


def test_a_file_that_cannot_be_read_is_told(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(StorageReadOnly, match="cannot be read"):
        list(ledger.entries())
