// What the model says of one image: by running statistics, and by those of several batches around it.

import { element, setVariable } from "../dom.js";
import { addressOf, SAMPLES } from "../picture.js";
import { percent } from "../words.js";

export function drawPredictions(container, { predictions, neighbours }, picture) {
  const [best] = predictions.eval;
  const rows = [
    createRow("eval", "alone", [], predictions.eval, best),
    createRow(
      "eval",
      among(neighbours.names.length),
      neighbours.names,
      predictions.eval_with_neighbours,
      best,
    ),
    ...predictions.training.map((set) =>
      createRow("training", among(set.neighbours), set.names, set.top, best),
    ),
  ];
  const probabilities = predictions.training.map(({ top }) => shareOf(top, best.label));
  const [low, high] = [Math.min(...probabilities), Math.max(...probabilities)];
  const range = probabilities.length > 1 ? `between ${percent(low)} and ${percent(high)}` : percent(low);
  container.replaceChildren(
    element(
      "p",
      { class: "summary", role: "status" },
      `“${best.label}” ${percent(best.probability)} in eval mode, whoever is beside it; ${range} in training mode`,
    ),
    element(
      "div",
      { class: "table", tabIndex: 0, role: "region", ariaLabel: "Predictions" },
      element(
        "table",
        { class: "figures company" },
        element("caption", { class: "unseen" }, `Predictions for ${picture.title}`),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            ...["Mode", "Company", "Says", `Share of “${best.label}”`].map((name) =>
              element("th", { scope: "col" }, name),
            ),
          ),
        ),
        element("tbody", {}, ...rows),
      ),
    ),
  );
}

function createRow(mode, company, names, top, best) {
  const share = shareOf(top, best.label);
  const fill = setVariable(
    element("span", { class: mode === "eval" ? "fill steady" : "fill" }),
    "share",
    share,
  );
  const same = top[0].label === best.label;
  return element(
    "tr",
    {},
    element("td", {}, mode),
    element("td", {}, company, " ", ...names.map(portrait)),
    element("td", { class: same ? "" : "failure" }, `${top[0].label} ${percent(top[0].probability)}`),
    element("td", { class: "bar" }, element("span", { class: "track" }, fill)),
  );
}

/** Of a class that is not among the best, what is left for it at most is next to nothing. */
function shareOf(top, label) {
  return top.find((each) => each.label === label)?.probability ?? 0;
}

function among(count) {
  return count === 1 ? "1 neighbour" : `${count} neighbours`;
}

function portrait(name) {
  const known = name?.replace(/\.png$/, "");
  return SAMPLES.includes(known)
    ? element("img", { src: addressOf(known), alt: known, width: 24, height: 24 })
    : "";
}
