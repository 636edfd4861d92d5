// The panel that shows what augmentation makes of an image, and what the model then takes it for.

import { keepState } from "../shared/address.js";
import { getImage, getJson, postFiles } from "../shared/api.js";
import { askedOf, currentDetails, currentModel, onModel } from "../shared/models.js";
import { choosePicture, currentPicture, firstOf, sample, SAMPLES } from "../shared/picture.js";
import { seenOf } from "../shared/seen.js";
import { fillStrip } from "../shared/strip.js";
import { sentence } from "../shared/words.js";
import { createForm } from "./operations.js";
import { createStudioParts } from "./parts.js";
import { curlOf, recipeOf } from "./snippets.js";
import { createOperation, DEFAULTS, parseState, queryOf } from "./state.js";
import { createSurvey } from "./survey.js";
import { createTiles } from "./tiles.js";

// Between two requests, while a drag makes many changes. Each is one of the address too, of which browsers take but
// two hundred in half a minute.
const PAUSE_MS = 160;
const SEEDS = 10_000;
const MOST_PIXELS = 8_000_000; // of a downloaded grid: the API's own limit
const SAMPLE_SIDE = 32; // pixels
const GAP = 3; // pixels between tiles, at most

export async function start(section) {
  const parts = createStudioParts(section);
  const { operations } = await getJson("augmentations");
  let picture = null;
  let state = { ...DEFAULTS, ops: [], predict: true };
  let running = new AbortController();
  let shown = false;
  let pending = false;
  let timer = null;
  let took = 0; // milliseconds of the last answer

  const strip = fillStrip(parts.samples, choose, { own: true });
  const form = createForm(parts.operations, operations, () => state, change);
  const tiles = createTiles(parts.grid, parts.description);
  const survey = createSurvey(operations, ask, (operation) => {
    state.ops = [operation];
    form.update();
    change();
    parts.summary.scrollIntoView({ block: "nearest" });
  });
  parts.survey.append(survey.root);
  for (const field of ["rows", "cols", "seed"]) {
    const input = parts[field];
    input.addEventListener("input", () => {
      if (input.validity.valid) change({ [field]: input.valueAsNumber });
      else if (!input.validity.valueMissing) input.reportValidity();
    });
    // Left with what cannot be drawn, it shows again what is drawn.
    input.addEventListener("change", () => {
      if (!input.validity.valid) input.value = state[field];
    });
  }
  parts.newSeed.addEventListener("click", () => {
    change({ seed: Math.floor(Math.random() * SEEDS) });
    parts.seed.value = state.seed;
  });
  parts.predict.addEventListener("change", () => change({ predict: parts.predict.checked }));
  parts.preset.addEventListener("click", usePreset);
  parts.download.addEventListener("click", download);
  parts.form.addEventListener("submit", (event) => event.preventDefault());
  onModel(() => {
    survey.clear();
    offerPreset();
    // Behind another panel it would choose its own picture and address again.
    if (shown) draw();
  });
  offerPreset();

  return {
    show(query) {
      shown = true;
      const named = query.get("image");
      const next =
        SAMPLES.includes(named) && currentPicture().name !== named ? sample(named) : currentPicture();
      // Back from another panel, which may have chosen another image: the address gives way to it.
      if (query.size > 0 || picture === null) state = parseState(query, operations);
      for (const field of ["rows", "cols", "seed"]) parts[field].value = state[field];
      parts.predict.checked = state.predict;
      form.update();
      choose(next);
    },
    hide() {
      shown = pending = false;
      // A file of the visitor's own, or another sample, may be chosen elsewhere: the link must not bring this one back.
      keepState("augment", withoutImage());
    },
    takeFiles: (files) => choose(firstOf(files)),
    showNotice: say,
  };

  function choose(chosen) {
    if (chosen !== picture) survey.clear();
    picture = chosen;
    choosePicture(chosen);
    strip.press(chosen);
    parts.own.hidden = chosen.name !== null;
    parts.own.textContent = `${chosen.title}. A link cannot carry your own image: it shows a sample instead.`;
    draw();
  }

  function change(changed = {}) {
    Object.assign(state, changed);
    pending = true;
    if (timer === null) drawPending();
  }

  /** At once, and then as often as answers come: sooner, a drag would only cancel what it is waiting for. */
  function drawPending() {
    timer = null;
    if (!pending) return;
    pending = false;
    timer = setTimeout(drawPending, Math.max(PAUSE_MS, 1.5 * took));
    draw();
  }

  function withoutImage() {
    const query = queryOf(state);
    if (!state.predict) query.set("predict", "false");
    return query;
  }

  function remember() {
    const query = withoutImage();
    keepState(
      "augment",
      picture.name === null ? query : new URLSearchParams([["image", picture.name], ...query]),
    );
  }

  /** The path of a request for `wanted`; `more` are parameters that say nothing of the picture. */
  function pathFor(wanted, more) {
    const query = queryOf(wanted);
    if (picture.name !== null) query.set("image", picture.name);
    for (const [key, value] of Object.entries(more)) query.set(key, value);
    return askedOf("augment-preview", query);
  }

  async function ask(wanted, signal) {
    const path = pathFor(wanted, { scale: 1, format: "json", predict: wanted.predict });
    return picture.name === null ? postFiles(path, [await smallFile()], signal) : getJson(path, signal);
  }

  /** The visitor's file at the model's size: the tiles are the same, and a photo is not sent with every move. */
  async function smallFile() {
    return (await seenOf(await picture.file())).file;
  }

  async function draw() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    remember();
    try {
      await currentModel();
      if (signal.aborted) return;
      parts.recipe.show(recipeOf(state));
      const scale = Math.min(4, await largestScale());
      if (signal.aborted) return;
      parts.curl.show(curlOf(pathFor(state, { scale }), picture.name === null));
      const begun = performance.now();
      const answer = await ask(state, signal);
      if (signal.aborted) return;
      took = performance.now() - begun;
      tiles.show(answer);
      parts.summary.textContent = summary(answer);
      parts.failure.hidden = true;
      parts.drawn.hidden = false;
    } catch (error) {
      if (!signal.aborted) fail(error.message);
    }
  }

  function fail(message) {
    parts.drawn.hidden = true;
    say(message);
  }

  /** Beside what is drawn already. */
  function say(message) {
    parts.failure.textContent = sentence(message);
    parts.failure.hidden = false;
  }

  async function offerPreset() {
    try {
      const { augmentation } = await currentDetails();
      parts.preset.hidden = !augmentation;
    } catch {
      parts.preset.hidden = true; // the grid says what is wrong
    }
  }

  async function usePreset() {
    const { augmentation } = await currentDetails();
    const known = new Map(operations.map((operation) => [operation.name, operation]));
    state.ops = augmentation.map(({ name, ...values }) => createOperation(known.get(name), values));
    form.update();
    change();
  }

  /** How often a pixel of the grid may be repeated each way. */
  async function largestScale() {
    const { metadata } = await currentDetails();
    const side = (picture.name === null ? metadata.input_size : SAMPLE_SIDE) + GAP;
    return Math.max(1, Math.min(8, Math.floor(Math.sqrt(MOST_PIXELS / (state.rows * state.cols)) / side)));
  }

  async function download() {
    try {
      const path = pathFor(state, { scale: await largestScale() });
      const png =
        picture.name === null
          ? await postFiles(path, [await smallFile()], null, (response) => response.blob())
          : await getImage(path);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(png);
      link.download = "augmentations.png";
      link.click();
      URL.revokeObjectURL(link.href);
      parts.failure.hidden = true;
    } catch (error) {
      say(error.message);
    }
  }
}

function summary({ tiles, original, kept }) {
  if (original === null) return `${tiles.length} variations, drawn by the code that training runs`;
  const same = Math.round(kept * tiles.length);
  return `${same} of ${tiles.length} still “${original.label}”`;
}
