// The same augmentation outside the page: in a training recipe, and from a shell.

import { currentKey } from "../shared/key.js";

/** Python for a recipe of the training side. */
export function recipeOf({ ops }) {
  const imports = ops.map(({ name }) => `from models.augmentations.${name} import ${className(name)}`).sort();
  const lines = ops.map(({ name, values }) => {
    const given = Object.entries(values).map(([key, value]) => `${key}=${python(value)}`);
    return `    ("${name}", ${className(name)}(${given.join(", ")})),`;
  });
  const body =
    lines.length === 0 ? "augmentation=Compose()," : `augmentation=Compose((\n${lines.join("\n")}\n)),`;
  return ["from models.augmentations import Compose", ...imports, "", body].join("\n");
}

/** A command that writes the grid to grid.png. `path` is that of the request, `own` that it takes a file. */
export function curlOf(path, own) {
  const parts = ["curl", "-o grid.png"];
  if (currentKey() !== null) parts.push('-H "X-API-Key: $API_KEY"');
  if (own) parts.push("-F file=@image.jpg");
  return `${parts.join(" ")} "${new URL(path, document.baseURI)}"`;
}

function className(name) {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase());
}

function python(value) {
  if (Array.isArray(value)) return `(${value.map(python).join(", ")})`;
  return typeof value === "string" ? `"${value}"` : String(value);
}
