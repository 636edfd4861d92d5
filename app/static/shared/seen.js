// What the network sees of an image: the file scaled and cropped by the service, to the last pixel.

import { postFiles } from "./api.js";
import { askedOf, onModel } from "./models.js";

const UNCHANGED = { ops: "", rows: 1, cols: 1, scale: 1, format: "json" };

let known = new WeakMap(); // file -> model -> promise

// The default model is asked for by no name, and another one may take its place.
onModel(() => {
  known = new WeakMap();
});

/** `{ url, file }` of the image at the model's input size, as a data URL and as a PNG file. */
export function seenOf(file, signal) {
  const path = askedOf("augment-preview", UNCHANGED);
  if (!known.has(file)) known.set(file, new Map());
  const ofModels = known.get(file);
  if (!ofModels.has(path)) {
    const asked = ask(path, file, signal).catch((error) => {
      ofModels.delete(path);
      throw error;
    });
    ofModels.set(path, asked);
  }
  return ofModels.get(path);
}

async function ask(path, file, signal) {
  const { tiles } = await postFiles(path, [file], signal);
  const url = tiles[0].image;
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (character) =>
    character.charCodeAt(0),
  );
  return { url, file: new File([bytes], "image.png", { type: "image/png" }) };
}
