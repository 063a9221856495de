"""The style network, its encoder, what they are asked for, and the pictures they learn from."""

import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

import torch.nn.functional as F  # noqa: E402

from training.style import data as style_data  # noqa: E402
from training.style.losses import colors, content_loss, gram, gram_distance, moved, structure, total_variation  # noqa: E402
from training.style.network import CHANNELS, CODE, NEAR, STATISTICS, AnimeNetwork, StyleEncoder, StyleNetwork, alike, blur_of_four  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def network() -> StyleNetwork:
    torch.manual_seed(0)
    return StyleNetwork().eval()


def nothing(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(count, STATISTICS), torch.zeros(1)


def test_a_styled_picture_has_the_size_and_range_of_the_picture(network: StyleNetwork) -> None:
    styled, measured = network(torch.rand(2, 3, 32, 64), torch.randn(2, CODE), *nothing(2))
    assert styled.shape == (2, 3, 32, 64) and measured.shape == (2, STATISTICS)
    assert styled.min() >= 0 and styled.max() <= 1


def test_the_code_changes_the_style(network: StyleNetwork) -> None:
    picture = torch.rand(1, 3, 64, 64)
    first, second = (network(picture, code, *nothing(1))[0] for code in 0.3 * torch.randn(2, 1, CODE))
    assert (first - second).abs().mean() > 1e-4


def test_a_pictures_own_statistics_held_change_nothing(network: StyleNetwork) -> None:
    picture, code = torch.rand(1, 3, 64, 64), torch.randn(1, CODE)
    styled, measured = network(picture, code, *nothing(1))
    again, _ = network(picture, code, measured, torch.ones(1))
    torch.testing.assert_close(styled, again, rtol=0, atol=1e-4)


def test_held_statistics_replace_a_pictures_own(network: StyleNetwork) -> None:
    code = torch.randn(1, CODE)
    bright, dark = torch.rand(1, 3, 64, 64) * 0.2 + 0.8, torch.rand(1, 3, 64, 64) * 0.2
    _, measured = network(bright, code, *nothing(1))
    own, _ = network(dark, code, *nothing(1))
    held, _ = network(dark, code, measured, torch.ones(1))
    assert (own - held).abs().mean() > 1e-3


def test_a_code_of_nothing_gives_the_picture_back_before_anything_is_learned(network: StyleNetwork) -> None:
    picture = 0.25 + 0.5 * torch.rand(1, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    styled, _ = network(picture, torch.zeros(1, CODE), *nothing(1))
    assert (styled - picture).abs().mean() < 0.06


def test_no_pattern_of_two_pixels_is_drawn_on_a_flat_picture(network: StyleNetwork) -> None:
    flat = torch.full((1, 3, 32, 32), 0.4)
    with torch.no_grad():
        network.painter.last.bias.normal_()
        styled, _ = network(flat, torch.randn(1, CODE), *nothing(1))
        network.painter.last.bias.zero_()
    assert styled.flatten(2).std(2).max() < 1e-3


def test_the_blur_of_four_is_the_binomial_blur_of_the_wide_picture_mirrored_at_its_rim() -> None:
    fours = torch.randn(2, 12, 5, 7)
    binomial = torch.tensor([1.0, 2.0, 1.0]) / 4
    wide = F.pad(F.pixel_shuffle(fours, 2), (1, 1, 1, 1), mode="reflect")
    wanted = F.conv2d(wide, (binomial[:, None] * binomial).expand(3, 1, 3, 3), groups=3)
    found = F.pixel_shuffle(F.conv2d(F.pad(fours, (1, 1, 1, 1), mode="replicate"), blur_of_four()), 2)
    torch.testing.assert_close(found, wanted)


def test_a_matrix_of_colours_does_the_same_to_four_pixels_put_together() -> None:
    picture, matrix = torch.rand(1, 3, 4, 6), torch.randn(1, 3, 3)
    wanted = (matrix @ picture.flatten(2)).reshape(picture.shape)
    fours = F.pixel_unshuffle(picture, 2)
    found = F.pixel_shuffle((alike(matrix) @ fours.flatten(2)).reshape(fours.shape), 2)
    torch.testing.assert_close(found, wanted)


def test_statistics_of_some_pixels_are_nearly_those_of_all() -> None:
    torch.manual_seed(1)
    full = StyleNetwork().eval()
    some = StyleNetwork(8).eval()
    some.load_state_dict(full.state_dict())
    smooth = F.interpolate(torch.rand(1, 3, 20, 20), size=(320, 320), mode="bicubic").clamp(0, 1)
    code = 0.3 * torch.randn(1, CODE)
    (wanted, all_of_them), (found, few) = (each(smooth, code, *nothing(1)) for each in (full, some))
    assert not torch.equal(all_of_them, few)
    assert (found - wanted).abs().mean() < 0.01


def test_what_all_pixels_have_in_common_does_not_reach_the_last_normalization(network: StyleNetwork) -> None:
    """In bf16 a mean of two hundred deviations is known to half a deviation: held statistics would make the picture flicker."""
    lifted = StyleNetwork().eval()
    lifted.load_state_dict(network.state_dict())
    with torch.no_grad():
        lifted.painter.wide.weight.add_(1)
        lifted.painter.fine.weight.add_(1)
        _, measured = lifted(torch.rand(1, 3, 64, 64), torch.zeros(1, CODE), *nothing(1))
    mean, deviation = measured[:, -2 * CHANNELS[-1] :].chunk(2, 1)
    assert (mean / deviation).abs().max() < 0.5


def test_biases_that_a_normalization_takes_away_stay_nothing(network: StyleNetwork) -> None:
    for layer in (*network.painter.filters, network.painter.up, network.painter.wide):
        assert not layer.bias.requires_grad and not layer.bias.any()
    assert network.painter.last.bias.requires_grad


def test_filters_are_kept_in_bounds_and_small_ones_alone() -> None:
    network = StyleNetwork()
    with torch.no_grad():
        network.painter.near.weight.mul_(100)
    before = network.painter.first.weight.clone()
    network.bound(2.0)
    assert network.painter.near.weight.flatten(1).norm(dim=1).max() < 2.001
    torch.testing.assert_close(network.painter.first.weight, before)


def test_settled_filters_answer_alike_and_have_a_deviation_of_about_one() -> None:
    torch.manual_seed(1)
    network, pictures, codes = StyleNetwork().eval(), torch.rand(2, 3, 64, 64), 0.2 * torch.randn(3, CODE)
    with torch.no_grad():
        for layer in network.painter.filters:
            layer.weight.mul_(30)
    before, measured = network(pictures, codes[:2], *nothing(2))
    network.settle(pictures, codes)
    after, settled = network(pictures, codes[:2], *nothing(2))
    torch.testing.assert_close(before, after, rtol=0, atol=2e-3)
    assert settled[:, NEAR : 2 * NEAR].log().abs().max() < 1 < measured[:, NEAR : 2 * NEAR].log().abs().max()


def test_the_anime_network_answers_with_a_picture() -> None:
    drawn = AnimeNetwork()(torch.rand(2, 3, 32, 64))
    assert drawn.shape == (2, 3, 32, 64) and drawn.min() >= 0 and drawn.max() <= 1


def test_gram_matrices_and_their_gradient_are_those_of_the_plain_formula() -> None:
    x = torch.rand(2, 3, 4, 5, requires_grad=True)
    weight = torch.rand(2, 3, 3)
    flat = x.flatten(2)
    plain = flat @ flat.transpose(1, 2) / flat.shape[2]
    torch.testing.assert_close(gram(x), plain)
    (ours,), (theirs,) = (torch.autograd.grad((g * (weight + weight.transpose(1, 2))).sum(), x) for g in (gram(x), plain))
    torch.testing.assert_close(ours, theirs)


def test_only_the_head_of_the_encoder_learns() -> None:
    encoder = StyleEncoder()
    assert {name.split(".")[0] for name, p in encoder.named_parameters() if p.requires_grad} == {"head"}
    assert encoder.train()(torch.rand(2, 3, 64, 96)).shape == (2, CODE)
    assert not any(m.training for m in encoder.blocks.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_the_code_does_not_depend_on_where_texture_lies() -> None:
    encoder = StyleEncoder().eval()
    picture = torch.rand(1, 3, 64, 64)
    other = torch.rand(1, 3, 64, 64) * 0.3
    code, mirrored, different = (encoder(x) for x in (picture, picture.flip(3), other))
    assert (code - mirrored).abs().mean() < 0.2 * (code - different).abs().mean()


def test_gram_distance_is_nothing_to_itself_and_one_to_nothing() -> None:
    maps = [torch.rand(2, 4, 8, 8), torch.rand(2, 8, 4, 4)]
    wanted = [gram(x) for x in maps]
    assert gram_distance(maps, wanted).item() == pytest.approx(0, abs=1e-6)
    assert gram_distance([x * 0 for x in maps], wanted).item() == pytest.approx(1, abs=1e-5)


def test_content_does_not_mind_strength_but_place() -> None:
    maps = [torch.rand(1, 4, 16, 16) * 3 for _ in range(4)]
    assert content_loss([x * 2 + 1 for x in maps], maps).item() < 0.01
    assert content_loss([x.flip(3) for x in maps], maps).item() > 0.5


def test_structure_asks_for_no_more_than_enough() -> None:
    picture = torch.rand(1, 3, 64, 64)
    assert structure(picture, picture).item() == 0
    assert structure(1 - picture, picture).item() > 0.6


def test_colours_are_mean_and_covariance() -> None:
    picture = torch.rand(1, 3, 16, 16)
    found = colors(picture)[0].numpy()
    flat = picture[0].flatten(1).numpy()
    np.testing.assert_allclose(found[:3], flat.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found[3:], np.cov(flat, bias=True)[np.triu_indices(3)], rtol=1e-4, atol=1e-6)


def test_moving_back_along_the_flow_meets_the_second_frame() -> None:
    photo = cv2.resize(np.random.default_rng(0).integers(0, 255, (12, 12, 3)).astype(np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC)
    pairs = style_data.Pairs([photo], 64, [3])
    rng = np.random.default_rng(1)
    for _ in range(8):
        _first, second, flow, inside, clean = (torch.from_numpy(x)[None] for x in pairs.sample(rng))
        off = ((moved(clean, flow) - second).abs() * inside).mean()
        assert off < 0.03, "but for grain"


def test_total_variation_of_a_flat_picture_is_nothing() -> None:
    assert total_variation(torch.full((1, 3, 8, 8), 0.3)).item() == 0
    assert total_variation(torch.rand(1, 3, 8, 8)).item() > 0.1


def test_held_out_pictures_are_spread_and_as_many_as_asked() -> None:
    assert style_data.held(400, 16) == {12 + 25 * i for i in range(16)}
    assert len(style_data.held(17, 16)) == 16


def test_crops_of_any_picture_fit() -> None:
    for height, width in ((40, 400), (400, 40), (256, 256), (700, 512)):
        assert style_data.crops(np.zeros((height, width, 3), np.uint8)).shape == (style_data.CROPS, 3, style_data.CROP, style_data.CROP)


def pack(folder: Path) -> tuple[Path, Path, Path]:
    """Photos in a tar file, a folder with one style, random weights of Lite0 under the package's names."""
    rng = np.random.default_rng(0)
    photos, styles = folder / "photos.tar", folder / "styles"
    styles.mkdir()
    with tarfile.open(photos, "w") as tar:
        for number in range(2):
            picture = cv2.resize(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{number}.png"), picture)
            tar.add(folder / f"{number}.png", f"{number}.png")
    cv2.imwrite(str(styles / "noise.jpg"), rng.integers(0, 255, (256, 256, 3)).astype(np.uint8))
    return photos, styles, folder / "lite0.pth"


@pytest.mark.slow
def test_a_short_run_can_be_gone_on_with_a_code_be_fitted_and_the_encoder_learn_alone(tmp_path: Path) -> None:
    photos, styles, lite0 = pack(tmp_path)
    torch.save({}, lite0)
    run = [sys.executable, "-m", "training.style.stylize", "train", "--photos", str(photos), "--styles", str(styles), "--lite0", str(lite0)]
    run += ["--out", str(tmp_path / "run"), "--batch", "1", "--crop", "64", "--random-features"]
    place = Path(__file__).parents[3]
    for steps in ("1", "2"):
        subprocess.run([*run, "--max-steps", steps], check=True, cwd=place)
    saved = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert saved["seen"]["step"] == 2
    fit = [word if word != "train" else "fit" for word in run]
    fit += ["--style", str(styles / "noise.jpg"), "--start", str(tmp_path / "run" / "last.pt"), "--max-steps", "1"]
    fit[fit.index("--out") + 1] = str(tmp_path / "code.pt")
    subprocess.run(fit, check=True, cwd=place)
    assert torch.load(tmp_path / "code.pt", weights_only=True)["code"].shape == (1, CODE)
    alone = [*run, "--encoder-only", "--start", str(tmp_path / "run" / "last.pt"), "--max-steps", "1"]
    alone[alone.index("--out") + 1] = str(tmp_path / "alone")
    subprocess.run(alone, check=True, cwd=place)
    after = torch.load(tmp_path / "alone" / "last.pt", weights_only=True)
    assert all(torch.equal(saved["network"][key], after["network"][key]) for key in saved["network"])
    assert any(not torch.equal(saved["encoder"][key], after["encoder"][key]) for key in saved["encoder"])
