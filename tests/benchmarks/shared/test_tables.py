"""Tables from results, and results themselves."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shared import machine, results, tables


def speed(time: str = "2030-01-01", ratio: float = 0.6, width: int = 1920, commit: str = "abc") -> dict[str, Any]:
    quartiles = {"median": ratio, "q1": ratio - 0.01, "q3": ratio + 0.01}
    return results.frame("throughput") | {
        "time": time,
        "commit": commit,
        "clip": {"name": "a.mp4", "width": width, "height": width * 9 // 16, "frames": 600, "bytes": 1},
        "report": {"frames": 600, "frames_colored": 600, "device": "openvino", "precision": "bf16"},
        "ratio": quartiles,
        "fps": {"ours": {"median": 18.0}, "transcode": {"median": 30.0}},
    }


def test_a_result_names_commit_and_machine() -> None:
    head = results.frame("anything")
    assert head["benchmark"] == "anything"
    about = head["machine"]
    assert about["cores"] >= 1
    assert {"processor", "features", "versions", "python", "memory_gb"} <= about.keys()
    assert "numpy" in about["versions"]
    json.dumps(head)


def test_commit_says_when_files_differ_from_it(tmp_path: Path) -> None:
    assert machine.commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t"]
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    clean = machine.commit(tmp_path)
    assert clean is not None
    assert len(clean) == 12
    (tmp_path / "a").write_text("2")
    assert machine.commit(tmp_path) == clean + "+"


def test_a_result_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.json"
    results.write({"a": "é"}, target)
    assert json.loads(target.read_text()) == {"a": "é"}
    with pytest.raises(TypeError):
        results.write({"a": object()}, target)
    assert json.loads(target.read_text()) == {"a": "é"}
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


def test_a_marked_table_is_made_anew_and_the_rest_stays() -> None:
    text = "before\n<!-- table:throughput -->\nold\n<!-- /table -->\nafter\n"
    made = tables.fill(text, [speed()])
    assert made.startswith("before\n<!-- table:throughput -->\n| clip |")
    assert made.endswith("|\n<!-- /table -->\nafter\n")
    assert "old" not in made
    assert "0.60 (0.59–0.61)" in made
    assert tables.fill(made, [speed()]) == made


def test_the_newest_result_of_each_size_is_shown() -> None:
    made = tables.throughput([speed("2030-01-02", 0.7), speed("2030-01-01", 0.5), speed("2030-01-01", 0.4, 3840)])
    assert "0.70" in made
    assert "0.50" not in made
    assert made.index("1920×1080") < made.index("3840×2160")


@pytest.mark.parametrize(("name", "why"), [("nonsense", "no table is called"), ("memory", "no result of memory")])
def test_a_table_that_cannot_be_made_is_a_failure(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tables.fill(f"<!-- table:{name} -->\n<!-- /table -->\n", [speed()])


def test_every_table_can_be_made() -> None:
    shape = {"clip": {"width": 64, "height": 36}}
    point = dict.fromkeys((*"abc", "gain_db", "ciede2000"), 1.0) | {"point": "0.6:0.5"}
    point |= {f"{key}_ratio": 0.5 for key in ("colourfulness", "frechet", "kid", "blotches", "dark_chroma", "patchiness")}
    version = {"warp_1": 1e-5, "cdc": 1e-4, "colourfulness": 20.0}
    wobble = {"clean": 1.0, "noisy": 2.0}
    found = [
        speed(),
        results.frame("startup") | shape | {"first_packet": {"median": 1.5}},
        results.frame("memory") | shape | {"peak_mib": 800, "growth": {"share": 0.01, "from": 200, "to": 2000}},
        results.frame("quality-photos") | {"network": "n", "photos": 3, "subset": "all", "points": [point], "grey": {"ciede2000": 9.0}},
        results.frame("quality-clips")
        | {
            "network": "n",
            "modes": ["off"],
            "clips": {"c": {"off": version, "truth": version}},
            "means": {"off": version, "truth": version},
        },
    ]
    found += [
        speed() | {"benchmark": "throughput-style", "settings": {"style": "s"}},
        results.frame("style") | {"styles": {"s": {"means": {"ssim": 0.6}}}, "wobble": {"s": wobble, "input": wobble}},
        results.frame("style-codes") | {"pictures": {"p": {"input": 1.0, "encoder": 0.5}}, "means": {"input": 1.0, "encoder": 0.5}},
    ]
    keys = ("crf", "size_ratio", "luma_psnr", "ssim", "chroma_psnr", "core_ms", "cost_ratio")
    found.append(
        results.frame("presets") | {"sizes": {"own": {"clips": {"c": []}, "means": [dict.fromkeys(keys, 1.0) | {"preset": "fast"}]}}}
    )
    made = tables.fill("".join(f"<!-- table:{name} -->\n<!-- /table -->\n" for name in tables.TABLES), found)
    for row in made.splitlines():
        if row.startswith("|"):
            assert row.count("|") > 3
    assert "+1.0 % from frame 200 to 2000" in made
    assert "| own, clips: 1 | fast | 1.0 | 1.00 |" in made


def test_styles_are_shown_beside_the_film_itself_and_the_peer() -> None:
    means = {"gram_ratio": 0.4, "ssim": 0.6, "warp_ratio": 0.5, "warp_to_input": 1.2}
    pans = {"input": (0.0, 6.7), "anime": (1.0, 2.5), "plain": (0.5, 3.0), "peer 7": (5.1, 6.4)}
    wobble = {name: dict(zip(("clean", "noisy"), values, strict=True)) for name, values in pans.items()}
    old = results.frame("style") | {"time": "2020", "styles": {}, "wobble": {"input": wobble["input"]}}
    result = results.frame("style") | {"styles": {"anime": {"means": means}, "plain": {"means": {"ssim": 0.7}}}, "wobble": wobble}
    rows = [row.split(" | ") for row in tables.styles([result, old]).replace("| ", "", 1).splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == ["anime", "plain", "peer 7", "the film itself"]
    assert [cell.removesuffix(" |") for cell in rows[0][1:]] == ["0.40", "0.60", "0.50", "1.20", "1.0", "2.5"]
    assert rows[1][1] == "–"
    assert [cell.removesuffix(" |") for cell in rows[3][-2:]] == ["0.0", "6.7"]


def test_speed_of_restyling_stands_beside_the_peer_where_it_ran() -> None:
    plain = speed() | {"settings": {"style": "anime"}}
    peer = speed(width=854) | {"settings": {"style": "anime"}, "peer": {"ratio": {"median": 2.7, "q1": 2.6, "q3": 2.8}}}
    peer["fps"] = peer["fps"] | {"peer": {"median": 6.0}}
    plain["report"] = plain["report"] | {"frames_colored": 0}
    made = tables.style_speed([plain, peer])
    assert "| 6.0 fps | 2.70 (2.60–2.80) |" in made
    assert "| – | – |" in made
    assert made.count("coloured first") == 1


def test_history_finds_what_was_committed_before_and_what_lies_there_now(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run([*git, "init", "-q"], check=True)
    folder = tmp_path / "results"
    for day, ratio in (("2030-01-01", 0.5), ("2030-01-02", 0.6)):
        results.write(speed(day, ratio, commit=day[-2:]), folder / "speed.json")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", day], check=True)
    results.write(speed("2030-01-03", 0.7), folder / "speed.json")
    rows = tables.history(tables.past(folder)).splitlines()[2:]
    assert [row.split(" | ")[3] for row in rows] == ["0.50", "0.60", "0.70"]


def test_the_second_judge_has_columns_where_a_result_has_them() -> None:
    point = dict.fromkeys(("gain_db", "ciede2000"), 1.0) | {"point": "1:1"}
    point |= {f"{key}_ratio": 0.5 for key in ("colourfulness", "frechet", "kid", "blotches", "dark_chroma", "patchiness")}
    one = results.frame("quality-photos") | {"network": "a", "photos": 3, "subset": "all", "points": [point], "grey": {"ciede2000": 9.0}}
    both = one | {"network": "b", "points": [point | {"frechet_vgg_ratio": 0.25, "kid_vgg_ratio": 0.125}]}
    assert "VGG" not in tables.photos([one])
    head, _, first, second = tables.photos([one, both]).splitlines()
    columns = [cell.strip() for cell in head.split("|")]
    place = columns.index("Fréchet (VGG)")
    assert columns[place + 1] == "KID (VGG)"
    assert [cell.strip() for cell in first.split("|")][place : place + 2] == ["–", "–"]
    assert [cell.strip() for cell in second.split("|")][place : place + 2] == ["0.25", "0.12"]
    assert head.count("|") == first.count("|") == second.count("|")


def test_networks_are_compared_where_their_colours_are_about_as_vivid() -> None:
    def point(gain: float, colors: float) -> dict[str, Any]:
        figures = {"frechet_ratio": 0.2, "kid_ratio": 0.1, "colourfulness_ratio": colors}
        return {"point": f"{colors}:0", "gain_db": gain, "ciede2000": 9.0} | figures

    frame = results.frame("quality-photos") | {"subset": "all", "grey": {"ciede2000": 11.0}}
    whole = frame | {"network": "a", "photos": 200, "points": [point(2.0, 0.5), point(1.0, 0.79), point(0.5, 0.9)]}
    part = frame | {"network": "b", "photos": 120, "points": [point(3.0, 0.8)]}
    _, _, *rows = tables.networks([whole, part]).splitlines()
    assert rows == ["| a | +2.00 dB | 0.79 : 0 | +1.00 dB | 0.79 | 0.20 | 0.10 | 9.00 (11.00) |"], "photos of another number never compare"
