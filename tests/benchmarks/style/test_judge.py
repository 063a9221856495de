"""The distance to a style, and codes for pictures that training left out."""

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from benchmarks.style import __main__ as style  # noqa: E402
from benchmarks.style import codes  # noqa: E402
from benchmarks.style.clips import write_lossless  # noqa: E402
from benchmarks.style.judge import GramJudge, alone, distance, pictures_of  # noqa: E402
from benchmarks.style.restyle import Clip  # noqa: E402
from tests.style_networks import CODES, install  # noqa: E402
from training.style.losses import gram, gram_distance  # noqa: E402
from vidcolor.networks import cards as networks  # noqa: E402

pytestmark = pytest.mark.torch


def test_distance_of_grams_is_that_of_training() -> None:
    torch.manual_seed(0)
    maps = [torch.rand(1, c, 8, 8) for c in (4, 8)]
    wanted = [gram(torch.rand(1, c, 8, 8)) for c in (4, 8)]
    assert distance([gram(x)[0] for x in maps], [x[0] for x in wanted]) == pytest.approx(float(gram_distance(maps, wanted)), rel=1e-5)


def test_what_a_style_itself_scores_is_the_distance_of_each_from_the_others() -> None:
    one, other = [torch.eye(2)], [3 * torch.eye(2)]
    assert alone([one, one]) == 0
    assert alone([one, other]) == pytest.approx((4 / 9 + 4) / 2)


@pytest.fixture(scope="module")
def judge() -> GramJudge:
    try:
        return GramJudge()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def picture(seed: int) -> np.ndarray:
    """Blots of a size and of colours that the seed decides, RGB uint8."""
    rng = np.random.default_rng(seed)
    blots = cv2.GaussianBlur(rng.uniform(0, 1, (320, 320, 1)).astype(np.float32), (0, 0), 1 + 3 * seed)[..., None]
    share = (blots - blots.min()) / (blots.max() - blots.min())
    first, second = rng.uniform(0, 255, (2, 3))
    return np.rint(share * first + (1 - share) * second).astype(np.uint8)


def units(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(rgb, -1, 0).astype(np.float32) / 255)


@pytest.mark.slow
def test_a_style_is_nearest_to_its_own_picture(judge: GramJudge) -> None:
    wanted = judge.style([picture(0)])
    near, far = (distance(judge.grams(units(picture(seed))), wanted) for seed in range(2))
    assert near < 0.05
    assert far > 10 * near
    both, other = judge.style([picture(0), picture(1)]), judge.style([picture(1)])
    torch.testing.assert_close(both[0], (wanted[0] + other[0]) / 2)
    with pytest.raises(ValueError, match="no picture"):
        judge.style([])


def test_pictures_behind_styles_are_given_named_or_the_style_itself(tmp_path: Path, paintings: Path) -> None:
    (tmp_path / "named").mkdir()
    for seed, name in ((5, "the_scream"), (6, "great_wave")):
        cv2.imwrite(str(tmp_path / "named" / f"{name}.jpg"), picture(seed)[..., ::-1])
    own = str(tmp_path / "p3.jpg")
    styles = ["scream", "great-wave", own, "anime", "unknown"]
    found = pictures_of(styles, [tmp_path / "named", paintings], {"anime": paintings, "great-wave": Path(own)})
    assert [len(found[name]) for name in styles] == [1, 1, 1, 4, 0]
    for name, seed in (("scream", 5), ("great-wave", 3), (own, 3)):
        np.testing.assert_allclose(found[name][0].astype(int), picture(seed), atol=12)


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "paintings.tar", "w") as tar:
        for seed in range(4):
            path = tmp_path / f"p{seed}.jpg"
            cv2.imwrite(str(path), picture(seed)[..., ::-1])
            tar.add(path, f"paintings/{path.name}")
    return tmp_path / "paintings.tar"


def test_what_training_leaves_out_is_what_is_measured(paintings: Path, tmp_path: Path) -> None:
    from training.style.data import held, read_pictures

    names = [name for name, _ in read_pictures(paintings)]
    found = codes.extract(paintings, 2, tmp_path / "held")
    assert [path.stem for path in found] == [names[index] for index in sorted(held(4, 2))]
    assert found[0].read_bytes() == (tmp_path / found[0].name).read_bytes()


def test_a_missing_code_is_told_with_what_is_to_be_done(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.pt: no such code; make it with .*fit --style a\.jpg"):
        codes.fitted(tmp_path, Path("a.jpg"))


@pytest.mark.slow
def test_the_encoders_code_is_compared_with_the_fitted_one(
    judge: GramJudge, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "PLACES", (install(tmp_path / "networks"),))
    clip = write_lossless(tmp_path / "col_a.mkv", [picture(9)[:128, :160]])
    pictures = codes.extract(paintings, 1, tmp_path / "held")
    with Clip(clip, 1, str(pictures[0]), "cpu") as film:
        own = codes.code_of(film, pictures[0])
    ratios = []
    for code in (own, CODES["warm"]):
        torch.save({"code": torch.tensor([code])}, tmp_path / f"{pictures[0].stem}.pt")
        row = codes.measure(pictures, [clip], tmp_path, judge, "cpu")["pictures"][pictures[0].stem]
        assert row["encoder_to_fitted"] == pytest.approx(row["encoder"] / row["fitted"])
        ratios.append(row["encoder_to_fitted"])
    assert ratios[0] == 1
    assert ratios[1] != pytest.approx(1, abs=0.1)
    alone = codes.measure(pictures, [clip], None, judge, "cpu")
    assert alone["means"].keys() == {"input", "encoder", "encoder_to_input"}
    assert "mean" in style.code_table(alone)
