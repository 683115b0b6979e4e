"""Periods of members: by hand, and as others say."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from lookwho.core.errors import Forbidden, Invalid, NotFound
from lookwho.library.models import Collection, Membership
from lookwho.library.scope import Purpose, days_of, scope_of
from lookwho.services import memberships
from lookwho.services.memberships import (
    Period,
    add_period,
    end_period,
    periods_of,
    remove_period,
    replace,
    set_periods,
    take_claim,
)
from tests.gallery import make_collection, make_member, make_photo
from tests.people import a_user

pytestmark = pytest.mark.django_db

Source = Membership.Source
SPRING, AUTUMN = date(2024, 3, 1), date(2024, 9, 1)
TODAY = date(2025, 6, 1)
A_DAY = timedelta(days=1)


def told(user, source=None):
    return [str(period) for period in periods_of(user, source)]


@pytest.fixture
def owner():
    return a_user("owner")


@pytest.fixture
def mia():
    return make_member()


# --- by hand ---


def test_periods_are_added_ended_and_removed(owner, mia):
    add_period(owner, mia, SPRING, date(2024, 5, 31))
    row = add_period(owner, mia, AUTUMN)
    assert told(mia) == ["2024-03-01 to 2024-05-31", "2024-09-01 to now"]

    end_period(owner, row.pk, date(2024, 12, 31))
    assert told(mia)[1] == "2024-09-01 to 2024-12-31"

    assert remove_period(owner, row.pk) == mia
    assert told(mia) == ["2024-03-01 to 2024-05-31"]


def test_one_that_is_ended_without_a_day_is_over_now(owner, mia):
    today = timezone.localdate()
    old = add_period(owner, mia, AUTUMN)
    end_period(owner, old.pk)
    assert told(mia) == [f"2024-09-01 to {today - A_DAY}"]

    # One that began today never was: and that is not "all the time", which none at all would be.
    remove_period(owner, old.pk)
    end_period(owner, add_period(owner, mia, today).pk)

    assert days_of(mia, Purpose.BROWSE) == ((memberships.NEVER, memberships.NEVER),)
    assert days_of(mia, Purpose.FIND_SELF) is not None


def test_all_periods_by_hand_are_set_at_once_and_others_stay(owner, mia):
    replace(mia, [Period(SPRING)], source=Source.LIST)
    first = [Period(date(2020, 1, 1), date(2020, 12, 31)), Period(date(2022, 1, 1))]
    set_periods(owner, mia, first)
    kept = set(Membership.objects.values_list("pk", flat=True))

    set_periods(owner, mia, [first[0]])

    assert told(mia, Source.HAND) == ["2020-01-01 to 2020-12-31"]
    assert told(mia, Source.LIST) == ["2024-03-01 to now"]
    assert set(Membership.objects.values_list("pk", flat=True)) < kept


@pytest.mark.parametrize(
    "periods",
    (
        [Period(AUTUMN, SPRING)],
        [Period(SPRING), Period(AUTUMN)],
        [Period(SPRING, AUTUMN), Period(AUTUMN)],
        [Period(date(1899, 1, 1))],
        [
            Period(date(2000, 1, 1) + 2 * n * A_DAY, date(2000, 1, 1) + 2 * n * A_DAY)
            for n in range(101)
        ],
    ),
)
def test_periods_that_cannot_be_are_refused_and_nothing_is_changed(owner, mia, periods):
    add_period(owner, mia, SPRING, SPRING)

    with pytest.raises(Invalid):
        set_periods(owner, mia, periods)

    assert told(mia) == ["2024-03-01 to 2024-03-01"]


def test_a_period_that_overlaps_one_by_hand_is_refused(owner, mia):
    row = add_period(owner, mia, SPRING, AUTUMN)

    with pytest.raises(Invalid, match="overlap"):
        add_period(owner, mia, AUTUMN)
    with pytest.raises(Invalid, match="before it begins"):
        end_period(owner, row.pk, SPRING - A_DAY)
    add_period(owner, mia, AUTUMN + A_DAY)

    assert len(told(mia)) == 2


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_say_who_is_a_member(owner, mia, role):
    eve, row = a_user(role), add_period(owner, mia, SPRING)

    for act in (
        lambda: add_period(eve, mia, date(2020, 1, 1), SPRING - A_DAY),
        lambda: set_periods(eve, mia, []),
        lambda: end_period(eve, row.pk),
        lambda: remove_period(eve, row.pk),
    ):
        with pytest.raises((Forbidden, NotFound)):
            act()
    with pytest.raises(NotFound):
        remove_period(owner, 0)

    assert told(mia) == ["2024-03-01 to now"]


def test_an_owner_who_was_shut_out_meanwhile_changes_nothing(owner, mia):
    stale = a_user("owner")
    type(stale).objects.filter(pk=stale.pk).update(is_active=False)

    with pytest.raises(Forbidden):
        add_period(stale, mia, SPRING)

    assert told(mia) == []


# --- as others say ---


def test_what_another_system_says_is_joined_and_touches_its_own_alone(owner, mia):
    add_period(owner, mia, SPRING, SPRING)
    replace(
        mia,
        [
            Period(AUTUMN, date(2024, 12, 31)),
            Period(date(2023, 1, 1), date(2023, 6, 30)),
            Period(date(2025, 1, 1)),
            Period(date(2024, 10, 1), date(2024, 10, 2)),
        ],
        source=Source.SITE,
    )

    assert told(mia, Source.SITE) == ["2023-01-01 to 2023-06-30", "2024-09-01 to now"]
    assert told(mia, Source.HAND) == ["2024-03-01 to 2024-03-01"]


def test_who_was_never_a_member_elsewhere_sees_nothing_rather_than_everything(mia):
    make_photo(collection=make_collection(policy=Collection.Policy.OPEN))
    assert scope_of(mia, Purpose.BROWSE).media().count() == 1

    replace(mia, [], source=Source.SITE)

    for purpose in Purpose:
        assert not scope_of(mia, purpose).media().exists()


LIST = [
    {"since": "2024-09-01", "until": "2024-12-31"},
    {"since": "2025-02-01", "until": None},
    {"since": "2020-01-01", "until": "2020-12-31", "type": "study"},
]


@pytest.mark.parametrize(
    ("before", "claim", "after"),
    (
        ([], LIST, ["2020-01-01 to 2020-12-31", "2024-09-01 to 2024-12-31", "2025-02-01 to now"]),
        ([Period(SPRING)], LIST[:1], ["2024-09-01 to 2024-12-31"]),
        ([Period(SPRING)], [], ["2024-03-01 to 2025-05-31"]),
        ([Period(SPRING)], False, ["2024-03-01 to 2025-05-31"]),
        ([Period(SPRING, AUTUMN)], False, ["2024-03-01 to 2024-09-01"]),
        ([], False, [str(memberships.never())]),
        ([], [], [str(memberships.never())]),
        ([], True, ["2025-06-01 to now"]),
        ([Period(SPRING)], True, ["2024-03-01 to now"]),
        ([Period(SPRING, AUTUMN)], True, ["2024-03-01 to 2024-09-01", "2025-06-01 to now"]),
        ([memberships.never()], True, ["2025-06-01 to now"]),
        ([], "2025-08-31", ["2025-06-01 to 2025-08-31"]),
        ([Period(SPRING)], "2025-08-31", ["2024-03-01 to 2025-08-31"]),
        ([Period(SPRING)], "2025-02-28", ["2024-03-01 to 2025-02-28"]),
        ([], "2025-02-28", [str(memberships.never())]),
    ),
)
def test_a_claim_tells_periods_a_last_day_or_whether_somebody_is_a_member(
    mia, before, claim, after
):
    if before:
        replace(mia, before, source=Source.CLAIM)

    for _ in range(2):  # as at the next sign-in of that day
        take_claim(mia, claim, today=TODAY)
        assert told(mia, Source.CLAIM) == after


@pytest.mark.parametrize(
    "claim",
    (
        None,
        1,
        "",
        "soon",
        {"since": "2024-09-01"},
        ["2024-09-01"],
        [{"until": "2024-09-01"}],
        [{"since": 2024}],
        [{"since": "2024-09-01", "until": 2025}],
        [{"since": "2024-09-01", "until": "2024-08-01"}],
        [{"since": "2024-09-01"}] * 101,
    ),
)
def test_a_claim_that_cannot_be_understood_changes_nothing(mia, claim):
    replace(mia, [Period(SPRING)], source=Source.CLAIM)

    with pytest.raises(Invalid):
        take_claim(mia, claim, today=TODAY)

    assert told(mia) == ["2024-03-01 to now"]


def test_a_claim_decides_what_is_seen_at_the_next_request(mia):
    make_photo(collection=make_collection(policy=Collection.Policy.OPEN))  # of June 2024
    seen = []
    for claim in (True, False, True, [{"since": "2024-01-01", "until": "2024-12-31"}], []):
        take_claim(mia, claim)
        seen.append(scope_of(mia, Purpose.BROWSE).media().count())

    assert seen == [1, 0, 1, 1, 1]
