"""Make a finished run a model that comes with the package: weights in half precision, INT8 for a device, a full card.

python docs/results/ship.py RUN NAME ABOUT.toml     (ABOUT.toml: knows, limits, licence)
python docs/results/ship.py NAME DATA     the INT8 file alone, of the weights that are there; DATA: msd:PATH, ...
"""

import sys
import tomllib
from pathlib import Path

import numpy as np
import safetensors.torch

import onenet
from onenet.config import load_config
from onenet.data import Dataset
from onenet.deploy.segmenter import Segmenter
from onenet.export.exporting import Made, Wanted, make_graphs
from onenet.models.eager import EagerRunner
from onenet.models.network import Network
from onenet.scoring import evaluate, open_for

TARGET = Path(__file__).parent.parent.parent / "onenet" / "weights"


def main() -> None:
    """Write onenet/weights/NAME.safetensors and NAME.int8.onnx."""
    if len(sys.argv) == 3:
        export_again(*sys.argv[1:])
        return
    run, name, about = sys.argv[1:]
    network = onenet.load(run)
    card = network.card
    assert card is not None
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().float())  # what the file will hold
    config = load_config(f"{run}/config.toml")
    dataset = open_for(card, config.data)
    segmenter = Segmenter(EagerRunner(network), card)
    unseen = "test" if config.data.train_with_val else "val"
    unsure = [segmenter(sample.image).unsure for sample in dataset.samples(unseen)]
    told = tomllib.loads(Path(about).read_text(encoding="utf-8"))
    card = card.replace(about=told | {"unsure": round(max(0.02, float(np.quantile(unsure, 0.99))), 3)})
    evaluation = evaluate(network, config.data, "test")
    found = evaluation.to_dict() | {"per_image": None, "confusion_matrix": None}
    if "cases" in found:
        found["cases"] |= {"per_case": None}
    card = card.replace(scores=card.scores | {"test": found})
    network.card = card
    halves = {
        key: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for key, tensor in network.state_dict().items()
    }
    made = in_integers(network, dataset)
    (TARGET / f"{name}.safetensors").write_bytes(safetensors.torch.save(halves, metadata={"card": card.to_json()}))
    (TARGET / f"{name}.int8.onnx").write_bytes(made.graph.SerializeToString())
    print(
        f"{name}: test mean IoU {evaluation.report.mean_iou:.4f}; INT8 {made.score:.4f}, float {made.score_before:.4f}"
    )


def export_again(name: str, spec: str) -> None:
    """Write the INT8 file of a shipped model anew, with the images of its own split."""
    network = onenet.load(name)
    assert network.card is not None
    config = load_config(name, [f"data.root={spec.partition(':')[2]}", f"data.format={spec.partition(':')[0]}"])
    made = in_integers(network, open_for(network.card, config.data))
    (TARGET / f"{name}.int8.onnx").write_bytes(made.graph.SerializeToString())
    print(f"{name}: INT8 {made.score:.4f}, float {made.score_before:.4f}")


def in_integers(network: Network, dataset: Dataset) -> Made:
    """The INT8 graph, calibrated and compared on the images of a set."""
    return next(one for one in make_graphs(network, Wanted(int8=True), dataset, print) if one.suffix == ".int8")


if __name__ == "__main__":
    main()
