"""A folder of models beside the container: a version that is put there later is served without a restart."""

import json
import shutil
import tempfile
from pathlib import Path

from models.artifact.metadata import MODEL_FILE
from models.artifact.store import DIGEST_KEY, HEADER_KEY, digest_metadata
from tests.containers.engine import ROOT, Compose, require, step
from tests.containers.service import SAMPLE, ask, built_and_started

NAME = "resnet18-cifar10"
BUNDLED = ROOT / "models" / "weights" / NAME / "1"


def check_repository(compose: Compose) -> None:
    """Version 1 is served from a mounted folder; version 2 is put there, seen, loaded and then answers."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        repository = Path(folder) / "repository"
        shutil.copytree(BUNDLED, repository / NAME / "1")
        override = Path(folder) / "override.json"
        override.write_text(json.dumps(_override(repository)))
        with built_and_started(compose.overridden_by(override), "resnet-serve") as (_, port):
            require(_answering(port) == "1", "version 1 of the mounted repository does not answer")
            _add_version(repository / NAME, "2")
            loaded = ask(port, "POST", f"/v2/repository/models/{NAME}/load")
            require(loaded.status_code == 200, f"version 2 cannot be loaded: {loaded.text}")
            require(_answering(port) == "2", "version 2 was loaded, but does not answer")
    step("A new version in the mounted repository is served without a restart")


def _override(repository: Path) -> dict[str, object]:
    service = {
        "volumes": [f"{repository}:/repository:ro"],
        "environment": ["RESNET_SERVE_MODEL_REPOSITORY=/repository", "RESNET_SERVE_MANAGEMENT=true"],
    }
    return {"services": {"resnet-serve": service}}


def _answering(port: int) -> str:
    version: str = (
        ask(port, "POST", "/predict", SAMPLE.read_bytes()).raise_for_status().json()["model"]["version"]
    )
    return version


def _add_version(model: Path, version: str) -> None:
    """The bundled model once more, calling itself `version`; it appears all at once."""
    beside = model / f".{version}"
    shutil.copytree(BUNDLED, beside)
    file = beside / MODEL_FILE
    content = file.read_bytes()
    # The format: the length of the header, the header as JSON, the tensors.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    fields = {**json.loads(header["__metadata__"][HEADER_KEY]), "version": version}
    header["__metadata__"][HEADER_KEY] = json.dumps({**fields, DIGEST_KEY: digest_metadata(fields)})
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    beside.rename(model / version)
