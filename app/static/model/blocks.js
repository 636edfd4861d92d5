// A network's blocks, each drawn as what it is: residual blocks with their two ways.

import { element, setVariable, svg } from "../shared/dom.js";
import { short } from "../shared/words.js";

const NAMES = {
  Stem: "convolution",
  AdaptiveAvgPool2d: "mean of each channel",
  AvgPool2d: "mean",
  MaxPool2d: "maximum",
  Flatten: "as one row",
  Linear: "linear",
  Conv2d: "convolution",
};

/** The table of `layers` of `GET /models/{name}`. */
export function blockTable(layers, { in_channels: channels, input_size: size }) {
  const most = Math.max(...layers.map((layer) => layer.parameters));
  let shape = [channels, size, size];
  const rows = layers.map((layer) => {
    const row = createRow(layer, shape, most);
    shape = layer.output_shape;
    return row;
  });
  return element(
    "div",
    { class: "table", tabIndex: 0, role: "region", ariaLabel: "Blocks" },
    element(
      "table",
      { class: "figures blocks" },
      element(
        "caption",
        { class: "note" },
        `An image comes in as ${format([channels, size, size])} numbers and goes from top to bottom.`,
      ),
      element("thead", {}, headings()),
      element("tbody", {}, ...rows),
      element("tfoot", {}, totals(layers)),
    ),
  );
}

function createRow({ name, kind, output_shape: shape, parameters, multiply_adds: work }, before, most) {
  const size = setVariable(element("span", { class: "size" }), "share", parameters / most);
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    element("td", { class: "drawing" }, kind === "Residual" ? residual(before, shape) : plain(kind)),
    element("td", { class: "number" }, format(shape)),
    element("td", { class: "number" }, size, short(parameters)),
    element("td", { class: "number" }, short(work)),
  );
}

function headings() {
  const figures = ["Comes out", "Parameters", "Multiply-adds"].map((name) =>
    element("th", { scope: "col", class: "number" }, name),
  );
  return element("tr", {}, element("th", { scope: "col" }, "Block"), element("td", {}), ...figures);
}

function totals(layers) {
  const figures = ["parameters", "multiply_adds"].map((key) =>
    element("td", { class: "number" }, short(layers.reduce((sum, layer) => sum + layer[key], 0))),
  );
  const blanks = [element("td", {}), element("td", {})];
  return element("tr", {}, element("th", { scope: "row" }, "Total"), ...blanks, ...figures);
}

/** Two convolutions, and the way around them: straight, or through a 1×1 convolution where the shape changes. */
function residual(before, after) {
  const projected = before.join() !== after.join();
  const words = projected
    ? "Residual block: two 3×3 convolutions, beside a 1×1 convolution that fits the shape"
    : "Residual block: two 3×3 convolutions, plus their input";
  return svg(
    "svg",
    { viewBox: "0 0 210 56", class: "block", role: "img", "aria-label": words },
    svg("path", { class: "way", d: "M2 38H208M16 38V12Q16 8 20 8H168Q172 8 172 12V29" }),
    ...box(30, 26, 52, "3×3"),
    ...box(98, 26, 52, "3×3"),
    ...(projected ? box(68, -4 + 2, 48, "1×1", 20) : []),
    svg("circle", { class: "box", cx: 172, cy: 38, r: 9 }),
    svg("path", { class: "way", d: "M167.500 38h9M172 33.500v9" }),
  );
}

function plain(kind) {
  const name = NAMES[kind] ?? kind;
  return svg(
    "svg",
    { viewBox: "0 0 210 32", class: "block", role: "img", "aria-label": name },
    svg("path", { class: "way", d: "M2 16H208" }),
    ...box(30, 4, 142, name),
  );
}

function box(x, y, width, text, height = 24) {
  return [
    svg("rect", { class: "box", x, y, width, height, rx: 5 }),
    svg("text", { x: x + width / 2, y: y + height / 2 + 4, "text-anchor": "middle" }, text),
  ];
}

function format(shape) {
  return shape.join(" × ");
}
