// The files of a drop, those inside dropped folders among them.

import { listed } from "./words.js";

// Each becomes a card, and a request; a folder may hold more than anyone meant to drop.
const MOST = 1000;

// As the service tells a format by the content, a single file needs no such name.
const IMAGE = /\.(jpe?g|png|webp|gif|bmp|avif|hei[cf])$/i;

/**
 * `{ files, notice }`: what was dropped, with the images at every level of a folder in its place, but for what is
 * hidden in it. `notice` says in a sentence what else was left out, and is null where that is nothing.
 */
export async function droppedFiles(transfer) {
  // Only during the event itself do the items tell what they are.
  const items = [...transfer.items]
    .filter(({ kind }) => kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files = [];
  const unread = [];
  for (const { entry, file } of items) {
    if (entry?.isDirectory) await addImagesOf(entry, files, unread);
    else files.push(file);
  }
  return { files: files.slice(0, MOST), notice: noticeOf(items, files, unread) };
}

/** Add the images in `entry` to `files`, one more than is allowed at most, and what cannot be read to `unread`. */
async function addImagesOf(entry, files, unread) {
  if (files.length > MOST) return;
  try {
    if (entry.isDirectory) {
      const visible = (await entriesOf(entry)).filter(({ name }) => !name.startsWith("."));
      for (const each of visible) await addImagesOf(each, files, unread);
    } else if (IMAGE.test(entry.name)) files.push(await fileOf(entry));
  } catch {
    unread.push(entry.name);
  }
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    // Browsers hand them out in batches, of 100 for instance; an empty one is the last.
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) break;
    entries.push(...batch);
  }
  return entries.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

function noticeOf(items, files, unread) {
  if (unread.length > 0) return `This could not be read, or not all of it: ${listed(unread)}.`;
  if (items.length === 0) return "What was dropped is not a file. Save the image first, then drop the file.";
  if (files.length === 0) return "There is no image in what was dropped.";
  return files.length > MOST ? `Only the first ${MOST.toLocaleString("en")} files are taken.` : null;
}
