import codecs

import pytest

from lookwho.core import memberlist
from lookwho.core.errors import Invalid
from lookwho.core.memberlist import Row, day_of, days_of, rows_of

ANNA = Row(line=2, user="Anna", email="anna@example.org", since="2024-09-01", until="2025-08-31")
PLAIN = "user,email,since,until\nAnna,anna@example.org,2024-09-01,2025-08-31\n"


@pytest.mark.parametrize(
    "data",
    (
        PLAIN.encode(),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        b"User name;E-Mail; From ;TO\nAnna;anna@example.org;2024-09-01;2025-08-31",
        b'"user","e-mail","member since","until","street"\n'
        b'"Anna","anna@example.org","2024-09-01","2025-08-31","A, B; C"\n',
        b"until,since,email,user\n2025-08-31,2024-09-01,anna@example.org,  Anna \n",
    ),
)
def test_a_list_is_read_however_a_spreadsheet_wrote_it(data):
    assert rows_of(data) == [ANNA]


def test_lines_are_counted_as_in_an_editor():
    rows = rows_of(b'sep=;\nuser;name\n\nAnna;\n"Ben";"two\nlines"\nCleo;\n;\n')

    assert [(row.line, row.user, row.name) for row in rows] == [
        (4, "Anna", ""),
        (5, "Ben", "two lines"),
        (7, "Cleo", ""),
    ]


@pytest.mark.parametrize("encoding", ("utf-8", "cp1252", "utf-16"))
def test_letters_survive_whatever_wrote_them(encoding):
    assert rows_of("user;since\nZoë Müller;".encode(encoding))[0].user == "Zoë Müller"


def test_what_a_spreadsheet_would_compute_is_but_a_name_here():
    assert rows_of(b"user,since\n=1+1,\n")[0].user == "=1+1"


@pytest.mark.parametrize(
    ("data", "reason"),
    (
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"Anna\nBen\n", "first line"),
        (b"since,until\n2024-09-01,\n", "first line"),
        (b"user,login\nAnna,anna\n", "two columns"),
        (b"PK\x03\x04\x00\x00user", "must be text"),
        (codecs.BOM_UTF16_LE + b"x", "must be text"),
        (b'user\n"' + b"x" * 200_000, "line 2"),
    ),
)
def test_what_is_no_list_is_refused_with_the_reason(data, reason):
    with pytest.raises(Invalid, match=reason):
        rows_of(data)


def test_a_list_has_bounds(monkeypatch):
    monkeypatch.setattr(memberlist, "MOST_ROWS", 2)
    monkeypatch.setattr(memberlist, "MOST_BYTES", 1 << 20)

    assert len(rows_of(b"user\nA\nB\n")) == 2
    with pytest.raises(Invalid, match="at most 2 rows"):
        rows_of(b"user\nA\nB\nC\n")
    with pytest.raises(Invalid, match="at most 1 MB"):
        rows_of(b"user\n" + b"\n" * (1 << 20))


@pytest.mark.parametrize(
    ("text", "day"),
    (
        ("2024-09-01", "2024-09-01"),
        (" 2024-9-1 ", "2024-09-01"),
        ("2024-09-01T00:00:00+02:00", "2024-09-01"),
        ("2024-09-01 00:00", "2024-09-01"),
        ("1.9.2024", "2024-09-01"),
        ("01.09.2024", "2024-09-01"),
        ("", "None"),
    ),
)
def test_days_are_read_where_they_are_plain(text, day):
    assert str(day_of(text)) == day


@pytest.mark.parametrize(
    "text",
    ("01/09/2024", "1-9-2024", "2024-02-30", "0000-01-01", "2024", "soon", "45536", "٢٠٢٤-٠٩"),
)
def test_what_is_no_day_or_may_be_another_is_refused(text):
    with pytest.raises(Invalid, match="no day"):
        day_of(text)


def test_days_of_a_membership_are_in_their_order_and_of_our_time():
    assert days_of("2024-09-01", "2024-09-01")[0] == days_of("2024-09-01", "2024-09-01")[1]
    assert days_of("2024-09-01", "9999-12-31")[1] is None
    for since, until in (("2024-09-02", "2024-09-01"), ("0024-09-01", ""), ("", "1899-12-31")):
        with pytest.raises(Invalid):
            days_of(since, until)
