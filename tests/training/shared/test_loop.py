"""The loop of every run, on a network of one number whose course is known."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import cv2
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from training.shared.loop import Loop  # noqa: E402

pytestmark = pytest.mark.torch


class Run(Loop):
    """Adds up its rates: plain descent along a slope of one."""

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        self.number, self.other = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
        self.learned = [self.number, self.other]
        self.optimiser = torch.optim.SGD([{"params": [self.number]}, {"params": [self.other], "share": 0.5}], args.rate, momentum=0.5)
        self.rates: list[float] = []
        self.resume()

    def step(self) -> dict[str, torch.Tensor]:
        self.rates.append(self.optimiser.param_groups[0]["lr"])
        losses = {"down": -self.number.sum() - self.other.sum(), "unasked": self.number.sum() * float("nan")}
        return {"loss": self.descend(losses, {"down": 1.0, "unasked": 0.0})}

    def kept(self) -> dict[str, Any]:
        return {"number": self.number.detach(), "seen": self.seen}

    def state(self) -> dict[str, Any]:
        return self.kept() | {"other": self.other.detach(), "optimiser": self.optimiser.state_dict()}

    def restore(self, saved: dict[str, Any]) -> None:
        self.number.data.copy_(saved["number"])
        self.other.data.copy_(saved["other"])
        self.optimiser.load_state_dict(saved["optimiser"])

    def sheet(self) -> torch.Tensor:
        return torch.ones(3, 2, 5)


def settings(out: Path, steps: int) -> Namespace:
    return Namespace(out=out, minutes=60, batch=3, rate=0.1, seed=0, save_every=10, max_steps=steps)


def same(one: Run, other: Run) -> bool:
    return torch.equal(one.number, other.number) and torch.equal(one.other, other.other)


def test_a_run_in_two_parts_ends_where_one_in_a_piece_does(tmp_path: Path) -> None:
    whole = Run(settings(tmp_path / "whole", 6))
    whole.rate = lambda: 0.1  # type: ignore[method-assign]  # the usual one depends on how long the run is
    whole.train()
    for steps in (2, 6):
        part = Run(settings(tmp_path / "parts", steps))
        part.rate = lambda: 0.1  # type: ignore[method-assign]
        part.train()
    assert len(part.rates) == 4 and part.seen["step"] == 6 and part.seen["pictures"] == 18
    assert same(whole, part), "momentum was kept too"


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    first = Run(settings(tmp_path, 3))
    first.train()
    again = Run(settings(tmp_path, 3))
    again.train()
    assert again.rates == [] and same(first, again)


def test_rates_rise_then_fall_and_groups_have_their_share(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, 200))
    run.train()
    assert run.rates[0] == pytest.approx(0.1 / 100)
    assert run.rates[99] == pytest.approx(0.1 * (1 - 0.495**2))
    assert run.rates[-1] == pytest.approx(0.1 * 0.03)
    assert run.optimiser.param_groups[1]["lr"] == pytest.approx(run.rates[-1] / 2)


def test_a_line_of_json_says_means_every_fifty_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(settings(tmp_path, 120)).train()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines] == [50, 100]
    assert lines[0]["pictures"] == 150 and lines[0]["loss"] > lines[1]["loss"]


def test_checkpoints_that_stay_have_what_is_kept_and_a_sheet(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, 5))
    run.dense = 2
    run.train()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000002.png", "000002.pt", "000004.png", "000004.pt", "last.png", "last.pt"]
    assert torch.load(tmp_path / "000002.pt", weights_only=True).keys() == {"number", "seen"}
    assert torch.load(tmp_path / "last.pt", weights_only=True).keys() == {"number", "seen", "other", "optimiser"}
    assert cv2.imread(str(tmp_path / "last.png")).shape == (2, 5, 3)
