// The elements of the studio.

import { createCopyable } from "../shared/copy.js";
import { element } from "../shared/dom.js";
import { MOST } from "./state.js";

/** Fill `section`; the answer names the elements that the studio works with. */
export function createStudioParts(section) {
  const parts = {
    samples: element("ul", { class: "samples line", ariaLabel: "Image" }),
    own: element("p", { class: "note", hidden: true }),
    operations: element("div", { class: "operations" }),
    preset: element("button", { type: "button", class: "button", hidden: true }, "As this model was trained"),
    rows: element("input", { type: "number", min: 1, max: MOST, step: 1, required: true }),
    cols: element("input", { type: "number", min: 1, max: MOST, step: 1, required: true }),
    seed: element("input", { type: "number", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, required: true }),
    newSeed: element("button", { type: "button", class: "button" }, "New seed"),
    predict: element("input", { type: "checkbox", checked: true }),
    summary: element("p", { class: "summary", role: "status" }),
    grid: element("ol", { class: "grid", ariaLabel: "Variations" }),
    description: element("p", { class: "note", role: "status" }),
    download: element("button", { type: "button", class: "button" }, "Download PNG"),
    failure: element("p", { class: "failure", role: "alert", hidden: true }),
    survey: element("div", { class: "survey-part" }),
    recipe: createCopyable("recipe"),
    curl: createCopyable("curl"),
  };
  parts.form = element(
    "form",
    {},
    element("fieldset", {}, element("legend", {}, "Operations"), parts.operations),
    parts.preset,
    element(
      "div",
      { class: "row sizes" },
      element("label", {}, "Rows", parts.rows),
      element("label", {}, "Columns", parts.cols),
      element("label", {}, "Seed", parts.seed),
      parts.newSeed,
    ),
    element("label", {}, parts.predict, "Classify every tile"),
  );
  parts.drawn = element("div", { class: "drawn" }, parts.summary, parts.grid, parts.description);
  section.replaceChildren(
    element("h2", {}, "Which augmentation breaks the model?"),
    parts.samples,
    parts.own,
    element(
      "div",
      { class: "studio" },
      parts.form,
      element("div", { class: "result" }, parts.drawn, parts.failure, parts.survey),
    ),
    element(
      "details",
      {},
      element("summary", {}, "Use it elsewhere: recipe, curl, PNG"),
      element("h3", {}, "In a training recipe"),
      parts.recipe.root,
      element("h3", {}, "From a shell"),
      parts.curl.root,
      element("h3", {}, "As an image"),
      parts.download,
    ),
  );
  return parts;
}
