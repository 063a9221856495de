"""Charts: what is drawn stands where it should; curves and reliability diagrams are made of the right numbers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.quality import plot, svg

SPACE = "{http://www.w3.org/2000/svg}"


def parsed(panels: list[svg.Panel], legend: list[str]) -> ElementTree.Element:
    return ElementTree.fromstring(svg.draw(panels, legend))


@pytest.mark.parametrize(
    ("low", "high", "known"),
    [
        (0.42, 0.89, [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        (0, 0.13, [0, 0.05, 0.1, 0.15]),
        (-0.3, 1.9, [-0.5, 0, 0.5, 1, 1.5, 2]),
        (0.2, 0.4, [0.2, 0.25, 0.3, 0.35, 0.4]),
        (5, 5, [2, 3, 4, 5, 6, 7, 8]),
        (0, 0, [-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6]),
    ],
)
def test_ticks_are_round_and_hold_the_range(low: float, high: float, known: list[float]) -> None:
    assert svg.ticks(low, high) == pytest.approx(known)


def test_labels_have_the_decimals_of_their_step() -> None:
    assert svg.labels([0.2, 0.25, 0.3]) == ["0.20", "0.25", "0.30"]
    assert svg.labels([0, 5, 10]) == ["0", "5", "10"]


def test_larger_values_stand_further_up_and_right_inside_their_panel() -> None:
    lines = [svg.Line([(0.5, 1.5), (0.9, 0.5)], ["first", "second"])]
    panel = svg.Panel("a < b", "x", "y", lines)
    root = parsed([panel, panel], ["one & two"])
    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SPACE}circle")]
    (x1, y1), (x2, y2), (x3, y3), _ = places
    assert svg.LEFT <= x1 < x2 <= svg.WIDTH - svg.RIGHT
    assert svg.TOP <= y1 < y2 <= svg.HEIGHT - svg.BOTTOM
    assert (x3, y3) == (x1 + svg.WIDTH, y1)
    assert [title.text for title in root.iter(f"{SPACE}title")] == ["first", "second"] * 2
    words = [text.text for text in root.iter(f"{SPACE}text")]
    assert words.count("a < b") == 2
    assert words.count("one & two") == 1


def test_a_reference_is_drawn_and_axes_begin_at_nought_where_asked() -> None:
    panel = svg.Panel("t", "x", "y", [svg.Line([(3, 4), (5, 6)])], reference=[(0, 0), (6, 6)], zero=True)
    broken = [line for line in parsed([panel], ["a"]).iter(f"{SPACE}polyline") if "stroke-dasharray" in line.attrib]
    start = broken[0].attrib["points"].split()[0]
    assert start == f"{svg.LEFT:.1f},{svg.HEIGHT - svg.BOTTOM:.1f}"


def result(network: str, *points: tuple[str, float, float, float]) -> dict[str, Any]:
    keys = ("point", "colourfulness_ratio", "gain_db", "frechet_ratio")
    rows = [dict(zip(keys, point, strict=True)) for point in points]
    return {"benchmark": "quality-photos", "network": network, "photos": 3, "points": rows}


def test_a_curve_goes_from_pale_to_colourful() -> None:
    panels, legend = plot.curves([result("n", ("0.6:0", 0.8, 1.0, 0.2), ("1:1", 0.5, 1.6, 0.3)), result("m", ("1:1", 0.4, 1.2, 0.4))])
    assert legend == ["n, 3 photos", "m, 3 photos"]
    assert [line.places for line in panels[0].lines] == [[(0.5, 1.6), (0.8, 1.0)], [(0.4, 1.2)]]
    assert [line.places for line in panels[1].lines] == [[(0.5, 0.3), (0.8, 0.2)], [(0.4, 0.4)]]
    assert panels[0].lines[0].notes == ["n, 1:1", "n, 0.6:0"]


def test_a_result_of_something_else_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="of cuts, not of quality photos"):
        plot.curves([{"benchmark": "cuts"}])


def test_the_command_draws_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(result("n", ("1:1", 0.5, 1.6, 0.3), ("1:0", 0.7, 1.2, 0.2))))
    words = [sys.executable, "-m", "benchmarks.quality.plot", str(tmp_path / "a.json"), "--out", str(tmp_path / "new" / "a.svg")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[3])
    assert ElementTree.parse(tmp_path / "new" / "a.svg").getroot().tag == f"{SPACE}svg"
