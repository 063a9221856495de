"""Export: a generator becomes a file that says the same, and the file becomes the generator again. Needs the [train] extra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[train]'")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install -e '.[train]'")

from engines import export, graph  # noqa: E402
from engines.check import differences  # noqa: E402
from engines.kinds import KINDS  # noqa: E402
from training.color.network import Generator, Runtime  # noqa: E402
from training.style.network import StyleNetwork  # noqa: E402
from vidcolor.networks import cards as networks  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SHIPPED = Path(__file__).parents[1] / "engines" / "networks" / "colorize-fast.onnx"
KIND = KINDS["colorize"]


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Random weights, and batch norms that have seen something, so that each of their tensors matters."""
    torch.manual_seed(0)
    made = Generator().eval()
    with torch.no_grad():
        made.log_weights.copy_(torch.linspace(-0.5, 1.4, len(made.log_weights)))
        torch.nn.init.normal_(made.hint.weight, 0, 0.1)
        made.head.weight.mul_(4)
        for name, value in made.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return made


@pytest.fixture(scope="module")
def exported(generator, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    about = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8")) | {"name": "random"}
    checkpoint = {"ema": generator.state_dict(), "raw": {}, "seen": {"crops": 0}}
    torch.save(checkpoint, folder / "last.pt")
    return export.export(folder / "last.pt", about, folder)


def test_an_export_is_a_network_with_a_true_card_and_a_golden_sample(exported):
    network = networks.find(str(exported))
    assert network.name == "random" and exported.name == "random.onnx"
    golden = np.load(network.golden)
    assert {*golden} == network.card.inputs.keys() | network.card.outputs.keys()
    for output in network.card.outputs:
        exact, half, rough = (network.card.tolerance[precision][output] for precision in ("f32", "f16", "bf16"))
        assert exact <= 1e-3 and 0 < half < rough


def test_initializers_are_the_state_dict_by_name_and_batch_norms_stay(exported, generator):
    model = onnx.load(exported)
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for name, value in generator.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert stored[name] == tuple(value.shape), name
    norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in generator.modules())
    assert sum(node.op_type == "BatchNormalization" for node in model.graph.node) == norms


def test_the_file_names_no_place_on_this_machine(exported):
    assert str(Path(__file__).parents[1]).encode() not in exported.read_bytes()


def outputs_of(golden):
    return {name: golden[name] for name in ("chroma", "confidence")}


def test_the_way_back_gives_the_same_generator(exported, generator, tmp_path):
    command = [sys.executable, "-m", "engines.export", "--to-state-dict", str(exported), str(tmp_path / "start.pt")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    back = torch.load(tmp_path / "start.pt", weights_only=True)
    again = Generator()
    again.load_state_dict(back)
    wanted = export.rounded(generator.state_dict())
    for name, value in again.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(value, wanted[name], rtol=0, atol=0)


def test_rounding_to_fp16_hardly_moves_the_answer(exported, generator):
    golden = dict(np.load(exported.with_suffix(".npz")))
    exact = graph.answer(Runtime(generator).eval(), KIND, golden)
    assert max(differences(exact, outputs_of(golden)).values()) < 0.02


@pytest.mark.parametrize("name", ["stylize", "stylize-anime", "style-encoder"])
def test_the_shipped_style_networks_go_back_too(name):
    card = json.loads(SHIPPED.with_name(f"{name}.json").read_text())
    assert export.to_state_dict(SHIPPED.with_name(f"{name}.onnx"), export.kind_of(card))


def test_the_shipped_network_goes_back_too():
    generator = Generator()
    generator.load_state_dict(export.to_state_dict(SHIPPED))
    golden = dict(np.load(SHIPPED.with_suffix(".npz")))
    assert max(differences(graph.answer(Runtime(generator).eval(), KIND, golden), outputs_of(golden)).values()) < graph.PARITY


def test_a_file_of_another_network_does_not_go_back(tmp_path):
    model = onnx.load(SHIPPED)
    del model.graph.initializer[0]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match=r"other\.onnx: not an export of this kind of network, 1 tensors are missing"):
        export.to_state_dict(tmp_path / "other.onnx")


def test_a_weight_beyond_fp16_is_refused(generator):
    state = dict(generator.state_dict())
    state["head.weight"] = state["head.weight"] * 1e7
    with pytest.raises(OverflowError, match=r"head\.weight"):
        export.rounded(state)


def test_a_graph_that_differs_from_torch_is_refused(exported, generator):
    other = Generator()
    other.load_state_dict(generator.state_dict())
    with torch.no_grad():
        other.head.bias += torch.linspace(0, 1, len(other.head.bias))
    with pytest.raises(ValueError, match="differs from torch"):
        graph.check_parity(exported.read_bytes(), Runtime(other).eval(), KIND)


def test_tensors_of_the_state_that_are_equal_are_both_there():
    exported = graph.to_onnx(StyleNetwork().eval(), KINDS["stylize"])
    names = {tensor.name for tensor in exported.graph.initializer}
    assert {"painter.body.0.bias", "painter.body.1.bias"} <= names
