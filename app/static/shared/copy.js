// A text with a button that copies it.

import { element } from "./dom.js";

/** `<pre>` and button under `label`; the answer's `show` sets the text. */
export function createCopyable(label) {
  const text = element("pre", { tabIndex: 0, role: "region", ariaLabel: label });
  const said = element("span", { role: "status", class: "note" });
  const button = element("button", { type: "button", class: "button", onclick: copy }, `Copy ${label}`);
  return {
    root: element("div", { class: "copyable" }, text, element("div", { class: "row" }, button, said)),
    show(content) {
      text.textContent = content;
      said.textContent = "";
    },
  };

  async function copy() {
    try {
      await navigator.clipboard.writeText(text.textContent);
      said.textContent = "Copied.";
    } catch {
      // Pages by plain http may not write to the clipboard, but their visitors may.
      getSelection().selectAllChildren(text);
      said.textContent = "Selected: copy it with the keyboard.";
    }
  }
}
