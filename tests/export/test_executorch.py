import pytest
import torch
from torch import fx

import onenet
from onenet.deploy.description import Description
from onenet.errors import ExportError

pytest.importorskip("executorch", reason="in an environment of its own: tests/promises/test_phone_environment.py")

from onenet.deploy.executorch import ExecutorchSession
from onenet.export.executorch import check_whole, integers, program, program_form
from onenet.export.trial import calibration_windows

IMAGES, ROWS = Description(form="conv"), Description(form="flat", input="pixels", tile=16)


def instructions(data):
    """What a program does, as its file says: the kinds of its instructions, and how many delegates it has."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    (plan,) = deserialize_pte_binary(data).program.execution_plan
    return [type(one.instr_args).__name__ for one in plan.chains[0].instructions], [one.id for one in plan.delegates]


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("onenet-ed-4", IMAGES),
        ("onenet-ed-4", ROWS),
        ("onenet-e-4", IMAGES),
        ("unet-4", IMAGES),
        ("onenet-x-n", IMAGES),
    ],
)
def test_a_network_is_one_delegate_and_nothing_else(name, description):
    network = onenet.create_model(name, width=4).eval()
    data = program(program_form(network, description), network.card, description)
    assert instructions(data) == (["DelegateCall"], ["XnnpackBackend"])


def test_what_xnnpack_does_not_take_whole_is_refused():
    network = onenet.create_model("onenet-e-4-spatial", width=4, depth=1, stem_repeat=1).eval()
    with pytest.raises(ExportError, match=r"onenet-e-4-spatial: XNNPACK takes it in \d+ pieces and leaves out \d+ op"):
        program(program_form(network, IMAGES), network.card, IMAGES)


def test_a_second_delegate_or_none_is_refused(conv):
    def executorch_call_delegate():
        """Named as ExecuTorch names it."""

    for count in (0, 2):
        graph = fx.Graph()
        for _ in range(count):
            graph.call_function(executorch_call_delegate)
        with pytest.raises(ExportError, match=f"takes it in {count} pieces; only networks"):
            check_whole(graph, conv.card)


@pytest.mark.parametrize("family", ["flat", "conv"])
def test_int8_computes_in_integers_and_draws_the_network_s_mask(family, request):
    exports = request.getfixturevalue(family)
    windows = calibration_windows(exports.card, exports.dataset, count=4, side=32)
    form = program_form(exports.network, IMAGES)
    form_int8 = integers(form, exports.card, IMAGES, windows)
    convs = [node for node in form_int8.graph.nodes if node.op == "call_function" and "conv" in str(node.target)]
    assert len(convs) > 10 and all(map(in_integers, convs))
    data = program(form_int8, exports.card, IMAGES)
    assert instructions(data) == (["DelegateCall"], ["XnnpackBackend"])
    session = ExecutorchSession(data)
    for image in windows:
        with torch.no_grad():
            expected = exports.network(torch.from_numpy(image)).numpy()
        made = session(image)
        assert abs(made - expected).max() < 0.1 * abs(expected).max()
        assert (made.argmax(1) == expected.argmax(1)).mean() > 0.95
        with torch.no_grad():  # and torch's own arithmetic on the quantised form says the same, up to ties
            again = form_int8(torch.from_numpy(image)).numpy()
        assert abs(made - again).max() < 0.05 * abs(expected).max()


def in_integers(node):
    """Whether a convolution of a quantised form reads integers, and what it gives is rounded to integers."""
    reads = all("dequantize" in str(argument.target) for argument in node.args[:2])
    users = [user for node in node.users for user in (node.users if "relu" in str(node.target) else (node,))]
    return reads and all("quantize_per_tensor" in str(user.target) for user in users)
