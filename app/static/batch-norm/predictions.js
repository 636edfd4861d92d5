// What the model says of one image: by running statistics, and by those of several batches around it.

import { element, setVariable } from "../shared/dom.js";
import { addressOf, SAMPLES } from "../shared/picture.js";
import { isolated, percent } from "../shared/words.js";

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
  const shares = predictions.training.map(({ top }) => shareOf(top, best.label));
  const least = shares.reduce((one, other) => (other.share < one.share ? other : one));
  const high = Math.max(...shares.map(({ share }) => share));
  const low = `${least.atMost ? "less than " : ""}${percent(least.share)}`;
  const range = shares.length > 1 ? `from ${low} to ${percent(high)}` : low;
  container.replaceChildren(
    element(
      "p",
      { class: "summary", role: "status" },
      `“${isolated(best.label)}” ${percent(best.probability)} in eval mode, whoever is beside it; ${range} in training mode`,
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
  const { share, atMost } = shareOf(top, best.label);
  const fill = setVariable(
    element("span", { class: mode === "eval" ? "fill steady" : "fill" }),
    "share",
    atMost ? 0 : share,
  );
  const same = top[0].label === best.label;
  return element(
    "tr",
    {},
    element("td", {}, mode),
    element("td", {}, company, " ", ...names.map(portrait)),
    element("td", { class: same ? "" : "failure" }, `${isolated(top[0].label)} ${percent(top[0].probability)}`),
    element("td", { class: "bar" }, element("span", { class: "track" }, fill)),
  );
}

/** Of a class that is not among the best, it is only known that it has less than the last of them. */
function shareOf(top, label) {
  const found = top.find((each) => each.label === label);
  return { share: (found ?? top.at(-1)).probability, atMost: found === undefined };
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
