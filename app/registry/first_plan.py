"""Which models and versions the start serves."""

import logging
from pathlib import Path

from app.registry.plan import Plan
from app.registry.repository import Repository, UnknownModelError
from app.settings import Settings
from models.artifact.store import ArtifactError, ModelMetadata, read_artifact, read_metadata

logger = logging.getLogger(__name__)


class MisplacedError(ArtifactError):
    """A model that lies in the folder of another name or version; the message says where it must lie."""


def first_plan(settings: Settings) -> Plan:
    """What the start serves: the model in `model_dir`, or a version of each in `model_repository`.

    That is the one in `pinned_versions`, whatever may be wrong with it. Else it is the newest that is not
    damaged and lies in the folder of its name and version; a line of the log says which are passed over.
    Raises `ArtifactError` if there is none, more than `max_models`, none of a pinned version, or not the one
    named by `default_model`, and if the repository cannot be read.
    """
    if settings.model_repository is None:
        about = read_metadata(settings.model_dir)
        chosen = {about.name: about.version}
    else:
        chosen = _chosen_in(settings.model_repository, settings.versions())
        if len(chosen) > settings.max_models:
            raise ArtifactError(
                f"RESNET_SERVE_MODEL_REPOSITORY={settings.model_repository}: {len(chosen)} models are in it, "
                f"more than RESNET_SERVE_MAX_MODELS={settings.max_models}"
            )
    default = settings.default_model or next(iter(chosen))
    if default not in chosen:
        raise ArtifactError(f"RESNET_SERVE_DEFAULT_MODEL={default}: there is only {', '.join(chosen)}")
    return Plan.first(chosen, default)


def require_own_folder(about: ModelMetadata, folder: Path) -> None:
    """Raise `MisplacedError` unless `folder`, in a repository, is that of the model's name and version."""
    if (about.name, about.version) != (folder.parent.name, folder.name):
        own = folder.parent.parent / about.name / about.version
        raise MisplacedError(
            f"{folder}: the model calls itself {about.name}/{about.version}, so it must lie in {own}"
        )


def _chosen_in(folder: Path, pinned: dict[str, str]) -> dict[str, str]:
    """The version of each model in a repository; left out is a name in whose folders only others lie.

    Raises `ArtifactError` if nothing is left, if a pinned version is not there, and if the repository cannot
    be read.
    """
    place = f"RESNET_SERVE_MODEL_REPOSITORY={folder}"
    repository = Repository(folder)
    try:
        for name, version in pinned.items():
            repository.find(name, version)
        versions = repository.versions()
    except UnknownModelError as error:
        raise ArtifactError(f"RESNET_SERVE_PINNED_VERSIONS: {error}") from error
    except OSError as error:
        raise ArtifactError(f"{place}: {error.strerror}") from error
    chosen: dict[str, str] = {}
    misplaced: list[MisplacedError] = []
    for name, listed in versions.items():
        served = pinned.get(name) or _newest_sound(folder / name, listed, misplaced)
        if served is not None:
            chosen[name] = served
    if not chosen:
        raise misplaced[0] if misplaced else ArtifactError(f"{place}: no <name>/<version> in it")
    return chosen


def _newest_sound(folder: Path, versions: list[str], misplaced: list[MisplacedError]) -> str | None:
    """Of `versions`, oldest first, the newest that loads, or the oldest where none does.

    What is misplaced is added to `misplaced` and counts for nothing; None if there is nothing else.
    """
    own = []
    for version in versions:
        try:
            require_own_folder(read_metadata(folder / version), folder / version)
        except MisplacedError as error:
            logger.error("%s %s is passed over: %s", folder.name, version, error)
            misplaced.append(error)
        except (ArtifactError, OSError):
            own.append(version)  # damaged, which is told below
        else:
            own.append(version)
    for version in reversed(own[1:]):
        try:
            read_artifact(folder / version)
        except (ArtifactError, OSError) as error:
            logger.error("%s %s is damaged, so an older version is served: %s", folder.name, version, error)
        else:
            return version
    return own[0] if own else None
