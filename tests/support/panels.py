"""How tests come to a panel of the page, and wait until it shows what it is for."""

from playwright.sync_api import Page, expect


def open_page(page: Page, address: str, state: str = "") -> None:
    """Load the page with `state`, the part of its address from "#" on, until its panel is there."""
    page.goto(f"{address}/{state}")
    expect(page.get_by_role("tabpanel").locator("h2").first).to_be_attached()
    expect(page.locator("#model p")).not_to_be_empty()


def classify_sample(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator(".bars li")).to_have_count(5)
    expect(page.locator(".seen img")).to_be_visible()


def open_studio(page: Page, address: str, query: str = "") -> None:
    """Show the studio with `query` as its state, until its tiles are there."""
    open_page(page, address, f"#augment{query and '?'}{query}")
    expect(page.locator(".grid img").first).to_be_visible()


def open_norms(page: Page, address: str, query: str = "") -> None:
    open_page(page, address, f"#batch-norm{query and '?'}{query}")
    expect(page.locator(".company tbody tr").first).to_be_visible()


def open_model(page: Page, address: str) -> None:
    open_page(page, address, "#model-card")
    expect(page.locator(".blocks")).to_be_visible()


def open_live(page: Page, address: str) -> None:
    open_page(page, address, "#live")
    expect(page.locator("#live .chart")).to_have_count(4)
