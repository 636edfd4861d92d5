// Which operation breaks the model: each one alone, with its defaults.

import { element, setVariable } from "../shared/dom.js";
import { readable } from "../shared/words.js";
import { createOperation } from "./state.js";

const TILES = { rows: 2, cols: 8, seed: 0 };

/**
 * A button, and below it after a press the operations by the share of tiles that kept the label, the worst first.
 * `ask(state, signal)` answers as `/augment-preview`; `onChoose` gets the operation that the visitor picks.
 */
export function createSurvey(operations, ask, onChoose) {
  const list = element("ol", { class: "survey" });
  const status = element("p", { role: "status", class: "note" });
  const button = element(
    "button",
    { type: "button", class: "button", onclick: run },
    "Try each operation alone",
  );
  let running = new AbortController();
  return {
    root: element("div", {}, button, status, list),
    clear() {
      running.abort();
      list.replaceChildren();
      status.textContent = "";
    },
  };

  async function run() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const found = [];
    try {
      for (const operation of operations) {
        status.textContent = `Trying ${readable(operation.name).toLowerCase()}`;
        const answer = await ask({ ...TILES, ops: [createOperation(operation)], predict: true }, signal);
        found.push({ operation, kept: answer.kept, label: answer.original.label });
        found.sort((one, other) => one.kept - other.kept);
        const focused = list.contains(document.activeElement) ? document.activeElement.dataset.name : null;
        list.replaceChildren(...found.map(createRow));
        if (focused !== null) list.querySelector(`[data-name="${focused}"]`).focus();
      }
      const [{ label }] = found;
      status.textContent = `How many of ${TILES.rows * TILES.cols} tiles stay “${label}” with each operation alone, at its defaults:`;
    } catch (error) {
      if (!signal.aborted) status.textContent = error.message;
    }
  }

  function createRow({ operation, kept }) {
    const bar = element(
      "span",
      { class: "track" },
      setVariable(element("span", { class: "fill" }), "share", kept),
    );
    return element(
      "li",
      {},
      element(
        "button",
        { type: "button", "data-name": operation.name, onclick: () => onChoose(createOperation(operation)) },
        element("span", { class: "label" }, readable(operation.name)),
        bar,
        element("span", { class: "value" }, `${Math.round(kept * 100)}%`),
      ),
    );
  }
}
