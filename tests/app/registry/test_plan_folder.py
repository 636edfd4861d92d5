"""The folder through which worker processes agree."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.registry.plan import Plan
from app.registry.plan_folder import BusyError, PlanFolder, WorkerProgress

PLAN = Plan.first({"cats": "1"}, default="cats")


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    assert folder.read() is None
    folder.write(PLAN)
    folder.write(PLAN.stage("cats", "2"))
    assert PlanFolder(tmp_path).read() == PLAN.stage("cats", "2")


def test_the_last_report_of_each_worker_counts_until_it_leaves(tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    folder.report(0, WorkerProgress(generation=1))
    folder.report(1, WorkerProgress(generation=1, error="no memory"))
    folder.report(0, WorkerProgress(generation=2))
    assert folder.reports() == {
        0: WorkerProgress(generation=2),
        1: WorkerProgress(generation=1, error="no memory"),
    }
    folder.leave(1)
    folder.leave(7)
    assert folder.reports() == {0: WorkerProgress(generation=2)}


def test_the_lock_is_one_processs_at_a_time_and_ends_with_it(tmp_path: Path) -> None:
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom app.registry.plan_folder import PlanFolder\n"
        "with PlanFolder(Path(sys.argv[1])).lock():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError), PlanFolder(tmp_path).lock():
            pass
        other.kill()
        with PlanFolder(tmp_path).lock(wait=True):
            pass
