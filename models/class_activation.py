"""Which parts of an image speak for a class: the class activation map.

Source: Zhou et al., "Learning Deep Features for Discriminative Localization", 2016,
https://arxiv.org/abs/1512.04150.
"""

import torch
from torch import Tensor, fx, nn

from models.batch_norm.folding import trace
from models.module_calls import MODULE_CALLS


class ClassActivation:
    """Class activation maps of `model`, which is to be in eval mode and goes on being used as it is.

    Averaging over all places and a linear layer may change places: to every place its own logits, without the
    bias, and then their mean. So the maps are no estimate, and nothing is left out: the mean of a class's map
    plus the class's bias is its logit, up to float rounding. Where a map is above 0, the image speaks for the
    class, below 0 against it.

    Raises `ValueError` for a network that does not end in global average pooling, flattening and one linear
    layer, or whose forward pass cannot be traced.
    """

    def __init__(self, model: nn.Module) -> None:
        graph = trace(model)
        modules = dict(model.named_modules())
        (output,) = (node for node in graph.nodes if node.op == "output")
        classifier_node = output.args[0]
        classifier = _called(modules, classifier_node)
        flatten_node = _before(classifier_node)
        pool_node = _before(flatten_node)
        features_node = _before(pool_node)
        if not (
            isinstance(classifier, nn.Linear)
            and isinstance(_called(modules, flatten_node), nn.Flatten)
            and _is_global_average(_called(modules, pool_node))
            and features_node is not None
        ):
            raise ValueError(
                "a class activation map needs a network that ends in global average pooling and one linear"
                f" layer; {type(model).__name__} does not"
            )
        output.args = (features_node,)
        self._features = fx.GraphModule(model, graph)
        self._features.graph.eliminate_dead_code()
        self._features.recompile()
        # The graph is not needed any more, nor that it holds its module in turn: so the weights go with their
        # last user, and need not wait for the garbage collector, which may never look at them.
        self._features.graph.owning_module = None
        self._classifier = classifier

    @property
    def bias(self) -> Tensor:
        """What no image has a part in: (classes,)."""
        if self._classifier.bias is None:
            return self._classifier.weight.new_zeros(self._classifier.out_features)
        return self._classifier.bias.detach()

    @torch.inference_mode()
    def maps(self, images: Tensor) -> Tensor:
        """Normalised `images` (N, C, S, S) to the maps of all classes, (N, classes, h, w).

        h and w are those of the last feature map, whose places are equal parts of the image.
        """
        with MODULE_CALLS.computing():
            features: Tensor = self._features(images)
        return torch.einsum("nkhw,ck->nchw", features, self._classifier.weight)

    def logits(self, maps: Tensor) -> Tensor:
        """The network's logits (N, classes) from its maps (N, classes, h, w)."""
        return maps.mean((2, 3)) + self.bias


def _called(modules: dict[str, nn.Module], node: object) -> nn.Module | None:
    if isinstance(node, fx.Node) and node.op == "call_module":
        return modules[str(node.target)]
    return None


def _before(node: object) -> fx.Node | None:
    before = node.args[0] if isinstance(node, fx.Node) and node.args else None
    return before if isinstance(before, fx.Node) else None


def _is_global_average(module: nn.Module | None) -> bool:
    return isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
