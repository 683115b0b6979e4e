from datetime import date, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from lookwho.core.errors import Conflict, ConsentNeeded, Forbidden, Invalid
from lookwho.library.models import Consent, Person, Setting
from lookwho.services import consents
from lookwho.services.consents import EVENTS, FIND, NAMES, PURPOSES
from tests.gallery import NOON
from tests.people import a_person, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ledger(settings, tmp_path):
    settings.LEDGER = tmp_path / "erasures.jsonl"


def test_nobody_has_agreed_before_they_did():
    user = a_user("member")

    assert [consents.agreed(user, purpose) for purpose in PURPOSES] == [False, False, False]
    with pytest.raises(ConsentNeeded, match="Selfies & privacy"):
        consents.require(user, FIND)


def test_a_consent_is_to_a_version_of_one_text_and_holds_for_its_purpose_alone():
    user = a_user("member")

    given = consents.give(user, FIND, version=1, now=NOON)

    assert (given.purpose, given.version, given.given_at) == (FIND, "1", NOON)
    assert [consents.agreed(user, purpose) for purpose in PURPOSES] == [True, False, False]
    consents.require(user, FIND)
    assert not consents.agreed(a_user("member"), FIND)


def test_what_is_withdrawn_holds_no_more_and_is_told_with_its_dates():
    user = a_user("member")
    consents.give(user, NAMES, version=1, now=NOON)
    later = NOON + timedelta(days=3)

    consents.withdraw(user, NAMES, now=later)

    assert not consents.agreed(user, NAMES)
    [row] = consents.history(user)
    assert (row.given_at, row.withdrawn_at) == (NOON, later)


def test_withdrawing_to_be_found_withdraws_what_cannot_be_without_it():
    user = a_user("member")
    for purpose in PURPOSES:
        consents.give(user, purpose, version=1)

    consents.withdraw(user, FIND)

    assert [consents.agreed(user, purpose) for purpose in PURPOSES] == [False, True, False]


def test_withdrawing_what_was_never_given_does_nothing():
    user = a_user("member")

    assert consents.withdraw(user, FIND) is None
    assert not Consent.objects.exists()


def test_agreeing_twice_is_one_consent():
    user = a_user("member")

    first = consents.give(user, FIND, version=1)

    assert consents.give(user, FIND, version=1) == first
    assert Consent.objects.count() == 1


def test_a_new_text_asks_again_and_the_old_consent_holds_until_then():
    owner, user = a_user("owner"), a_user("member")
    consents.give(user, FIND, version=1, now=NOON)

    written = consents.write_text(owner, FIND, "May we?  \n\nPlease.\n")

    assert (written.version, written.text) == (2, "May we?\n\nPlease.")
    assert consents.agreed(user, FIND)
    standing = consents.standings(user)[0]
    assert standing.asks_again
    assert standing.text.version == 2
    assert standing.agreed_text.version == 1
    with pytest.raises(Conflict, match="version 2 holds"):
        consents.give(user, FIND, version=1)
    later = NOON + timedelta(days=1)
    consents.give(user, FIND, version=2, now=later)
    assert not consents.standings(user)[0].asks_again
    new, old = consents.history(user)
    assert (new.version, old.version, old.withdrawn_at) == ("2", "1", new.given_at)


def test_versions_are_never_changed_and_stay_to_be_read():
    owner = a_user("owner")
    first = consents.newest(EVENTS)
    consents.write_text(owner, EVENTS, "second")
    consents.write_text(owner, EVENTS, "third")

    assert [(each.version, each.text) for each in consents.texts(EVENTS)] == [
        (3, "third"),
        (2, "second"),
        (1, first.text),
    ]


@pytest.mark.parametrize("text", ("", "  \n ", "x" * 5001, "a\0b", "a\ud800b"))
def test_what_is_no_text_is_refused(text):
    with pytest.raises(Invalid):
        consents.write_text(a_user("owner"), FIND, text)


def test_the_same_text_is_no_new_version():
    with pytest.raises(Invalid, match="version 1"):
        consents.write_text(a_user("owner"), FIND, consents.newest(FIND).text)


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_write_texts(role):
    with pytest.raises(Forbidden):
        consents.write_text(a_user(role), FIND, "May we?")


def test_who_is_not_signed_in_agrees_to_nothing():
    with pytest.raises(Forbidden):
        consents.give(AnonymousUser(), FIND, version=1)
    with pytest.raises(Forbidden):
        consents.give(a_user("member", is_active=False), FIND, version=1)


def test_there_is_no_other_purpose():
    with pytest.raises(Invalid, match="find_me, names, consenting_events"):
        consents.agreed(a_user("member"), "marketing")


# --- minors ---

TODAY = NOON.date()


@pytest.mark.parametrize(
    ("born", "needed"),
    (
        (None, False),
        (date(TODAY.year - 16, TODAY.month, TODAY.day), False),  # 16 today
        (date(TODAY.year - 16, TODAY.month, TODAY.day + 1), True),  # tomorrow
        (date(TODAY.year - 40, 1, 1), False),
    ),
)
def test_whoever_is_younger_than_16_needs_a_guardian(born, needed):
    user = a_user("member", birth_date=born)

    assert consents.needs_guardian(user, today=TODAY) is needed


def test_an_owner_may_choose_another_age():
    user = a_user("member", birth_date=date(TODAY.year - 15, 1, 1))
    assert consents.needs_guardian(user, today=TODAY)

    Setting.objects.create(name="consent_age", value=13)

    assert not consents.needs_guardian(user, today=TODAY)


@pytest.mark.parametrize(
    ("guardian", "email"),
    (
        ("", "a@example.org"),
        ("Eva", ""),
        ("Eva", "eva"),
        ("x" * 201, "a@b.cz"),
        ("E\0va", "a@b.cz"),
        ("E\ud800va", "a@b.cz"),
    ),
)
def test_a_minor_does_not_agree_alone(guardian, email):
    user = a_user("member", birth_date=date(TODAY.year - 10, 1, 1))

    with pytest.raises(Invalid):
        consents.give(user, FIND, version=1, guardian=guardian, guardian_email=email, now=NOON)

    assert not Consent.objects.exists()


def test_for_a_minor_the_guardian_is_kept_and_for_others_nobody():
    child = a_user("member", birth_date=date(TODAY.year - 10, 1, 1))
    grown = a_user("member")
    told = {"guardian": " Eva  Nová ", "guardian_email": "eva@example.org", "now": NOON}

    kept = consents.give(child, FIND, version=1, **told)
    none = consents.give(grown, FIND, version=1, **told)

    assert (kept.guardian, kept.guardian_email) == ("Eva Nová", "eva@example.org")
    assert (none.guardian, none.guardian_email) == ("", "")


# --- names ---


def test_named_may_be_who_agreed_to_it_and_nobody_else():
    agreed, silent, withdrawn, gone = (a_user("member") for _ in range(4))
    people = [a_person(f"Person {number}")[0] for number in range(6)]
    for person, user in zip(people, (agreed, silent, withdrawn, gone), strict=False):
        Person.objects.filter(pk=person.pk).update(user=user)
    for user in (agreed, withdrawn, gone):
        consents.give(user, NAMES, version=1)
    consents.give(silent, FIND, version=1)
    consents.withdraw(withdrawn, NAMES)
    gone.is_active = False
    gone.save()
    # Whoever was merged into another is that other.
    Person.objects.filter(pk=people[0].pk).update(root=people[5], merged_into=people[5])

    assert consents.may_be_named() == {people[5].pk}
    assert timezone.now() > NOON
