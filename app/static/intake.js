// The three ways in for the visitor's own files: pick, drop, paste.

/** Calls `onFiles` with a non-empty array of files, or `onNothing` with a sentence that says why there is none. */
export function listenForFiles({ input, zone, onFiles, onNothing }) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    // Without this, picking the same file twice would not count as a change.
    input.value = "";
    if (files.length > 0) onFiles(files);
  });

  // The whole window takes drops: a near miss must not make the browser leave the page for the image.
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) zone.classList.remove("over");
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length > 0) onFiles(files);
    else onNothing("What was dropped is not a file. Save the image first, then drop the file.");
  });

  window.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length > 0) onFiles(files);
    else onNothing("The clipboard holds no image.");
  });
}
