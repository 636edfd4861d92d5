"""A browser, a running service, and a page on which nothing may go wrong unnoticed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from app.settings import BUNDLED_MODEL
from tests.support.free_port import free_port
from tests.support.panels import open_page
from tests.support.running_server import running_server, save_lenet

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 60_000
VIEWPORT: ViewportSize = {"width": 1280, "height": 900}

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


@pytest.fixture(scope="package")
def shared_page(browser: Browser) -> Iterator[Page]:
    """The one page of nearly all tests: for each new one the browser starts a process of its own."""
    with new_page(browser) as page:
        yield page


@pytest.fixture
def blank_page(shared_page: Page, expected_errors: list[str]) -> Iterator[Page]:
    """An empty page that fails its test for any unexpected console error, script error or foreign request."""
    with watched(shared_page, expected_errors):
        yield shared_page
        forget(shared_page)


@pytest.fixture
def page_of_its_own(browser: Browser, expected_errors: list[str]) -> Iterator[Page]:
    """As `blank_page`, for a test that leaves in its page what cannot be taken back."""
    with new_page(browser) as page, watched(page, expected_errors):
        yield page


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=VIEWPORT, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@contextmanager
def watched(page: Page, expected_errors: list[str]) -> Iterator[None]:
    problems: list[str] = []
    hosts: set[str | None] = set()

    def note_error(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(message.text)

    def note_exception(error: Error) -> None:
        problems.append(str(error))

    def note_host(request: Request) -> None:
        hosts.add(urlsplit(request.url).hostname)

    page.on("console", note_error)
    page.on("pageerror", note_exception)
    page.on("request", note_host)
    yield
    page.remove_listener("console", note_error)
    page.remove_listener("pageerror", note_exception)
    page.remove_listener("request", note_host)
    unexpected = [text for text in problems if not any(part in text for part in expected_errors)]
    assert unexpected == []
    # Images that the page holds in memory have no host.
    assert hosts <= {"127.0.0.1", None}


def forget(page: Page) -> None:
    """Make the page as empty as a new one."""
    page.unroute_all(behavior="ignoreErrors")
    if page.url.startswith("http"):
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    page.goto("about:blank")
    page.context.clear_cookies()
    page.context.clear_permissions()
    page.set_viewport_size(VIEWPORT)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


@pytest.fixture
def page(blank_page: Page, server: str) -> Page:
    """The first page of the running service, ready to be used."""
    open_page(blank_page, server)
    return blank_page
