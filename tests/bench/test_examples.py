import doctest
import importlib

import pytest

MODULES = ("calibration", "people", "photos", "rounds", "sightings", "tables")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name):
    result = doctest.testmod(
        importlib.import_module(f"bench.{name}"), optionflags=doctest.NORMALIZE_WHITESPACE
    )

    assert result.attempted > 0
    assert result.failed == 0
