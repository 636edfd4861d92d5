// The form of the operations: a box to tick for each, and a control for each of its parameters.

import { element } from "../shared/dom.js";
import { readable } from "../shared/words.js";
import { createOperation } from "./state.js";

const LARGEST = 32; // pixels that a control reaches, on images of so many; links may say more

/**
 * Fill `container` with the `operations` of `GET /augmentations`, and keep `state().ops` in step; `onChange` is
 * told of every change, while it is being dragged too. The answer's `update` shows a new state.
 */
export function createForm(container, operations, state, onChange) {
  const parts = operations.map((operation) => createPart(operation));
  container.replaceChildren(...parts.map((part) => part.root));
  return { update: () => parts.forEach((part) => part.update()) };

  function createPart(operation) {
    const order = element("span", { class: "order" });
    const box = element("input", { type: "checkbox", name: "ops", value: operation.name });
    const controls = element("div", { class: "controls" });
    const label = element(
      "label",
      { title: operation.description },
      box,
      readable(operation.name),
      " ",
      order,
    );
    box.addEventListener("change", () => {
      const { ops } = state();
      if (box.checked) ops.push(createOperation(operation));
      else
        ops.splice(
          ops.findIndex(({ name }) => name === operation.name),
          1,
        );
      changed();
    });
    let shown = null;

    function changed() {
      for (const part of parts) part.update();
      onChange();
    }

    return {
      root: element(
        "div",
        { class: "operation", role: "group", ariaLabel: readable(operation.name) },
        label,
        controls,
      ),
      update() {
        const { ops } = state();
        const at = ops.findIndex(({ name }) => name === operation.name);
        box.checked = at >= 0;
        order.textContent = at >= 0 && ops.length > 1 ? String(at + 1) : "";
        // Controls that are being dragged must stay, so they are made anew for another object only.
        if (shown === (ops[at] ?? null)) return;
        shown = ops[at] ?? null;
        controls.replaceChildren(
          ...(shown === null
            ? []
            : operation.parameters.map((each) => createControl(each, shown.values, onChange))),
        );
      },
    };
  }
}

function createControl(parameter, values, onChange) {
  if (parameter.kind === "choice") return createChoice(parameter, values, onChange);
  const output = element("output", {}, format(values[parameter.name]));
  const sliders = parameter.kind === "range" ? [0, 1] : [null];
  const inputs = sliders.map((end) => createSlider(parameter, values, end, change));
  return element(
    "div",
    { class: "control", title: parameter.description },
    element("span", { class: "name", ariaHidden: "true" }, readable(parameter.name)),
    output,
    ...inputs,
  );

  function change(end, value) {
    if (end === null) {
      values[parameter.name] = value;
    } else {
      const pair = [...values[parameter.name]];
      pair[end] = value;
      // The other end gives way.
      if (pair[0] > pair[1]) pair[1 - end] = value;
      values[parameter.name] = pair;
      inputs.forEach((input, index) => input.show(pair[index]));
    }
    output.textContent = format(values[parameter.name]);
    onChange();
  }
}

function createSlider(parameter, values, end, change) {
  const value = end === null ? values[parameter.name] : values[parameter.name][end];
  const scale = scaleOf(parameter, value);
  const suffix = end === null ? "" : [", lowest", ", highest"][end];
  const input = element("input", {
    type: "range",
    ariaLabel: readable(parameter.name) + suffix,
    ...scale.bounds,
  });
  input.show = (shown) => {
    input.value = scale.place(shown);
    input.ariaValueText = format(shown);
  };
  input.show(value);
  input.addEventListener("input", () => {
    const chosen = scale.value(Number(input.value));
    input.ariaValueText = format(chosen);
    change(end, chosen);
  });
  return input;
}

/** Where values lie on a slider: evenly, or where they go over powers of ten, by their logarithm. */
function scaleOf({ kind, minimum, maximum }, value) {
  if (kind === "integer") {
    const max = Math.max(value, Math.min(maximum, LARGEST));
    return { bounds: { min: minimum, max, step: 1 }, place: (each) => each, value: (each) => each };
  }
  if (minimum > 0 && maximum / minimum > 100) {
    return {
      bounds: { min: Math.log(minimum), max: Math.log(maximum), step: "any" },
      place: Math.log,
      value: (each) => Math.min(maximum, Math.max(minimum, Number(Math.exp(each).toPrecision(2)))),
    };
  }
  // Where the range is long, whole numbers are fine enough, and all that some parameters take.
  const step = maximum - minimum > LARGEST ? 1 : 0.01;
  return {
    bounds: { min: minimum, max: maximum, step },
    place: (each) => each,
    value: (each) => each,
  };
}

function createChoice(parameter, values, onChange) {
  const select = element("select", {}, ...parameter.choices.map((choice) => new Option(choice)));
  select.value = values[parameter.name];
  select.addEventListener("change", () => {
    values[parameter.name] = select.value;
    onChange();
  });
  return element(
    "label",
    { class: "control", title: parameter.description },
    readable(parameter.name),
    select,
  );
}

function format(value) {
  return Array.isArray(value) ? value.map(format).join(" to ") : String(Number(value.toFixed(2)));
}
