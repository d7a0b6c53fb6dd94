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

SIZES = ((1, 64, 64), (3, 50, 67), (2, 97, 33), (1, 33, 80))  # b h w
SMALL = ((1, 1, 1), (2, 16, 16), (4, 5, 300))  # what torch.export refuses: a side that is one place in the middle
ANY = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)


def network(name):
    torch.manual_seed(0)
    return onenet.create_model(name, **({"width": 8} if name.startswith(("onenet", "unet")) else {})).eval()


def check(what, model, found, sizes=(*SIZES, *SMALL)):
    """Print what was the same at every size, or stop."""
    for b, h, w in sizes:
        image = torch.rand(b, 3, h, w)
        expected = model(image)
        assert expected.std() > 1e-3 or h * w == 1
        assert torch.allclose(found(image), expected, atol=1e-5), (what, b, h, w)
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
        check(f"exported {name}", model, exported(model), SIZES)
        check(f"traced {name}", model, traced(model))
        check(f"ONNX {name}", model, in_onnx(model, dynamo=False))
    if name != "onenet-x-n":
        return
    check("new ONNX", model, in_onnx(model, dynamo=True))
    counter = CompileCounterWithBackend("eager")
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    check("compiled", model, compiled, [(2, 40, 47), *((2, n, n + 7) for n in range(41, 60))])
    assert counter.frame_count <= 3, counter.frame_count  # the first size, all others, those that need no padding


if __name__ == "__main__":
    main()
