// What is dropped on the page or pasted into it.

/** Calls `onFiles` with a non-empty array of files, or `onNothing` with a sentence that says why there is none. */
export function listenForFiles({ onFiles, onNothing }) {
  // The whole window takes drops: a near miss must not make the browser leave the page for the image.
  const mark = (over) => document.body.classList.toggle("over", over);

  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const files = [...event.dataTransfer.files];
    if (files.length > 0) onFiles(files);
    else onNothing("What was dropped is not a file. Save the image first, then drop the file.");
  });

  window.addEventListener("paste", (event) => {
    // Text that goes into a field is no image that went wrong.
    if (event.target.matches?.("input, textarea")) return;
    const files = [...event.clipboardData.files];
    if (files.length > 0) onFiles(files);
    else onNothing("The clipboard holds no image.");
  });
}
