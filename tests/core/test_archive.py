import gzip
import io
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import archive, entries
from lookwho.core.errors import (
    ArchiveTooLarge,
    BrokenArchive,
    InputError,
    NotAnArchive,
)
from tests.archives import about, overlapping_zip, tar_header, tar_of, zip_of

FILES = [("a.jpg", b"one"), ("day/b.jpg", b"two" * 50_000), ("leer.jpg", b"")]
MAKERS = {
    "zip": zip_of,
    "zip deflated": lambda files: zip_of(files, method=zipfile.ZIP_DEFLATED),
    "tar": tar_of,
    "tar gnu": lambda files: tar_of(files, kind=tarfile.GNU_FORMAT),
    "tar.gz": lambda files: tar_of(files, mode="w:gz"),
}


def unpacked(data, **more):
    """What became of each file: its bytes, or the code of what is wrong with it."""
    found = {}
    for entry in archive.read(io.BytesIO(data), **more):
        if entry.error:
            found[entry.name] = entry.error.code
            continue
        content = b""
        try:
            while piece := entry.file.read(1000):
                content += piece
        except ArchiveTooLarge:
            raise
        except InputError as error:
            content = error.code
        found[entry.name] = content
    return found


def before_the_error(data, error):
    """What could be read before the archive as a whole was refused."""
    names = []

    def read():
        for entry in archive.read(io.BytesIO(data)):
            if entry.file:
                while entry.file.read(1 << 16):
                    pass
                names.append(entry.name)

    with pytest.raises(error) as caught:
        read()
    return names, caught.value.message


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_every_file_is_read_as_it_was_put_in(make):
    assert unpacked(make(FILES)) == dict(FILES)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_file_that_nobody_reads_is_passed_over(make):
    names = [entry.name for entry in archive.read(io.BytesIO(make(FILES)))]

    assert names == [name for name, _ in FILES]


@given(
    st.dictionaries(
        st.text("abcäö家.-_ ", min_size=1, max_size=120).map(lambda name: f"x{name}y.jpg"),
        st.binary(max_size=3000).map(lambda data: b"\xff\xd8" + data),  # no archive itself
        max_size=8,
    ),
    st.sampled_from(sorted(MAKERS)),
)
def test_whatever_is_packed_comes_out(files, how):
    if files or "tar" not in how:
        assert unpacked(MAKERS[how](files.items())) == files


@given(st.data(), st.sampled_from(sorted(MAKERS)))
def test_a_damaged_archive_is_an_error_of_ours_or_unpacks_and_never_crashes(data, how):
    packed = bytearray(MAKERS[how](FILES))
    for _ in range(data.draw(st.integers(1, 8))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    packed = packed[: data.draw(st.integers(0, len(packed)))]
    with suppress(InputError):
        found = unpacked(bytes(packed))
        assert len(found) <= len(FILES) + 1


@given(st.binary(max_size=2000))
def test_bytes_of_any_sort_are_refused_or_read(data):
    for begin in (b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08\0"):
        with suppress(InputError):
            assert unpacked(begin + data) == {}


@pytest.mark.parametrize(
    ("data", "what"),
    (
        (b"", "an empty file"),
        (b"hello" * 200, "no archive"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7-Zip"),
        (b"Rar!\x1a\x07\0" + bytes(600), "RAR"),
        (gzip.compress(b"\xff\xd8\xff" + bytes(2000), mtime=0), "single packed file"),
    ),
)
def test_what_is_no_archive_is_named(data, what):
    with pytest.raises(NotAnArchive, match=what):
        unpacked(data)


# --- names ---


@pytest.mark.parametrize(
    "name",
    ("/etc/passwd", "../up.jpg", "a/../../up.jpg", "C:\\Windows\\a.jpg", "C:a.jpg", "..\\up.jpg"),
)
@pytest.mark.parametrize("make", (zip_of, tar_of))
def test_names_that_lead_elsewhere_are_refused_and_the_others_go_on(make, name):
    if make is tar_of and "\\" in name and not name.startswith("C:"):
        name = name.replace("\\", "/")  # in a tar it is a letter like others
    found = unpacked(make([("a.jpg", b"1"), (name, b"2"), ("b.jpg", b"3")]))

    assert sorted(map(str, found.values())) == ["b'1'", "b'3'", "entry_refused"]


def test_what_systems_leave_behind_is_passed_over():
    junk = ("__MACOSX/._a.jpg", ".DS_Store", "day/Thumbs.db", "day/._b.jpg", "desktop.ini", "day/")

    for make in (zip_of, tar_of):
        assert unpacked(make([("a.jpg", b"1"), *((name, b"") for name in junk)])) == {"a.jpg": b"1"}


def test_names_are_read_as_the_program_wrote_them():
    plain = zip_of([("Zoe.jpg", b"1")])
    for name in (b"Zo\x89.jpg", "Zoë".encode() + b"jpg"):
        assert len(name) == 7
        ((entry, content),) = unpacked(plain.replace(b"Zoe.jpg", name)).items()
        assert (entry[:3], content) == ("Zoë", b"1")


def test_a_name_in_utf_8_beside_the_old_one_counts():
    old = b"Z__.jpg"
    new = "家族.jpg".encode()
    field = struct.pack("<HHBI", 0x7075, 5 + len(new), 1, zlib.crc32(old)) + new
    about_it = zipfile.ZipInfo(old.decode())
    about_it.extra = field
    with io.BytesIO() as to:
        with zipfile.ZipFile(to, "w") as made:
            made.writestr(about_it, b"1")
        assert unpacked(to.getvalue()) == {"家族.jpg": b"1"}


# --- links, devices, what is encrypted, what is an archive itself ---


def test_links_and_devices_in_a_tar_are_refused():
    data = tar_of(
        [
            about("link.jpg", tarfile.SYMTYPE, linkname="/etc/passwd"),
            about("hard.jpg", tarfile.LNKTYPE, linkname="a.jpg"),
            about("pipe", tarfile.FIFOTYPE),
            about("disk", tarfile.BLKTYPE),
            about("folder", tarfile.DIRTYPE),
            ("a.jpg", b"1"),
        ]
    )

    assert unpacked(data) == {
        **dict.fromkeys(("link.jpg", "hard.jpg", "pipe", "disk"), "entry_refused"),
        "a.jpg": b"1",
    }


def test_a_file_behind_a_link_is_only_a_file_with_that_name():
    link = about("out", tarfile.SYMTYPE, linkname="/tmp")

    assert unpacked(tar_of([link, ("out/a.jpg", b"1")])) == {
        "out": "entry_refused",
        "out/a.jpg": b"1",
    }


def test_links_in_a_zip_are_refused():
    link = zipfile.ZipInfo("link.jpg")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with io.BytesIO() as to:
        with zipfile.ZipFile(to, "w") as made:
            made.writestr(link, "/etc/passwd")
            made.writestr("a.jpg", b"1")
        assert unpacked(to.getvalue()) == {"link.jpg": "entry_refused", "a.jpg": b"1"}


def test_encrypted_files_are_refused_and_the_others_go_on():
    data = bytearray(zip_of([("a.jpg", b"1"), ("b.jpg", b"2")]))
    data[data.find(b"PK\1\2") + 8] |= 1

    assert unpacked(bytes(data)) == {"a.jpg": "entry_refused", "b.jpg": b"2"}


def test_methods_that_are_not_read_are_named():
    data = zip_of([("a.jpg", b"1" * 999)], method=zipfile.ZIP_LZMA)

    (entry,) = archive.read(io.BytesIO(data))
    assert "method 14" in entry.error.message


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_archive_within_an_archive_is_refused_whatever_it_is_called(make):
    inner = zip_of([("a.jpg", b"1")])
    files = [("inner.jpg", inner), ("t.jpg", tar_of([("a", b"1")])), ("g", gzip.compress(b"x"))]

    found = unpacked(make([*files, ("b.jpg", b"2")]))

    assert found == {**dict.fromkeys(("inner.jpg", "t.jpg", "g"), "entry_refused"), "b.jpg": b"2"}


# --- bombs ---


def test_an_archive_that_unpacks_to_a_hundred_times_its_size_is_a_bomb(monkeypatch):
    monkeypatch.setattr(entries, "MIN_BOMB", 1 << 20)
    bombs = (
        zip_of([("a.jpg", bytes(5 << 20))], method=zipfile.ZIP_DEFLATED),
        tar_of([("a.jpg", bytes(5 << 20))], mode="w:gz"),
    )

    for bomb in bombs:
        with pytest.raises(ArchiveTooLarge, match="100 times"):
            unpacked(bomb)


def test_what_nobody_reads_of_a_packed_tar_counts_too(monkeypatch):
    monkeypatch.setattr(entries, "MIN_BOMB", 1 << 20)
    bomb = tar_of([("a.jpg", bytes(5 << 20)), ("b.jpg", b"1")], mode="w:gz")

    with pytest.raises(ArchiveTooLarge):
        list(archive.read(io.BytesIO(bomb)))


def test_files_that_share_their_bytes_are_a_bomb():
    data = overlapping_zip(1000, 1 << 20)

    with pytest.raises(ArchiveTooLarge, match="share their bytes"):
        unpacked(data)


def test_one_file_that_is_listed_once_is_none():
    assert unpacked(overlapping_zip(1, 1000)) == {"a.jpg": bytes(1000)}


def test_there_is_a_limit_to_the_number_of_files(monkeypatch):
    monkeypatch.setattr(entries, "MAX_ENTRIES", 10)
    for make in (zip_of, tar_of):
        assert len(unpacked(make([(f"{n}.jpg", b"") for n in range(10)]))) == 10
        with pytest.raises(ArchiveTooLarge, match="more than 10 files"):
            unpacked(make([(f"{n}.jpg", b"") for n in range(11)]))


def test_folders_count_too(monkeypatch):
    monkeypatch.setattr(entries, "MAX_ENTRIES", 10)

    with pytest.raises(ArchiveTooLarge):
        unpacked(tar_of([about(f"f{n}", tarfile.DIRTYPE) for n in range(11)]))


def test_an_archive_may_not_unpack_to_more_than_there_is_room_for():
    files = [(f"{n}.jpg", b"x" * 1000) for n in range(10)]

    with pytest.raises(ArchiveTooLarge, match="room"):
        unpacked(zip_of(files), most=5000)
    assert len(unpacked(zip_of(files), most=10_000)) == 10


def test_a_file_larger_than_any_picture_is_refused_by_what_it_says():
    data = tar_header(b"huge.jpg", 3 << 30) + bytes(512)
    names, _ = before_the_error(data, BrokenArchive)
    assert names == []

    entry = next(archive.read(io.BytesIO(data)))
    assert (entry.file, entry.error.code) == (None, "entry_refused")


def test_a_long_list_of_files_takes_little_memory():
    data = zip_of([(f"{'x' * 200}{n}.jpg", b"") for n in range(5000)])
    names = 0
    tracemalloc.start()
    for _ in archive.read(io.BytesIO(data)):
        names += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert names == 5000
    assert peak < 2_000_000


# --- lies ---


@pytest.mark.parametrize("told", (0, 1, 2, 4, 1000))
def test_a_file_that_is_not_as_large_as_told_is_broken(told):
    data = zip_of([("a.jpg", b"abc"), ("b.jpg", b"2")], method=zipfile.ZIP_DEFLATED)
    at = data.find(b"PK\1\2") + 24
    lie = data[:at] + told.to_bytes(4, "little") + data[at + 4 :]

    assert unpacked(lie) == {"a.jpg": "broken_archive", "b.jpg": b"2"}


def test_bytes_that_fail_their_checksum_are_broken():
    data = zip_of([("a.jpg", b"abc"), ("b.jpg", b"2")])

    assert unpacked(data.replace(b"abc", b"abd", 1)) == {"a.jpg": "broken_archive", "b.jpg": b"2"}


@pytest.mark.parametrize(
    "size",
    (b"\xff" + b"\xff" * 10 + b"\x00", b"-0000000017\0", b"\x80" + b"\xff" * 11, b"notanumber!\0"),
)
def test_sizes_that_cannot_be_end_a_tar(size):
    data = tar_of([("a.jpg", b"1")])[:1024] + tar_header(b"b.jpg", size) + bytes(1024)

    names, _ = before_the_error(data, BrokenArchive)
    assert names == ["a.jpg"]


@pytest.mark.parametrize("kind", (b"x", b"L", b"K", b"g"))
def test_headers_without_end_are_not_read_into_memory(kind):
    bomb = gzip.compress(tar_header(b"x", 60 << 20, kind) + bytes(60 << 20))
    tracemalloc.start()
    with pytest.raises(InputError):
        unpacked(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4_000_000


def test_headers_that_follow_headers_for_ever_come_to_an_end():
    data = (tar_header(b"x", 512, b"x") + b"512 comment=".ljust(511, b"x") + b"\n") * 3000

    with pytest.raises(BrokenArchive):
        unpacked(data)


@pytest.mark.parametrize(
    "said",
    (b"999999999 path=a\n", b"0 path=a\n", b"x path=a\n", b"16 size=-00001\n", b"8 path=a\n"),
)
def test_what_a_header_says_in_nonsense_ends_the_tar(said):
    data = tar_header(b"x", len(said), b"x") + said.ljust(512, b"\0") + tar_of([("a.jpg", b"1")])

    before_the_error(data, BrokenArchive)


def test_a_header_says_the_size_that_counts():
    said = b"10 size=3\n"
    data = tar_header(b"x", len(said), b"x") + said.ljust(512, b"\0")
    data += tar_header(b"a.jpg", 0) + b"abc".ljust(512, b"\0") + bytes(1024)

    assert unpacked(data) == {"a.jpg": b"abc"}


def test_a_folder_that_claims_to_have_bytes_hides_nothing():
    data = tar_header(b"folder/", 512, b"5") + tar_of([("a.jpg", b"1")])

    assert unpacked(data) == {"a.jpg": b"1"}


# --- what was cut short ---


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_of_an_archive_that_was_cut_short_the_beginning_is_read(make):
    noise = random.Random(1).randbytes
    files = [(f"{n}.jpg", noise(5000)) for n in range(9)]
    data = make(files)

    names, message = before_the_error(data[: len(data) // 2], BrokenArchive)

    assert 3 <= len(names) <= 5
    assert "cut short" in message


def test_a_zip_behind_something_else_is_read():
    assert unpacked(b"PK\3\4" + b"x" * 77 + zip_of(FILES)) == dict(FILES)


def test_a_part_of_an_archive_says_that_it_is_one():
    data = bytearray(zip_of(FILES))
    data[data.rfind(b"PK\5\6") + 4] = 2

    with pytest.raises(BrokenArchive, match="several parts"):
        unpacked(bytes(data))


def test_a_zip_for_large_files_is_read():
    with io.BytesIO() as to:
        with zipfile.ZipFile(to, "w") as made, made.open("a.jpg", "w", force_zip64=True) as file:
            file.write(b"abc")
        assert unpacked(to.getvalue()) == {"a.jpg": b"abc"}


class Unseekable(io.RawIOBase):
    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def test_a_zip_that_was_written_as_a_stream_is_read():
    sink = Unseekable()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.jpg", b"abc" * 1000)

    assert unpacked(sink.data) == {"a.jpg": b"abc" * 1000}
