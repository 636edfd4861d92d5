"""A network at inference time needs no batch norm after a convolution: the weights take it in."""

import copy
from collections import Counter

from torch import fx, nn

from models.batch_norm.layer import BATCH_NORMS, BatchNorm, fold_batch_norm
from models.module_calls import MODULE_CALLS


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, BATCH_NORMS) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.Graph:
    """The forward pass of `model` as a graph in which every batch norm is one node.

    Raises `ValueError` for a network whose forward pass depends on the values it gets: it cannot be traced.
    """
    try:
        with MODULE_CALLS.tracing():
            return _Tracer().trace(model)
    except fx.proxy.TraceError as error:
        raise ValueError(f"the network's forward pass cannot be traced: {error}") from error


def fold_batch_norms(model: nn.Module) -> nn.Module:
    """A copy of `model`, in eval mode, whose convolutions have taken in the batch norm that follows them.

    Maximum pooling may lie between the two where the batch norm scales by nothing below 0: it keeps the order
    of the values. A batch norm that follows anything else stays, and so does one after a convolution that is
    used twice or whose output is. The result computes what `model` computes in eval mode, up to float
    rounding.

    Raises `ValueError` for a network whose forward pass depends on the values it gets: it cannot be traced.
    """
    folded = copy.deepcopy(model).eval()
    graph = trace(folded)
    modules = dict(folded.named_modules())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        norm = modules.get(str(node.target)) if node.op == "call_module" else None
        if not isinstance(norm, BatchNorm | nn.BatchNorm2d):
            continue
        before = node.args[0]
        used_once = calls[node.target] == 1
        if isinstance(modules.get(str(before.target)), nn.MaxPool2d) and _keeps_order(norm):
            used_once &= len(before.users) == 1
            before = before.args[0]
        conv = modules.get(str(before.target)) if before.op == "call_module" else None
        used_once &= len(before.users) == calls[before.target] == 1
        if isinstance(conv, nn.Conv2d) and used_once:
            folded.set_submodule(str(before.target), fold_batch_norm(conv, norm))
            folded.set_submodule(str(node.target), nn.Identity())
    return folded.eval()


def _keeps_order(norm: BatchNorm | nn.BatchNorm2d) -> bool:
    return norm.weight is None or bool((norm.weight >= 0).all())
