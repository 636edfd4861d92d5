// The image that the panels look at: a sample, or the visitor's own file.

import { getImage } from "./api.js";

export const SAMPLES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

let current = sample("cat");

/** `title` is for people, `name` that of a sample or null, `file()` a promise of the File. */
export function sample(name) {
  return {
    name,
    title: `Sample: ${name}`,
    file: async () => new File([await getImage(addressOf(name))], `${name}.png`, { type: "image/png" }),
  };
}

export function ownFile(file) {
  return { name: null, title: file.name, file: async () => file };
}

/** Of several files the first, for a panel that looks at one image; its `title` says so. */
export function firstOf(files) {
  const picture = ownFile(files[0]);
  if (files.length > 1) picture.title += `, the only one used of ${files.length} files`;
  return picture;
}

export function currentPicture() {
  return current;
}

export function choosePicture(picture) {
  current = picture;
}

export function addressOf(name) {
  return `static/samples/${name}.png`;
}
