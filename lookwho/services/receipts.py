"""Receipts: what was erased, in words, signed with the site's key.

A receipt names nobody. Whoever was erased keeps it; the site can tell later that it is one of its
own and was not altered, and nobody without the site's key can make one.
"""

from __future__ import annotations

from uuid import UUID

from django.core import signing

from lookwho.core.errors import Invalid, LinkExpired, NotFound
from lookwho.library.models import Erasure
from lookwho.services.ledger import Entry

# For so many seconds the page of a receipt is there: who was erased has no account any more.
SHOWN_FOR = 24 * 60 * 60
_SALT = "lookwho.receipt"
_MARK = "Signature: "

_UNREACHED = """\
What Lookwho cannot reach:
- photos themselves: others are in them. They stay; ask for single ones to be removed or hidden
- copies that somebody has downloaded before: photos, archives of photos, releases of labels, and
  what browsers keep of pages they have shown
- faces that resemble selfies, and which somebody else with a name is taken to be: an owner who
  knows that it is the same person erases that person, too
- names that were written into the photos' files, names of files and folders, titles of albums
- lists of members that are kept elsewhere, and sites whose photos are shown here
- backups made before. When one is restored, Lookwho erases again what it brought back
- mails that were sent, logs of web servers and mail servers, and on PostgreSQL its own log of
  changes (WAL) until it is overwritten, and wherever that is archived
- blocks of a disk that files had before they were overwritten or removed
What was learned from many people's faces are a few numbers for the whole library: no name and no
vector of anybody is in them. They stay."""


def text_of(erasure: Erasure, entry: Entry) -> str:
    """Return what a receipt says, without its signature."""
    if entry.purposes:
        what = "A consent was withdrawn, and what was kept because of it was erased."
    elif entry.user and entry.people:
        what = "An account, and all about the person whose it was, was erased."
    elif entry.user:
        what = "An account, and all that was kept about its owner, was erased."
    else:
        what = "All that was kept about a person was erased."
    done_at = erasure.done_at or erasure.created_at
    lines = [
        "Lookwho: receipt of an erasure",
        "",
        what,
        f"Number: {erasure.uuid}",
        f"Asked for: {entry.at:%Y-%m-%d %H:%M} UTC",
        f"Done: {done_at:%Y-%m-%d %H:%M} UTC",
        "",
        "Erased:",
    ]
    counted: dict[str, int] = erasure.counts
    lines += [f"- {name}: {count}" for name, count in counted.items()] or ["- nothing was there"]
    if not entry.purposes:
        lines.append("- thumbnails and crops made of the photos that they were in")
    lines += [
        "What was deleted from the database was overwritten in its files.",
        "Faces that were erased are not looked for again: where they were, and nothing else, is",
        "kept for that, with the number above, in a list of erasures outside the backups.",
        "",
        _UNREACHED,
    ]
    return "\n".join(lines) + "\n"


def signed(text: str) -> str:
    """Return a text with its signature in the last line."""
    return f"{text}{_MARK}{_signer().signature(text)}\n"


def check(receipt: str) -> UUID:
    """Return the number of the erasure that a receipt is of.

    Raises:
        Invalid: it is not one of this site, or was altered.
    """
    # Mail programs and editors change the ends of lines, and what is around the text.
    lines = [line.rstrip() for line in receipt.strip().splitlines()]
    body, _, signature = ("\n".join(lines)).rpartition(f"\n{_MARK}")
    signer = _signer()
    try:
        signer.unsign(f"{body}\n{signer.sep}{signature}")
    except signing.BadSignature as error:
        raise Invalid(
            "this is no receipt of this site, or it was altered, or the site has another key now"
        ) from error
    number = next(line for line in lines if line.startswith("Number: "))
    return UUID(number.removeprefix("Number: "))


def token_of(erasure: Erasure) -> str:
    """Return what opens the page of a receipt, for a day, without an account."""
    return signing.dumps(str(erasure.uuid), salt=_SALT)


def erasure_of(token: str) -> Erasure:
    """Return the erasure whose page a token opens.

    Raises:
        LinkExpired: it is older than a day, or none.
        NotFound: the erasure is not there.
    """
    try:
        uuid = signing.loads(token, salt=_SALT, max_age=SHOWN_FOR)
    except signing.BadSignature as error:
        raise LinkExpired(
            "this page was there for a day: the receipt itself stays valid, where it was kept"
        ) from error
    found = Erasure.objects.filter(uuid=uuid).first()
    if found is None:
        raise NotFound("there is no such receipt")
    return found


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)
