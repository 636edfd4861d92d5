"""Which models are served."""

from pathlib import Path

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from app.settings.environment import variable
from app.settings.text_types import Versions, parse_versions

# Found without an import of `models`, which would bring PyTorch into a process that only supervises.
BUNDLED_MODEL = Path(__file__).parents[2] / "models" / "weights" / "resnet18-cifar10" / "1"


class ModelSettings(BaseModel):
    model_dir: Path = Field(
        BUNDLED_MODEL, description="Folder of the model to serve; its path ends in `<name>/<version>`."
    )
    model_repository: Path | None = Field(
        None,
        description="Folder of several models, `<name>/<version>` each. The newest version of every model is"
        " served, unless another one is pinned, and the folder of a single model is not used.",
    )
    pinned_versions: Versions = Field(
        "",
        description="Versions that the start serves although newer ones are in the model repository, such as"
        " `photos=1, other=3`. Empty: the newest of every model.",
    )
    default_model: str = Field(
        "",
        description="Name of the model that answers requests without a model name. Empty: the first in"
        " alphabetical order.",
    )
    max_models: int = Field(
        8, ge=1, le=1000, description="Maximum number of model versions loaded at the same time."
    )
    management: bool = Field(
        default=False,
        description="Allow models of the model repository to be loaded and unloaded over HTTP.",
    )

    @field_validator("pinned_versions")
    @classmethod
    def _require_versions_to_choose_from(cls, pinned: str, info: ValidationInfo) -> str:
        if pinned and info.data.get("model_repository") is None:
            raise ValueError(f"needs {variable('model_repository')}, the folder of the versions")
        return pinned

    @field_validator("management")
    @classmethod
    def _require_repository(cls, management: bool, info: ValidationInfo) -> bool:
        if management and info.data.get("model_repository") is None:
            raise ValueError(f"needs {variable('model_repository')}, the folder that models are loaded from")
        return management

    def versions(self) -> dict[str, str]:
        """The pinned versions, by the names of their models."""
        return parse_versions(self.pinned_versions)
