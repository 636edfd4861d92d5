// Which class is taken for which, as a table that shades what goes wrong.

import { element, setVariable } from "../shared/dom.js";
import { isolated } from "../shared/words.js";

const MOST_CLASSES = 40; // more make a table that nobody can look through
const LISTED = 20;

export function confusionTable(classes, { confusion }) {
  const pairs = mistaken(confusion);
  if (pairs.length === 0) return element("p", {}, "No test image is taken for another class.");
  return classes.length > MOST_CLASSES ? mostOften(classes, pairs) : wholeTable(classes, confusion, pairs);
}

/** What is taken for what, the most frequent first. */
function mistaken(confusion) {
  const pairs = [];
  confusion.forEach((row, truth) =>
    row.forEach((count, answer) => {
      if (truth !== answer && count > 0) pairs.push({ truth, answer, count });
    }),
  );
  return pairs.sort((one, other) => other.count - one.count);
}

function mostOften(classes, pairs) {
  return element(
    "ol",
    {},
    ...pairs
      .slice(0, LISTED)
      .map(({ truth, answer, count }) =>
        element(
          "li",
          {},
          `${isolated(classes[truth])} is taken for ${isolated(classes[answer])}: ${times(count)}`,
        ),
      ),
  );
}

function times(count) {
  return count === 1 ? "once" : `${count} times`;
}

function wholeTable(classes, confusion, [{ truth: shown, answer: said, count: most }]) {
  const worst = `Most often, ${times(most)}, ${classes[shown]} is taken for ${classes[said]}.`;
  return element(
    "div",
    { class: "table", tabIndex: 0, role: "region", ariaLabel: "Confusion" },
    element(
      "table",
      { class: "confusion" },
      element(
        "caption",
        { class: "note" },
        `Rows are what test images show, columns what the model says. ${worst}`,
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
