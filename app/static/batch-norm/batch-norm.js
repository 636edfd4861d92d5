// The panel that shows one batch norm at work, in training mode and in eval mode.

import { keepState } from "../shared/address.js";
import { getJson, postFiles } from "../shared/api.js";
import { answeredBy, currentDetails, currentModel, onModel, pathOf } from "../shared/models.js";
import { choosePicture, currentPicture, firstOf, sample, SAMPLES } from "../shared/picture.js";
import { fillStrip } from "../shared/strip.js";
import { sentence } from "../shared/words.js";
import { createNormsParts } from "./parts.js";
import { drawPredictions } from "./predictions.js";
import { drawStatistics, drawValues } from "./values.js";

const DEBOUNCE_MS = 60;
const SEEDS = 10_000;
const MOST = SAMPLES.length - 1; // neighbours

export async function start(section) {
  const parts = createNormsParts(section, MOST);
  const strip = fillStrip(parts.samples, choose, { own: true });
  let picture = null;
  let wanted = { layer: null, channel: "", batch: 7, seed: 0 };
  let running = new AbortController();
  let shown = false;
  let begun = false; // whether the layers are those of the model
  let timer = 0;

  parts.layer.addEventListener("change", () => {
    fillChannels(parts.layer.value);
    change({ layer: parts.layer.value, channel: "" });
  });
  parts.channel.addEventListener("change", () => change({ channel: parts.channel.value }));
  parts.batch.addEventListener("input", () => change({ batch: parts.batch.valueAsNumber }));
  parts.others.addEventListener("click", () => change({ seed: Math.floor(Math.random() * SEEDS) }));
  onModel(async () => {
    wanted = { ...wanted, layer: null, channel: "" };
    begun = false;
    if (shown) await begin();
  });

  return {
    async show(query) {
      shown = true;
      const named = query.get("image");
      const next =
        SAMPLES.includes(named) && currentPicture().name !== named ? sample(named) : currentPicture();
      if (query.size > 0) {
        const batch = Math.min(MOST, Math.max(1, Math.round(Number(query.get("batch"))) || wanted.batch));
        const seed = Math.abs(Math.round(Number(query.get("seed")))) || 0;
        wanted = { layer: query.get("layer"), channel: query.get("channel") ?? "", batch, seed };
      }
      picture = next;
      choosePicture(next);
      await begin();
    },
    hide() {
      shown = false;
      clearTimeout(timer);
      running.abort();
      // Another panel may choose another image meanwhile.
      if (wanted.layer !== null) keepState("batch-norm", stateOf(wanted));
    },
    takeFiles: (files) => choose(firstOf(files)),
    showNotice: say,
  };

  /** Offer the model's layers, and draw. */
  async function begin() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    try {
      const { batch_norms: norms } = await currentDetails();
      if (signal.aborted) return;
      if (norms.length === 0) return fail("This model has no batch norm.");
      parts.layer.replaceChildren(
        ...norms.map(({ name, features }) => new Option(`${name} (${features} channels)`, name)),
      );
      // The very first one, behind the stem, has less to even out than those inside the blocks.
      if (!norms.some(({ name }) => name === wanted.layer))
        Object.assign(wanted, { layer: (norms[1] ?? norms[0]).name, channel: "" });
      parts.layer.value = wanted.layer;
      parts.layer.norms = norms;
      fillChannels(wanted.layer);
      parts.channel.value = wanted.channel;
      if (parts.channel.selectedIndex < 0) parts.channel.value = wanted.channel = "";
      parts.batch.value = wanted.batch;
      begun = true;
      choose(picture);
    } catch (error) {
      if (!signal.aborted) fail(error.message);
    }
  }

  function fillChannels(layer) {
    const { features } = parts.layer.norms.find(({ name }) => name === layer);
    const each = Array.from({ length: features }, (_, index) => new Option(`channel ${index}`, index));
    parts.channel.replaceChildren(new Option("all channels", ""), ...each);
  }

  function choose(chosen) {
    picture = chosen;
    choosePicture(chosen);
    strip.press(chosen);
    parts.own.hidden = chosen.name !== null;
    parts.own.textContent = `${chosen.title}, among sample images.`;
    draw();
  }

  function change(changed) {
    Object.assign(wanted, changed);
    clearTimeout(timer);
    timer = setTimeout(draw, DEBOUNCE_MS);
  }

  async function draw() {
    if (!begun) return begin(); // which draws
    running.abort();
    running = new AbortController();
    const { signal } = running;
    parts.count.textContent = wanted.batch;
    const query = stateOf(wanted);
    keepState(
      "batch-norm",
      picture.name === null ? query : new URLSearchParams([["image", picture.name], ...query]),
    );
    try {
      const path = pathOf(await currentModel(), "/batch-norm", Object.fromEntries(query));
      const answer =
        picture.name === null
          ? await postFiles(path, [await picture.file()], signal)
          : await getJson(`${path}&sample=${picture.name}`, signal);
      await answeredBy(answer.model);
      if (signal.aborted) return;
      drawPredictions(parts.predictions, answer, picture);
      drawValues(parts.values, answer);
      drawStatistics(parts.statistics, answer);
      parts.drawn.hidden = false;
      parts.failure.hidden = true;
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
}

function stateOf({ layer, channel, batch, seed }) {
  const state = new URLSearchParams({ layer, batch, seed });
  if (channel !== "") state.set("channel", channel);
  return state;
}
