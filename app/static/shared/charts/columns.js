// Upright bars side by side, as SVG: histograms, and how often a confidence was right.

import { element, svg } from "../dom.js";
import { legendOf } from "./lines.js";

const WIDTH = 340;
const HEIGHT = 170;
const EDGE = { left: 8, right: 8, top: 8, bottom: 22 };

/**
 * A figure under `title`. Every one of `series`, `{ name, values }`, has a value for each bin between two of
 * `edges`; they are drawn over each other, against `highest`. `labels` names the bins instead of their edges. `diagonal`
 * draws the line of equal value and place, `marks` upright lines at places.
 */
export function columnChart({
  title,
  words,
  edges,
  series,
  labels = null,
  highest = null,
  format = String,
  diagonal = false,
  marks = [],
}) {
  const top = highest ?? Math.max(1, ...series.flatMap((each) => each.values));
  const across = (value) =>
    EDGE.left + ((value - edges[0]) / (edges.at(-1) - edges[0])) * (WIDTH - EDGE.left - EDGE.right);
  const up = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  const bars = series.flatMap(({ values }, index) =>
    values.map((value, bin) =>
      svg("rect", {
        class: `column series-${index}`,
        x: across(edges[bin]) + 0.5,
        width: Math.max(0.5, across(edges[bin + 1]) - across(edges[bin]) - 1),
        y: up(value),
        height: up(0) - up(value),
      }),
    ),
  );
  const [first, end] = [edges[0], edges.at(-1)];
  const ticks =
    labels === null
      ? [
          [first, format(first), "start"],
          [(first + end) / 2, format((first + end) / 2), "middle"],
          [end, format(end), "end"],
        ]
      : labels.map((label, bin) => [(edges[bin] + edges[bin + 1]) / 2, label, "middle"]);
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${words}` },
    ...bars,
    svg("line", { class: "base", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(0), y2: up(0) }),
    diagonal ? svg("line", { class: "ideal", x1: across(0), y1: up(0), x2: across(1), y2: up(1) }) : null,
    ...marks.map((at) =>
      svg("line", { class: "mark", x1: across(at), x2: across(at), y1: EDGE.top, y2: up(0) }),
    ),
    ...ticks.map(([at, text, anchor]) =>
      svg("text", { class: "tick", x: across(at), y: HEIGHT - 6, "text-anchor": anchor }, text),
    ),
  );
  return element("figure", { class: "chart" }, element("figcaption", {}, title), drawing, legendOf(series));
}
