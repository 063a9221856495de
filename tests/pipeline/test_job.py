"""A job is checked where it is made: every field, by its name, in this program's own errors."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidcolor.errors import UsageError, VidcolorError
from vidcolor.pipeline.job import DEFAULTS, FILM_FIELDS, STYLE_FIELDS, Job, seconds


def job(**asked: Any) -> Job:
    return Job(**({"input": "film.mp4", "out": "out.mp4"} | asked))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"vividness": 9}, "between 0 and 2"),
        ({"vividness": float("nan")}, "between 0 and 2"),
        ({"vividness": "much"}, "a number"),
        ({"steady": "foo"}, "off or causal"),
        ({"color_from": "life"}, "film or style"),
        ({"device": "abacus"}, "no such device"),
        ({"device": "openvino:NPU"}, "no such device"),
        ({"crf": float("inf")}, "a number"),
        ({"crf": "18"}, "a number"),
        ({"codec": 264}, "text"),
        ({"lossless": "yes"}, "True or False"),
        ({"start": "yesterday"}, "not a time"),
        ({"start": -1}, "not a time"),
        ({"start": True}, "not a time"),
        ({"start": "1e99999999999"}, "not a time"),
        ({"end": "1:2:3:4"}, "not a time"),
        ({"end": float("nan")}, "not a time"),
        ({"end": 0}, "later than 0"),
        ({"end": 2, "start": 3}, "later than start=3"),
        ({"threads": -3}, "between 0 and 1024"),
        ({"threads": 99999999999}, "between 0 and 1024"),
        ({"threads": 1.5}, "whole number"),
        ({"prefetch": 0}, "between 1 and 256"),
        ({"style": 7}, "text"),
        ({"style": "kiss", "style_strength": 1.1}, "between 0 and 1"),
        ({"style": "kiss", "style_size": "huge"}, "fast"),
        ({"style": "kiss", "style_at": (("soon", "kiss"),)}, "not a time"),
        ({"style_strength": 0.5}, "no style"),
        ({"out": "a\0b.mkv"}, "no name may"),
        ({"out": "\ud800.mkv"}, "no name may"),
        ({"style": "x" * 5000}, "too long"),
        ({"threads": 10**5000}, "very large number"),
        ({"device": "tensorrt:" + "9" * 5000}, "too long"),
        ({"device": "tensorrt:9999"}, "no such device"),
        ({"style": "kiss", "style_at": "00:03=kiss"}, "pairs"),
        ({"style": "kiss", "style_at": [(1, "kiss", 2)]}, "pairs"),
        ({"input": ""}, "empty"),
        ({"input": 5}, "a path"),
        ({"recolor": True, "only_grey": True}, "exclude"),
        ({"vividity": 1}, "no such field"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_what_cannot_be_is_told_by_its_field(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        job(**asked)
    assert caught.value.field in asked
    assert caught.value.field in str(caught.value)
    assert "\n" not in str(caught.value)


def test_times_paths_and_sizes_may_be_given_in_several_ways() -> None:
    made = job(start=1.5, end="1:00:00.25", style="kiss", style_size="best", style_at=((3, "scream"), ("0:04", "kiss")))
    assert (made.input, made.out) == (Path("film.mp4"), Path("out.mp4"))
    assert (made.start, made.end) == (Fraction(3, 2), Fraction(14401, 4))
    assert made.style_size == 640
    assert made.style_at == ((Fraction(3), "scream"), (Fraction(4), "kiss"))
    assert job(start=0.1).start == Fraction(1, 10)
    assert job(start=Decimal("0.1"), end=np.int64(3)).end == 3
    made = job(threads=np.int64(2), crf=np.float32(18), input=PurePosixPath("a.mp4"))
    assert (made.threads, made.crf, type(made.threads), type(made.crf)) == (2, 18.0, int, float)


def test_a_changed_job_is_checked_again_and_none_can_be_written() -> None:
    with pytest.raises(UsageError, match="between"):
        replace(job(), vividness=3)
    with pytest.raises(AttributeError):
        job().vividness = 3  # type: ignore[misc]


def test_positions_are_fields_too() -> None:
    with pytest.raises(UsageError, match="vividness") as caught:
        Job("a", "b", "c")  # type: ignore[arg-type]
    assert caught.value.field == "vividness"
    with pytest.raises(UsageError, match="out: is missing"):
        Job("a")  # type: ignore[call-arg, arg-type]


def test_lists_of_fields_name_fields() -> None:
    assert {*FILM_FIELDS, *STYLE_FIELDS} <= DEFAULTS.keys() == {field.name for field in fields(Job)}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(DEFAULTS)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.binary(max_size=4),
)
def test_no_value_of_any_field_raises_anything_else(name: str, value: Any) -> None:
    try:
        made = job(**{name: value})
    except VidcolorError as error:
        assert error.status == 2
    else:
        assert getattr(made, name) is not ...


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=1000))
def test_seconds_are_exact(time: Fraction) -> None:
    assert seconds(time) == time
    hours, minutes = divmod(time, 3600)
    assert seconds(f"{int(hours)}:{int(minutes // 60)}:{float(int(minutes % 60)):g}") == int(time)
