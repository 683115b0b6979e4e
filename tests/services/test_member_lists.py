"""Whole lists of members: who is in them, who vanishes, who comes back."""

from datetime import date, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.core.errors import Conflict, FileMissing, Forbidden, Invalid
from lookwho.core.memberlist import Row, rows_of
from lookwho.library.models import Collection, Membership, Setting, User
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import accounts, member_lists, memberships
from lookwho.services.member_lists import read_nightly, take_list
from lookwho.services.memberships import add_period, periods_of
from tests.gallery import make_album, make_collection, make_member, make_photo
from tests.people import a_user

pytestmark = pytest.mark.django_db

TODAY = date(2025, 6, 1)
A_DAY = timedelta(days=1)


def told(user):
    return [str(period) for period in periods_of(user)]


def lines(text):
    return rows_of(f"user,since,until\n{text}".encode())


def take(text, by=None, *, today=TODAY, **more):
    return take_list(by, lines(text), today=today, **more)


def everything():
    """All rows that a list may change."""
    return [
        *Membership.objects.order_by("pk").values_list("user", "source", "since", "until"),
        *User.objects.order_by("pk").values_list("username", "email", "external_id"),
        *Collection.objects.order_by("pk").values_list("policy"),
    ]


@pytest.fixture
def owner():
    return a_user("owner")


@pytest.fixture
def anna():
    return make_member("Anna", email="Anna@example.org", external_id="s1")


@pytest.fixture
def ben():
    return make_member("Ben", email="ben@example.org")


@pytest.mark.parametrize(
    "row",
    (
        Row(line=2, user="anna"),
        Row(line=2, email="ANNA@example.org"),
        Row(line=2, external_id="s1"),
        Row(line=2, user="Anna", email="anna@example.org", external_id="s1"),
        Row(line=2, user="somebody else there", external_id="s1"),
    ),
)
def test_somebody_is_known_by_name_address_or_number(anna, ben, row):
    outcome = take_list(None, [row], today=TODAY)

    assert (told(anna), told(ben)) == (["2025-06-01 to now"], [])
    assert [change.name for change in outcome.changed] == ["Anna"]
    assert (outcome.unlisted, outcome.unknown, outcome.refused) == (["Ben"], [], [])


def test_a_number_is_learned_from_a_list(anna, ben):
    take_list(None, [Row(line=2, user="Ben", external_id="s2")], today=TODAY)
    outcome = take_list(None, [Row(line=2, external_id="s2", since="2025-01-01")], today=TODAY)

    assert outcome.unknown == []
    assert told(ben) == ["2025-01-01 to now"]


@pytest.mark.parametrize(
    ("row", "reason"),
    (
        (Row(line=7, user="Anna", email="ben@example.org"), "any of Anna, Ben"),
        (Row(line=7, user="Anna", external_id="s9"), "has the external id 's1', not 's9'"),
        (Row(line=7, name="Anna"), "not whom it is about"),
        (Row(line=7, user="Anna", since="soon"), "no day"),
        (Row(line=7, user="Anna", since="2025-01-02", until="2025-01-01"), "before it begins"),
        (Row(line=7, user="Anna", until="2025-01-01"), "says not when it began"),
        (Row(line=7, user="Ben", external_id="9" * 201), "at most 200"),
    ),
)
def test_an_ill_row_is_refused_with_its_line_and_the_others_go_on(anna, ben, row, reason):
    make_member("Cleo")

    outcome = take_list(None, [row, Row(line=8, user="Cleo")], today=TODAY)

    (refused,) = outcome.refused
    assert refused.line == 7
    assert reason in refused.reason
    assert (told(anna), told(ben)) == ([], [])
    assert [change.name for change in outcome.changed] == ["Cleo"]


def test_whoever_is_in_a_refused_row_did_not_vanish(anna, ben):
    take("Anna,2024-09-01,\nBen,2024-09-01,")

    outcome = take("Anna,when?,\nBen,2024-09-01,")

    assert outcome.left == []
    assert told(anna) == ["2024-09-01 to now"]


def test_several_rows_of_one_person_are_their_periods_unless_they_overlap(anna):
    outcome = take(
        "Anna,2020-01-01,2020-12-31\nAnna,2022-01-01,\nAnna,2020-12-31,2021-06-01\n"
        "Anna,2021-01-01,2021-12-31"
    )

    assert told(anna) == [
        "2020-01-01 to 2020-12-31",
        "2021-01-01 to 2021-12-31",
        "2022-01-01 to now",
    ]
    (refused,) = outcome.refused
    assert (refused.line, "overlaps another row" in refused.reason) == (4, True)


def test_an_address_that_nobody_confirmed_is_not_believed(anna, ben):
    EmailAddress.objects.create(user=ben, email="cleo@example.org", verified=False)
    User.objects.filter(pk=ben.pk).update(email="cleo@example.org")
    row = [Row(line=2, email="cleo@example.org")]
    assert len(take_list(None, row, today=TODAY).unknown) == 1

    EmailAddress.objects.update(verified=True)

    assert take_list(None, row, today=TODAY).unknown == []
    assert told(ben) == ["2025-06-01 to now"]


# --- who vanishes, and comes back ---


def test_who_vanishes_is_a_former_member_and_who_comes_back_a_member(anna, ben):
    take("Anna,2024-09-01,\nBen,2024-09-01,2026-08-31")

    outcome = take("Anna,2024-09-01,")
    assert [change.name for change in outcome.left] == ["Ben"]
    assert told(ben) == ["2024-09-01 to 2025-05-31"]
    assert take("Anna,2024-09-01,").left == []

    take("Anna,2024-09-01,\nBen,2025-08-01,", today=date(2025, 8, 1))
    assert told(ben) == ["2024-09-01 to 2025-05-31", "2025-08-01 to now"]


def test_access_goes_and_comes_with_the_next_request(anna, ben):
    today = timezone.localdate()
    make_album(make_photo(), date=today)
    seen = []
    for text in ("Anna,,\nBen,2020-01-01,", "Anna,,", "Anna,,\nBen,2020-01-01,"):
        take(text, today=today)
        seen.append(scope_of(ben, Purpose.BROWSE).media().count())

    assert seen == [1, 0, 1]


def test_who_vanishes_on_the_day_they_came_sees_nothing(anna, ben):
    make_photo(collection=make_collection(policy=Collection.Policy.OPEN))
    take("Anna,,\nBen,,", today=timezone.localdate())
    assert scope_of(ben, Purpose.BROWSE).media().exists()

    take("Anna,,", today=timezone.localdate())

    assert told(ben) == [str(memberships.never())]
    assert not scope_of(ben, Purpose.BROWSE).media().exists()
    take("Anna,,\nBen,,", today=timezone.localdate())
    assert told(ben) == [f"{timezone.localdate()} to now"]


def test_who_was_in_no_list_is_left_alone_and_told(owner, anna, ben):
    cleo = make_member("Cleo")
    add_period(owner, cleo, date(2024, 1, 1))
    make_member("Curt", role="curator")
    make_member("gone", is_active=False)

    outcome = take("Anna,2024-09-01,")

    assert outcome.unlisted == ["Ben"]
    assert (told(ben), told(cleo)) == ([], ["2024-01-01 to now"])


def test_what_is_over_stays_where_the_list_tells_only_of_the_present(anna):
    take("Anna,2020-01-01,2020-12-31\nAnna,2023-01-01,2025-05-01")

    take("Anna,2025-06-01,2025-12-31")

    assert told(anna) == [
        "2020-01-01 to 2020-12-31",
        "2023-01-01 to 2025-05-01",
        "2025-06-01 to 2025-12-31",
    ]
    # And what it does tell is put right.
    take("Anna,2023-02-01,2025-12-31")
    assert told(anna) == ["2020-01-01 to 2020-12-31", "2023-02-01 to 2025-12-31"]


def test_a_list_says_nothing_of_periods_by_hand(owner, anna, ben):
    take("Anna,2024-09-01,\nBen,2024-09-01,")
    add_period(owner, ben, date(2024, 9, 1))

    take("Anna,2024-09-01,")

    assert sorted(told(ben)) == ["2024-09-01 to 2025-05-31", "2024-09-01 to now"]


def test_a_list_twice_changes_nothing_the_second_time(anna, ben):
    text = "Anna,2020-01-01,2020-12-31\nAnna,,\nBen,1.2.2025,1.2.2026\nCleo,2025-01-01,"
    first = take(text, make=True)
    before, rows = everything(), set(Membership.objects.values_list("pk", flat=True))

    second = take(text, make=True, today=TODAY + A_DAY)

    assert (len(first.changed), first.made) == (2, ["Cleo"])
    assert (second.same, second.changed, second.made, second.left) == (3, [], [], [])
    assert everything() == before
    assert set(Membership.objects.values_list("pk", flat=True)) == rows


def test_a_dry_run_says_the_same_and_changes_nothing(owner, anna, ben):
    make_collection(policy=Collection.Policy.CLOSED)
    take("Anna,2024-09-01,\nBen,2024-09-01,")
    before = everything()
    rows = [
        Row(line=2, user="Anna", since="2024-01-01"),
        Row(line=3, user="Cleo", email="cleo@example.org", external_id="s3"),
        Row(line=4, user="a\x00"),
        Row(line=5, user="Dora", email="nonsense"),
    ]

    dry = take_list(owner, rows, make=True, dry_run=True, today=TODAY)
    assert everything() == before
    wet = take_list(owner, rows, make=True, today=TODAY)

    assert (dry.changed, dry.made, dry.left) == (wet.changed, wet.made, wet.left)
    assert (dry.made, [row.line for row in dry.refused]) == (["Cleo"], [4, 5])
    assert dry.refused == wet.refused
    assert (dry.dry_run, wet.dry_run) == (True, False)


# --- who is new ---


def test_who_is_unknown_is_told_or_made(anna):
    make_collection(policy=Collection.Policy.CLOSED)
    rows = [
        Row(line=2, user="Anna"),
        Row(line=3, name="Cleo Smit", email="cleo@example.org", external_id="s3"),
        Row(
            line=4,
            name="Cleo Smit",
            email="cleo@example.org",
            external_id="s3",
            since="2020-01-01",
            until="2020-02-01",
        ),
        Row(line=5, name="Anna", email="another@example.org"),
    ]
    assert [each.line for each in take_list(None, rows, today=TODAY).unknown] == [3, 4, 5]
    assert User.objects.count() == 1

    outcome = take_list(None, rows, make=True, today=TODAY)

    cleo = User.objects.get(email="cleo@example.org")
    assert (cleo.username, cleo.role, cleo.external_id) == ("Cleo Smit", "member", "s3")
    assert not cleo.has_usable_password()
    assert told(cleo) == ["2020-01-01 to 2020-02-01", "2025-06-01 to now"]
    assert outcome.made == ["Cleo Smit"]
    (refused,) = outcome.refused  # her name is taken
    assert refused.line == 5
    assert Collection.objects.get().policy == Collection.Policy.OWN
    assert accounts.enter(accounts.entry_link(cleo)) == cleo


def test_a_former_member_in_a_list_of_the_new_sees_only_their_time(anna):
    take_list(None, [Row(line=2, user="Old", since="2020-01-01", until="2021-01-01")], make=True)
    old = User.objects.get(username="Old")
    make_photo(collection=make_collection(policy=Collection.Policy.OPEN))

    assert not scope_of(old, Purpose.BROWSE).media().exists()


# --- what keeps mistakes small ---


def test_an_empty_list_is_refused(anna):
    take("Anna,,")

    with pytest.raises(Invalid, match="holds nobody"):
        take("")

    assert told(anna) == ["2025-06-01 to now"]


def test_half_a_list_is_not_taken_unless_somebody_says_so():
    names = [make_member(f"member {number}").username for number in range(20)]
    whole = "\n".join(f"{name},2024-01-01," for name in names)
    take(whole)
    few = "\n".join(whole.splitlines()[:9])

    assert len(take(few, dry_run=True).left) == 11
    with pytest.raises(Conflict, match="11 of 20"):
        take(few)
    assert Membership.objects.filter(until=None).count() == 20
    assert len(take(few, many_may_leave=True).left) == 11
    assert Membership.objects.filter(until=None).count() == 9


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_take_lists(anna, role):
    with pytest.raises(Forbidden):
        take("Anna,,", a_user(role))

    assert not Membership.objects.exists()


def test_ten_thousand_rows_are_taken_in_few_questions_to_the_database(owner):
    User.objects.bulk_create(User(username=f"m{number}") for number in range(10_000))
    text = "\n".join(f"m{number},2024-09-01," for number in range(10_000))
    counts = []
    for part in (text, text.replace("09-01", "08-01")):
        with CaptureQueriesContext(connection) as asked:
            outcome = take(part, owner)
        assert len(outcome.changed) == 10_000
        counts.append(len(asked))

    # Pieces of 500 rows to delete and to write, and what does not depend on how many there are.
    assert max(counts) < 100
    assert Membership.objects.count() == 10_000


# --- at night ---


def test_the_file_that_the_setting_names_is_read_at_night(tmp_path, anna, ben):
    assert read_nightly() is None
    path = tmp_path / "members.csv"
    Setting.objects.create(name=member_lists.WATCHED, value=str(path))
    with pytest.raises(FileMissing, match=r"members\.csv"):
        read_nightly()
    night = timezone.now()
    path.write_text("user;since\nAnna;2024-09-01\nBen;2024-09-01\n", "cp1252")
    assert len(read_nightly(now=night).changed) == 2

    path.write_text("user;since\nAnna;2024-09-01\n", "utf-16")
    outcome = read_nightly(now=night + A_DAY)

    assert [change.name for change in outcome.left] == ["Ben"]
    assert told(ben) == [f"2024-09-01 to {timezone.localdate(night)}"]
    path.write_text("user;since\n")
    with pytest.raises(Invalid):
        read_nightly()
    assert told(anna) == ["2024-09-01 to now"]


def test_a_blank_setting_names_no_file(anna):
    Setting.objects.create(name=member_lists.WATCHED, value=" ")

    assert read_nightly() is None
