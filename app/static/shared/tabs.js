// The panels behind their tabs: by mouse, by arrow keys, by the address.

import { goTo, onAddress, readAddress } from "./address.js";
import { ApiError } from "./api.js";
import { element } from "./dom.js";
import { sentence } from "./words.js";

/**
 * Show the panel that the address names, now and whenever it changes. `panels` maps the id of each to a
 * function that loads it; the promise is for `{ show(state), hide() }`. The answer's `current` is a promise for
 * that of the panel that is shown.
 */
export function startTabs(list, panels) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const started = new Map();
  let shown = null;

  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    // With a modifier the browser opens the link elsewhere, as for any other.
    if (tab === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return; // as Alt+Left, the way back
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs.indexOf(document.activeElement);
    if (event.key === " ") choose(tabs[at]);
    else if (step !== undefined) choose(tabs[(at + step + tabs.length) % tabs.length]);
    else if (event.key === "Home") choose(tabs[0]);
    else if (event.key === "End") choose(tabs.at(-1));
    else return;
    event.preventDefault();
  });
  onAddress(follow);
  follow(readAddress());
  return { current: () => started.get(shown) };

  function choose(tab) {
    tab.focus();
    if (tab.ariaSelected !== "true") goTo(tab.getAttribute("aria-controls"));
  }

  async function follow({ panel, state }) {
    const id = Object.hasOwn(panels, panel) ? panel : Object.keys(panels)[0];
    const hasFocus = shown !== id && document.getElementById(shown)?.contains(document.activeElement);
    for (const tab of tabs) {
      const selected = tab.getAttribute("aria-controls") === id;
      tab.ariaSelected = String(selected);
      tab.tabIndex = selected ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    if (shown !== null && shown !== id) leave(shown);
    shown = id;
    const section = document.getElementById(id);
    if (hasFocus) section.focus(); // what had it is hidden now
    if (!started.has(id)) started.set(id, panels[id](section));
    try {
      const controller = await started.get(id);
      // The visitor may have gone on while it loaded.
      if (shown === id) controller.show(state);
    } catch (error) {
      started.delete(id);
      section.replaceChildren(...excuse(section, error));
    }
  }

  function leave(id) {
    // One that could not be loaded has nothing to hide.
    started.get(id)?.then(
      (controller) => controller.hide(),
      () => {},
    );
  }

  function excuse(section, error) {
    // Only what the API said is meant for people; all else is a file that did not come.
    const [words, onclick] =
      error instanceof ApiError
        ? [error.message, again]
        : ["The server does not answer. Is it still running?", () => location.reload()];
    return [
      element("p", { class: "failure", role: "alert" }, sentence(words)),
      element("button", { type: "button", class: "button", onclick }, "Try again"),
    ];

    function again() {
      section.focus(); // the button goes
      follow(readAddress());
    }
  }
}
