import pytest

from lookwho.core import errors
from lookwho.core.errors import LookwhoError, from_code

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_the_same_after_its_code_and_message_travelled(kind):
    error = from_code(kind.code, "the dog ate it")

    assert (type(error), error.message) == (kind, "the dog ate it")


def test_a_code_from_a_later_version_is_still_an_error_of_ours():
    error = from_code("eaten_by_dog", "the dog ate it")

    assert (type(error), error.message) == (LookwhoError, "the dog ate it")
