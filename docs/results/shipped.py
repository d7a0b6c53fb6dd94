"""Score both files of every model that comes with the package, the weights and the INT8 file, on its test images.

python docs/results/shipped.py DATA     (DATA holds oxford_pet/, nuclei/ and msd/Task02_Heart/)

Prints JSON. The INT8 files are computed by ONNX Runtime, which is what plain `[deploy]` installs.
"""

import json
import sys
from typing import Any

import onenet
from onenet.weights import shipped_file, shipped_names

SPECS = {"pet": "pet-binary:{}/oxford_pet", "nuclei": "folder:{}/nuclei", "left-atrium": "msd:{}/msd/Task02_Heart"}


def main() -> None:
    """Score."""
    root = sys.argv[1]
    print(json.dumps({"rows": [scores(name, SPECS[name].format(root)) for name in shipped_names()]}))


def scores(name: str, spec: str) -> dict[str, Any]:
    """Of a model's two files: IoU without the background, of volumes the mean Dice."""
    row: dict[str, Any] = {"model": name}
    for precision in ("float", "int8"):
        file = shipped_file(name, for_device=precision == "int8")
        assert file is not None
        found = onenet.evaluate(str(file), spec, runtime="onnxruntime" if precision == "int8" else "auto").to_dict()
        whole = "cases" in found
        row |= {"score": "dice" if whole else "iou", "images": found["cases"]["cases"] if whole else found["images"]}
        row[precision] = found["cases"]["mean"]["dice"]["mean"] if whole else found["foreground_iou"]
    return row


if __name__ == "__main__":
    main()
