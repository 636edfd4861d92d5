"""A Slurm cluster on this machine: its controller and two nodes, each with one GPU that is but a file."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

import pytest

from tests.support.free_port import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue")
NODES = (gethostname(), f"{gethostname()}-other")
"""The first one in alphabetical order is the one that the other must be able to find by its name."""
START_SECONDS = 60

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmctldPidFile={folder}/controller.pid
SlurmctldLogFile={folder}/controller.log
StateSaveLocation={folder}/state
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
MpiDefault=none
ReturnToService=2
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports[0]} CPUs=1 Gres=gpu:1
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports[1]} CPUs=1 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A cluster whose files lie in `folder`."""

    folder: Path

    def run(self, *command: str, **variables: str) -> str:
        """What one of Slurm's commands prints, called from the current folder."""
        environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), **variables}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def job(self, number: str) -> dict[str, str]:
        """What the controller knows of a job, by names such as JobState and ExitCode."""
        words = self.run("scontrol", "--oneliner", "show", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """A cluster whose two nodes are ready; skips the test without Slurm, or where this is not root."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"no {missing[0]} (Debian: slurmctld, slurmd, slurm-client and munge)")
    if os.geteuid() != 0:
        pytest.skip("only root can start the nodes of a Slurm cluster")
    ports = set[int]()
    while len(ports) < 1 + len(NODES):
        ports.add(free_port())
    controller_port, *node_ports = ports
    (folder / "state").mkdir(parents=True)
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            host=NODES[0],
            nodes=NODES,
            controller_port=controller_port,
            node_ports=node_ports,
        )
    )
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    files = {"key-file": key.name, "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "seed"}
    # By --force it takes folders that others may write to, as temporary ones are.
    munge = ["--foreground", "--force", f"--log-file={folder / 'munge.log'}"]
    munge += [f"--{name}={folder / file}" for name, file in files.items()]
    cluster = Slurm(folder)
    with ExitStack() as daemons:
        daemons.enter_context(_daemon(folder, "munged", *munge))
        _wait_for(lambda: (folder / "munge.socket").exists())
        daemons.enter_context(_daemon(folder, "slurmctld", "-D"))
        for node in NODES:
            daemons.enter_context(_daemon(folder, "slurmd", "-D", "-N", node))
        _wait_for(lambda: cluster.run("sinfo", "--noheader", "--Node", "--format=%T").split() == ["idle"] * 2)
        try:
            yield cluster
        finally:
            cluster.run("scancel", "--full", "--user=root")
            _wait_for(lambda: not cluster.run("squeue", "--noheader"))


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("a") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if condition():
                return
        except AssertionError:  # of a controller that does not answer yet
            pass
        assert time.monotonic() < deadline, f"Slurm is not there after {START_SECONDS} s"
        time.sleep(0.2)
