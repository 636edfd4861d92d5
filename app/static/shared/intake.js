// What is dropped on the page or pasted into it.

import { droppedFiles } from "./dropped.js";
import { currentPicture } from "./picture.js";

/** Calls `onFiles` with a non-empty array of files, and `onNotice` with a sentence that says what was left out. */
export function listenForFiles({ onFiles, onNotice }) {
  // The whole window takes drops: a near miss must not make the browser leave the page for the image.
  const mark = (over) => document.body.classList.toggle("over", over);
  let intakes = 0;

  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    const [intake, picture] = [++intakes, currentPicture()];
    const { files, notice } = await droppedFiles(event.dataTransfer);
    // While a folder was read, others may have come this way, or been chosen in a panel.
    if (intake !== intakes || picture !== currentPicture()) return;
    if (files.length > 0) await onFiles(files);
    if (notice !== null) onNotice(notice);
  });

  window.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    // Text goes into a field, also where the clipboard holds a picture of it, as spreadsheets have it.
    if (types.includes("text/plain") && event.target.matches?.(":read-write")) return;
    if (files.length > 0) {
      intakes += 1;
      onFiles([...files]);
    } else onNotice("The clipboard holds no image.");
  });
}
