"""The features of a network: what its last linear layer takes."""

from torch import fx, nn

from models.batch_norm.folding import trace


def last_linear(model: nn.Module) -> nn.Linear:
    """The last of the linear layers, as they were registered. Raises `ValueError` where there is none."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no linear layer, whose inputs are the features")
    return layers[-1]


def with_features(model: nn.Module) -> nn.Module:
    """`model` with its features beside its logits: images (N, C, H, W) to (N, K) and (N, D), in one pass.

    Its layers are the model's own. Raises `ValueError` for a network without a linear layer, and for one
    whose forward pass cannot be traced.
    """
    classifier = last_linear(model)
    graph = trace(model)
    modules = dict(model.named_modules())
    (output,) = (node for node in graph.nodes if node.op == "output")
    (call,) = (
        node for node in graph.nodes if node.op == "call_module" and modules[str(node.target)] is classifier
    )
    output.args = ((output.args[0], call.args[0]),)
    both = fx.GraphModule(model, graph)
    both.train(model.training)
    # Without this the graph and its module hold each other, and the weights with them.
    both.graph.owning_module = None
    return both
