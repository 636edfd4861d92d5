"""Which models are served."""

from pathlib import Path

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from app.settings.environment import variable

# Found without an import of `models`, which would bring PyTorch into a process that only supervises.
BUNDLED_MODEL = Path(__file__).parents[2] / "models" / "weights" / "resnet18-cifar10" / "1"


class ModelSettings(BaseModel):
    model_dir: Path = Field(
        BUNDLED_MODEL, description="Folder of the model to serve; its path ends in `<name>/<version>`."
    )
    model_repository: Path | None = Field(
        None,
        description="Folder of several models, `<name>/<version>` each. The newest version of every model is"
        " served, and the folder of a single model is not used.",
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

    @field_validator("management")
    @classmethod
    def _require_repository(cls, management: bool, info: ValidationInfo) -> bool:
        if management and info.data.get("model_repository") is None:
            raise ValueError(f"needs {variable('model_repository')}, the folder that models are loaded from")
        return management
