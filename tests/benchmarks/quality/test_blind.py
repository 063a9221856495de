"""The blind page: what it shows, what it hides, and what becomes of the choices."""

import base64
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.quality import blind
from benchmarks.quality.generators import default_point
from vidcolor.networks import cards as networks

ROOT = Path(__file__).parents[3]
STUB = """
const made = {};
function element(id) {
  return made[id] ??= { id, hidden: false, on: {}, firstElementChild: {}, blur() {}, rows: [],
    addEventListener(kind, act) { this.on[kind] = act; }, replaceChildren(child) { this.child = child; } };
}
const kept = {};
globalThis.localStorage = { getItem: key => kept[key] ?? null, setItem: (key, value) => { kept[key] = value; } };
globalThis.document = { getElementById: element, keys: null, addEventListener(kind, act) { this.keys = act; },
  createElement: kind => ({ kind, rows: [], insertRow() { const row = []; row.appendChild = cell => { row.push(cell); return cell; };
    this.rows.push(row); return row; } }) };
globalThis.Blob = class { constructor(parts) { this.words = parts.join(""); } };
globalThis.URL = { createObjectURL: blob => blob.words };
const press = key => document.keys({ key, repeat: false, preventDefault() {} });
"""
"""As much of a browser as the page needs."""


def flat(value: int) -> np.ndarray:
    return np.full((16, 24, 3), value, np.uint8)


def pairs(count: int) -> list[blind.Pair]:
    """A is dark, B is bright."""
    order = blind.shuffle([f"picture{i}" for i in range(count)], count, seed=1)
    return [blind.Pair(name, flat(10 + i), flat(200 + i), left) for i, (name, left) in enumerate(order)]


def payload(page: str) -> dict[str, Any]:
    found = re.search(r"^const data = (.*);$", page, re.MULTILINE)
    assert found
    return json.loads(found[1])


def brightness(uri: str) -> float:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    return float(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean())


def test_the_page_is_whole_and_asks_nothing_of_a_network() -> None:
    page = blind.page(pairs(4), "alpha", "beta")
    opened: list[str] = []

    class Check(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "img"):
                opened.append(tag)
            assert not any(name in ("src", "href") for name, _ in attrs)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Check().feed(page)
    assert opened == ["html", "body"]  # whose ends may be left out
    assert "http" not in page
    assert "/*DATA*/" not in page


def test_names_and_sides_are_hidden_in_the_page_and_the_key_opens_them() -> None:
    asked = pairs(6)
    page = blind.page(asked, "alpha", "beta </script>")
    assert not any(word in page for word in ("alpha", "beta", *(pair.name for pair in asked)))
    data = payload(page)
    key = json.loads(base64.b64decode(data["key"]))
    assert (key["a"], key["b"], key["pictures"]) == ("alpha", "beta </script>", [pair.name for pair in asked])
    assert len({pair["code"] for pair in data["pairs"]}) == 6
    for pair, left in zip(data["pairs"], key["a_left"], strict=True):
        assert (brightness(pair["left"]) < brightness(pair["right"])) == left


@pytest.mark.parametrize("count", [2, 7, 30])
def test_each_side_is_on_the_left_as_often_as_the_other(count: int) -> None:
    names = [f"n{i}" for i in range(40)]
    order = blind.shuffle(names, count, seed=3)
    assert len({name for name, _ in order}) == count
    assert abs(2 * sum(left for _, left in order) - count) <= 1
    assert order == blind.shuffle(names, count, seed=3)
    assert order != blind.shuffle(names, count, seed=4)


def test_an_odd_pair_and_the_order_of_sides_are_left_to_chance() -> None:
    sides = {tuple(left for _, left in blind.shuffle(list("abc"), 3, seed)) for seed in range(100)}
    assert len(sides) == 6  # all but AAA and BBB


def test_two_sides_of_one_name_or_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="both sides are called a"):
        blind.page(pairs(1), "a", "a")
    with pytest.raises(ValueError, match="x: the two pictures differ in size"):
        blind.page([blind.Pair("x", flat(1), flat(2)[:8], True)], "a", "b")


@pytest.mark.parametrize(
    ("wins", "count", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (50, 100, 0.4038, 0.5962), (0, 0, 0, 1)],
)
def test_wilson_intervals_of_the_textbook(wins: int, count: int, low: float, high: float) -> None:
    assert blind.wilson(wins, count) == pytest.approx((low, high), abs=1e-4)


def saved(a: str, b: str, *winners: str | None) -> dict[str, Any]:
    return {"blind": "page", "a": a, "b": b, "choices": [{"pair": str(i), "winner": winner} for i, winner in enumerate(winners)]}


def test_choices_of_several_people_are_summed_whichever_side_was_which() -> None:
    found = blind.tally([saved("x", "y", "x", "x", None), saved("y", "x", "x", "y"), saved("x", "z", None)])
    first, second = found.split("x against z")
    assert first.startswith("x against y: 2 times answered, 4 pairs decided, 1 without difference")
    assert "75%  (30% to 95%)     3 × x" in first
    assert "25%  (5% to 70%)     1 × y" in first
    assert "0 pairs decided, 1 without difference" in second
    assert "–  (0% to 100%)     0 × z" in second


def test_a_choice_of_neither_side_is_refused() -> None:
    with pytest.raises(ValueError, match="neither side"):
        blind.tally([saved("x", "y", "z")])


def test_folders_become_a_page_and_its_choices_a_tally(tmp_path: Path) -> None:
    for side, value in (("ours", 50), ("theirs", 150)):
        (tmp_path / side).mkdir()
        for name in "abc":
            cv2.imwrite(str(tmp_path / side / f"{name}.png"), flat(value))
    cv2.imwrite(str(tmp_path / "ours" / "only.png"), flat(0))
    words = ["--a", str(tmp_path / "ours"), "--b", str(tmp_path / "theirs"), "--out", str(tmp_path / "a.html")]
    subprocess.run([sys.executable, "-m", "benchmarks.quality.blind", *words], check=True, cwd=ROOT, capture_output=True)
    key = json.loads(base64.b64decode(payload((tmp_path / "a.html").read_text())["key"]))
    assert (key["a"], key["b"], sorted(key["pictures"])) == ("ours", "theirs", ["a", "b", "c"])
    (tmp_path / "c.json").write_text(json.dumps(saved("ours", "theirs", "ours")))
    words = ["--tally", str(tmp_path / "c.json")]
    done = subprocess.run([sys.executable, "-m", "benchmarks.quality.blind", *words], check=True, cwd=ROOT, capture_output=True, text=True)
    assert "1 × ours" in done.stdout


@pytest.mark.skipif(not shutil.which("node"), reason="the page's script is run by node")
def test_a_person_at_the_page_gets_what_they_chose() -> None:
    asked = pairs(5)
    page = blind.page(asked, "alpha", "beta")
    script = page.split("<script>")[1].split("</script>")[0]
    # prefers A four times, takes one answer back and finds no difference instead
    keys = ["ArrowLeft" if pair.a_left else "ArrowRight" for pair in asked]
    keys = [*keys[:2], "Backspace", "ArrowDown", *keys[2:]]
    acts = "".join(f"press({json.dumps(key)});" for key in keys)
    tell = (
        "console.log(JSON.stringify({ended: element('test').hidden, saved: JSON.parse(element('download').href),"
        "cells: element('result').child.rows.map(r => r.map(c => c.textContent)), kept: Object.values(kept), wilson: wilson(8, 10)}));"
    )
    done = subprocess.run(["node", "-e", STUB + script + acts + tell], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert told["ended"]
    assert [choice["winner"] for choice in told["saved"]["choices"]] == ["alpha", None, "alpha", "alpha", "alpha"]
    assert [choice["picture"] for choice in told["saved"]["choices"]] == [pair.name for pair in asked]
    assert told["cells"][1] == ["alpha", 4, "100 %", "51 % to 100 %"]
    assert told["cells"][3][:2] == ["no difference", 1]
    assert json.loads(told["kept"][0])[1] == "same"
    assert told["wilson"] == pytest.approx(blind.wilson(8, 10))
    assert "4 × alpha" in blind.tally([told["saved"]])


def test_networks_are_compared_where_their_own_dials_stand() -> None:
    for network in networks.available():
        if network.card.task == "colorize":
            assert tuple(default_point(network.name)) == tuple(network.card.dial[1])
    assert default_point("run/last.pt") == default_point("colorize-fast"), "a checkpoint has no dial of its own yet"
