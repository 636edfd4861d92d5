// The elements of the panel, and what it says.

import { element } from "../shared/dom.js";

const SEEN =
  "Batch norm shifts and scales every channel so that its values have about mean 0 and variance 1, then by what it " +
  "learned. In training it measures mean and variance on the batch at hand: so each image's result depends on the " +
  "images beside it. Meanwhile it keeps running averages of both. In eval mode it uses those, and the neighbours no " +
  "longer count.";
const LIMITS =
  "Here training mode is only looked at, on a copy of the network; the service itself always answers in eval mode. " +
  "A batch of a few images is far from the large ones of training, so the fewer neighbours there are, the worse it is " +
  "as a rule.";

/** Fill `section`; the answer names the elements that the panel works with. */
export function createNormsParts(section, most) {
  const parts = {
    samples: element("ul", { class: "samples line", ariaLabel: "Image" }),
    own: element("p", { class: "note", hidden: true }),
    layer: element("select"),
    channel: element("select"),
    batch: element("input", { type: "range", ariaLabel: "Neighbours", min: 1, max: most, step: 1 }),
    count: element("span"),
    others: element("button", { type: "button", class: "button" }, "Other neighbours"),
    predictions: element("div"),
    values: element("div"),
    statistics: element("div"),
    failure: element("p", { class: "failure", role: "alert", hidden: true }),
  };
  parts.drawn = element(
    "div",
    { class: "drawn" },
    part("The same image, alone and with neighbours", parts.predictions),
    part("What the layer makes of the batch", parts.values),
    part("Statistics of the batch and running statistics", parts.statistics),
  );
  section.replaceChildren(
    element("h2", {}, "Why does a model in training mode answer differently?"),
    parts.samples,
    parts.own,
    element(
      "div",
      { class: "row norms-controls" },
      element("label", {}, "Layer", parts.layer),
      element("label", {}, "Values of", parts.channel),
      element("div", {}, element("span", { ariaHidden: "true" }, "Neighbours: ", parts.count), parts.batch),
      parts.others,
    ),
    parts.failure,
    parts.drawn,
    element("div", { class: "part words" }, element("p", {}, SEEN), element("p", { class: "note" }, LIMITS)),
  );
  return parts;
}

function part(title, content) {
  return element("section", { class: "part" }, element("h3", {}, title), content);
}
