import os

from hypothesis import given
from hypothesis import strategies as st

from lookwho.library.paths import escaped, unescaped

names = st.binary(min_size=1, max_size=60).map(os.fsdecode)


@given(names)
def test_every_name_comes_back_as_it_was(name):
    assert unescaped(escaped(name)) == name


@given(names)
def test_every_name_can_be_stored_as_text(name):
    escaped(name).encode("utf-8")


@given(names, names)
def test_different_names_are_stored_differently(one, other):
    assert (escaped(one) == escaped(other)) == (one == other)
