// Accuracy, all together and class by class, in float32 and in int8.

import { element, setVariable } from "../shared/dom.js";
import { counted } from "../shared/words.js";

export function classTable({ metrics, int8, classes }) {
  const columns = [["float32", metrics]];
  if (int8 !== null) columns.push(["int8", int8.metrics]);
  const worst = Math.min(...classes.map((name) => metrics.per_class_accuracy[name]));
  return element(
    "table",
    { class: "figures classes" },
    element("caption", { class: "unseen" }, "Accuracy by class"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "col" }, "Class"),
        element("td", {}),
        ...columns.map(([name]) => element("th", { class: "number", scope: "col" }, name)),
      ),
    ),
    element(
      "tbody",
      {},
      createRow(
        "all",
        columns.map(([, own]) => own.accuracy),
        false,
      ),
      ...classes.map((name) => {
        const shares = columns.map(([, own]) => own.per_class_accuracy[name]);
        return createRow(name, shares, shares[0] === worst);
      }),
    ),
  );
}

function createRow(name, shares, worst) {
  const fill = setVariable(element("span", { class: worst ? "fill worst" : "fill" }), "share", shares[0]);
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    element("td", { class: "bar" }, element("span", { class: "track" }, fill)),
    ...shares.map((share) => element("td", { class: "number" }, counted(share))),
  );
}
