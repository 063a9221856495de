"""Averages of networks."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from training.color.soup import average, read  # noqa: E402

pytestmark = pytest.mark.torch


def test_floats_are_averaged_and_counters_kept() -> None:
    one, two = ({"w": torch.full((2,), value), "n": torch.tensor(count)} for value, count in ((1.0, 3), (3.0, 5)))
    found = average([one, two], [0.25, 0.75])
    assert found["w"].tolist() == [2.5, 2.5] and found["n"] == 3


@pytest.mark.parametrize(("other", "shares"), [({"w": torch.ones(3)}, [0.5, 0.5]), ({"v": torch.ones(2)}, [0.5, 0.5]), (None, [0.5, 0.6])])
def test_what_cannot_be_averaged_is_refused(other: dict | None, shares: list[float]) -> None:
    with pytest.raises(ValueError):
        average([{"w": torch.ones(2)}, other or {"w": torch.ones(2)}], shares)


def test_the_moving_average_of_a_checkpoint_counts(tmp_path) -> None:
    torch.save({"ema": {"w": torch.ones(2), "bn.num_batches_tracked": torch.tensor(1)}, "raw": {"w": torch.zeros(2)}}, tmp_path / "a.pt")
    assert read(tmp_path / "a.pt").keys() == {"w"} and read(tmp_path / "a.pt")["w"].tolist() == [1, 1]
