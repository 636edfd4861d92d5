"""OpenVINO without its telemetry: `from models.engines.quiet_openvino import openvino`, and never otherwise.

OpenVINO and NNCF report to Google Analytics when they are imported and when they convert a network, through
copies that they fork of the process, a service's open connections included. They do so only where the package
`openvino_telemetry` can be imported, which pip installs along with them.
"""

import sys

# What `import` finds here as None it takes for missing.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402
from openvino.preprocess import PrePostProcessor  # noqa: E402

__all__ = ["CORE", "PrePostProcessor", "openvino"]

CORE = openvino.Core()
"""The only core of a process, which holds OpenVINO's plugin for the processor as long as the process lives.

The plugin gives the thread that loads it a stack for signal handlers. It frees that stack with the last of
its core and networks, in whichever thread that happens; the next signal to the first thread would then be a
segmentation fault.
"""
