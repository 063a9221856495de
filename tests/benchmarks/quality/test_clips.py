"""Steadiness of whole clips, through the program's own stages, with networks whose answer is known."""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.quality import __main__ as quality
from benchmarks.quality import clips
from benchmarks.quality.generators import Point

BLUE, RED = 0.05, -0.03
FRAMES = 12


def write_clip(path: Path, cut: int | None = None, colored: bool = True) -> Path:
    """A still scene of 256 x 256 in one colour, in FFV1; another scene from frame `cut` on."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("ffv1", rate=Fraction(25))
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        for number in range(FRAMES):
            after = cut is not None and number >= cut
            rng = np.random.default_rng(int(after))
            noise = cv2.GaussianBlur(rng.uniform(0, 1, (256, 256)).astype(np.float32), (0, 0), 4)
            luma = 60 + 120 * (noise - noise.min()) / (noise.max() - noise.min()) + (40 if after else 0)
            color = (RED, BLUE) if after else (BLUE, RED)
            codes = [np.full((128, 128), 128 + 224 * c * colored, np.float32) for c in color]
            picture = np.concatenate([plane.reshape(-1, 256) for plane in (luma, *codes)])
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(np.rint(picture).astype(np.uint8), format="yuv420p")))
        writer.mux(stream.encode(None))
    return path


class Flicker:
    """A source whose network adds and takes away 0.02 of Cb in turn."""

    label, precision = "flicker", "f32"

    def __init__(self) -> None:
        self.calls = 0

    def open(self, batch: int, height: int, width: int) -> "Flicker":
        return self

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.calls += 1
        chroma = np.zeros((1, 2, *(side // 4 for side in inputs["luma"].shape[2:])), np.float32)
        chroma[:, 0], chroma[:, 1] = 0.1 + 0.02 * (-1) ** self.calls, 0.05
        return {"chroma": chroma, "confidence": np.ones_like(chroma[:, :1])}

    def close(self) -> None:
        pass


def test_a_coloured_clip_brings_its_true_chroma_and_a_grey_one_none(tmp_path: Path) -> None:
    clip = clips.load(write_clip(tmp_path / "a.mkv"))
    assert clip.truth is not None
    assert len(clip.luma) == len(clip.truth) == FRAMES
    assert clip.luma[0].shape == (256, 256)
    np.testing.assert_allclose(clip.truth[0][0], BLUE, atol=1 / 224)
    np.testing.assert_allclose(clip.truth[0][1], RED, atol=1 / 224)
    assert clips.load(write_clip(tmp_path / "b.mkv", colored=False)).truth is None
    assert len(clips.load(tmp_path / "a.mkv", limit=5).luma) == 5


def test_flicker_has_its_warp_error_and_steadiness_lessens_it(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "still.mkv")
    result = clips.measure([path], Flicker(), Point(1, 0), ["off", "causal"], None, tmp_path)
    scores = result["clips"]["still"]
    # Cb changes by 0.04 from frame to frame and not at all over eight; Cr stays
    assert scores["off"]["warp_1"] == pytest.approx(0.04**2 / 2, rel=0.02)
    assert scores["off"]["warp_8"] == pytest.approx(0, abs=1e-9)
    assert scores["causal"]["warp_1"] < 0.3 * scores["off"]["warp_1"]
    assert scores["truth"]["warp_1"] == pytest.approx(0, abs=1e-9)
    assert scores["truth"]["cdc"] == 0
    assert scores["off"]["cdc"] > scores["causal"]["cdc"] > 0
    assert result["means"]["off"] == {key: scores["off"][key] for key in ("warp_1", "warp_8", "cdc", "colourfulness")}
    sheet = cv2.imread(str(tmp_path / "still.png"))
    assert sheet.shape[0] == 4 * 192 + 3 * 4  # grey, off, causal, truth


def test_a_cut_is_no_unsteadiness(tmp_path: Path) -> None:
    clip = clips.load(write_clip(tmp_path / "cut.mkv", cut=6))
    assert clip.shots == [0] * 6 + [1] * 6
    assert clip.truth is not None
    scores = clips.compare(clip, {"truth": clip.truth})["truth"]
    assert scores["warp_1"] == pytest.approx(0, abs=1e-9)
    assert "warp_8" not in scores  # no two frames of a shot are eight apart
    assert scores["cdc"] == 0


def test_gain_is_part_of_the_point(tmp_path: Path) -> None:
    clip = clips.load(write_clip(tmp_path / "a.mkv"), limit=2)
    plain, doubled = (clips.color(clip, Flicker(), Point(1, 0, gain), "off") for gain in (0.5, 1))
    np.testing.assert_allclose(doubled[0], 2 * plain[0].astype(np.float32), atol=1e-3)


def test_the_shipped_network_runs_and_the_result_reads_as_a_table(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "col_small.mkv")
    args: argparse.Namespace = quality.parse(["clips", "--clips", str(path), "--limit", "3", "--steady", "off", "--precision", "f32"])
    result = quality.run_clips(args)
    assert result["network"] == "colorize-fast (f32)"
    table = quality.clip_table(result)
    assert [row.split()[1] for row in table.splitlines()[1:]] == ["off", "truth"] * 2
    assert "nan" in table  # three frames know nothing of eight


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no clip whose name begins"):
        quality.run_clips(quality.parse(["clips", "--clips", str(tmp_path)]))
