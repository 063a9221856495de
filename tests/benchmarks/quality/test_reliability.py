"""Calibration of made claims and errors whose relation is known."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from benchmarks.quality import metrics, photos, reliability

pytestmark = pytest.mark.torch


def made(times: float, count: int = 60_000) -> tuple[np.ndarray, np.ndarray]:
    """Claimed variances, and squared distances of two Gaussian coordinates whose true variance is `times` as large."""
    rng = np.random.default_rng(0)
    claimed = rng.uniform(0.001, 0.02, count).astype(np.float32)
    errors = rng.normal(size=(2, count)) * np.sqrt(times * claimed / 2)
    return claimed, np.square(errors).sum(0).astype(np.float32)


def test_a_true_claim_has_no_calibration_error() -> None:
    found = reliability.calibration(*made(1))
    assert found["calibration_error"] < 0.001
    assert found["variance_factor"] == pytest.approx(1, abs=0.02)
    assert len(found["bins"]) == 12
    assert sum(row["pixels"] for row in found["bins"]) == 60_000


def test_a_network_twice_too_sure_is_found_out() -> None:
    found = reliability.calibration(*made(4))
    assert found["variance_factor"] == pytest.approx(4, rel=0.02)
    assert all(row["measured_rms"] == pytest.approx(2 * row["claimed_rms"], rel=0.05) for row in found["bins"])
    claims = np.mean([row["claimed_rms"] for row in found["bins"]])
    assert found["calibration_error"] == pytest.approx(claims, rel=0.05)
    assert found["calibration_error_scaled"] < 0.1 * found["calibration_error"]


def test_bins_go_from_sure_to_unsure() -> None:
    rows = reliability.calibration(*made(1))["bins"]
    assert [row["confidence"] for row in rows] == sorted((row["confidence"] for row in rows), reverse=True)
    assert rows[0]["confidence"] == pytest.approx(1 / (1 + rows[0]["claimed_rms"] ** 2 / 0.01))


class Constant:
    """Answers with no colour and confidence a half."""

    label, precision = "constant", "f32"

    def open(self, batch: int, height: int, width: int) -> "Constant":
        return self

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert (float(inputs["temperature"][0]), float(inputs["tilt"][0])) == (1, 1)
        zeros = np.zeros((1, 2, *(n // 4 for n in inputs["luma"].shape[2:])), np.float32)
        return {"chroma": zeros, "confidence": zeros[:, :1] + 0.5}

    def close(self) -> None:
        pass


def test_claims_and_errors_come_from_the_photos_at_the_size_of_the_answer() -> None:
    rgb = np.full((256, 320, 3), (160, 80, 40), np.uint8)
    claimed, measured = reliability.gather([photos.Photo("a", rgb)], Constant(), 128)
    assert claimed.shape == measured.shape == (32 * 40,)
    np.testing.assert_allclose(claimed, 0.01)
    np.testing.assert_allclose(measured, np.square(metrics.split(rgb)[1][:, 0, 0]).sum(), rtol=1e-4)


def test_the_diagram_shows_every_bin_and_the_line_of_true_claims() -> None:
    found = reliability.calibration(*made(1)) | {"network": "n"}
    (panel,), legend = reliability.diagram([found])
    assert legend == ["n"]
    assert len(panel.lines[0].places) == 12
    assert panel.reference[0] == (0, 0)
    assert panel.reference[1][0] == panel.reference[1][1] >= found["bins"][-1]["claimed_rms"]
