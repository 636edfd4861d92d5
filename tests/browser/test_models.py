"""The choice among several models."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.support.panels import classify_sample, open_norms, open_page, open_studio

NAME = "resnet18-cifar10"
MODEL = f"models/{NAME}"
VERSION_0, VERSION_1 = f"by {NAME}, version 0", f"by {NAME}, version 1"


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


def answer_by_version_0(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "model": {"name": NAME, "version": "0"}})


def test_an_explanation_by_a_version_that_was_loaded_meanwhile_has_the_image_classified_anew(
    earlier_version: Page, server: str
) -> None:
    page = earlier_version
    page.route("**/predict", answer_by_version_0, times=1)
    open_page(page, server)
    classify_sample(page, "cat")
    summary, header = page.locator(".more summary"), page.locator("#model p")
    expect(summary).to_contain_text(VERSION_0)
    seen = page.locator(".seen img")
    expect(seen).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator(".why").click()
    expect(summary).to_contain_text(VERSION_1)
    expect(header).to_contain_text(f"{NAME}, version 1")
    expect(page.locator(".legend")).to_contain_text("Orange speaks for")
    # Its input may have another size.
    assert [url for url in asked if "/augment-preview" in url]


def choose_files(page: Page, count: int) -> None:
    content = Path("app/static/samples/cat.png").read_bytes()
    files: list[FilePayload] = [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": content} for number in range(count)
    ]
    page.locator("#files").set_input_files(files)


def hold_first(page: Page, count: int, pattern: str) -> list[Route]:
    """The first requests from now on, as they come; later ones go on."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route) if len(held) < count else route.fallback())
    return held


def wait_for(page: Page, count: int, routes: list[Route]) -> None:
    while len(routes) < count:
        page.wait_for_timeout(20)


def test_of_several_images_those_that_the_earlier_version_answered_are_classified_anew(
    earlier_version: Page, server: str
) -> None:
    page = earlier_version
    open_page(page, server)
    held = hold_first(page, 6, "**/predict")
    choose_files(page, 7)
    wait_for(page, 4, held)
    for route in held[:2]:
        answer_by_version_0(route)
    summaries = page.locator(".more summary")
    expect(summaries.filter(has_text=VERSION_0)).to_have_count(2)
    wait_for(page, 6, held)  # so that one image is still to be sent
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    held[2].continue_()
    expect(summaries.filter(has_text=VERSION_0)).to_have_count(0)
    expect(summaries.filter(has_text=VERSION_1)).to_have_count(7)
    expect(page.locator("#model p")).to_contain_text(f"{NAME}, version 1")
    expect(page.locator("#status")).to_have_text("7 of 7 images classified")
    assert page.locator(".card h3").all_inner_texts() == [f"{number}.png" for number in range(7)]
    # The answer that told of it is by the new one already.
    assert len([url for url in asked if url.endswith("/predict")]) == 6


def test_evidence_by_a_new_version_has_its_own_image_classified_anew_beside_another_that_noticed(
    earlier_version: Page, server: str
) -> None:
    page = earlier_version
    open_page(page, server)
    held, listings = hold_first(page, 2, "**/predict"), hold_first(page, 1, "**/models")
    choose_files(page, 2)
    wait_for(page, 2, held)
    answer_by_version_0(held[0])
    first, second = page.locator(".card").all()
    expect(first.locator(".seen img")).to_be_visible()
    held[1].continue_()
    wait_for(page, 1, listings)
    with page.expect_response("**/explain?*"):
        first.locator(".why").click()
    listings[0].continue_()
    for card in (first, second):
        expect(card.locator(".more summary")).to_contain_text(VERSION_1)
    expect(first.locator(".legend")).to_contain_text("Orange speaks for")
    expect(first.locator(".why")).to_have_attribute("aria-pressed", "true")


def test_replicas_of_several_versions_do_not_keep_the_page_asking(earlier_version: Page, server: str) -> None:
    page = earlier_version
    open_page(page, server)
    page.route("**/predict", answer_by_version_0)
    held = hold_first(page, 2, "**/predict")
    choose_files(page, 2)
    wait_for(page, 2, held)
    answer_by_version_0(held[0])
    summaries = page.locator(".more summary")
    expect(summaries.first).to_contain_text(VERSION_0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    held[1].continue_()
    expect(page.locator("#model p")).to_contain_text(f"{NAME}, version 1")
    expect(page.locator("#status")).to_have_text("2 of 2 images classified")
    expect(summaries.first).to_contain_text(VERSION_0)
    assert [url.split("/")[-1] for url in asked if url.endswith(("/predict", "/models"))] == [
        "models",
        "predict",
    ]


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
