"""Archives that tests make: whole ones, and hostile ones that no program writes."""

import io
import struct
import tarfile
import zipfile
import zlib


def zip_of(files, *, method=zipfile.ZIP_STORED):
    """A zip of these files, (name, bytes) each."""
    with io.BytesIO() as to:
        with zipfile.ZipFile(to, "w", method) as archive:
            for name, data in files:
                archive.writestr(name, data)
        return to.getvalue()


def tar_of(files, *, mode="w", kind=tarfile.PAX_FORMAT):
    """A tar of these files, (name, bytes) or a TarInfo each; mode "w:gz" packs it."""
    with io.BytesIO() as to:
        with tarfile.open(fileobj=to, mode=mode, format=kind) as archive:
            for each in files:
                if isinstance(each, tarfile.TarInfo):
                    archive.addfile(each)
                    continue
                name, data = each
                about = tarfile.TarInfo(name)
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
        return to.getvalue()


def about(name, kind, **more):
    """What a tar says of something that is no file."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in more.items():
        setattr(info, field, value)
    return info


def tar_header(name, size, kind=b"0"):
    """One header of 512 bytes with a right sum; `size` as digits, or as bytes of any sort."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + field.ljust(12, b"\0")
    head += b"00000000000\0" + b" " * 8 + kind + bytes(100) + b"ustar\x0000" + bytes(247)
    assert len(head) == 512
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def overlapping_zip(copies, size):
    """A zip whose list names one and the same packed file so many times."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(bytes(size)) + packer.flush()
    crc = zlib.crc32(bytes(size))
    fields = (0, 8, 0, 0, crc, len(data), size, 5, 0)
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, *fields) + b"a.jpg"
    listed = b"PK\1\2" + struct.pack(
        "<HHHHHHIIIHHHHHII", 20, 20, *fields, 0, 0, 0, 0, 0
    ) + b"a.jpg"  # fmt: skip
    start = len(local) + len(data)
    length = len(listed) * copies
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, copies, copies, length, start, 0)
    return local + data + listed * copies + end
