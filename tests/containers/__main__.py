"""Build the container images, run them as `docker compose up` does, and hold them to what they promise.

`make docker-test` runs all checks, `python -m tests.containers slim` one of them; it needs a Docker engine
with compose, version 1 or 2. A container must answer as the service does when it runs from this folder, as an
ordinary user without privileges, on a read-only file system, and it must stop in order. The slim one must
stay below its memory limit and say what it cannot do. `monitoring` loads Prometheus's image, and `gpu` and
`train-gpu` need an NVIDIA GPU, so these run when they are asked for. Containers are removed at the end; the
images stay.
"""

import sys
from collections.abc import Callable
from functools import partial

from tests.containers.engine import CheckFailedError, Compose, find_compose, step
from tests.containers.monitoring import check_monitoring
from tests.containers.repository import check_repository
from tests.containers.service import check_service
from tests.containers.slim import check_slim
from tests.containers.training import check_training

CHECKS: dict[str, Callable[[Compose], None]] = {
    "resnet-serve": partial(check_service, service="resnet-serve"),
    "repository": check_repository,
    "slim": check_slim,
    "train": partial(check_training, service="train"),
}
ON_DEMAND: dict[str, Callable[[Compose], None]] = {
    "gpu": partial(check_service, service="gpu"),
    "monitoring": check_monitoring,
    "train-gpu": partial(check_training, service="train-gpu"),
}


def main(names: list[str]) -> int:
    """Run the checks `names`, or all that need nothing more than an engine; returns the exit code."""
    known = CHECKS | ON_DEMAND
    if unknown := sorted(set(names) - set(known)):
        print(f"no such check: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        compose = find_compose()
        for name in names or CHECKS:
            step(f"Check: {name}")
            known[name](compose)
    except CheckFailedError as error:
        print(f"docker-test failed: {error}", file=sys.stderr)
        return 1
    print("==> All checks of the containers passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
