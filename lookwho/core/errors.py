"""Everything Lookwho can refuse to do, on one page.

LookwhoError
├── InputError              the caller's bytes or numbers are at fault; do not retry
│   ├── FileMissing         there is no such file, or it may not be read
│   ├── NotAnImage          the bytes are no picture, or of a kind that is not read
│   ├── BrokenImage         a picture, but its data are damaged or cut short
│   ├── ImageTooLarge       more pixels than Lookwho decodes
│   ├── FormatNotInstalled  a kind of file that needs an extra, such as HEIC or any video
│   ├── NotAVideo           the bytes are no video, of a kind not read, or sound alone
│   ├── BrokenVideo         a video, but nothing of it can be shown
│   ├── NoFace              a face was needed and none was found
│   ├── SeveralFaces        one face was needed and several were found
│   ├── NotAnArchive        the bytes are no archive, or of a kind that is not unpacked
│   ├── BrokenArchive       an archive, or a file in it, that is damaged or cut short
│   ├── ArchiveTooLarge     an archive that would fill a disk: too many files, or too large ones
│   ├── EntryRefused        a file in an archive that is not unpacked: a link, an encrypted one
│   └── DegeneratePoints    points that no similarity can carry anywhere
├── ModelError              a model file is missing, altered or unreadable
│   ├── ModelMissing
│   ├── ModelMismatch
│   └── ModelFormat
├── WorkError               the work, not the picture, is at fault
│   ├── TimedOut            one file took longer than it may
│   ├── OutOfMemory         one file needed more memory than it may
│   ├── WorkerDied          the process that read the file died of it
│   ├── SiteUnreachable     another website does not answer, or not as it should
│   ├── StaleTicket         the result came too late: the job is another worker's, or finished
│   └── Cancelled           somebody asked for the job to be cancelled
├── RequestError            what was asked for cannot be done as asked
│   ├── NotFound            there is no such thing, or the asker may not see it
│   ├── Forbidden           the asker may see it, but not do this
│   ├── ConsentNeeded       somebody has not agreed to it, or no more
│   ├── Invalid             a value that cannot be
│   ├── LinkExpired         the link is too old, was used or revoked
│   ├── SiteRefused         another website refuses the token that it was asked with
│   ├── TooMany             too often in too short a time
│   └── Conflict            somebody else was faster
└── SetupError              this machine or its settings are at fault
    ├── SettingInvalid      a setting that cannot be
    ├── StorageFull         the disk is full
    └── StorageReadOnly     a folder that must be written to cannot be

Every class has a `code`, and a `status` for whoever answers over HTTP. The command line, the API
and the pages show the same code and message.
"""

from __future__ import annotations


class LookwhoError(Exception):
    """The one base: catch it to catch everything that Lookwho raises on purpose."""

    code = "error"
    status = 500

    @property
    def message(self) -> str:
        """What a person is told."""
        return str(self)


class InputError(LookwhoError):
    """The caller's bytes or numbers are at fault; trying again changes nothing."""

    code = "input"
    status = 422


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
    """A picture of a kind that needs an extra, or a video."""

    code = "format_not_installed"


class NotAVideo(InputError):
    """The bytes are no video, a video of a kind that is not read, or sound without pictures."""

    code = "not_a_video"


class BrokenVideo(InputError):
    """The file begins like a video, but is damaged, cut short or empty: nothing can be shown."""

    code = "broken_video"


class NoFace(InputError):
    """A face was needed and none was found."""

    code = "no_face"


class SeveralFaces(InputError):
    """Exactly one face was needed and several were found."""

    code = "several_faces"


class NotAnArchive(InputError):
    """The bytes are no archive, or an archive of a kind that is not unpacked."""

    code = "not_an_archive"


class BrokenArchive(InputError):
    """An archive, or one file in it, that is damaged or cut short."""

    code = "broken_archive"


class ArchiveTooLarge(InputError):
    """An archive that unpacks to more files or bytes than are taken: a bomb, or one to split."""

    code = "archive_too_large"


class EntryRefused(InputError):
    """A file in an archive that is not unpacked: a link, an encrypted one, an archive."""

    code = "entry_refused"


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


class SiteUnreachable(WorkError):
    """Another website does not answer, or not as it should; the next try may do better."""

    code = "site_unreachable"
    status = 424


class StaleTicket(WorkError):
    """The result came too late: the job is gone, finished, or leased to another worker.

    Workers drop the result and take the next job. The API answers 409.
    """

    code = "stale_ticket"
    status = 409


class Cancelled(WorkError):
    """Somebody asked for the job to be cancelled."""

    code = "cancelled"
    status = 409


class RequestError(LookwhoError):
    """What was asked for cannot be done as it was asked."""

    code = "request"
    status = 400


class NotFound(RequestError):
    """There is no such thing, or the asker may not see it: which of the two is not told."""

    code = "not_found"
    status = 404


class Forbidden(RequestError):
    """The asker may see it, but not do this."""

    code = "forbidden"
    status = 403


class ConsentNeeded(RequestError):
    """Somebody has not agreed to it, or withdrew it; the message says where to agree."""

    code = "consent_needed"
    status = 403


class Invalid(RequestError):
    """A value that cannot be: a name that is too long, a day that is none."""

    code = "invalid"
    status = 422


class LinkExpired(RequestError):
    """The link is too old, was used already, or was revoked."""

    code = "link_expired"
    status = 410


class SiteRefused(RequestError):
    """Another website refuses the token that it was asked with: it is wrong, or has expired."""

    code = "site_refused"
    status = 422


class TooMany(RequestError):
    """Too often in too short a time; the message says when to try again."""

    code = "too_many"
    status = 429


class Conflict(RequestError):
    """Somebody else was faster; what they did is told, and nothing was changed."""

    code = "conflict"
    status = 409


class SetupError(LookwhoError):
    """This machine or its settings are at fault, not what was asked for."""

    code = "setup"


class SettingInvalid(SetupError):
    """A setting that cannot be."""

    code = "setting_invalid"


class StorageFull(SetupError):
    """The disk is full."""

    code = "storage_full"
    status = 507


class StorageReadOnly(SetupError):
    """A folder that must be written to cannot be."""

    code = "storage_read_only"


def from_code(code: str, message: str) -> LookwhoError:
    """Return the error of that code, as it was before it crossed a process or a network."""
    kinds: list[type[LookwhoError]] = [LookwhoError]
    for kind in kinds:
        if kind.code == code:
            return kind(message)
        kinds.extend(kind.__subclasses__())
    return LookwhoError(message)
