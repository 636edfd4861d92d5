"""What a visitor drags into the page."""

from playwright.sync_api import Page


def drop(page: Page, x: float, y: float, **data: object) -> None:
    """What the browser does when something is dragged in from the desktop and let go at (x, y)."""
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {"type": kind, "x": x, "y": y, "data": {"items": [], "dragOperationsMask": 1, **data}},
        )
