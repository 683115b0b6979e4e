import pytest

from lookwho.core.errors import Invalid
from lookwho.services.sealing import seal, unseal


def test_what_is_sealed_can_be_read_with_the_key_alone(settings):
    sealed = seal("grün")
    assert "grün" not in sealed
    assert unseal(sealed) == "grün"

    settings.SECRET_KEY = "another one, of the same length"
    with pytest.raises(Invalid, match="secret key"):
        unseal(sealed)


def test_what_is_sealed_cannot_be_altered():
    sealed = seal("text")

    with pytest.raises(Invalid):
        unseal(sealed[:-4] + ("AAA=" if sealed[-4:] != "AAA=" else "BBB="))
