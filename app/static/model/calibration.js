// Whether the model is right as often as its percentages say.

import { columnChart } from "../shared/charts/columns.js";
import { element } from "../shared/dom.js";
import { percent } from "../shared/words.js";

export function calibration({ bin_accuracy: right, bin_share: share, expected_calibration_error: error }) {
  const bins = right.length;
  const edges = Array.from({ length: bins + 1 }, (_, index) => index / bins);
  const words = `on average its percentages are off by ${(error * 100).toFixed(1)} points`;
  const text =
    `Of the predictions with 80%, four out of five should be right: the bars should reach the dashed line. ` +
    `${words[0].toUpperCase()}${words.slice(1)}. In ${percent(share.at(-1))} of the images its confidence is above ${percent(edges.at(-2))}.`;
  return element(
    "div",
    { class: "beside" },
    columnChart({
      title: "Accuracy by confidence",
      words,
      edges,
      series: [{ name: "right", values: right }],
      highest: 1,
      diagonal: true,
      format: (value) => `${Math.round(value * 100)}%`,
    }),
    element("p", {}, text),
  );
}
