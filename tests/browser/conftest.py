"""A browser, a running service, and a page on which nothing may go wrong unnoticed."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.running_server import free_port, running_server, save_lenet

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 20_000

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Kept for a module alone: Playwright's event loop would be in the way of tests that run their own."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM} (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "lenet-noise" / "1"
    save_lenet(folder)
    return folder


@pytest.fixture(scope="module")
def server(browser: Browser, model_folder: Path) -> Iterator[str]:  # noqa: ARG001 - skips before the start
    with running_server(model_folder, free_port()) as address:
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
    """The first page of the running service, loaded to the end."""
    blank_page.goto(server, wait_until="networkidle")
    return blank_page
