// The panel that shows a model: what it is made of, how it was trained, how good it is.

import { keepState } from "../shared/address.js";
import { getJson } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { currentDetails, currentModel, onModel, pathOf } from "../shared/models.js";
import { sentence } from "../shared/words.js";
import { blockTable } from "./blocks.js";
import { calibration } from "./calibration.js";
import { classTable } from "./classes.js";
import { confusionTable } from "./confusion.js";
import { trainingCurves } from "./curves.js";
import { mistakeList } from "./mistakes.js";
import { engineWords, recipeList } from "./recipe.js";
import { robustnessParts } from "./robustness.js";

export async function start(section) {
  let drawn = false;
  let turns = 0;
  onModel(() => {
    drawn = false;
    turns += 1;
    if (!section.hidden) draw();
  });
  return {
    show() {
      keepState("model-card", new URLSearchParams());
      if (!drawn) draw();
    },
    hide() {},
  };

  async function draw() {
    const turn = ++turns;
    section.ariaBusy = "true";
    try {
      const model = await currentModel();
      const details = await currentDetails();
      const [report, robustness] = await Promise.all([
        details.report ? storedOf(model, "report") : null,
        details.robustness ? storedOf(model, "robustness") : null,
      ]);
      if (turn !== turns) return; // another model was chosen meanwhile
      section.replaceChildren(...partsOf(details, report, robustness));
      drawn = true;
    } catch (error) {
      if (turn !== turns) return;
      section.replaceChildren(
        element("p", { class: "failure", role: "alert" }, sentence(error.message)),
        element("button", { type: "button", class: "button", onclick: again }, "Try again"),
      );
    }
    section.ariaBusy = "false";
  }

  function again() {
    section.focus(); // the button goes
    draw();
  }
}

/** `report` or `robustness`, or null where it is of a kind that the service cannot read: all else is known without. */
async function storedOf(model, name) {
  try {
    return await getJson(pathOf(model, `/${name}`));
  } catch (error) {
    if (error.code === `no_${name}`) return null;
    throw error;
  }
}

function partsOf(details, report, robustness) {
  const { metadata, layers } = details;
  const classes = metadata.classes;
  const parts = [
    part("Blocks", blockTable(layers, metadata)),
    part("Accuracy", engineWords(details), classTable(metadata)),
  ];
  if (report === null) {
    parts.push(
      element(
        "p",
        { class: "note" },
        "This model has no report, and so no training curves and no confusion matrix.",
      ),
    );
  } else {
    parts.push(
      part("Confusion", confusionTable(classes, report.evaluation)),
      part("Can its percentages be trusted?", calibration(report.evaluation)),
      part("Training", trainingCurves(report.history)),
    );
    if (report.mistakes !== null) parts.push(part("Its worst mistakes", mistakeList(report.mistakes)));
  }
  if (robustness !== null) {
    const children = robustnessParts(robustness, details.engine.precision);
    parts.push(part("Accuracy on changed images", ...children));
  }
  return [...parts, part("Recipe", recipeList(metadata))];
}

function part(title, ...children) {
  return element("section", { class: "part" }, element("h2", {}, title), ...children);
}
