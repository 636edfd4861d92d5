"""The API's documentation in a browser, without any other host."""

from playwright.sync_api import Page, expect


def test_the_documentation_is_drawn_and_its_first_try_is_answered(blank_page: Page, server: str) -> None:
    blank_page.goto(f"{server}/docs")
    operation = blank_page.locator("#operations-augment-preview-preview_sample_augment_preview_get")
    expect(operation).to_be_visible()
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tr.response .response-col_status")).to_contain_text("200")
