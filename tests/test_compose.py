"""docker-compose.yml: the containers that train write where their results outlast them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.containers.__main__ import CHECKS, ON_DEMAND

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
TRAINING = ("train", "train-gpu")


def resolved(name: str) -> dict[str, Any]:
    """A service with what it takes over from the one that it extends."""
    service = SERVICES[name]
    base = resolved(service["extends"]["service"]) if "extends" in service else {}
    return {**base, **service}


@pytest.mark.parametrize("name", TRAINING)
def test_what_training_reads_and_writes_by_default_is_the_hosts(name: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (workdir,) = set(re.findall(r"^WORKDIR (?!/build)(\S+)$", dockerfile, re.MULTILINE))
    mounted = dict(volume.split(":", 1) for volume in resolved(name)["volumes"])
    # Writable: with `:ro` the right side would be another.
    folders = ("data", "runs", "models/weights")
    assert mounted == {f"./{folder}": f"{workdir}/{folder}" for folder in folders}
    assert resolved(name)["user"] == "${TRAIN_USER:-1000:1000}"


@pytest.mark.parametrize("name", ["gpu", "train-gpu"])
def test_with_cuda_there_is_a_gpu(name: str) -> None:
    service = SERVICES[name]
    assert service["build"]["args"]["TORCH_INDEX_URL"] == ""
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert service["profiles"] == [name]


def test_training_is_built_alike_with_and_without_cuda() -> None:
    built = [SERVICES[name]["build"] for name in TRAINING]
    for build in built:
        assert (build["context"], build["target"]) == (".", "train")
        assert build["args"].keys() == {"TORCH_INDEX_URL", "EXTRAS"}
    assert len({SERVICES[name]["image"] for name in TRAINING}) == len(TRAINING)


def test_every_service_of_our_own_is_checked_with_an_engine() -> None:
    own = {name for name, service in SERVICES.items() if "build" in service}
    assert own <= CHECKS.keys() | ON_DEMAND.keys()
