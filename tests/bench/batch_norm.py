"""What batch norm from first principles costs in a training step, as a multiple of PyTorch's own.

    python -m tests.bench.batch_norm [--batch 128] [--rounds 9]

Forward and backward pass of every batch norm of a ResNet-18 on 32 px, channels last, on the processor. Both
take turns. Prints a table, and one JSON line last: medians, compare those of one run alone.
"""

import argparse
import json
import statistics
import time

import torch
from torch import Tensor, nn

from models.batch_norm.layer import BatchNorm
from training.loop.device import describe_hardware

SHAPES = {(64, 32): 5, (128, 16): 5, (256, 8): 5, (512, 4): 5}
"""Channels and side of what the batch norms of a ResNet-18 get, and how many get it."""


def seconds(norm: nn.Module, x: Tensor, towards: Tensor) -> float:
    start = time.perf_counter()
    torch.autograd.grad(norm(x), (x, *norm.parameters()), towards)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    hardware = describe_hardware(torch.device("cpu"))
    print(f"{hardware}\n\nchannels  side   ours ms  PyTorch's ms")
    totals = {"ours": 0.0, "pytorch": 0.0}
    for (channels, side), count in SHAPES.items():
        norms = {"ours": BatchNorm(channels), "pytorch": nn.BatchNorm2d(channels)}
        x, towards = (
            torch.randn(arguments.batch, channels, side, side).contiguous(memory_format=torch.channels_last)
            for _ in range(2)
        )
        x.requires_grad_()
        times: dict[str, list[float]] = {name: [] for name in norms}
        for _ in range(arguments.rounds):
            for name, norm in norms.items():
                times[name].append(seconds(norm, x, towards))
        medians = {name: statistics.median(each[1:]) for name, each in times.items()}
        print(f"{channels:>8} {side:>5} {medians['ours'] * 1e3:>9.2f} {medians['pytorch'] * 1e3:>13.2f}")
        for name, median in medians.items():
            totals[name] += count * median
    figures = {f"{name}_ms": round(total * 1e3, 1) for name, total in totals.items()}
    figures["ratio"] = round(totals["ours"] / totals["pytorch"], 2)
    print(json.dumps({"benchmark": "batch_norm", "hardware": hardware, "torch": torch.__version__} | figures))


if __name__ == "__main__":
    main()
