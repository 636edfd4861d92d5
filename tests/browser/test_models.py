"""The choice among several models."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.panels import classify_sample, open_norms, open_page, open_studio

NAME = "resnet18-cifar10"
MODEL = f"models/{NAME}"


@pytest.fixture
def second_model(server: str, repository: Path, lenet_folder: Path) -> Iterator[None]:
    shutil.copytree(lenet_folder, repository / "lenet-noise" / "1")
    control = f"{server}/v2/repository/models/lenet-noise"
    assert httpx.post(f"{control}/load", timeout=60).is_success
    yield
    assert httpx.post(f"{control}/unload", timeout=60).is_success
    shutil.rmtree(repository / "lenet-noise")


@pytest.mark.usefixtures("second_model")
def test_every_panel_asks_the_chosen_model(blank_page: Page, server: str) -> None:
    page = blank_page
    open_page(page, server)
    classify_sample(page, "cat")
    choice = page.locator("#model select")
    assert choice.locator("option").all_inner_texts() == [
        "resnet18-cifar10, version 1",
        "lenet-noise, version 1",
    ]
    with page.expect_response("**/predict?model=lenet-noise&version=1") as answer:
        choice.select_option("lenet-noise, version 1")
    assert answer.value.json()["model"] == {"name": "lenet-noise", "version": "1"}
    expect(page.locator(".more summary")).to_contain_text("by lenet-noise, version 1")
    expect(page.locator("#model p")).to_have_text("lenet-noise, version 1: 12.3% right on 1,000 test images")
    address = page.url
    assert address == f"{server}/#classify?sample=cat&model=lenet-noise&version=1"
    page.get_by_role("button", name="Try to break it").click()
    expect(page.locator(".grid img")).to_have_count(8)
    expect(page.get_by_role("button", name="As this model was trained")).to_be_hidden()
    page.get_by_role("tab", name="Batch norm").click()
    expect(page.get_by_label("Layer").locator("option")).to_have_count(4)
    expect(page.locator(".company tbody tr").first).to_be_visible()
    page.get_by_role("tab", name="Model").click()
    expect(page.locator("#model-card")).to_contain_text("This model has no report")
    expect(page.locator(".classes thead")).not_to_contain_text("int8")
    with page.expect_response("**/models/resnet18-cifar10/report"):
        choice.select_option("resnet18-cifar10, version 1")
    expect(page.locator(".confusion")).to_be_visible()
    assert page.url == f"{server}/#model-card"
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator(".more summary")).to_contain_text("by lenet-noise, version 1")
    expect(choice.locator("option:checked")).to_have_text("lenet-noise, version 1")
    page.goto("about:blank")
    page.goto(address.replace("lenet-noise", "gone"))
    expect(page.locator(".more summary")).to_contain_text("by resnet18-cifar10, version 1")
    assert page.url == f"{server}/#classify?sample=cat"


@pytest.mark.usefixtures("second_model")
def test_a_panel_that_is_not_shown_does_not_take_its_picture_back(blank_page: Page, server: str) -> None:
    page = blank_page
    open_studio(page, server, "image=cat")
    page.get_by_role("tab", name="Classify").click()
    classify_sample(page, "dog")
    page.locator("#model select").select_option("lenet-noise, version 1")
    expect(page.locator(".more summary")).to_contain_text("by lenet-noise, version 1")
    page.get_by_role("button", name="Try to break it").click()
    expect(page.locator(".grid img")).to_have_count(8)
    expect(page.locator("#augment [aria-pressed=true][data-sample]")).to_have_text("dog")
    assert "image=dog" in page.url


@pytest.mark.usefixtures("second_model")
def test_a_late_answer_about_another_model_is_dropped(blank_page: Page, server: str) -> None:
    page = blank_page
    held: list[Route] = []
    page.route("**/models/resnet18-cifar10/report", lambda route: held.append(route))
    with page.expect_request("**/models/resnet18-cifar10/report"):
        page.goto(f"{server}/#model-card")
    page.get_by_role("tab", name="Classify").click()
    page.locator("#model select").select_option("lenet-noise, version 1")
    with page.expect_response("**/models/resnet18-cifar10/report"):
        for route in held:
            route.continue_()
    page.get_by_role("tab", name="Model", exact=True).click()
    expect(page.locator("#model-card")).to_contain_text("This model has no report")


@pytest.mark.usefixtures("second_model")
def test_an_address_within_the_page_leads_to_its_model_and_the_way_back_too(
    blank_page: Page, server: str
) -> None:
    page = blank_page
    open_page(page, server, "#classify?sample=cat")
    summary, chosen = page.locator(".more summary"), page.locator("#model select option:checked")
    expect(summary).to_contain_text("by resnet18-cifar10")
    page.evaluate("location.hash = '#classify?sample=cat&model=lenet-noise'")
    expect(summary).to_contain_text("by lenet-noise")
    expect(chosen).to_have_text("lenet-noise, version 1")
    page.go_back()
    expect(summary).to_contain_text("by resnet18-cifar10")
    expect(chosen).to_have_text("resnet18-cifar10, version 1")


@pytest.fixture
def earlier_version(blank_page: Page, server: str) -> Page:
    """A page that was told of version 0 as the default, which version 1 has replaced meanwhile."""
    page = blank_page
    listing, details = (page.request.get(f"{server}/{path}").json() for path in ("models", MODEL))
    earlier = {"models": [{**listing["models"][0], "version": "0"}]}
    page.route("**/models", lambda route: route.fulfill(json=earlier), times=1)
    details["metadata"]["version"] = "0"
    page.route(f"**/{MODEL}", lambda route: route.fulfill(json=details), times=1)
    return page


def test_a_version_that_was_loaded_meanwhile_is_told_by_the_header(
    earlier_version: Page, server: str
) -> None:
    page = earlier_version
    open_page(page, server)
    header = page.locator("#model p")
    expect(header).to_contain_text("resnet18-cifar10, version 0")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    classify_sample(page, "cat")
    expect(header).to_contain_text("resnet18-cifar10, version 1")
    # The answer that told of it is by the new one already.
    assert len([url for url in asked if url.endswith("/predict")]) == 1


def test_an_explanation_by_a_version_that_was_loaded_meanwhile_has_the_image_classified_anew(
    earlier_version: Page, server: str
) -> None:
    page = earlier_version

    def by_version_0(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "model": {"name": NAME, "version": "0"}})

    page.route("**/predict", by_version_0, times=1)
    open_page(page, server)
    classify_sample(page, "cat")
    summary, header = page.locator(".more summary"), page.locator("#model p")
    expect(summary).to_contain_text(f"by {NAME}, version 0")
    seen = page.locator(".seen img")
    expect(seen).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator(".why").click()
    expect(summary).to_contain_text(f"by {NAME}, version 1")
    expect(header).to_contain_text(f"{NAME}, version 1")
    expect(page.locator(".legend")).to_contain_text("Orange speaks for")
    # Its input may have another size.
    assert [url for url in asked if "/augment-preview" in url]


def test_the_view_of_a_batch_norm_tells_of_a_version_that_was_loaded_meanwhile(
    earlier_version: Page, server: str
) -> None:
    open_norms(earlier_version, server)
    expect(earlier_version.locator("#model p")).to_contain_text(f"{NAME}, version 1")


@pytest.mark.usefixtures("second_model")
def test_a_model_that_was_unloaded_meanwhile_gives_way_to_the_default(
    blank_page: Page, server: str, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 404")
    page = blank_page
    open_page(page, server, "#classify?sample=cat&model=lenet-noise&version=1")
    summary, choice = page.locator(".more summary"), page.locator("#model select")
    expect(summary).to_contain_text("by lenet-noise")
    control = f"{server}/v2/repository/models/lenet-noise"
    assert httpx.post(f"{control}/unload", timeout=60).is_success
    try:
        page.get_by_role("button", name="dog", exact=True).click()
        expect(summary).to_contain_text("by resnet18-cifar10, version 1")
        expect(page.get_by_role("heading", name="Sample: dog")).to_be_visible()
        expect(page.locator("#model p")).to_contain_text("resnet18-cifar10, version 1")
        expect(choice).to_be_hidden()
        assert page.url == f"{server}/#classify?sample=dog"
    finally:
        assert httpx.post(f"{control}/load", timeout=60).is_success
