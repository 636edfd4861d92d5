"""How soon the page is there, how much it weighs, and how fast the studio's grid follows a drag.

    python -m tests.bench.page [--loads 7] [--moves 40]

Starts the service with the bundled model, and visits it with Chromium. Prints a table, and one
JSON line last.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Error, Page, Request, sync_playwright

from tests.bench.arithmetic import percentile
from tests.bench.program import BenchError, machine, run, say, table
from tests.bench.server import OURS, running

CHROMIUM = Path("/usr/bin/chromium")
VIEW: Any = {"width": 1280, "height": 900}
SAMPLES = "/static/samples/"

FIRST_PAINT_MS = 1000
MOST_BYTES = 150_000
REDRAW_MS = 150
"""What the figures are held against: medians, on a machine with nothing else to do."""

REST_MS = 300
"""Before each move of a slider: in the midst of a drag the page would first wait for the end of its pause."""

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"

# From the event of a slider that is dragged until all tiles are new, decoded, and a frame with them is due.
REDRAW = """async ([value, tiles]) => {
    const images = [...document.querySelectorAll("#augment .grid img")];
    const before = images.map((image) => image.src);
    const slider = document.querySelector("#augment input[aria-label=Padding]");
    const start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    while (images.every((image, index) => image.src === before[index])) {
        await new Promise(requestAnimationFrame);
        if (performance.now() - start > 30_000) throw new Error("the grid was not drawn");
    }
    await Promise.all(images.map((image) => image.decode()));
    await new Promise(requestAnimationFrame);
    if (images.length !== tiles) throw new Error(`the grid has ${images.length} tiles`);
    return performance.now() - start;
}"""


def main() -> int:
    options = _parse()
    return run(lambda: benchmark(options.loads, options.moves))


def benchmark(loads: int, moves: int) -> dict[str, Any]:
    try:
        with running(OURS, {}) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            figures: dict[str, Any] = {
                "first_paint_ms": _summary([first_paint(browser, server.address) for _ in range(loads)]),
                "bytes": weight(browser, server.address),
                "redraw_ms": _summary(redraws(browser, server.address, moves, predict=True)),
                "redraw_without_predictions_ms": _summary(
                    redraws(browser, server.address, moves, predict=False)
                ),
                "chromium": browser.version,
            }
            browser.close()
    except Error as error:
        raise BenchError(str(error).splitlines()[0]) from error
    rows = [
        ("first paint, ms", f"{figures['first_paint_ms']['median']:.0f}", f"{FIRST_PAINT_MS}"),
        ("all files but samples, bytes", f"{figures['bytes']}", f"{MOST_BYTES}"),
        ("2x4 grid redrawn and predicted, ms", f"{figures['redraw_ms']['median']:.0f}", f"{REDRAW_MS}"),
        (
            "2x4 grid redrawn, ms",
            f"{figures['redraw_without_predictions_ms']['median']:.0f}",
            f"{REDRAW_MS}",
        ),
    ]
    say(table(("", "median", "at most"), rows))
    return {**figures, **machine("fastapi", "openvino", "torch")}


def first_paint(browser: Browser, address: str) -> float:
    """Milliseconds from the navigation to the first content that is painted, with an empty cache."""
    context = browser.new_context(viewport=VIEW)
    try:
        page = context.new_page()
        page.goto(address)
        page.wait_for_function(f"({FIRST_PAINT}) !== null")
        return float(page.evaluate(FIRST_PAINT))
    finally:
        context.close()


def weight(browser: Browser, address: str) -> int:
    """Bytes of all answers, headers too, until the page rests and every panel's files have come."""
    context = browser.new_context(viewport=VIEW)
    finished: list[Request] = []
    try:
        page = context.new_page()
        page.on("requestfinished", lambda request: finished.append(request))
        page.goto(address, wait_until="networkidle")
        sizes = [request.sizes() for request in finished if SAMPLES not in request.url]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    finally:
        context.close()


def redraws(browser: Browser, address: str, moves: int, *, predict: bool) -> list[float]:
    """Milliseconds from each move of a slider to the new 2 by 4 grid, each after a rest."""
    context = browser.new_context(viewport=VIEW)
    try:
        page = context.new_page()
        page.goto(f"{address}/#augment?ops=random_crop,color_jitter&predict={str(predict).lower()}")
        page.locator(".grid img").nth(7).wait_for()
        draw: Callable[[int], float] = _drawing(page)
        draw(20)  # the first one warms what later ones need not
        return [draw(2 + number % 16) for number in range(moves)]
    finally:
        context.close()


def _drawing(page: Page) -> Callable[[int], float]:
    def draw(value: int) -> float:
        page.wait_for_timeout(REST_MS)
        return float(page.evaluate(REDRAW, [str(value), 8]))

    return draw


def _summary(values: list[float]) -> dict[str, float | int]:
    return {"n": len(values), "median": median(values), "p95": percentile(values, 95)}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("--loads", type=int, default=7, help="page loads, each with an empty cache")
    parser.add_argument("--moves", type=int, default=40, help="slider moves in the Augment panel")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
