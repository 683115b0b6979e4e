import pytest

from lookwho.core.errors import FileMissing, Forbidden, Invalid
from lookwho.library.models import Setting
from lookwho.services import options
from tests.people import a_user

pytestmark = pytest.mark.django_db


def test_what_nobody_chose_is_the_default():
    assert options.all_chosen() == {each.name: each.default for each in options.OPTIONS}
    assert options.chosen(options.JOBS) == 30


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: option.name)
def test_each_may_be_chosen_within_its_bounds(option):
    owner = a_user("owner")
    for value in (option.least, option.most):
        options.choose(owner, option.name, value)
        assert options.chosen(option.name) == options.all_chosen()[option.name] == value
    for value in (option.least - 1, option.most + 1):
        with pytest.raises(Invalid):
            options.choose(owner, option.name, value)
    assert options.chosen(option.name) == option.most


def test_yes_is_kept_as_selfies_read_it():
    options.choose(a_user("owner"), "selfies_need_approval", 1)

    assert Setting.objects.get(name="selfies_need_approval").value is True


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_choose(role):
    with pytest.raises(Forbidden):
        options.choose(a_user(role), options.JOBS, 10)
    with pytest.raises(Forbidden):
        options.watch_list(a_user(role), "")


def test_there_is_no_other_option():
    with pytest.raises(Invalid, match="keep_jobs_days"):
        options.choose(a_user("owner"), "nonsense", 1)


def test_a_list_of_members_is_watched_only_where_it_can_be_read(tmp_path):
    owner = a_user("owner")
    (tmp_path / "notes.txt").write_text("milk, eggs")

    with pytest.raises(FileMissing):
        options.watch_list(owner, str(tmp_path / "none.csv"))
    with pytest.raises(Invalid):
        options.watch_list(owner, str(tmp_path / "notes.txt"))
    assert options.members_list() == ""

    members = tmp_path / "members.csv"
    members.write_text("external_id,name,since\n1,Anna,2024-01-01\n")
    options.watch_list(owner, f" {members} ")
    assert options.members_list() == str(members)
    options.watch_list(owner, "")
    assert options.members_list() == ""
