"""What the visitor reads when something goes wrong."""

import random
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.free_port import free_port
from tests.support.panels import open_page
from tests.support.running_server import running_server

GONE = "The server does not answer. Is it still running?"
REFUSED = "status of 4"  # how Chromium logs an answer of 400 to 499


@pytest.fixture
def good() -> FilePayload:
    return {"name": "good.png", "mimeType": "image/png", "buffer": png()}


def png() -> bytes:
    path = Path("app/static/samples/cat.png")
    return path.read_bytes()


def test_file_that_is_no_image(page: Page, expected_errors: list[str]) -> None:
    expected_errors.append(REFUSED)
    page.locator("#files").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    failure = page.locator(".card .failure")
    expect(failure).to_contain_text("JPEG, PNG, WebP, GIF, BMP")
    expect(failure.locator(".facts")).to_have_text("unsupported_image · field file")
    expect(failure.get_by_role("button")).to_be_hidden()
    expect(page.locator(".thumbnail.broken")).to_be_visible()


def test_broken_file_fails_alone(page: Page, good: FilePayload, expected_errors: list[str]) -> None:
    expected_errors.append(REFUSED)
    broken: FilePayload = {"name": "broken.png", "mimeType": "image/png", "buffer": png()[:200]}
    page.locator("#files").set_input_files([broken, good])
    expect(page.locator("#status")).to_have_text("1 of 2 images classified")
    first, second = page.locator(".card").all()
    expect(first.locator(".failure")).to_contain_text("damaged")
    expect(first.locator(".failure .facts")).to_have_text("damaged_image · field file")
    expect(second.locator(".bars li")).to_have_count(5)


def test_oversized_file(page: Page, expected_errors: list[str]) -> None:
    # The server hangs up on it, so the browser may see the answer or a lost connection.
    expected_errors += [REFUSED, "net::ERR_"]
    content = b"\xff\xd8\xff" + random.Random(0).randbytes(5_000_000)
    page.locator("#files").set_input_files({"name": "huge.jpg", "mimeType": "image/jpeg", "buffer": content})
    expect(page.locator(".card .failure")).to_contain_text(re.compile("larger than 100000|too large"))


def test_lost_connection_names_what_the_file_may_be(
    page: Page, good: FilePayload, expected_errors: list[str]
) -> None:
    expected_errors.append("net::ERR_")
    page.route("**/predict", lambda route: route.abort("connectionreset"), times=1)
    page.locator("#files").set_input_files(good)
    failure = page.locator(".card .failure")
    expect(failure).to_contain_text(
        "The connection was lost before an answer came. The file may be too large."
    )
    expect(failure.locator(".facts")).to_have_text("upload_broken_off · field file")
    failure.get_by_role("button").click()
    expect(page.locator(".bars li")).to_have_count(5)


def test_file_that_is_gone_since_it_was_chosen(
    page: Page, tmp_path: Path, expected_errors: list[str]
) -> None:
    expected_errors += ["status of 502", "net::ERR_"]
    path = tmp_path / "gone.png"
    path.write_bytes(png())
    page.route("**/predict", lambda route: route.fulfill(status=502, body=""), times=1)
    page.locator("#files").set_input_files(path)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    path.unlink()
    page.get_by_role("button", name="Try again").click()
    failure = page.locator(".card .failure")
    expect(failure).to_contain_text("“gone.png” cannot be read any more: choose it again.")
    expect(failure.get_by_role("button")).to_be_hidden()


def test_answer_that_is_not_from_the_service(
    page: Page, good: FilePayload, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 502")
    page.route("**/predict", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"), times=1)
    page.locator("#files").set_input_files(good)
    expect(page.locator(".card .failure")).to_contain_text("The server answered with status 502.")
    page.get_by_role("button", name="Try again").press("Enter")
    expect(page.locator(".card")).to_be_focused()
    expect(page.locator(".bars li")).to_have_count(5)


def test_server_gone_and_back(
    browser: Browser,  # noqa: ARG001 - skips before the start
    blank_page: Page,
    lenet_folder: Path,
    good: FilePayload,
    expected_errors: list[str],
) -> None:
    expected_errors.append("net::ERR_CONNECTION_REFUSED")
    page, port = blank_page, free_port()
    with running_server(port, RESNET_SERVE_MODEL_DIR=str(lenet_folder)) as address:
        open_page(page, address)
        page.get_by_role("tab", name="Augment").click()
        expect(page.locator(".grid img")).to_have_count(8)
        page.get_by_role("tab", name="Live").click()
        # What is fetched ahead has come.
        expect(page.locator("#live .chart")).to_have_count(4)
    expect(page.locator("#live").get_by_role("alert")).to_have_text(GONE)
    page.get_by_role("tab", name="Classify").click()
    page.locator("#files").set_input_files(good)
    failure = page.locator(".card .failure")
    expect(failure).to_contain_text(GONE)
    expect(page.locator("#status")).to_have_text(GONE)
    page.get_by_role("tab", name="Batch norm").click()
    expect(page.locator("#batch-norm").get_by_role("alert")).to_have_text(GONE)
    page.get_by_role("tab", name="Augment").click()
    expect(page.locator("#augment").get_by_role("alert")).to_have_text(GONE)

    with running_server(port, RESNET_SERVE_MODEL_DIR=str(lenet_folder)):
        page.get_by_role("button", name="New seed").click()
        expect(page.locator(".grid img").first).to_be_visible()
        page.get_by_role("tab", name="Batch norm").click()
        expect(page.locator(".company")).to_be_visible()
        page.get_by_role("tab", name="Model").click()
        expect(page.locator(".blocks")).to_be_visible()
        expect(page.locator("#model-card")).to_contain_text("This model has no report")
        page.get_by_role("tab", name="Live").click()
        expect(page.locator("#live").get_by_role("alert")).to_be_hidden()
        page.get_by_role("tab", name="Classify").click()
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".bars li")).to_have_count(5)
        expect(failure).to_be_hidden()
        # A network whose evidence cannot be told apart is not asked for it.
        expect(page.get_by_role("button", name="Try to break it")).to_be_visible()
        expect(page.get_by_role("button", name="Show why")).to_be_hidden()


def test_a_panel_that_could_not_be_loaded_is_asked_for_again(page: Page, expected_errors: list[str]) -> None:
    expected_errors.append("net::ERR_FAILED")
    page.route("**/augmentations", lambda route: route.abort(), times=1)
    page.get_by_role("tab", name="Augment").click()
    page.get_by_role("button", name="Try again").press("Enter")
    expect(page.locator("#augment")).to_be_focused()
    expect(page.locator(".grid img").first).to_be_visible()


def test_size_of_a_photo_does_not_matter_below_the_limit(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (3000, 20), "navy").save(path)
    page.locator("#files").set_input_files(path)
    expect(page.locator(".more .facts")).to_contain_text("3000 × 20 pixels")
