from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.test import override_settings

from lookwho.core.errors import Invalid
from lookwho.library.models import Erasure
from lookwho.services import receipts
from lookwho.services.ledger import Entry

AT = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)
NUMBER = UUID(int=7)


def a_receipt(**more):
    erasure = Erasure(uuid=NUMBER, counts={"faces": 3, "selfies": 1}, done_at=AT, created_at=AT)
    entry = Entry(uuid=NUMBER, at=AT, **more)
    return receipts.signed(receipts.text_of(erasure, entry))


def test_a_receipt_says_what_when_how_much_and_what_cannot_be_reached():
    text = a_receipt(user=UUID(int=1), people=(UUID(int=2),))

    for said in (
        "An account, and all about the person whose it was, was erased.",
        f"Number: {NUMBER}",
        "Done: 2024-06-01 12:30 UTC",
        "- faces: 3\n- selfies: 1\n",
        "What Lookwho cannot reach:",
        "archives of photos",
        "names that were written into the photos' files",
        "backups made before",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("more", "said"),
    (
        ({"user": NUMBER}, "An account, and all that was kept about its owner"),
        ({"people": (NUMBER,)}, "All that was kept about a person was erased."),
        ({"user": NUMBER, "purposes": ("find_me",)}, "A consent was withdrawn"),
    ),
)
def test_it_says_what_kind_of_erasure_it_was(more, said):
    assert said in a_receipt(**more)


def test_a_receipt_of_this_site_is_known_as_one():
    text = a_receipt()

    assert receipts.check(text) == NUMBER
    # As a mail program or an editor on Windows leaves it.
    assert receipts.check("\n" + text.replace("\n", "  \r\n") + "\n\n") == NUMBER


def test_one_that_was_altered_anywhere_is_not():
    text = a_receipt()
    body = text.rstrip("\n")
    for at in range(0, len(body), 11):
        if body[at].isspace():
            continue
        other = "x" if body[at] != "x" else "y"
        with pytest.raises(Invalid):
            receipts.check(body[:at] + other + body[at + 1 :])


@pytest.mark.parametrize("text", ("", "hello", "Signature: x", "Number: 1\nSignature: \n"))
def test_what_is_no_receipt_is_not(text):
    with pytest.raises(Invalid):
        receipts.check(text)


def test_one_that_another_site_signed_is_not():
    with override_settings(SECRET_KEY="another site's key, which is long enough"):
        text = a_receipt()

    with pytest.raises(Invalid):
        receipts.check(text)
