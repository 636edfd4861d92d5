// A row of buttons, one a sample, and where panels want it one more for a file of the visitor's own.

import { element } from "./dom.js";
import { addressOf, ownFile, sample, SAMPLES } from "./picture.js";

/** Fill `list` and call `onChoose` with every picture that is chosen. The answer's `press` marks one. */
export function fillStrip(list, onChoose, { own = false } = {}) {
  const buttons = SAMPLES.map((name) =>
    element(
      "button",
      { type: "button", ariaPressed: "false", "data-sample": name, onclick: () => onChoose(sample(name)) },
      element("img", { src: addressOf(name), alt: "", width: 32, height: 32, draggable: false }),
      name,
    ),
  );
  list.replaceChildren(...buttons.map((button) => element("li", {}, button)));
  if (own) list.append(element("li", { class: "own" }, ...ownButton(onChoose)));
  return {
    press(picture) {
      for (const button of buttons) button.ariaPressed = String(button.dataset.sample === picture?.name);
    },
  };
}

function ownButton(onChoose) {
  // Without HEIC, which only some services read: phones then hand out their photos as JPEG.
  const input = element("input", {
    type: "file",
    accept: "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/avif",
    hidden: true,
    onchange: () => {
      const [file] = input.files;
      input.value = "";
      if (file !== undefined) onChoose(ownFile(file));
    },
  });
  return [
    element("button", { type: "button", class: "button", onclick: () => input.click() }, "Own image"),
    input,
  ];
}
