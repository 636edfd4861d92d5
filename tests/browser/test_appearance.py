"""How the page looks: phone and desktop, light and dark, readable, small, and fit for a strict policy."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

STATIC = Path("app/static")
SCREENSHOTS = Path("tests/browser/screenshots")
MAX_BYTES = 40_000
STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)

# WCAG 2.2: the contrast of every visible text with the nearest opaque background behind it.
LOW_CONTRASTS = """() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => channels(colour).slice(0, 3)
        .map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const background = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return channels(colour)[3] === 0 ? background(element.parentElement) : colour;
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const low = [];
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
        const [dark, light] = [getComputedStyle(element).color, background(element)].map(luminance)
            .sort((first, second) => first - second);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < 4.5) low.push(`${texts.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
    }
    return low;
}"""


def fill(page: Page) -> None:
    """Bring the page into the state with the most on it: a result with a long name, and a failure."""
    photo: FilePayload = {
        "name": "a-long-file-name-from-a-camera-2026-01-31-120000.png",
        "mimeType": "image/png",
        "buffer": (STATIC / "samples" / "cat.png").read_bytes(),
    }
    notes: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    page.locator("#files").set_input_files([photo, notes])
    expect(page.get_by_role("status").first).to_have_text("1 of 2 images classified")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_page_fits_and_is_readable(
    page: Page, expected_errors: list[str], width: int, scheme: Literal["light", "dark"]
) -> None:
    expected_errors.append("status of 415")
    page.set_viewport_size({"width": width, "height": 812})
    page.emulate_media(color_scheme=scheme)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"empty-{width}-{scheme}.png", full_page=True)
    page.get_by_role("button", name="cat").click()
    expect(page.locator(".bars li")).to_have_count(5)
    page.screenshot(path=SCREENSHOTS / f"sample-{width}-{scheme}.png", full_page=True)
    assert page.evaluate(LOW_CONTRASTS) == []
    fill(page)
    page.screenshot(path=SCREENSHOTS / f"files-{width}-{scheme}.png", full_page=True)
    assert page.evaluate(LOW_CONTRASTS) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


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
    page.get_by_role("button", name="cat").click()
    expect(page.locator(".bars li")).to_have_count(5)
    assert page.locator(".fill").first.evaluate("fill => getComputedStyle(fill).animationName") == animation


def test_result_comes_into_view_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 500})
    page.get_by_role("button", name="cat").click()
    expect(page.locator(".card h3")).to_be_in_viewport()


def test_page_does_not_move_when_the_model_line_arrives(page: Page) -> None:
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 812})
        height = "document.querySelector('#model').offsetHeight"
        filled = page.evaluate(height)
        text = page.locator("#model").inner_html()
        page.evaluate("document.querySelector('#model').replaceChildren()")
        assert page.evaluate(height) == filled
        page.evaluate("html => { document.querySelector('#model').innerHTML = html; }", text)


def test_page_works_under_a_strict_content_security_policy(page: Page, server: str) -> None:
    def with_policy(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": STRICT_POLICY})

    page.route(f"{server}/", with_policy)
    page.reload(wait_until="networkidle")
    page.get_by_role("button", name="cat").click()
    expect(page.locator(".bars li")).to_have_count(5)
    page.get_by_role("button", name="New seed").click()
    expect(page.locator("figure img")).to_be_visible()


def test_page_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in STATIC.iterdir() if path.is_file()}
    assert "index.html" in sizes
    assert sum(sizes.values()) < MAX_BYTES, sizes
