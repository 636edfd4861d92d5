"""What every kind of test may use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Before PyTorch is imported, and for all processes that tests start: several tests run at once, and threads
# that compute together would wait for each other in busy loops, longer than they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Likewise, whatever the shell says: some hundred processes would each compile all that they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

from app.settings import Settings
from app.settings.environment import PREFIX, RENAMED

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent

QUICK = ("app", "bench", "documents", "models", "support", "training/recipes", "test_import_rules.py")
"""Folders and files whose tests are marked `quick`: they need no server, no browser and no training run."""

SLOW = (
    "app/batching/test_batcher_schedules.py",
    "app/capacity/test_fleet.py",
    "app/capacity/test_measurement.py",
    "app/capacity/test_simulation.py",
    "app/deploy/test_kubernetes.py",
    "app/deploy/test_monitoring.py",
    "app/http/test_multipart.py",
    "app/http/test_multipart_as_starlette.py",
    "app/observability/test_logs.py",
    "app/observability/test_metric_folder.py",
    "app/registry/test_served_model.py",
    "app/server/test_connection.py",
    "app/server/test_supervisor.py",
    "app/test_cluster.py",
    "app/test_main_command.py",
    "bench/test_serving.py",
    "bench/test_soak.py",
    "documents/test_blocks.py",
    "models/architectures/test_resnet.py",
    "models/augmentations/test_augmentations.py",
    "models/augmentations/test_every_parameter.py",
    "models/augmentations/test_jpeg.py",
    "models/batch_norm/test_folding.py",
    "models/batch_norm/test_view.py",
    "models/engines/test_conversion.py",
    "models/engines/test_conversion_apart.py",
    "models/engines/test_engines.py",
    "models/engines/test_openvino_engine.py",
    "models/engines/test_openvino_ir.py",
    "models/engines/test_quiet_openvino.py",
    "models/engines/test_torch_engine.py",
    "models/feedback/test_database.py",
    "models/preprocessing/test_decode.py",
    "models/preprocessing/test_decode_reduced.py",
    "models/preprocessing/test_stopping.py",
    "models/test_class_activation.py",
    "models/test_command.py",
    "models/test_models.py",
    "models/test_module_calls.py",
    "models/test_pytorch_free.py",
    "support/test_host_waits.py",
)
"""Files there that are not quick: they start processes, compute whole networks, or try hundreds of cases."""

LONGEST = (
    "app/test_cluster.py",
    "documents/test_blocks.py",
    "browser",
    "training/deploy/test_ray_train.py",
    "training/deploy/test_two_hosts.py",
    "training/test_cli.py",
    "api/test_worker_processes.py",
    "training/loop/test_killed_run.py",
    "training/loop/test_distributed.py",
    "api/test_accuracy.py",
    "training/deploy/test_slurm.py",
)
"""Files and folders that take longest. They begin first, or one process would still run the last of them
alone. Those that wait more than they compute come before others, which have the processors meanwhile."""

TOGETHER = ("browser",)
"""Folders whose files one process runs one after the other: they share what takes long to start."""

sys.dont_write_bytecode = False

TORCH_THREADS = torch.get_num_threads()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give every test torch's own number of threads, whatever an engine chose for the process before it.

    Other numbers of threads add up in other orders. As a hook, so that it comes before the fixtures of a
    module too.
    """
    torch.set_num_threads(TORCH_THREADS)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_shell() -> Iterator[None]:
    """Take the service's settings out of the environment, and what would be read as one."""
    with pytest.MonkeyPatch.context() as patch:
        names = {field.upper() for field in Settings.model_fields} | RENAMED.keys()
        for name in list(os.environ):
            if name.startswith(PREFIX) or name in names:
                patch.delenv(name)
        yield


def is_quick(path: Path) -> bool:
    """Whether the tests in this file are marked `quick`."""
    file = path.relative_to(TESTS).as_posix()
    return file not in SLOW and any(file == part or file.startswith(f"{part}/") for part in QUICK)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m quick`, import no other tests: that alone would take longer than the quick ones."""
    only_quick = config.getoption("markexpr") == "quick"
    return True if only_quick and collection_path.suffix == ".py" and not is_quick(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick, and begin with what takes longest."""
    for item in items:
        if is_quick(item.path):
            item.add_marker(pytest.mark.quick)
    places = {TESTS / path: place for place, path in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        found = [places[path] for path in (item.path, *item.path.parents) if path in places]
        return min(found, default=len(places))

    items.sort(key=place)


class FilesAndFolders(LoadFileScheduling):  # type: ignore[misc]
    """Gives a process whole files, and the folders in `TOGETHER` as if each were one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folders = (f"{TESTS.name}/{folder}" for folder in TOGETHER)
        return next((folder for folder in folders if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return FilesAndFolders(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-test-image",
        action="store_true",
        help="send all test images of CIFAR-10 through the service, not those of two classes alone",
    )


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The folder of the real CIFAR-10: `CIFAR10_DIR`, or data/. Where it is absent the test is skipped."""
    folder = Path(os.environ.get("CIFAR10_DIR", REPOSITORY / "data"))
    if not (folder / "cifar-10-batches-py" / "test_batch").is_file():
        pytest.skip(f"no CIFAR-10 in {folder}: run `make data`, or set CIFAR10_DIR")
    return folder
