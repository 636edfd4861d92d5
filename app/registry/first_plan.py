"""Which models and versions the start serves."""

import logging
from pathlib import Path

from app.registry.plan import Plan
from app.registry.repository import Repository
from app.settings import Settings
from models.artifact.store import ArtifactError, ModelMetadata, read_artifact, read_metadata

logger = logging.getLogger(__name__)


class MisplacedError(ArtifactError):
    """A model that lies in the folder of another name or version; the message says where it must lie."""


def first_plan(settings: Settings) -> Plan:
    """What the start serves: the model in `model_dir`, or the newest version of each in `model_repository`.

    Of several versions it is the newest that is not damaged and lies in the folder of its name and version; a
    line of the log says which do not. Raises `ArtifactError` if there is none, more than `max_models`, or not
    the one named by `default_model`, and if the repository cannot be read.
    """
    if settings.model_repository is None:
        about = read_metadata(settings.model_dir)
        newest = {about.name: about.version}
    else:
        place = f"RESNET_SERVE_MODEL_REPOSITORY={settings.model_repository}"
        try:
            versions = Repository(settings.model_repository).versions()
        except OSError as error:
            raise ArtifactError(f"{place}: {error.strerror}") from error
        newest = _newest_of_each(settings.model_repository, versions)
        if not newest:
            raise ArtifactError(f"{place}: no <name>/<version> in it")
        if len(newest) > settings.max_models:
            raise ArtifactError(
                f"{place}: {len(newest)} models are in it, "
                f"more than RESNET_SERVE_MAX_MODELS={settings.max_models}"
            )
    default = settings.default_model or next(iter(newest))
    if default not in newest:
        raise ArtifactError(f"RESNET_SERVE_DEFAULT_MODEL={default}: there is only {', '.join(newest)}")
    return Plan.first(newest, default)


def require_own_folder(about: ModelMetadata, folder: Path) -> None:
    """Raise `MisplacedError` unless `folder`, in a repository, is that of the model's name and version."""
    if (about.name, about.version) != (folder.parent.name, folder.name):
        own = folder.parent.parent / about.name / about.version
        raise MisplacedError(
            f"{folder}: the model calls itself {about.name}/{about.version}, so it must lie in {own}"
        )


def _newest_of_each(repository: Path, versions: dict[str, list[str]]) -> dict[str, str]:
    """The version of each model that is to be served; left out is one in whose folders only others lie.

    Raises `MisplacedError` if nothing is left.
    """
    newest: dict[str, str] = {}
    misplaced: MisplacedError | None = None
    for name, listed in versions.items():
        own = []
        for version in listed:
            error = _misplaced(repository / name / version)
            if error is None:
                own.append(version)
            else:
                logger.error("%s %s is passed over: %s", name, version, error)
                misplaced = error
        if own:
            newest[name] = _newest_sound(repository / name, own)
    if misplaced is not None and not newest:
        raise misplaced
    return newest


def _misplaced(folder: Path) -> MisplacedError | None:
    """What is wrong with the place of a model; nothing where it cannot be read, which is damage."""
    try:
        require_own_folder(read_metadata(folder), folder)
    except MisplacedError as error:
        return error
    except (ArtifactError, OSError):
        pass
    return None


def _newest_sound(folder: Path, versions: list[str]) -> str:
    """Of `versions`, oldest first, the newest that loads; the oldest of all where none does."""
    for version in reversed(versions[1:]):
        try:
            read_artifact(folder / version)
        except (ArtifactError, OSError) as error:
            logger.error("%s %s is damaged, so an older version is served: %s", folder.name, version, error)
        else:
            return version
    return versions[0]
