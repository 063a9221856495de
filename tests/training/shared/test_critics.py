"""Discriminators: what they see, what they learn, what they are asked for."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")

from training.shared.critics import CRITICS, Critic, Doubled, Patches, adversarial, hinge, perceptual, to_rgb  # noqa: E402

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", sorted(CRITICS))
def test_only_the_heads_of_a_critic_are_trained(kind: str) -> None:
    critic: Critic = CRITICS[kind]()
    scores = critic(torch.rand(2, 1, 64, 64), torch.zeros(2, 2, 16, 16))
    assert all(score.shape[:2] in ((2, 1), (1, 1)) for score in scores), "one score map a picture, for the batch or half of it"
    assert len({score.shape[-1] for score in scores}) >= 2, "at several scales"
    assert {name.split(".")[0] for name, p in critic.named_parameters() if p.requires_grad} == {"heads"}


@pytest.mark.parametrize("kind", sorted(CRITICS))
def test_a_critic_learns_to_tell_colours_that_do_not_fit(kind: str) -> None:
    torch.manual_seed(0)
    critic: Critic = CRITICS[kind]()
    optimiser = torch.optim.Adam(critic.heads.parameters(), 2e-3)
    luma = torch.rand(4, 1, 64, 64)
    bright = torch.nn.functional.avg_pool2d(luma, 4).expand(-1, 2, -1, -1) - 0.5  # the true colour follows luma
    losses = []
    for _ in range(12):
        loss = hinge(critic(luma, bright), critic(luma, -bright))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", sorted(CRITICS))
def test_a_critic_gives_the_generator_a_gradient(kind: str) -> None:
    critic: Critic = CRITICS[kind]()
    chroma = torch.zeros(1, 2, 16, 16, requires_grad=True)
    critic.heads.requires_grad_(False)
    adversarial(critic(torch.rand(1, 1, 64, 64), chroma)).backward()
    assert chroma.grad is not None and chroma.grad.abs().sum() > 0
    assert not [p for p in critic.parameters() if p.grad is not None]


def test_the_heads_that_are_kept_fit_the_discriminator() -> None:
    Doubled().heads.load_state_dict(torch.load(ROOT / "training" / "color" / "heads.pt", weights_only=True))


def test_the_same_picture_has_no_perceptual_distance() -> None:
    critic, luma, chroma = Patches(), torch.rand(1, 1, 64, 64), torch.rand(1, 2, 16, 16) - 0.5
    assert perceptual(critic.look(luma, chroma), critic.look(luma, chroma)).item() == 0
    assert perceptual(critic.look(luma, chroma), critic.look(luma, -chroma)).item() > 0


def test_rgb_of_grey_is_grey() -> None:
    rgb = to_rgb(torch.full((1, 1, 8, 8), 0.25), torch.zeros(1, 2, 2, 2))
    torch.testing.assert_close(rgb, torch.full((1, 3, 8, 8), 0.25))
