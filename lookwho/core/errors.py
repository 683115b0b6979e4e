"""Everything Lookwho can refuse to do, on one page.

LookwhoError
├── InputError              the caller's bytes or numbers are at fault; do not retry
│   ├── FileMissing         there is no such file, or it may not be read
│   ├── NotAnImage          the bytes are no picture, or of a kind that is not read
│   ├── BrokenImage         a picture, but its data are damaged or cut short
│   ├── ImageTooLarge       more pixels than Lookwho decodes
│   ├── FormatNotInstalled  a picture of a kind that needs an extra, such as HEIC
│   ├── NoFace              a face was needed and none was found
│   ├── SeveralFaces        one face was needed and several were found
│   └── DegeneratePoints    points that no similarity can carry anywhere
├── ModelError              a model file is missing, altered or unreadable
│   ├── ModelMissing
│   ├── ModelMismatch
│   └── ModelFormat
└── WorkError               the work, not the picture, is at fault
    ├── TimedOut            one file took longer than it may
    ├── OutOfMemory         one file needed more memory than it may
    └── WorkerDied          the process that read the file died of it

Every class has a `code`. The command line, the API and the pages show the same code and message.
"""

from __future__ import annotations


class LookwhoError(Exception):
    """The one base: catch it to catch everything that Lookwho raises on purpose."""

    code = "error"

    @property
    def message(self) -> str:
        """What a person is told."""
        return str(self)


class InputError(LookwhoError):
    """The caller's bytes or numbers are at fault; trying again changes nothing."""

    code = "input"


class FileMissing(InputError):
    """There is no such file, or it may not be read."""

    code = "file_missing"


class NotAnImage(InputError):
    """The bytes are no picture, or a picture of a kind that is not read."""

    code = "not_an_image"


class BrokenImage(InputError):
    """The file begins like a picture, but its data are damaged or cut short."""

    code = "broken_image"


class ImageTooLarge(InputError):
    """More pixels than Lookwho decodes: a decompression bomb, or a picture to shrink first."""

    code = "image_too_large"


class FormatNotInstalled(InputError):
    """A picture of a kind that needs an extra."""

    code = "format_not_installed"


class NoFace(InputError):
    """A face was needed and none was found."""

    code = "no_face"


class SeveralFaces(InputError):
    """Exactly one face was needed and several were found."""

    code = "several_faces"


class DegeneratePoints(InputError):
    """Points that no similarity can carry anywhere: fewer than two distinct ones."""

    code = "degenerate_points"


class ModelError(LookwhoError):
    """A model file is missing, altered or unreadable."""

    code = "model"


class ModelMissing(ModelError):
    """A model file is not on this machine."""

    code = "model_missing"


class ModelMismatch(ModelError):
    """A model file is not the one whose sha256 is on record."""

    code = "model_mismatch"


class ModelFormat(ModelError):
    """A model file cannot be read as what it claims to be."""

    code = "model_format"


class WorkError(LookwhoError):
    """The work, not the picture, is at fault: another machine or another day may do it."""

    code = "work"


class TimedOut(WorkError):
    """One file took longer than it may."""

    code = "timed_out"


class OutOfMemory(WorkError):
    """One file needed more memory than it may."""

    code = "out_of_memory"


class WorkerDied(WorkError):
    """The process that read the file died of it."""

    code = "worker_died"


def from_code(code: str, message: str) -> LookwhoError:
    """Return the error of that code, as it was before it crossed a process or a network."""
    kinds: list[type[LookwhoError]] = [LookwhoError]
    for kind in kinds:
        if kind.code == code:
            return kind(message)
        kinds.extend(kind.__subclasses__())
    return LookwhoError(message)
