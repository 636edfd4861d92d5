// The line that says which model answers, and how good it is.

import { getJson } from "./api.js";
import { percent } from "./cards.js";

export async function showModel(line) {
  try {
    const { models } = await getJson("models");
    const model = await getJson(`models/${encodeURIComponent(models[0].name)}`);
    line.replaceChildren(...describe(model));
  } catch (error) {
    line.textContent = error.message;
  }
}

function describe({ metadata: { name, version }, metrics }) {
  const link = document.createElement("a");
  link.href = `models/${encodeURIComponent(name)}`;
  link.textContent = `${percent(metrics.accuracy)} right`;
  return [`${name}, version ${version}: `, link, ` on ${metrics.images.toLocaleString("en")} test images`];
}
