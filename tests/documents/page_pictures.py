"""The page as pictures for the documents: a sample with its evidence, and the studio.

    python -m tests.documents.page_pictures

serves the bundled model, needs Chromium, and writes `CLASSIFY` and `AUGMENT`. It prints how many tiles of
the studio keep their class, which the text beside `AUGMENT` states.
"""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from models.augmentations import AUGMENTATIONS
from tests.browser.conftest import CHROMIUM
from tests.documents.documents import ROOT
from tests.support.panels import open_page, open_studio
from tests.support.server_process import running

CLASSIFY = ROOT / "tests" / "data" / "page.png"
AUGMENT = ROOT / "tests" / "data" / "page-augment.png"
MODEL = ROOT / "models" / "weights" / "resnet18-cifar10" / "1"
STUDIO = "image=dog&ops=color_jitter,cutout&cutout.size=22&rows=2&cols=4&seed=0"
PATIENCE_MS = 120_000
"""The first explanation imports PyTorch."""


def main() -> None:
    expect.set_options(timeout=PATIENCE_MS)
    with running(MODEL, {}) as (_, address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        open_page(page, address, "#classify?sample=cat&why=cat")
        expect(page.get_by_role("img", name="Evidence for cat")).to_be_visible()
        page.locator("summary").first.click()
        draw(page, CLASSIFY)
        open_studio(page, address, STUDIO)
        page.get_by_role("button", name="Try each operation alone").click()
        expect(page.locator(".survey li")).to_have_count(len(AUGMENTATIONS))
        draw(page, AUGMENT)
        print(page.locator(".summary").first.inner_text())
        browser.close()


def draw(page: Page, file: Path) -> None:
    """The whole page in 256 colours, which make a quarter of the bytes."""
    page.screenshot(path=file, full_page=True)
    with Image.open(file) as opened:
        opened.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    main()
