"""That is wrong: a correction given on the page, with the image and without, and taken back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models.feedback.database import FeedbackDatabase
from models.feedback.records import Entry
from tests.support.artifacts import CLASSES
from tests.support.free_port import free_port
from tests.support.panels import classify_sample, open_page
from tests.support.running_server import MAX_BODY_BYTES, running_server

SAMPLE = Path("app/static/samples/cat.png")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('feedback') / 'feedback.db'}"


@pytest.fixture(scope="module")
def listening(browser: Browser, lenet_folder: Path, url: str) -> Iterator[str]:  # noqa: ARG001 - skips first
    """The address of a service that keeps corrections, images among them."""
    with running_server(
        free_port(),
        RESNET_SERVE_MODEL_DIR=str(lenet_folder),
        RESNET_SERVE_FEEDBACK="true",
        RESNET_SERVE_FEEDBACK_IMAGES="true",
        RESNET_SERVE_FEEDBACK_DATABASE=url,
    ) as address:
        yield address


def _entries(url: str) -> list[Entry]:
    database = FeedbackDatabase(url)
    entries = database.entries()
    database.close()
    return entries


def test_a_wrong_prediction_is_corrected_and_taken_back(blank_page: Page, listening: str, url: str) -> None:
    page = blank_page
    open_page(page, listening)
    classify_sample(page, "cat")
    wrong = page.get_by_role("button", name="That is wrong")
    wrong.click()
    expect(wrong).to_have_attribute("aria-expanded", "true")
    choice = page.get_by_label("It is")
    expect(choice).to_be_focused()
    assert choice.locator("option").all_inner_texts() == ["…", *CLASSES]
    status = page.locator(".correction [role=status]")
    expect(status).to_have_text("Kept for 90 days.")
    choice.select_option("dog")
    page.get_by_role("button", name="Send").click()
    expect(status).to_have_text("Thank you. It is kept for 90 days.")
    [entry] = _entries(url)
    assert (entry.label, entry.image_bytes) == ("dog", 0)
    assert entry.prediction is not None
    assert entry.prediction.label == page.locator(".bars .label").first.inner_text()
    page.get_by_role("button", name="Take it back").click()
    expect(status).to_have_text("Taken back: nothing of it is kept.")
    assert _entries(url) == []


def test_the_image_is_sent_only_when_the_visitor_says_so(blank_page: Page, listening: str, url: str) -> None:
    page = blank_page
    open_page(page, listening)
    classify_sample(page, "cat")
    page.get_by_role("button", name="That is wrong").click()
    along = page.get_by_label("Send the image along")
    expect(along).not_to_be_checked()
    along.check()
    page.get_by_label("It is").select_option("ship")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction [role=status]")).to_have_text(re.compile("^Thank you"))
    [entry] = [entry for entry in _entries(url) if entry.image_bytes]
    database = FeedbackDatabase(url)
    assert database.image(entry.id) == SAMPLE.read_bytes()
    database.close()


def correct_large_image(page: Page, address: str) -> None:
    """Fill in a correction with an image that is too large to be sent along."""
    open_page(page, address)
    padded = SAMPLE.read_bytes() + bytes(int(0.9 * MAX_BODY_BYTES))  # what follows the image is not read
    page.locator("#files").set_input_files({"name": "large.png", "mimeType": "image/png", "buffer": padded})
    page.get_by_role("button", name="That is wrong").click()
    page.get_by_label("Send the image along").check()
    page.get_by_label("It is").select_option("frog")


def test_an_image_that_is_too_large_to_be_sent_along_can_be_left_out(
    blank_page: Page, listening: str, url: str, expected_errors: list[str]
) -> None:
    # The server hangs up on it, so the browser may see the answer or a lost connection.
    expected_errors += ["status of 413", "net::ERR_"]
    page = blank_page
    correct_large_image(page, listening)
    page.get_by_role("button", name="Send").click()
    status = page.locator(".correction [role=status]")
    expect(status).to_have_text(re.compile("^The image (is|may be) too large to be sent along: send the "))
    page.get_by_label("Send the image along").uncheck()
    page.get_by_role("button", name="Send").click()
    expect(status).to_have_text(re.compile("^Thank you"))
    assert [entry.image_bytes for entry in _entries(url) if entry.label == "frog"] == [0]


def test_only_the_services_own_word_is_taken_for_a_certainty(
    blank_page: Page, listening: str, expected_errors: list[str]
) -> None:
    expected_errors += ["status of 413", "net::ERR_"]
    page = blank_page
    correct_large_image(page, listening)
    status = page.locator(".correction [role=status]")
    refusal = {"code": "body_too_large", "message": "the request body is larger", "field": None}
    page.route("**/feedback", lambda route: route.fulfill(status=413, json={"error": refusal}), times=1)
    page.get_by_role("button", name="Send").click()
    rest = "too large to be sent along: send the correction without it."
    expect(status).to_have_text(f"The image is {rest}")
    page.route("**/feedback", lambda route: route.abort("connectionreset"), times=1)
    page.get_by_role("button", name="Send").click()
    expect(status).to_have_text(f"The image may be {rest}")


def test_a_lost_connection_is_no_word_about_a_file_that_was_not_sent(
    blank_page: Page, listening: str, expected_errors: list[str]
) -> None:
    expected_errors.append("net::ERR_")
    page = blank_page
    open_page(page, listening)
    classify_sample(page, "cat")
    page.get_by_role("button", name="That is wrong").click()
    page.get_by_label("It is").select_option("dog")
    page.route("**/feedback", lambda route: route.abort("connectionreset"), times=1)
    page.get_by_role("button", name="Send").click()
    status = page.locator(".correction [role=status]")
    expect(status).to_have_text("The connection was lost before an answer came.")


def test_a_service_without_feedback_does_not_offer_it(page: Page) -> None:
    with page.expect_response("**/feedback") as answer:
        classify_sample(page, "cat")
    assert answer.value.json()["enabled"] is False
    expect(page.get_by_role("button", name="Show why")).to_be_visible()
    expect(page.get_by_role("button", name="That is wrong")).to_be_hidden()
