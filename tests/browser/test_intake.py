"""The ways in: pick, drop, paste, and the keyboard alone."""

import base64
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.dropping import drop
from tests.support.panels import classify_sample


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (48, 36), "teal").save(path)
    return path


def copy(page: Page, server: str, picture: Path, **others: str) -> None:
    """Have the clipboard hold `picture`, and `others` as text."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
    page.evaluate(
        """async ([base64, others]) => {
            const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
            const image = new Blob([bytes], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": image, ...others })]);
        }""",
        [base64.b64encode(picture.read_bytes()).decode(), others],
    )


def expect_picture(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator(".bars li")).to_have_count(5)
    expect(page.locator(".more .facts")).to_have_text("48 × 36 pixels")


def test_picked_file_is_classified(page: Page, picture: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose images").click()
    assert chooser.value.is_multiple()
    chooser.value.set_files(picture)
    expect_picture(page, "picture.png")


def test_every_picker_offers_what_the_service_reads(page: Page) -> None:
    page.get_by_role("tab", name="Augment").click()
    expect(page.locator("#augment .own input")).to_be_attached()
    page.get_by_role("tab", name="Batch norm").click()
    expect(page.locator("#batch-norm .own input")).to_be_attached()
    accepted = page.locator("input[type=file]").evaluate_all("fields => fields.map(({ accept }) => accept)")
    assert accepted == ["image/jpeg,image/png,image/webp,image/gif,image/bmp,image/avif"] * 3


def test_dropped_file_is_classified(page: Page, picture: Path) -> None:
    box = page.locator("#drop").bounding_box()
    assert box is not None
    drop(page, box["x"] + 20, box["y"] + 20, files=[str(picture)])
    expect_picture(page, "picture.png")


def test_file_dropped_beside_the_zone_is_classified_too(page: Page, server: str, picture: Path) -> None:
    drop(page, 5, 5, files=[str(picture)])
    expect_picture(page, "picture.png")
    assert page.url == f"{server}/#classify"


def test_drop_zone_is_marked_while_a_file_is_over_the_page(page: Page, picture: Path) -> None:
    devtools = page.context.new_cdp_session(page)
    marked = page.locator("body.over #drop")

    def drag(kind: str) -> None:
        data = {"items": [], "files": [str(picture)], "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})

    drag("dragEnter")
    drag("dragOver")
    expect(marked).to_be_visible()
    # The devtools have no way to leave the window as a real mouse does.
    page.evaluate("document.body.dispatchEvent(new DragEvent('dragleave', { bubbles: true }))")
    expect(marked).to_have_count(0)
    drag("dragOver")
    expect(marked).to_be_visible()
    # A drag that is left open would block the keyboard in every later page of this browser.
    drag("drop")
    expect(marked).to_have_count(0)


def test_dropped_text_is_answered_with_a_hint(page: Page) -> None:
    drop(page, 300, 300, items=[{"mimeType": "text/plain", "data": "https://example.org/cat.jpg"}])
    expect(page.locator("#cards .failure")).to_contain_text("not a file")


def test_pasted_image_is_classified(page: Page, server: str, picture: Path) -> None:
    copy(page, server, picture)
    page.keyboard.press("Control+V")
    expect_picture(page, "image.png")


def test_image_that_is_pasted_while_a_field_has_the_focus_is_classified(
    page: Page, server: str, picture: Path
) -> None:
    copy(page, server, picture)
    page.locator("#files").focus()
    page.keyboard.press("Control+V")
    expect_picture(page, "image.png")


TEXT_FIELDS = ["<input id=field>", "<input id=field type=number>", "<textarea id=field></textarea>"]


@pytest.mark.parametrize("field", [*TEXT_FIELDS, "<p id=field contenteditable=plaintext-only></p>"])
def test_text_that_is_copied_with_a_picture_of_it_goes_into_a_field(
    page: Page, server: str, picture: Path, field: str
) -> None:
    page.locator("#cards").evaluate("(place, field) => place.insertAdjacentHTML('beforebegin', field)", field)
    copy(page, server, picture, **{"text/plain": "42"})
    page.locator("#field").focus()
    page.keyboard.press("Control+V")
    assert page.locator("#field").evaluate("field => field.value ?? field.innerText") == "42"
    expect(page.locator(".card")).to_have_count(0)
    page.locator("#files").focus()
    page.keyboard.press("Control+V")
    expect_picture(page, "image.png")


def test_image_without_text_is_classified_from_a_text_field_too(
    page: Page, server: str, picture: Path
) -> None:
    page.locator("#cards").evaluate("place => place.insertAdjacentHTML('beforebegin', '<input id=field>')")
    copy(page, server, picture)
    page.locator("#field").focus()
    page.keyboard.press("Control+V")
    expect_picture(page, "image.png")


def test_pasted_text_is_answered_with_a_hint(page: Page, server: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
    page.evaluate("navigator.clipboard.writeText('cat')")
    page.keyboard.press("Control+V")
    expect(page.locator("#cards .failure")).to_have_text("The clipboard holds no image.")


def test_what_is_no_image_takes_nothing_away(page: Page, server: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
    classify_sample(page, "cat")
    page.evaluate("navigator.clipboard.writeText('cat')")
    for _ in range(2):
        page.keyboard.press("Control+V")
    expect(page.locator("#cards > .failure")).to_have_text("The clipboard holds no image.")
    expect(page.locator(".bars li")).to_have_count(5)
    page.get_by_role("tab", name="Model", exact=True).click()
    page.keyboard.press("Control+V")
    expect(page.get_by_role("tab", name="Model", exact=True)).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Classify").click()
    classify_sample(page, "dog")
    expect(page.locator("#cards > .failure")).to_have_count(0)


def test_keys_of_the_browser_are_left_to_it(page: Page) -> None:
    tab = page.get_by_role("tab", name="Batch norm")
    tab.click()
    for key in ("Control+ArrowRight", "Shift+End", "Alt+Home"):
        page.keyboard.press(key)
    expect(tab).to_have_attribute("aria-selected", "true")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key never reaches {selector}")


def test_keyboard_alone_opens_the_picker(page: Page, picture: Path) -> None:
    # The browser is told to hand over its picker in the background: well before the key that opens it.
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#files")
        assert page.locator("#drop").evaluate("zone => getComputedStyle(zone).outlineStyle") == "solid"
        page.keyboard.press("Enter")
    chooser.value.set_files(picture)
    expect_picture(page, "picture.png")


def test_keyboard_alone_goes_from_an_image_to_what_breaks_the_model(page: Page) -> None:
    tab_to(page, "[data-sample=deer]")
    focused = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(focused) == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sample: deer")).to_be_visible()
    assert page.evaluate("document.activeElement.dataset.sample") == "deer"

    expect(page.get_by_role("button", name="Show why")).to_be_visible()
    tab_to(page, ".why")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="Evidence for deer")).to_be_visible()
    tab_to(page, ".break")
    page.keyboard.press("Enter")
    expect(page.locator("#augment .summary")).to_contain_text("still “deer”")
    # The button is hidden now: without it, the focus would be nowhere.
    expect(page.locator("#augment")).to_be_focused()
    tab_to(page, "[value=vertical_flip]")
    with page.expect_response("**/augment-preview?*vertical_flip*"):
        page.keyboard.press("Space")
    tab_to(page, "#augment [aria-label=Padding]")
    with page.expect_response("**/augment-preview?*random_crop.padding=5*"):
        page.keyboard.press("ArrowRight")


def test_arrow_keys_go_from_tab_to_tab(page: Page, server: str) -> None:
    page.get_by_role("tab", name="Classify").focus()
    names = []
    for key in ("ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        names.append(page.get_by_role("tab", selected=True).inner_text())
        assert page.evaluate("document.activeElement.ariaSelected") == "true"
    assert names == ["Augment", "Live", "Classify", "Live", "Classify"]
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    page.go_back()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Live")
    assert page.url == f"{server}/#live"


def test_dropped_file_goes_to_the_panel_that_is_shown(page: Page, picture: Path) -> None:
    page.get_by_role("tab", name="Augment").click()
    expect(page.locator(".grid img")).to_have_count(8)
    drop(page, 300, 400, files=[str(picture)])
    expect(page.locator("#augment")).to_contain_text("picture.png. A link cannot carry your own image")
    page.get_by_role("tab", name="Live").click()
    drop(page, 300, 400, files=[str(picture)])
    expect_picture(page, "picture.png")


@pytest.mark.parametrize("way", ["drop", "pick", "paste", "sample"])
def test_a_folder_that_is_read_slowly_takes_no_later_image_away(
    page: Page, server: str, picture: Path, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    page.evaluate(
        """() => {
            const { webkitGetAsEntry } = DataTransferItem.prototype;
            const released = new Promise((resolve) => { window.release = resolve; });
            const entries = [{ name: "earlier.png", file: (resolve) => {
                window.read = true;
                resolve(new File([], "earlier.png"));
            } }];
            const readEntries = (resolve) => released.then(() => resolve(entries.splice(0)));
            const slow = { isDirectory: true, createReader: () => ({ readEntries }) };
            DataTransferItem.prototype.webkitGetAsEntry = function () {
                const entry = webkitGetAsEntry.call(this);
                return entry.isDirectory ? slow : entry;
            };
        }"""
    )
    drop(page, 300, 300, files=[str(folder)])
    if way == "drop":
        drop(page, 300, 300, files=[str(picture)])
    elif way == "pick":
        page.locator("#files").set_input_files(picture)
    elif way == "paste":
        copy(page, server, picture)
        page.keyboard.press("Control+V")
    else:
        page.get_by_role("button", name="dog", exact=True).click()
    title = {"paste": "image.png", "sample": "Sample: dog"}.get(way, "picture.png")
    expect(page.locator(".card h3")).to_have_text(title)
    page.evaluate("window.release()")
    page.wait_for_function("window.read")
    assert page.locator(".card h3").all_inner_texts() == [title]


def test_panel_for_one_image_says_that_it_takes_the_first_of_several(page: Page, picture: Path) -> None:
    page.get_by_role("tab", name="Augment").click()
    expect(page.locator(".grid img")).to_have_count(8)
    other = picture.with_name("other.png")
    other.write_bytes(picture.read_bytes())
    drop(page, 300, 400, files=[str(picture), str(other)])
    words = "picture.png, the only one used of 2 files"
    expect(page.locator("#augment")).to_contain_text(f"{words}. A link cannot carry your own image")
    page.get_by_role("tab", name="Batch norm").click()
    expect(page.locator("#batch-norm")).to_contain_text(f"{words}, among sample images.")
