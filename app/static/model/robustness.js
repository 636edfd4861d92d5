// How robust the model is: accuracy on images with noise, blur, compression, rotation and other changes.

import { lineChart } from "../shared/charts/lines.js";
import { element, setVariable } from "../shared/dom.js";
import { percent, readable } from "../shared/words.js";

const KINDS = {
  corruption: "Corruptions",
  encoding: "Encodings",
  size: "Scaled down or up and back",
  movement: "Rotations and shifts",
  colour: "Colour",
};

/** Parts for `{ images, clean, mean_corrupted, conditions }`; `precision` is what answers here, such as `int8`. */
export function robustnessParts({ images, clean, mean_corrupted: mean, conditions }, precision) {
  const precisions = Object.keys(clean);
  const served = precisions.includes(precision) ? precision : precisions[0];
  const corruptions = conditions.filter(({ group }) => group === "corruption");
  const severities = unique(corruptions.map(({ level }) => level));
  const changed = average(corruptions.map(({ figures }) => figures[served].changed));
  const words =
    `Of ${images.toLocaleString("en")} test images ${percent(clean[served])} are classified correctly as they are, and ` +
    `${percent(mean[served])} on average under 15 kinds of corruption, each at five severities. Corruption changes ` +
    `${percent(changed)} of all predictions.`;
  return [
    element("p", { class: "note" }, words),
    element(
      "div",
      { class: "charts pairs" },
      lineChart({
        title: "Accuracy by severity of the 15 corruptions",
        x: severities.map(Number),
        ends: [`severity ${severities[0]}`, severities.at(-1)],
        series: precisions.map((name) => ({
          name,
          values: severities.map((severity) =>
            average(corruptions.filter(({ level }) => level === severity).map(accuracyOf(name))),
          ),
        })),
        format: share,
      }),
      ...encodings(conditions, served),
    ),
    thingTable(conditions, precisions, served),
  ];
}

function encodings(conditions, served) {
  const series = ["jpeg 4:2:0", "webp"].map((name) => ({
    name,
    values: conditions.filter((each) => each.name === name).map(accuracyOf(served)),
  }));
  const levels = conditions.filter(({ name }) => name === "webp").map(({ level }) => level);
  if (levels.length === 0 || series.some(({ values }) => values.length !== levels.length)) return [];
  return [
    lineChart({
      title: "Accuracy by quality of the file",
      x: levels.map((_, index) => index),
      ends: [levels[0], levels.at(-1)],
      series,
      format: share,
    }),
  ];
}

/** A row for each thing that happened, which opens to its levels. */
function thingTable(conditions, precisions, served) {
  const names = unique(conditions.map(({ name }) => name));
  const rows = names.map((name) => conditions.filter((each) => each.name === name));
  return element(
    "div",
    { class: "table", tabIndex: 0, role: "region", ariaLabel: "Accuracy on changed images" },
    element(
      "table",
      { class: "figures robustness" },
      element("caption", { class: "note" }, "The mean over the levels of each; below its name, every level."),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "Change"),
          element("td", { class: "bar" }),
          ...precisions.map((name) => element("th", { class: "number", scope: "col" }, name)),
          element("th", { class: "number", scope: "col" }, "Changed"),
        ),
      ),
      ...unique(rows.map(([{ group }]) => group)).map((group) =>
        element(
          "tbody",
          {},
          element("tr", {}, element("th", { class: "kind", scope: "rowgroup" }, KINDS[group])),
          ...rows
            .filter(([first]) => first.group === group)
            .map((levels) => thingRow(levels, precisions, served)),
        ),
      ),
    ),
  );
}

function thingRow(levels, precisions, served) {
  const means = precisions.map((name) => average(levels.map(accuracyOf(name))));
  const fill = setVariable(element("span", { class: "fill" }), "share", means[precisions.indexOf(served)]);
  const each = levels
    .map((level) => `${level.level}: ${share(accuracyOf(served)(level))}`.replaceAll(" ", "\u00a0"))
    .join(" · ");
  return element(
    "tr",
    {},
    element(
      "th",
      { scope: "row" },
      readable(levels[0].name).replace("Jpeg", "JPEG").replace("Webp", "WebP"),
      element("span", { class: "levels" }, levels.length > 1 ? each : ""),
    ),
    element("td", { class: "bar" }, element("span", { class: "track" }, fill)),
    ...means.map((mean) => element("td", { class: "number" }, percent(mean))),
    element(
      "td",
      { class: "number" },
      percent(average(levels.map(({ figures }) => figures[served].changed))),
    ),
  );
}

function accuracyOf(precision) {
  return ({ figures }) => figures[precision].accuracy;
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function unique(values) {
  return [...new Set(values)];
}

function share(value) {
  return `${Number((value * 100).toFixed(1))}%`;
}
