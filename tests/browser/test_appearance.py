"""How the page looks: phone and desktop, light and dark, readable, small, and fit for a strict policy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import FilePayload, Page, expect

from models.augmentations import AUGMENTATIONS
from tests.support.panels import classify_sample, open_live, open_model, open_norms, open_page, open_studio

STATIC = Path("app/static")
SCREENSHOTS = Path("tests/browser/screenshots")
AXE = Path("tests/browser/axe/axe.min.js")
MAX_BYTES = 165_000


def fill(page: Page) -> None:
    """Bring the page into the state with the most on it: a result with a long name, and a failure."""
    photo: FilePayload = {
        "name": "a-long-file-name-from-a-camera-2026-01-31-120000.png",
        "mimeType": "image/png",
        "buffer": (STATIC / "samples" / "cat.png").read_bytes(),
    }
    notes: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    page.locator("#files").set_input_files([photo, notes])
    expect(page.locator("#status")).to_have_text("1 of 2 images classified")


PANELS: dict[str, Callable[[Page, str], None]] = {
    "augment": lambda page, server: open_studio(
        page, server, "image=dog&ops=cutout,color_jitter&cutout.size=22"
    ),
    "batch-norm": open_norms,
    "model": open_model,
    "live": open_live,
}


WIDTHS = (375, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def look(page: Page, name: str) -> None:
    """At every width and in either scheme, which are for the style sheet alone: no script asks for them."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 812})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            shown = f"{name}-{width}-{scheme}"
            page.screenshot(path=SCREENSHOTS / f"{shown}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") == width, shown
            assert violations(page) == [], shown


def test_no_script_asks_how_wide_or_dark_the_page_is() -> None:
    scripts = [path for path in STATIC.rglob("*.js") if path.parent.name != "docs"]
    assert len(scripts) > 10
    asking = re.compile("matchMedia|getComputedStyle|(inner|client|offset)Width|ResizeObserver|[\"']resize")
    assert [path for path in scripts if asking.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("panel", ["classify", *PANELS])
def test_panel_fits_and_has_no_violation(
    blank_page: Page, server: str, expected_errors: list[str], panel: str
) -> None:
    """Of WCAG 2.2 at levels A and AA, and of good practice, as far as axe-core can tell."""
    page = blank_page
    SCREENSHOTS.mkdir(exist_ok=True)
    if panel == "classify":
        expected_errors.append("status of 415")
        open_page(page, server)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        look(page, "empty")
        fill(page)
        look(page, "files")
        classify_sample(page, "cat")
        page.get_by_role("button", name="Show why").click()
        expect(page.locator("canvas")).to_be_visible()
        page.locator(".more summary").click()
    else:
        PANELS[panel](page, server)
        page.evaluate(AXE.read_text(encoding="utf-8"))
    if panel == "augment":
        page.locator("#augment details summary").click()
        page.get_by_role("button", name="Try each operation alone").click()
        expect(page.locator(".survey-part .note")).to_contain_text("How many", timeout=60_000)
        expect(page.locator(".survey li")).to_have_count(len(AUGMENTATIONS))
    look(page, panel)


def violations(page: Page) -> list[str]:
    """By axe-core, which is in the page."""
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in found
        for node in each["nodes"]
    ]


def test_dark_mode_is_dark(page: Page) -> None:
    brightness = "channels => channels.match(/[0-9]+/g).map(Number).reduce((sum, value) => sum + value)"
    colours = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        colours[scheme] = page.evaluate(brightness, colour)
    assert colours["dark"] < 150
    assert colours["light"] > 700


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "grow")])
def test_bars_move_only_for_those_who_like_it(
    page: Page, motion: Literal["reduce", "no-preference"], animation: str
) -> None:
    page.emulate_media(reduced_motion=motion)
    page.get_by_role("button", name="cat", exact=True).click()
    expect(page.locator(".bars li")).to_have_count(5)
    assert page.locator(".fill").first.evaluate("fill => getComputedStyle(fill).animationName") == animation


def test_result_comes_into_view_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 500})
    page.get_by_role("button", name="cat", exact=True).click()
    expect(page.locator(".card h3")).to_be_in_viewport()


def test_page_does_not_move_when_the_model_line_arrives(page: Page) -> None:
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 812})
        height = "document.querySelector('#model').offsetHeight"
        filled = page.evaluate(height)
        text = page.locator("#model p").inner_html()
        page.evaluate("document.querySelector('#model p').replaceChildren()")
        assert page.evaluate(height) == filled
        page.evaluate("html => { document.querySelector('#model p').innerHTML = html; }", text)


def test_page_keeps_to_a_strict_content_security_policy(page: Page, server: str) -> None:
    """The browser holds the page to it: a violation is an error on the console, which fails any test."""
    policy = page.request.get(server).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.locator("[style], style, script:not([src])").count() == page.locator("[style]").count()


def test_page_is_small() -> None:
    """Without the sample images, and the API's documentation, which is a page of its own."""
    others = {"samples", "docs"}
    files = (path for path in STATIC.rglob("*") if path.is_file() and path.parent.name not in others)
    sizes = {path.relative_to(STATIC).as_posix(): path.stat().st_size for path in files}
    assert "index.html" in sizes
    assert sum(sizes.values()) < MAX_BYTES, sizes
