// How the model was made, and what answers for it.

import { element } from "../shared/dom.js";
import { counted, readable } from "../shared/words.js";

export function engineWords({ engine, metrics, metadata }) {
  const { int8 } = metadata;
  const answers = `Answers come from ${engine.name} ${engine.version.split("-")[0]} in ${engine.precision} on ${engine.device}: ${engine.reason}.`;
  const cost =
    int8 === null
      ? ""
      : ` Of ${metrics.images.toLocaleString("en")} test images int8 gets ${counted(int8.metrics.accuracy)} right, float32 ${counted(metadata.metrics.accuracy)}.`;
  return element("p", { class: "note" }, answers + cost);
}

export function recipeList({
  recipe,
  dataset,
  hardware,
  training_seconds: seconds,
  created,
  architecture,
  temperature,
}) {
  const facts = {
    architecture,
    "data set": `${dataset.name}, ${dataset.train_images.toLocaleString("en")} images`,
    ...recipe,
    temperature,
    hardware,
    "training time": `${Math.round(seconds / 60)} minutes`,
    created: created.slice(0, 10),
  };
  return element(
    "dl",
    { class: "facts-list" },
    ...Object.entries(facts).map(([name, value]) =>
      element("div", {}, element("dt", {}, readable(name)), element("dd", {}, write(value))),
    ),
  );
}

function write(value) {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (Array.isArray(value)) return value.map(write).join("; ") || "none";
  if (typeof value === "object")
    return Object.entries(value)
      .map(([key, own]) => (key === "name" ? own : `${key.replaceAll("_", " ")} ${writeParameter(own)}`))
      .join(", ");
  return String(value);
}

function writeParameter(value) {
  return Array.isArray(value) ? value.map(write).join(" to ") : write(value);
}
