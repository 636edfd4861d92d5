// Lines over a common axis, as SVG.

import { element, svg } from "../dom.js";

const WIDTH = 340;
const HEIGHT = 190;
const EDGE = { left: 40, right: 8, top: 8, bottom: 24 };
const STEPS = [1, 2, 2.5, 5, 10];

/**
 * A figure under `title`. `series` is a list of `{ name, values }`, all as long as `x`; a value may be null where
 * there is none. `format` writes a value of the upright axis, `ends` are the names of the first and the last of `x`.
 */
export function lineChart({ title, x, series, format, ends, least = null }) {
  const values = series.flatMap((each) => each.values).filter((value) => value !== null);
  const ticks = niceTicks(
    least ?? Math.min(...values),
    Math.max(...values, ...(least === null ? [] : [least])),
  );
  const [low, high] = [ticks[0], ticks.at(-1)];
  const across = (value) =>
    EDGE.left + ((value - x[0]) / (x.at(-1) - x[0] || 1)) * (WIDTH - EDGE.left - EDGE.right);
  const up = (value) =>
    HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const words = series.map(
    ({ name, values: own }) => `${name} ${format(own.findLast((value) => value !== null) ?? 0)}`,
  );
  const drawing = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `${title}: at the end ${words.join(", ")}`,
    },
    ...ticks.flatMap((tick) => [
      svg("line", { class: "rule", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(tick), y2: up(tick) }),
      svg("text", { class: "tick", x: EDGE.left - 6, y: up(tick) + 4, "text-anchor": "end" }, format(tick)),
    ]),
    svg("text", { class: "tick", x: EDGE.left, y: HEIGHT - 6 }, ends[0]),
    svg("text", { class: "tick", x: WIDTH - EDGE.right, y: HEIGHT - 6, "text-anchor": "end" }, ends[1]),
    ...series.map(({ values: own }, index) =>
      svg("path", {
        class: `line series-${index}`,
        d: pathOf(own.map((value, at) => (value === null ? null : [across(x[at]), up(value)]))),
      }),
    ),
  );
  return element("figure", { class: "chart" }, element("figcaption", {}, title), drawing, legendOf(series));
}

/** Names beside their colours; nothing where there is but one. */
export function legendOf(series) {
  if (series.length < 2) return null;
  return element(
    "ul",
    { class: "names" },
    ...series.map(({ name }, index) =>
      element("li", {}, element("span", { class: `swatch series-${index}` }), name),
    ),
  );
}

function pathOf(points) {
  const isThere = (at) => (points[at] ?? null) !== null;
  return points
    .map((point, at) => {
      if (point === null) return "";
      const [x, y] = point.map((value) => value.toFixed(1));
      if (isThere(at - 1)) return `L${x} ${y}`;
      // A point without neighbours would be no line at all.
      return isThere(at + 1) ? `M${x} ${y}` : `M${x} ${y}m-2 0h4`;
    })
    .join("");
}

/** About four round numbers that reach from `low` to `high`. */
export function niceTicks(low, high) {
  if (high <= low) return [low, low + 1];
  const span = high - low;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = STEPS.find((each) => each * power >= span / 4) * power;
  const first = Math.floor(low / step + 1e-9);
  const count = Math.max(1, Math.ceil(high / step - 1e-9) - first);
  return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
