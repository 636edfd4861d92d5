"""A picture from the camera, granted, granted late, refused, or not there."""

from playwright.sync_api import Page, expect

from tests.support.panels import open_page


def test_picture_from_the_camera_is_classified(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    dialog = page.get_by_role("dialog", name="Take a picture")
    dialog.get_by_role("button", name="Take it").click()
    expect(page.get_by_role("heading", name="camera.jpg")).to_be_visible()
    expect(page.locator(".bars li")).to_have_count(5)
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.querySelector('#camera video').srcObject") is None


def test_camera_that_is_granted_late_is_switched_off(page: Page) -> None:
    page.evaluate(
        """() => {
            const devices = navigator.mediaDevices;
            const ask = devices.getUserMedia.bind(devices);
            window.streams = [];
            window.granted = new Promise((resolve) => { window.grant = resolve; });
            devices.getUserMedia = async (wanted) => {
                const stream = await ask(wanted);
                window.streams.push(stream);
                await window.granted;
                return stream;
            };
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_function("() => window.streams.length === 2")
    page.evaluate("window.grant()")
    expect(page.get_by_role("button", name="Take it")).to_be_enabled()
    states = "window.streams.map((stream) => stream.getTracks()[0].readyState)"
    assert page.evaluate(states) == ["ended", "live"]
    page.get_by_role("button", name="Cancel").click()
    # A dialog tells that it was closed in a task of its own.
    page.wait_for_function(f"() => {states}.join() === 'ended,ended'")


def test_camera_that_is_refused_is_said_in_words(page: Page) -> None:
    page.evaluate(
        """() => {
            const refuse = () => Promise.reject(new DOMException("", "NotAllowedError"));
            navigator.mediaDevices.getUserMedia = refuse;
        }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_have_text("The browser does not give the page a camera.")
    expect(dialog.get_by_role("button", name="Take it")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_page_without_a_camera_offers_none(page_of_its_own: Page, server: str) -> None:
    # As the browser has it for pages by plain http of another machine.
    page_of_its_own.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    open_page(page_of_its_own, server)
    expect(page_of_its_own.get_by_role("button", name="Use the camera")).to_be_hidden()
