// Which class is taken for which, as a table that shades what goes wrong.

import { element, setVariable } from "../dom.js";

export function confusionTable(classes, { confusion }) {
  const wrong = confusion.flatMap((row, truth) => row.filter((_, answer) => answer !== truth));
  const most = Math.max(1, ...wrong);
  return element(
    "div",
    { class: "table", tabIndex: 0, role: "region", ariaLabel: "Confusion" },
    element(
      "table",
      { class: "confusion" },
      element(
        "caption",
        { class: "note" },
        `Rows are what test images show, columns what the model says. ${worst(classes, confusion)}`,
      ),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td", {}),
          ...classes.map((name) => element("th", { scope: "col" }, element("span", {}, name))),
        ),
      ),
      element(
        "tbody",
        {},
        ...confusion.map((row, truth) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, classes[truth]),
            ...row.map((count, answer) => createCell(count, answer === truth ? null : count / most)),
          ),
        ),
      ),
    ),
  );
}

function createCell(count, share) {
  const cell = element("td", { class: share === null ? "right" : count === 0 ? "none" : "" }, String(count));
  return share === null ? cell : setVariable(cell, "share", share);
}

function worst(classes, confusion) {
  const pairs = confusion.flatMap((row, truth) => row.map((count, answer) => ({ truth, answer, count })));
  const { truth, answer, count } = pairs
    .filter((pair) => pair.truth !== pair.answer)
    .reduce((most, pair) => (pair.count > most.count ? pair : most));
  return `Most often, ${count} times, ${classes[truth]} is taken for ${classes[answer]}.`;
}
