"""What facts.json of an artifact tells of its network and training, for those who do not import PyTorch."""

from pydantic import BaseModel, ConfigDict, JsonValue

from models.layers import LayerSummary

FILE_NAME = "facts.json"


class ModelFacts(BaseModel):
    """`layers` are in the order in which an image passes them, for one image of the model's own size.

    `batch_norms` are the names of all batch norms, in the order of the state dict. `features` is how many
    numbers the last linear layer takes, None where there is no such layer. `class_activation` is whether the
    network's end allows class activation maps. `augmentation` is what `models.training_augmentation` says of
    the recipe, with every parameter, None where the recipe does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: tuple[LayerSummary, ...]
    batch_norms: tuple[str, ...]
    features: int | None
    class_activation: bool
    augmentation: list[dict[str, JsonValue]] | None

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=1).encode()
