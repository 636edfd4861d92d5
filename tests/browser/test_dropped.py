"""Folders that are dropped on the page, and what is taken of them."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.dropping import drop


def test_images_in_a_dropped_folder_are_classified(page: Page, tmp_path: Path) -> None:
    picture, folder = tmp_path / "picture.png", tmp_path / "holiday"
    Image.new("RGB", (48, 36), "teal").save(picture)
    inner = folder / "day 2" / "evening"
    hidden = folder / ".thumbnails"
    for each in (inner, hidden):
        each.mkdir(parents=True)
    for path in (folder / "1.png", inner / "10.PNG", inner / "9.png", folder / "._1.png", hidden / "1.png"):
        path.write_bytes(picture.read_bytes())
    (folder / "notes.txt").write_text("no image")
    drop(page, 300, 300, files=[str(folder), str(picture)])
    expect(page.locator("#status")).to_have_text("4 of 4 images classified")
    titles = page.locator(".card h3").all_inner_texts()
    assert titles == ["1.png", "9.png", "10.PNG", "picture.png"]


def test_dropped_folder_without_images_is_answered_with_a_hint(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    drop(page, 300, 300, files=[str(tmp_path)])
    expect(page.locator("#cards .failure")).to_have_text("There is no image in what was dropped.")


def test_a_folder_is_read_to_its_end_but_no_further_than_the_limit(page: Page) -> None:
    # Entries as browsers have them, which come 100 at a time.
    read = """async (count) => {
        const { droppedFiles } = await import("/static/shared/dropped.js");
        const entries = Array.from({ length: count }, (_, index) => ({
            name: `${index}.png`,
            isDirectory: false,
            file: (resolve) => resolve(new File([], `${index}.png`)),
        }));
        const createReader = () => ({ readEntries: (resolve) => resolve(entries.splice(0, 100)) });
        const folder = { name: "many", isDirectory: true, createReader };
        const item = { kind: "file", webkitGetAsEntry: () => folder, getAsFile: () => null };
        const { files, notice } = await droppedFiles({ items: [item] });
        return [files.length, files.at(-1).name, notice];
    }"""
    assert page.evaluate(read, 250) == [250, "249.png", None]
    assert page.evaluate(read, 1200) == [1000, "999.png", "Only the first 1,000 files are taken."]


def test_a_file_that_cannot_be_read_is_named_and_takes_no_other_away(page: Page) -> None:
    read = """async () => {
        const { droppedFiles } = await import("/static/shared/dropped.js");
        const entries = ["1.png", "2.png", "3.png"].map((name) => ({
            name,
            isDirectory: false,
            file: (resolve, reject) =>
                name === "2.png" ? reject(new DOMException("")) : resolve(new File([], name)),
        }));
        const createReader = () => ({ readEntries: (resolve) => resolve(entries.splice(0)) });
        const folder = { name: "holiday", isDirectory: true, createReader };
        const item = { kind: "file", webkitGetAsEntry: () => folder, getAsFile: () => null };
        const { files, notice } = await droppedFiles({ items: [item] });
        return [...files.map(({ name }) => name), notice];
    }"""
    notice = "This could not be read, or not all of it: 2.png."
    assert page.evaluate(read) == ["1.png", "3.png", notice]


def test_a_folder_that_cannot_be_read_is_named(page: Page) -> None:
    read = """async () => {
        const { droppedFiles } = await import("/static/shared/dropped.js");
        const createReader = () => ({ readEntries: (resolve, reject) => reject(new DOMException("")) });
        const folder = { name: "secret", isDirectory: true, createReader };
        const item = { kind: "file", webkitGetAsEntry: () => folder, getAsFile: () => null };
        return droppedFiles({ items: [item] });
    }"""
    notice = "This could not be read, or not all of it: secret."
    assert page.evaluate(read) == {"files": [], "notice": notice}
