"""What presets are judged by, on a tiny clip of known content."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.speed import presets
from benchmarks.speed.presets import Material


@pytest.fixture
def given(tmp_path: Path) -> Material:
    """Six frames of 96 x 64: grain over a ramp that moves, each of its own colour."""
    path, rng = tmp_path / "col_ramp.mkv", np.random.default_rng(0)
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(6):
            codes = np.full((96, 96), 100 + 8 * number, np.uint8)
            codes[:64] = np.roll(np.linspace(40, 200, 96), 2 * number) + rng.normal(0, 6, (64, 96))
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(codes, format="yuv420p")))
        writer.mux(stream.encode(None))
    return presets.material(path, 5, tmp_path)


def test_a_colour_clip_is_taken_as_it_is(given: Material) -> None:
    assert [int(cb.mean()) for _, (_, cb, _) in given.frames] == [100, 108, 116, 124, 132]
    assert len({pts for pts, _ in given.frames}) == 5


def test_fidelity_is_that_of_the_squared_error(given: Material) -> None:
    seen = [(y + np.uint8(1), cb + np.uint8(2), cr) for _, (y, cb, cr) in given.frames]
    peak = 20 * np.log10(255)
    assert presets.fidelity(given, seen, 0) == pytest.approx(peak, abs=1e-4)
    assert presets.fidelity(given, seen, 1, 2) == pytest.approx(peak - 10 * np.log10(2), abs=1e-4)
    assert presets.fidelity(given, seen, 2) == float("inf")
    with pytest.raises(ValueError, match="shorter"):
        presets.fidelity(given, seen[:-1], 0)


def test_every_frame_comes_back_in_its_place(given: Material) -> None:
    coded, seconds = presets.encode(given, "medium", 4)
    assert seconds > 0
    found = presets.score(given, coded)
    assert found["bytes"] == sum(len(bytes(packet)) for packet in coded[1:])
    assert found["luma_psnr"] > 48
    assert found["chroma_psnr"] > 48
    assert 0.99 < found["ssim"] <= 1
    worse = presets.score(given, presets.encode(given, "medium", 30)[0])
    assert all(worse[key] < found[key] for key in found)


@pytest.mark.parametrize(("preset", "effort"), [("medium", b"subme=7"), ("veryfast", b"subme=2")])
def test_the_encoder_gets_preset_and_crf(given: Material, preset: str, effort: bytes) -> None:
    told = b"".join(map(bytes, presets.encode(given, preset, 21.5)[0]))  # x264 writes its options into the stream
    assert effort in told
    assert b"crf=21.5" in told


def test_the_crf_of_a_known_quality_is_found(given: Material) -> None:
    wanted = presets.fidelity(given, presets.decode(presets.encode(given, "fast", 15)[0]), 0)
    crf = presets.matching(given, "fast", wanted)
    assert presets.fidelity(given, presets.decode(presets.encode(given, "fast", crf)[0]), 0) == pytest.approx(wanted, abs=0.2)
    assert crf == pytest.approx(15, abs=0.5)


def test_an_enlarged_clip_keeps_its_middle_and_its_colours(given: Material) -> None:
    large = presets.enlarge(given, 192, 96)  # of 96 x 48
    assert [plane.shape for plane in large.frames[0][1]] == [(96, 192), (48, 96), (48, 96)]
    assert int(large.frames[3][1][1].mean()) == 124
    assert len(presets.decode(presets.encode(large, "superfast", 18)[0])) == 5


def test_rows_are_told_by_the_first_preset(given: Material) -> None:
    rows = presets.measure(given, ("medium", "superfast"))
    assert [(row["preset"], row["same"]) for row in rows] == [("medium", "crf"), ("superfast", "crf"), ("superfast", "luma PSNR")]
    assert (rows[0]["size_ratio"], rows[0]["cost_ratio"]) == (1, 1)
    assert rows[1]["size_ratio"] == rows[1]["bytes"] / rows[0]["bytes"]
    assert rows[2]["cost_ratio"] == rows[2]["core_ms"] / rows[0]["core_ms"]
    assert rows[1]["crf"] == presets.CRF
    (mean,) = presets.averaged([[{"preset": "fast", "ssim": 0.5}], [{"preset": "fast", "ssim": 1.0}]])
    assert mean == {"preset": "fast", "ssim": 0.75}
