from __future__ import annotations

from fractions import Fraction

import pytest

from vidcolor.errors import FieldError, UsageError
from vidcolor.wording import field, spoken


def test_a_field_is_named_as_the_person_at_hand_gives_it() -> None:
    assert field("crf") == "crf"
    assert field("crf", 18.0) == "crf=18"
    assert field("codec", "hevc") == "codec='hevc'"
    with spoken(lambda name, value: f"--{name} {value}"):
        assert field("crf", 18) == "--crf 18"
    assert field("start", Fraction(1, 2)) == "start=0.5"


def test_the_former_words_come_back_after_an_error() -> None:
    with pytest.raises(KeyError), spoken(lambda name, value: "-x"):
        raise KeyError
    assert field("crf") == "crf"


def test_a_field_error_names_its_field() -> None:
    error = FieldError("vividness", 9.0, "must be between 0 and 2")
    assert isinstance(error, UsageError)
    assert (error.field, error.status, str(error)) == ("vividness", 2, "vividness=9: must be between 0 and 2")
