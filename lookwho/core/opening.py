"""Open a file that somebody named, or say why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from lookwho.core.errors import FileMissing


@contextmanager
def opened(path: str | os.PathLike[str]) -> Generator[BinaryIO]:
    """Open an ordinary file for reading.

    Raises:
        FileMissing: there is no such file, it may not be read, or it is a folder or a device.
    """
    name = repr(os.fspath(path))
    with ExitStack() as stack:
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                raise FileMissing(f"{name} is a folder, not a picture")
            if not stat.S_ISREG(mode):  # a pipe could be waited on for ever, a device never ends
                raise FileMissing(f"{name} is not an ordinary file")
            file = stack.enter_context(Path(path).open("rb"))
            file.peek()  # a broken disk says so only now
        except FileNotFoundError as error:
            raise FileMissing(f"there is no file {name}") from error
        except PermissionError as error:
            raise FileMissing(f"{name} may not be read: permission denied") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise FileMissing(f"{name} cannot be read: {reason}") from error
        yield file
