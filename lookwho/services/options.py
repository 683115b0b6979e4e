"""Options: what an owner chooses on the page Settings, each with its bounds."""

from __future__ import annotations

from dataclasses import dataclass

from lookwho.core.errors import Forbidden, Invalid
from lookwho.library.models import Setting, User
from lookwho.library.queries.albums import BEGINS
from lookwho.services.consents import CONSENT_AGE, DEFAULT_AGE
from lookwho.services.member_lists import WATCHED, read
from lookwho.services.selfies import NEED_APPROVAL

SEARCHES = "keep_searches_days"
LINKS = "keep_links_days"
JOBS = "keep_jobs_days"
UPLOADS = "keep_uploads_days"
REQUESTS = "keep_requests_days"
COPIES = "keep_copies_days"
MONTAGES = "keep_montages_days"


@dataclass(frozen=True, slots=True)
class Option:
    """Something that may be chosen: a whole number, or yes and no.

    Attributes:
        name: of its row in Setting.
        title: what it is called on the page.
        default: what holds until somebody chooses.
        least: the least that may be chosen.
        most: the most; 1 for yes and no.
        unit: of the number; blank for yes and no.
    """

    name: str
    title: str
    default: int
    least: int = 0
    most: int = 1
    unit: str = ""

    @property
    def is_choice(self) -> bool:
        """Whether it is yes or no."""
        return not self.unit


def _days(name: str, title: str, default: int) -> Option:
    return Option(name, title, default, 1, 3650, "days")


OPTIONS = (
    _days("selfie_retention_days", "Removed selfies, kept to look into misuse", 30),
    _days("inactive_days", "Selfies of members who do not come back", 365),
    _days(SEARCHES, "The list of searches", 365),
    _days(REQUESTS, "Answered requests, their words and addresses", 365),
    _days(LINKS, "Links that have expired", 90),
    _days(UPLOADS, "What became of uploads", 90),
    _days(JOBS, "Work that is finished", 30),
    _days(COPIES, "Copies of videos for browsers that nobody watches", 30),
    _days(MONTAGES, "Contact sheets and montages", 7),
    Option(
        CONSENT_AGE,
        "Who is younger needs a parent or guardian to agree",
        DEFAULT_AGE,
        0,
        21,
        "years",
    ),
    Option(NEED_APPROVAL, "Somebody looks at each selfie before it is used", 0),
    Option(BEGINS, "The month in which the academic year begins", 9, 1, 12, "month"),
)
_BY_NAME = {option.name: option for option in OPTIONS}


def chosen(name: str) -> int:
    """Return what holds for an option; yes is 1 and no is 0."""
    option = _BY_NAME[name]
    row = Setting.objects.filter(name=name).first()
    return int(row.value) if row is not None and isinstance(row.value, int) else option.default


def all_chosen() -> dict[str, int]:
    """Return what holds for each option, by its name."""
    rows = Setting.objects.filter(name__in=_BY_NAME).values_list("name", "value")
    told = {name: int(value) for name, value in rows if isinstance(value, int)}
    return {option.name: told.get(option.name, option.default) for option in OPTIONS}


def choose(by: User, name: str, value: int) -> None:
    """Choose something else.

    Raises:
        Forbidden: only an owner does that.
        Invalid: there is no such option, or the value is out of its bounds.
    """
    if not by.is_owner:
        raise Forbidden("only an owner changes settings")
    option = _BY_NAME.get(name)
    if option is None:
        raise Invalid(f"there is no setting {name[:60]!r}; there are: {', '.join(_BY_NAME)}")
    if not option.least <= value <= option.most:
        raise Invalid(f"{option.title}: from {option.least} to {option.most}, not {value}")
    kept = bool(value) if option.is_choice else value
    Setting.objects.update_or_create(name=name, defaults={"value": kept, "changed_by": by})


def members_list() -> str:
    """Return the path of the list of members that is read each night; blank for none."""
    row = Setting.objects.filter(name=WATCHED).first()
    return row.value if row is not None and isinstance(row.value, str) else ""


def watch_list(by: User, path: str) -> None:
    """Read a list of members each night; a blank path for none.

    Raises:
        Forbidden: only an owner does that.
        FileMissing: it cannot be read.
        Invalid: it is no list of members.
    """
    if not by.is_owner:
        raise Forbidden("only an owner changes settings")
    path = path.strip()
    if path:
        read(path)
    Setting.objects.update_or_create(name=WATCHED, defaults={"value": path, "changed_by": by})
