"""Export, trace and compile networks once, and ask them for images of other sizes: python any_size.py NAME...

A program of its own, because the types that tests check at every call can be neither traced nor exported.
"""

import io
import sys
import warnings

import onnxruntime
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch.export import Dim

import onenet

SIZES = (
    (1, 64, 64),
    (3, 50, 67),
    (2, 97, 33),
    (1, 33, 80),
)  # b h w, above one stride: torch takes a size of 1 for fixed
ANY = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)


def network(name):
    torch.manual_seed(0)
    return onenet.create_model(name, **({"width": 8} if name.startswith(("onenet", "unet")) else {})).eval()


def check(what, model, found, tolerance=1e-5):
    """Print what was the same at every size, or stop."""
    for b, h, w in SIZES:
        image = torch.rand(b, 3, h, w)
        expected = model(image)
        assert expected.std() > 1e-3
        assert torch.allclose(found(image), expected, atol=tolerance), (what, b, h, w)
    print(what)


def exported(model):
    return torch.export.export(model, (torch.rand(2, 3, 65, 70),), dynamic_shapes=ANY).module()


def traced(model):
    return torch.jit.trace(model, torch.rand(1, 3, 65, 70))


def in_onnx(model, dynamo):
    file = io.BytesIO()
    shapes = {"dynamic_shapes": ANY} if dynamo else {"dynamic_axes": {"image": {0: "b", 2: "h", 3: "w"}}}
    program = torch.onnx.export(
        model, (torch.rand(1, 3, 65, 70),), None if dynamo else file, dynamo=dynamo, input_names=["image"], **shapes
    )
    if dynamo:
        program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


@torch.no_grad()
def main():
    warnings.simplefilter("ignore")  # torch says that tracing is old
    for name in sys.argv[1:]:
        model = network(name)
        check(f"exported {name}", model, exported(model))
        check(f"traced {name}", model, traced(model))
    model, counter = network("onenet-x-n"), CompileCounterWithBackend("eager")
    check("compiled", model, torch.compile(model, backend=counter, fullgraph=True))
    assert counter.frame_count == 3, counter.frame_count  # the first size, all others, other sizes of a single image
    for dynamo in (True, False):
        check(f"ONNX {dynamo}", model, in_onnx(model, dynamo))


if __name__ == "__main__":
    main()
