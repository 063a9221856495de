"""--style from end to end, drawn by a network of a few operators: what comes out, what is said, what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.job.films import ShadePool
from tests.media.clips import make
from tests.style_networks import encoder, install, write, write_style
from vidcolor.cli.color import Tools
from vidcolor.errors import InterruptedRunError
from vidcolor.job import plan
from vidcolor.job import run as run_plan
from vidcolor.job.segments import Lengths
from vidcolor.networks import cards as networks
from vidcolor.networks import styles
from vidcolor.pipeline.events import Event, SegmentDone
from vidcolor.pipeline.job import Job


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("program") / "networks")


@pytest.fixture
def program(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in; the program has small style networks, and its generator is Shade."""
    monkeypatch.setattr(networks, "PLACES", (installed,))
    monkeypatch.setenv(styles.FOLDER_VARIABLE, str(tmp_path / "own"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def run(run_command: Any) -> Any:
    return partial(run_command, tools=Tools(ShadePool))


def film(path: Path, **more: Any) -> Path:
    return make(path, **({"size": (96, 64), "frames": 6} | more))


def frames(path: Path, pix_fmt: str = "rgb24") -> np.ndarray:
    with av.open(str(path)) as box:
        return np.stack([frame.to_ndarray(format=pix_fmt) for frame in box.decode(video=0)])


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize("color", [False, True])
def test_a_film_comes_back_restyled_with_its_sound_and_times(program: Path, run: Any, color: bool) -> None:
    source = film(program / "film.mkv", color=color, audio=["aac"])
    status, said, _ = run(source, "--style", "warm", "-o", "out.mkv", "--json")
    assert status == 0
    report = json.loads(said)
    assert (report["style"], report["frames"], report["frames_styled"]) == ("warm", 6, 6)
    assert report["frames_colored"] == (0 if color else 6)
    assert report["network"] == ("" if color else "colorize-fast")
    out = frames(program / "out.mkv").astype(int)
    assert out[..., 0].mean() > out[..., 2].mean() + 60, "warm is red"
    with av.open("out.mkv") as ours, av.open(str(source)) as theirs:
        assert [s.type for s in ours.streams] == ["video", "audio"]
        assert [f.pts * f.time_base for f in ours.decode(video=0)] == [f.pts * f.time_base for f in theirs.decode(video=0)]


def test_ten_bits_come_out_as_ten_bits(program: Path, run: Any) -> None:
    film(program / "film.mkv", pix_fmt="yuv420p10le", codec="libx265", color=True)
    assert run("film.mkv", "--style", "warm", "-o", "out.mkv", "--codec", "hevc")[0] == 0
    with av.open("out.mkv") as box:
        assert next(box.decode(video=0)).format.name == "yuv420p10le"
    luma = frames(Path("out.mkv"), "gray10le")
    assert len(np.unique(luma)) > 256 or np.any(luma % 4)


def test_at_strength_0_a_colour_film_is_what_it_was(program: Path, run: Any) -> None:
    film(program / "film.mkv", color=True)
    assert run("film.mkv", "--style", "warm", "--style-strength", 0, "--codec", "ffv1", "-o", "out.mkv")[0] == 0
    assert np.array_equal(frames(Path("out.mkv"), "yuv420p"), frames(Path("film.mkv"), "yuv420p"))


def test_keep_colors_is_colour_from_the_film(program: Path, run: Any) -> None:
    film(program / "film.mkv", color=True)
    for name, words in (("a", ["--keep-colors"]), ("b", ["--color-from", "film"]), ("c", [])):
        assert run("film.mkv", "--style", "warm", "--codec", "ffv1", "-o", f"{name}.mkv", *words)[0] == 0
    a, b, c, source = (frames(Path(f"{name}.mkv"), "yuv420p") for name in ("a", "b", "c", "film"))
    assert np.array_equal(a, b)
    assert np.abs(a[:, 64:].astype(int) - source[:, 64:]).mean() < 3 < np.abs(c[:, 64:].astype(int) - source[:, 64:]).mean()
    assert not np.array_equal(a[:, :64], source[:, :64])


def test_a_mix_lies_between_its_styles(program: Path, run: Any) -> None:
    film(program / "film.mkv", color=True)
    means = {}
    for word in ("warm", "cold", "warm:0.5,cold:0.5", "warm,cold"):
        assert run("film.mkv", "--style", word, "--codec", "ffv1", "-o", "out.mkv", "--overwrite")[0] == 0
        means[word] = frames(Path("out.mkv")).mean((0, 1, 2))
    assert np.abs(means["warm,cold"] - means["warm:0.5,cold:0.5"]).max() == 0
    assert np.abs(means["warm,cold"] - (means["warm"] + means["cold"]) / 2).max() < 8


def test_a_network_of_one_style_needs_no_code(program: Path, run: Any) -> None:
    own = program.parent / "own"
    own.mkdir()
    write_style(own, "drawn", network="drawing", code=[])
    film(program / "film.mkv", color=True)
    assert run("film.mkv", "--style", "drawn", "--codec", "ffv1", "-o", "out.mkv")[0] == 0
    assert np.abs(frames(Path("out.mkv")).mean() - frames(Path("film.mkv")).mean() / 2) < 3
    write_style(own, "wrong", network="drawing")
    status, _, error = run("film.mkv", "--style", "wrong", "-o", "other.mkv")
    assert status == 6 and "takes 0" in error
    write_style(own, "hollow", code=[])
    status, _, error = run("film.mkv", "--style", "hollow", "-o", "other.mkv")
    assert status == 6 and "has 0 numbers" in error


def test_the_style_changes_at_the_time_asked_for(program: Path, run: Any) -> None:
    film(program / "film.mkv", frames=12)
    words = ["--style-at", "0.4=warm", "--style-at", "0.2=cold", "--codec", "ffv1"]
    assert run("film.mkv", "--style", "warm", *words, "-o", "out.mkv")[0] == 0
    red = (frames(Path("out.mkv"))[..., 0].astype(int) - frames(Path("out.mkv"))[..., 2]).mean((1, 2))
    assert (red[:5] > 40).all() and (red[5:10] < -40).all() and (red[10:] > 40).all()
    _, said, _ = run("film.mkv", "--style", "warm", *words, "-o", "other.mkv", "--dry-run")
    assert "warm, from 0.2 s cold, from 0.4 s warm" in said


def test_any_picture_is_a_style(program: Path, run: Any) -> None:
    film(program / "film.mkv")
    green = np.zeros((48, 64, 3), np.uint8) + np.array([40, 200, 60], np.uint8)
    green[:24] //= 2
    cv2.imwrite("meadow.png", green)
    status, _, said = run("film.mkv", "--style", "meadow.png")
    assert status == 0, said
    out = frames(Path("film.meadow.mkv")).mean((0, 1, 2))
    assert out[1] > out[0] + 40
    assert out[1] > out[2] + 40


def test_a_still_is_restyled_as_it_is_stored(program: Path, run: Any) -> None:
    rgb = cv2.resize(np.random.default_rng(0).integers(0, 65535, (6, 8, 3), dtype=np.uint16), (96, 64), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite("photo.png", rgb)
    assert run("photo.png", "--style", "warm")[0] == 0
    out = cv2.imread("photo.warm.png", cv2.IMREAD_UNCHANGED)
    assert (out.dtype, out.shape) == (np.uint16, rgb.shape)
    assert out[..., 2].mean() > out[..., 0].mean() + 15000
    assert run("photo.png", "--style", "warm", "--style-strength", "0", "-o", "same.png")[0] == 0
    assert np.abs(cv2.imread("same.png", cv2.IMREAD_UNCHANGED).astype(int) - rgb).max() <= 4


def test_without_output_the_name_tells_the_style_and_a_second_batch_leaves_it_alone(program: Path, run: Any) -> None:
    (program / "in").mkdir()
    film(program / "in" / "a.mp4")
    assert run("in", "--style", "warm:0.5,cold:0.5")[0] == 0
    assert run("in", "--style", "warm:0.5,cold:0.5", "--overwrite")[0] == 0
    assert sorted(p.name for p in Path("in").iterdir()) == ["a.mp4", "a.warm+cold.mp4"]


def test_the_plan_says_the_style(program: Path, run: Any) -> None:
    film(program / "film.mp4")
    words = ["film.mp4", "-o", "out.mp4", "--style", "warm", "--style-strength", "0.5", "--style-size", "fast", "--dry-run"]
    status, said, _ = run(*words)
    assert status == 0
    assert "warm, strength 0.5, seen at 256 by stylize" in said
    _, said, _ = run(*words, "--json", "--keep-colors")
    told = json.loads(said)
    style = {"name": "warm", "network": "stylize", "strength": 0.5, "size": 256, "color_from": "film", "changes": []}
    assert told["style"] == style
    assert told["network"] == "colorize-fast"
    assert told["estimate"] > 0


def test_a_colour_film_that_is_restyled_needs_no_generator(program: Path, run: Any) -> None:
    film(program / "film.mp4", color=True)
    _, said, _ = run("film.mp4", "-o", "out.mp4", "--style", "warm", "--dry-run", "--json")
    told = json.loads(said)
    assert (told["network"], told["kind"]) == (None, "color")
    _, said, _ = run("film.mp4", "-o", "out.mp4", "--style", "warm", "--dry-run", "--json", "--recolor")
    assert json.loads(said)["network"] == "colorize-fast"


@pytest.mark.parametrize(("words", "side"), [([], 64), (["--style-size", "best"], 640), (["--style-size", "96"], 96)])
def test_the_style_looks_as_closely_as_asked_and_never_closer_than_the_film_unasked(
    program: Path, run: Any, words: list[str], side: int
) -> None:
    film(program / "film.mp4")
    _, said, _ = run("film.mp4", "-o", "out.mp4", "--style", "warm", "--dry-run", "--json", *words)
    assert json.loads(said)["style"]["size"] == side


def test_preview_shows_the_style(program: Path, run: Any) -> None:
    film(program / "film.mp4", color=True)
    red = {}
    for name in ("cold", "warm"):
        assert run("film.mp4", "--style", name, "--preview", f"{name}.png")[0] == 0
        sheet = cv2.imread(f"{name}.png").astype(int)
        red[name] = (sheet[..., 2] - sheet[..., 0]).mean()
    assert red["warm"] > red["cold"] + 60


def test_with_only_grey_colour_shots_are_restyled_in_their_own_colour(program: Path, run: Any) -> None:
    film(program / "film.mkv", color=True)
    status, said, _ = run("film.mkv", "--style", "warm", "--only-grey", "-o", "out.mkv", "--json")
    assert status == 0
    assert (json.loads(said)["frames_colored"], json.loads(said)["frames_styled"]) == (0, 6)


def test_a_resumed_run_equals_an_unbroken_one_and_other_settings_are_refused(program: Path, run: Any) -> None:
    film(program / "film.mkv", frames=40, color=True)

    def stop(event: Event) -> None:
        if isinstance(event, SegmentDone):
            raise KeyboardInterrupt

    with ShadePool() as pool:
        asked = Job(Path("film.mkv"), Path("whole.mkv"), style="warm", threads=1)
        assert run_plan(plan(asked, pool), pool, lengths=Lengths(1, 1)).segments == 2
        with pytest.raises(InterruptedRunError):
            run_plan(plan(replace(asked, out=Path("out.mkv")), pool), pool, stop, lengths=Lengths(1, 1))
    for words in (["--style", "cold"], ["--style", "warm", "--style-strength", "0.5"], ["--style", "warm", "--style-size", "96"], []):
        status, _, said = run("film.mkv", "-o", "out.mkv", "--resume", "--threads", "1", "--recolor", *words)
        assert status == 2, said
        assert "style" in said
    assert run("film.mkv", "-o", "out.mkv", "--resume", "--threads", "1", "--style", "warm")[0] == 0
    assert np.array_equal(frames(Path("out.mkv"), "yuv420p"), frames(Path("whole.mkv"), "yuv420p"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--style", "wurm"], "did you mean warm"),
        (["--style", "warm,wurm"], "did you mean warm"),
        (["--style", "nosuch.jpg"], "no such picture"),
        (["--style", "warm:0.7,cold:0.1"], "sum to 0.8"),
        (["--style", "warm:-1,cold:2"], "negative"),
        (["--style", ""], "empty"),
        (["--style", "warm,other"], "different networks"),
        (["--style", "warm", "--style-strength", "1.5"], "--style-strength"),
        (["--style", "warm", "--style-size", "100"], "multiple of 32, such as 96"),
        (["--style", "warm", "--style-size", "0"], "multiple of 32"),
        (["--style", "warm", "--style-size", "huge"], "fast"),
        (["--style", "warm", "--color-from", "mars"], "film or style"),
        (["--style", "warm", "--color-from", "style", "--keep-colors"], "exclude"),
        (["--style-strength", "0.5"], "no --style"),
        (["--style-size", "fast"], "no --style"),
        (["--keep-colors"], "no --style"),
        (["--style-at", "1=warm"], "no --style"),
        (["--style", "warm", "--style-at", "1"], "TIME=STYLE"),
        (["--style", "warm", "--style-at", "soon=cold"], "not a time"),
        (["--style", "warm", "--style-at", "1=colt"], "did you mean cold"),
        (["--style", "warm", "--style-at", "1=cold", "--style-at", "1=plain"], "twice"),
        (["--style", "warm", "--style-at", "1=other"], "drawn by elsewhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_2_in_one_line_and_leave_nothing(program: Path, run: Any, words: list[str], said: str) -> None:
    film(program / "film.mp4")
    styles.own_folder().mkdir()
    write_style(styles.own_folder(), "other", network="elsewhere")
    status, _, heard = run("film.mp4", "-o", "out.mp4", *words)
    assert status == 2, heard
    assert said in one_line(heard)
    assert [p.name for p in program.iterdir()] == ["film.mp4"]


def test_a_style_picture_that_cannot_be_used_is_4(program: Path, run: Any) -> None:
    film(program / "film.mp4")
    Path("text.jpg").write_text("no picture")
    cv2.imwrite("tiny.png", np.zeros((31, 64, 3), np.uint8))
    for name, said in (("text.jpg", "is not a"), ("tiny.png", "at least 32")):
        status, _, heard = run("film.mp4", "-o", "out.mp4", "--style", name)
        assert status == 4
        assert said in one_line(heard)


def test_without_style_networks_the_reason_is_said(
    program: Path, run: Any, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(installed, bare)
    shutil.rmtree(bare / "styles")
    for name in ("stylize", "style-encoder"):
        (bare / f"{name}.json").unlink()
    monkeypatch.setattr(networks, "PLACES", (bare,))
    film(program / "film.mp4")
    cv2.imwrite("a.png", np.zeros((64, 64, 3), np.uint8))
    for style, wanted, said in (("anime", 2, "comes without styles"), ("a.png", 6, "does not come with this version")):
        status, _, heard = run("film.mp4", "-o", "out.mp4", "--style", style)
        assert status == wanted
        assert said in one_line(heard)


def test_hdr_is_refused_with_the_reason(program: Path, run: Any) -> None:
    film(program / "film.mkv", pix_fmt="yuv420p10le", codec="libx265", primaries=9, transfer=16, matrix=9)
    status, _, said = run("film.mkv", "-o", "out.mkv", "--style", "warm")
    assert status == 2
    assert "HDR (PQ)" in one_line(said)


def test_a_style_whose_network_is_missing_or_other_is_6(program: Path, run: Any) -> None:
    film(program / "film.mp4")
    styles.own_folder().mkdir()
    write_style(styles.own_folder(), "other", network="elsewhere")
    write_style(styles.own_folder(), "short", code=[1, 2])
    write_style(styles.own_folder(), "wrong", network="colorize-fast")
    write_style(styles.own_folder(), "old", encoder="0123456789abcdef")
    for name, said in (("other", "'elsewhere'"), ("short", "2 numbers"), ("wrong", "task colorize"), ("old", "add it again")):
        status, _, heard = run("film.mp4", "-o", "out.mp4", "--style", name)
        assert status == 6, heard
        assert said in one_line(heard)
    status, _, heard = run("film.mp4", "-o", "out.mp4", "--network", "stylize")
    assert status == 6
    assert "task stylize" in one_line(heard)


def test_styles_are_listed(program: Path, run: Any) -> None:
    status, said, _ = run("styles")
    assert status == 0
    assert all(name in said for name in ("cold", "plain", "warm", "public domain"))
    told = json.loads(run("styles", "--json")[1])
    assert [style["name"] for style in told] == ["cold", "plain", "warm"]
    assert told[0].keys() == {"name", "title", "painter", "date", "source", "licence", "network"}


def test_a_picture_is_added_as_a_style_and_used(program: Path, run: Any) -> None:
    film(program / "film.mp4")
    cv2.imwrite("My Picture.png", np.full((64, 64, 3), 90, np.uint8))
    assert run("styles", "add", "My Picture.png")[0] == 2
    assert run("styles", "add", "My Picture.png", "--name", "warm")[0] == 2
    status, _, said = run("styles", "add", "My Picture.png", "--name", "mine")
    assert status == 0
    assert "mine.json" in one_line(said)
    assert run("styles", "add", "My Picture.png", "--name", "mine")[0] == 5
    assert run("styles", "add", "My Picture.png", "--name", "mine", "--overwrite")[0] == 0
    assert run("styles", "add", "nothing.png", "--name", "more")[0] == 4
    assert "mine" in [style["name"] for style in json.loads(run("styles", "--json")[1])]
    assert run("film.mp4", "--style", "mine")[0] == 0
    assert Path("film.mine.mp4").is_file()


def test_a_style_added_under_another_encoder_is_not_used_silently(
    installed: Path, program: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(program / "film.mp4")
    cv2.imwrite("picture.png", np.full((64, 64, 3), 90, np.uint8))
    assert run("styles", "add", "picture.png")[0] == 0
    later = program.parent / "later"
    shutil.copytree(installed, later)
    changed = encoder()
    changed.graph.name = "another"
    write(later, "style-encoder", "encode-style", changed, 256)
    monkeypatch.setattr(networks, "PLACES", (later,))
    status, _, said = run("film.mp4", "--style", "picture")
    assert status == 6
    assert "vidcolor styles add" in one_line(said)


@pytest.mark.parametrize("name", ["all.html", "all.png", "all.jpg"])
def test_a_gallery_shows_every_style_on_a_frame(program: Path, run: Any, name: str) -> None:
    film(program / "film.mp4")
    status, _, said = run("styles", "--gallery", name, "--on", "film.mp4")
    assert status == 0
    assert "3 styles" in one_line(said)
    if name.endswith("html"):
        text = Path(name).read_text()
        assert text.count("<img") == text.count("data:image/jpeg;base64,") == 4
        assert all(f"<b>{style}</b>" in text for style in ("original", "cold", "plain", "warm"))
        assert "http" not in text
    else:
        picture = cv2.imread(name).astype(int)
        assert picture.shape[1] == 4 * 480 + 3 * 8
        red = [(cell[..., 2] - cell[..., 0]).mean() for cell in (picture[:300, left : left + 480] for left in (488, 1464))]
        assert red[0] < -40 < 40 < red[1]
    assert run("styles", "--gallery", name, "--on", "film.mp4")[0] == 5
    assert run("styles", "--gallery", name, "--on", "film.mp4", "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--gallery", "a.html"], 2), (["--on", "film.mp4"], 2), (["--gallery", "a.pdf", "--on", "film.mp4"], 2), (["--nosuch"], 2),
        (["--gallery", "a.html", "--on", "missing.mp4"], 4), (["--gallery", "no/a.html", "--on", "film.mp4"], 5), (["add"], 2),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_words_of_styles_are_said_in_one_line(program: Path, run: Any, words: list[str], status: int) -> None:
    film(program / "film.mp4")
    got, _, said = run("styles", *words)
    assert got == status, said
    one_line(said)
    assert [p.name for p in program.iterdir()] == ["film.mp4"]
