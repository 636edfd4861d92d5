// Pairs of numbers as points, as SVG, with the line on which both are equal.

import { element, svg } from "../dom.js";
import { niceTicks } from "./lines.js";

const WIDTH = 340;
const HEIGHT = 260;
const EDGE = { left: 44, right: 8, top: 8, bottom: 38 };

/** A figure under `title`: a point for each of `x` and `y`, which share one scale. */
export function scatterChart({ title, x, y, xName, yName, words }) {
  const all = [...x, ...y];
  const ticks = niceTicks(Math.min(...all), Math.max(...all));
  const [low, high] = [ticks[0], ticks.at(-1)];
  const across = (value) => EDGE.left + ((value - low) / (high - low)) * (WIDTH - EDGE.left - EDGE.right);
  const up = (value) =>
    HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${words}` },
    ...ticks.flatMap((tick) => [
      svg("line", { class: "rule", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(tick), y2: up(tick) }),
      svg("text", { class: "tick", x: EDGE.left - 6, y: up(tick) + 4, "text-anchor": "end" }, String(tick)),
      svg(
        "text",
        { class: "tick", x: across(tick), y: HEIGHT - EDGE.bottom + 14, "text-anchor": "middle" },
        String(tick),
      ),
    ]),
    svg("line", { class: "ideal", x1: across(low), y1: up(low), x2: across(high), y2: up(high) }),
    ...x.map((value, index) =>
      svg("circle", { class: "point", cx: across(value), cy: up(y[index]), r: 2.5 }),
    ),
    svg("text", { class: "tick", x: WIDTH - EDGE.right, y: HEIGHT - 6, "text-anchor": "end" }, `${xName} →`),
    svg("text", { class: "tick", x: EDGE.left + 6, y: EDGE.top + 10 }, `↑ ${yName}`),
  );
  return element("figure", { class: "chart" }, element("figcaption", {}, title), drawing);
}
