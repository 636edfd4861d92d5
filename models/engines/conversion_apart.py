"""The conversion of a stored network for OpenVINO in a process of its own, beside one that serves.

Nobody may compute a PyTorch module while a network is traced (see `models.module_calls`), and a conversion
takes seconds, also of the interpreter: in the serving process explanations wait for it, and large images
behind them.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from models.artifact.store import load_artifact
from models.engines.base import EngineError
from models.engines.quiet_openvino import CORE
from models.engines.quiet_openvino import openvino as ov
from models.preprocessing.transform import Preprocessing

ROOT = Path(__file__).parents[2]
SECONDS = 240.0
"""For a conversion, which takes 5 to 20 s: what takes longer hangs, and whoever waits for it would too."""


def convert_apart(folder: Path) -> ov.Model:
    """The network of the artifact in `folder`, as `convert` gives it. Raises `EngineError` if that fails."""
    with TemporaryDirectory() as path:
        xml = Path(path) / "network.xml"
        command = [sys.executable, "-m", __name__, str(folder.resolve()), str(xml)]
        try:
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"the network cannot be converted for openvino in {SECONDS:g} s") from error
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise EngineError(f"the network cannot be converted for openvino: {last}") from error
        return CORE.read_model(xml.read_bytes(), xml.with_suffix(".bin").read_bytes())


def main(folder: str, xml: str) -> None:
    # Whoever waits for this process needs no PyTorch.
    from models.engines.conversion import convert

    artifact = load_artifact(Path(folder))
    network = convert(artifact.model, Preprocessing.from_metadata(artifact.metadata))
    ov.save_model(network, xml, compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
