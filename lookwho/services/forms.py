"""Forms: videos that come whole, as a field of a form, and are written to the disk as they come.

What comes goes straight to where uploads are collected, so that no video is written twice and none
is ever in memory. Who may not send anything is refused before: see `api.forms`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from lookwho.core.errors import RequestError
from lookwho.core.kinds import video_kind
from lookwho.files.walk import VIDEO_ENDINGS
from lookwho.library.models import Album, Upload, User
from lookwho.services import receiving, uploads

# By these first bytes a video is known.
_HEAD = 4096
_ENDINGS = {
    "MPEG-TS": ".ts",
    "MPEG-PS": ".mpg",
    "H.264": ".h264",
    "H.265": ".h265",
}


class ToDisk(FileUploadHandler):
    """Writes the files of a form among the uploads; what is no video is refused at once."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin with a file."""
        super().new_file(*args, **kwargs)
        folder = Path(settings.UPLOADS) / uploads.RECEIVING
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without a row to it: should this process die, `settling.sweep` removes it.
        # Called so, since Django closes it under this name should the form break off.
        self.file = tempfile.NamedTemporaryFile(dir=folder, prefix="form-")  # noqa: SIM115
        self._head = b""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Write a piece.

        Raises:
            RequestError: this is no video.
            StorageFull, StorageReadOnly: the disk does not take it.
        """
        try:
            if len(self._head) < _HEAD:
                self._head += raw_data[: _HEAD - len(self._head)]
                if len(self._head) == _HEAD:
                    checked_kind(self.file_name or "", self._head)
            self.file.write(raw_data)
        except RequestError:
            self.file.close()
            raise
        except OSError as error:
            self.file.close()
            raise uploads.of_the_disk(error, Path(settings.UPLOADS), len(raw_data)) from error
        return None

    def file_complete(self, file_size: int) -> UploadedFile:
        """Return the file, all of which is there."""
        self.file.seek(0)
        return UploadedFile(self.file, self.file_name, self.content_type, file_size, self.charset)

    def upload_interrupted(self) -> None:
        """Remove what came of a file whose sender is gone."""
        if hasattr(self, "file"):
            self.file.close()


def take_video(by: User, album: Album | None, file: UploadedFile) -> Upload:
    """Take in a video that came as a field of a form; return the row that says what becomes of it.

    Raises:
        RequestError: it is no video.
        NotFound: this user may not add photos.
        ImageTooLarge, StorageFull, StorageReadOnly: as of any upload.
    """
    file.seek(0)
    head = file.read(_HEAD)
    name = _named(file.name or "", checked_kind(file.name or "", head))
    upload = receiving.begin(by, album, name, file.size or 0)
    part = receiving.part_of(upload.uuid)
    whole = getattr(file.file, "name", None)
    with contextlib.suppress(OSError):  # a disk on which a file has one name only
        if isinstance(whole, str):
            cast(IO[bytes], file.file).flush()
            os.link(whole, part)
    if receiving.offset_of(upload) < upload.size:
        file.seek(0)
        receiving.append(upload, 0, file.chunks())
    return receiving.finish(upload)


def checked_kind(name: str, head: bytes) -> str:
    """Return the kind of a video by its first bytes.

    Raises:
        RequestError: it is none.
    """
    shown = uploads.safe_name(name, "") or "the file"
    if not head:
        raise RequestError(f"{shown} is empty: send a video as `video`")
    kind = video_kind(head)
    if kind is None:
        raise RequestError(
            f"{shown} is no video that can be read here: send MP4, MOV, MKV, WebM, AVI, MTS, VOB, "
            "MXF or DV, or anything else by POST /api/v1/uploads"
        )
    return kind


def _named(name: str, kind: str) -> str:
    """Return what to call a video: by its kind, where its name does not end like a video's."""
    stem, ending = os.path.splitext(uploads.safe_name(name, ""))
    if ending.lower() in VIDEO_ENDINGS:
        return stem + ending
    return f"{stem or 'video'}{_ENDINGS.get(kind, f'.{kind.lower()}')}"
