// A layer's values as histograms, and the statistics that it normalises by.

import { columnChart } from "../shared/charts/columns.js";
import { scatterChart } from "../shared/charts/scatter.js";
import { element } from "../shared/dom.js";

export function drawValues(container, { histogram, layer, channel }) {
  const { edges } = histogram;
  const charts = [
    ["Before", "before"],
    ["After, in training mode", "training"],
    ["After, in eval mode", "eval"],
  ].map(([title, key]) => {
    const { mean, spread } = momentsOf(edges, histogram[key]);
    return columnChart({
      title,
      words: `mean about ${round(mean)}, standard deviation about ${round(spread)}`,
      edges,
      series: [{ name: title, values: histogram[key] }],
      format: round,
      marks: [mean],
    });
  });
  const what = channel === null ? "all channels" : `channel ${channel}`;
  container.replaceChildren(
    element(
      "p",
      { class: "note" },
      `Values of ${what} of ${layer} in the whole batch, all on one scale. The dashed line is their mean.`,
    ),
    element("div", { class: "charts" }, ...charts),
  );
}

export function drawStatistics(container, { statistics, channel }) {
  const {
    batch_mean: batchMean,
    batch_var: batchVar,
    running_mean: runningMean,
    running_var: runningVar,
  } = statistics;
  if (channel !== null) {
    container.replaceChildren(
      element(
        "table",
        { class: "figures narrow" },
        element("caption", { class: "unseen" }, `Statistics of channel ${channel}`),
        element(
          "tr",
          {},
          element("td", {}),
          ...["mean", "variance"].map((name) => element("th", { class: "number", scope: "col" }, name)),
        ),
        row("of this batch (training mode)", batchMean[channel], batchVar[channel]),
        row("running (eval mode)", runningMean[channel], runningVar[channel]),
      ),
    );
    return;
  }
  container.replaceChildren(
    element("p", { class: "note" }, "A point is a channel. On the dashed line both modes would do the same."),
    element(
      "div",
      { class: "charts" },
      compare("Mean of each channel", runningMean, batchMean),
      compare("Standard deviation of each channel", runningVar.map(Math.sqrt), batchVar.map(Math.sqrt)),
    ),
  );
}

function compare(title, x, y) {
  const apart = x.map((value, index) => Math.abs(value - y[index]));
  const mean = apart.reduce((sum, value) => sum + value, 0) / apart.length;
  const words = `this batch and the running statistics differ by ${round(mean)} on average`;
  return scatterChart({ title, x, y, xName: "running", yName: "this batch", words });
}

function row(name, ...figures) {
  const cells = figures.map((figure) => element("td", { class: "number" }, round(figure)));
  return element("tr", {}, element("th", { scope: "row" }, name), ...cells);
}

/** Of the values that a histogram counts, as if each lay in the middle of its bin. */
function momentsOf(edges, counts) {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  const middle = (bin) => (edges[bin] + edges[bin + 1]) / 2;
  const mean = counts.reduce((sum, count, bin) => sum + count * middle(bin), 0) / total;
  const variance = counts.reduce((sum, count, bin) => sum + count * (middle(bin) - mean) ** 2, 0) / total;
  return { mean, spread: Math.sqrt(variance) };
}

function round(value) {
  return String(Number(value.toPrecision(3)));
}
