import { goTo } from "./shared/address.js";
import { listenForFiles } from "./shared/intake.js";
import { showModels } from "./shared/models.js";
import { startTabs } from "./shared/tabs.js";

// Each panel is loaded when it is first looked at.
const PANELS = {
  classify: () => import("./classify/classify.js"),
  augment: () => import("./augment/augment.js"),
  "batch-norm": () => import("./batch-norm/batch-norm.js"),
  "model-card": () => import("./model/model.js"),
  live: () => import("./live/live.js"),
};

const loaders = Object.entries(PANELS).map(([id, load]) => [
  id,
  async (section) => (await load()).start(section),
]);

const tabs = startTabs(document.querySelector("#tabs"), Object.fromEntries(loaders));
showModels(document.querySelector("#model"));
listenForFiles({
  onFiles: async (files) => (await panelForImages()).takeFiles(files),
  onNotice: async (words) => (await tabs.current())?.showNotice?.(words),
});

// All of them are fetched ahead once there is time, so that a click waits for nothing.
window.addEventListener("load", () => {
  for (const load of Object.values(PANELS)) load();
});

/** The panel that is shown, if it looks at images, or else the first one. */
async function panelForImages() {
  if ((await tabs.current())?.takeFiles === undefined) goTo("classify");
  return tabs.current();
}
