"""A sample of a film: few frames, spread over it, quickly."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.media.clips import make
from tests.media.reading import plain
from vidcolor.analysis.borders import find_box
from vidcolor.analysis.tint import judge
from vidcolor.errors import InputError
from vidcolor.media.input import sample as sampling
from vidcolor.media.input.probe import probe
from vidcolor.media.input.sample import _coarse_to_fine, sample
from vidcolor.picture.planes import Planes

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
JUDGED = {
    "bw_chaplin_policeman.mp4": ("grey", (72, 0, 498, 360)),
    "bw_damaged_reel_1903_1920.mp4": ("grey", (0, 0, 480, 368)),
    "bw_his_girl_friday_1940.mp4": ("grey", (2, 0, 634, 480)),
    "bw_new_york_drive_1940s.mp4": ("grey", (0, 0, 960, 696)),
    "bw_silent_chase_wall.mp4": ("grey", (8, 0, 626, 480)),
    "col_bikes_street_cuts.mp4": ("color", (0, 0, 640, 272)),
    "col_children_bedroom.mp4": ("color", (0, 0, 960, 540)),
    "col_dog_and_woman.mp4": ("color", (0, 0, 1280, 720)),
    "col_flower_timelapse.mp4": ("color", (0, 0, 960, 540)),
    "col_football_juggle.mp4": ("color", (0, 0, 1280, 720)),
    "col_highway_drive.mp4": ("color", (0, 0, 960, 540)),
    "col_indoor_person_10fps.mp4": ("color", (0, 0, 768, 432)),
    "col_tears_of_steel_cuts.webm": ("color", (0, 0, 800, 332)),
    "x_hdr10_pq_bt2020_derived.mp4": ("color", (0, 0, 640, 360)),
    "x_hevc_10bit_tiny.mp4": ("color", (0, 0, 200, 200)),
    "x_interlaced_tff_derived.mpg": ("color", (0, 0, 640, 360)),
    "x_rotated90_tiny.mov": ("color", (0, 0, 568, 320)),
    "x_rotated_vfr_phone.mp4": ("color", (0, 0, 1280, 720)),
}


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


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "mpeg2video"), ("a.avi", "mpeg4")])
def test_a_key_frame_is_decoded_once_and_frames_behind_each_come_along(tmp_path, monkeypatch, name, codec):
    scenes = {"x264-params": "scenecut=0"} if codec == "libx264" else {"sc_threshold": "1000000000"}
    film = probe(make(tmp_path / name, codec=codec, frames=60, options={"g": "20", "bf": "0", **scenes}))
    taken: list[int] = []
    unpack = sampling.unpack
    monkeypatch.setattr(sampling, "unpack", lambda frame, layout: (taken.append(frame.pts), unpack(frame, layout))[1])
    found: dict[int, Planes] = {}
    places = sampling._key_frames(film, found, 16, time.monotonic() + 60)
    keys = [place.pts for place in places]
    assert keys == sorted(found) == sorted(taken)
    assert len(keys) in (2, 3)  # a transport stream says nothing of its length that is exact
    sampling._fill(film, found, 16, time.monotonic() + 60, places)
    assert len(found) == len(taken) >= 14
    each = [sum(a <= pts < b for pts in found) for a, b in zip(keys, [*keys[1:], max(found) + 1], strict=True)]
    assert min(each) >= 4


def test_a_damaged_frame_is_better_than_none(tmp_path):
    path = make(tmp_path / "a.avi", codec="mpeg4", size=(64, 48), frames=60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])  # which loses the index: one frame comes, and not whole
    assert [frame.is_corrupt for frame in plain(path)] == [True]
    assert len(sample(probe(path))) == 1


def test_a_film_of_which_nothing_decodes_is_refused(tmp_path, monkeypatch):
    film = probe(make(tmp_path / "a.mkv", frames=10))
    monkeypatch.setattr(sampling, "_fits", lambda frame, film: False)
    with pytest.raises(InputError, match="no frame can be decoded"):
        sample(film)


@pytest.mark.skipif(not CLIPS.exists(), reason="shared clips are not here")
@pytest.mark.parametrize("name", JUDGED)
def test_real_films_are_judged_by_their_samples(name):
    pictures = sample(probe(CLIPS / name))
    assert (judge(pictures).kind, tuple(find_box(pictures))) == JUDGED[name]


def test_sampling_order_is_spread_from_the_beginning():
    assert sorted(_coarse_to_fine(13)) == list(range(13))
    assert _coarse_to_fine(8)[:4] == [0, 4, 2, 6]
    assert _coarse_to_fine(1) == [0]
