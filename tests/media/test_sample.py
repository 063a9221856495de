"""A sample of a film: few frames, spread over it, quickly."""

from __future__ import annotations

import numpy as np

from tests.media.clips import make
from tests.media.reading import plain
from vidcolor.media.probe import probe
from vidcolor.media.sample import _coarse_to_fine, sample


def test_a_sample_is_spread_sorted_and_owned(tmp_path):
    path = make(tmp_path / "a.mp4", frames=100, options={"g": "5"})
    pictures = sample(probe(path), most=8)
    assert len(pictures) == 8
    assert all(p.y.flags.owndata for p in pictures)
    lumas = [f.to_ndarray()[:48] for f in plain(path)]
    places = [next(i for i, luma in enumerate(lumas) if np.array_equal(p.y, luma)) for p in pictures]
    assert places == sorted(set(places)) and places[0] < 15 and places[-1] > 80


def test_few_key_frames_are_filled_up_and_bare_streams_are_sampled_too(tmp_path):
    assert len(sample(probe(make(tmp_path / "a.mp4", frames=64, options={"g": "250"})), most=16)) >= 8
    assert len(sample(probe(make(tmp_path / "a.h264", container="h264", frames=20)), most=16)) == 16


def test_sampling_order_is_spread_from_the_beginning():
    assert sorted(_coarse_to_fine(13)) == list(range(13))
    assert _coarse_to_fine(8)[:4] == [0, 4, 2, 6]
    assert _coarse_to_fine(1) == [0]
