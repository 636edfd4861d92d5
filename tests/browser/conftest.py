"""A browser, a running service, and a page on which nothing may go wrong unnoticed."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from app.settings import BUNDLED_MODEL
from tests.support.panels import open_page
from tests.support.running_server import free_port, running_server, save_lenet

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 60_000

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Kept for this folder alone: Playwright's event loop would be in the way of tests that run their own."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM} (apt-get install chromium)")
    with sync_playwright() as playwright:
        # A camera that shows a moving pattern, for machines without one.
        camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lenet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lenet") / "lenet-noise" / "1"
    save_lenet(folder)
    return folder


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server loads models from: the bundled one, and what a test adds."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / BUNDLED_MODEL.parent.name).symlink_to(BUNDLED_MODEL.parent)
    return folder


@pytest.fixture(scope="package")
def server(browser: Browser, repository: Path) -> Iterator[str]:  # noqa: ARG001 - skips before the start
    """The address of the one server of this folder, with the bundled model."""
    with running_server(
        free_port(), RESNET_SERVE_MODEL_REPOSITORY=str(repository), RESNET_SERVE_MANAGEMENT="true"
    ) as address:
        yield address


@pytest.fixture
def expected_errors() -> list[str]:
    """Parts of console errors that a test provokes on purpose; the test adds them."""
    return []


@pytest.fixture
def blank_page(browser: Browser, expected_errors: list[str]) -> Iterator[Page]:
    """An empty page that fails its test for any unexpected console error, script error or foreign request."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    problems: list[str] = []
    hosts: set[str | None] = set()

    def note_error(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(message.text)

    page.on("console", note_error)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    yield page
    context.close()
    unexpected = [text for text in problems if not any(part in text for part in expected_errors)]
    assert unexpected == []
    # Images that the page holds in memory have no host.
    assert hosts <= {"127.0.0.1", None}


@pytest.fixture
def page(blank_page: Page, server: str) -> Page:
    """The first page of the running service, ready to be used."""
    open_page(blank_page, server)
    return blank_page
