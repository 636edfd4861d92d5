"""A service that asks for a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.free_port import free_port
from tests.support.panels import classify_sample
from tests.support.running_server import running_server

KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def guarded(browser: Browser, lenet_folder: Path) -> Iterator[str]:  # noqa: ARG001 - skips before the start
    with running_server(
        free_port(), RESNET_SERVE_MODEL_DIR=str(lenet_folder), RESNET_SERVE_API_KEYS=KEY
    ) as address:
        yield address


def test_key_is_asked_for_once_and_kept_for_the_tab(
    blank_page: Page, guarded: str, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 401")
    page = blank_page
    page.goto(guarded)
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    expect(page.locator("#key")).to_contain_text("This service asks for a key. It stays in this tab only.")
    field.fill("two words")
    page.keyboard.press("Enter")
    expect(page.locator("#key")).to_contain_text("visible ASCII characters")
    field.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key")).to_contain_text("The service does not know this key.")
    field.fill(KEY)
    page.get_by_role("button", name="Use key").press("Enter")
    expect(page.locator("#key")).to_be_hidden()
    expect(page.get_by_role("tab", name="Classify")).to_be_focused()
    # What had been asked for comes now, by itself.
    expect(page.locator("#model p")).to_contain_text("lenet-noise, version 1")
    classify_sample(page, "cat")
    for name in ("Augment", "Batch norm", "Model", "Live"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel").locator("h2").first).to_be_visible()
        expect(page.get_by_role("tabpanel").locator(".failure:visible")).to_have_count(0)
    assert page.evaluate("[JSON.stringify(localStorage), document.cookie]") == ["{}", ""]
    assert KEY not in page.url
    page.get_by_role("tab", name="Augment").click()
    page.locator("#augment details summary").click()
    command = page.get_by_role("region", name="curl").inner_text()
    assert '-H "X-API-Key: $API_KEY"' in command
    assert KEY not in command
    page.reload()
    expect(page.locator("#model p")).to_contain_text("lenet-noise, version 1")
    expect(page.locator("#key")).to_be_hidden()
