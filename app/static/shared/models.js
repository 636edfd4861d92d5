// The models that the service has loaded, and the one that the page asks.

import { keepCommon, onAddress, readAddress } from "./address.js";
import { getJson, onError } from "./api.js";
import { percent } from "./words.js";

const AGAIN_MS = 5000;

const listeners = [];
const details = new Map();
let listing = null;
let chosen = null; // null is the service's own default
let showAgain = async () => {};
let looking = null; // a promise, while the list is asked for anew

// Read before any panel writes its own state; whether there is such a model, the list will tell.
const linked = readAddress().state;
if (linked.has("model")) keepCommon({ model: linked.get("model"), version: linked.get("version") ?? "" });

/** Calls `listener` whenever the page asks another model; some answers that it shows may be by that one already. */
export function onModel(listener) {
  listeners.push(listener);
}

/** Hear of the model that an answer names: where it is not the current one, others were loaded meanwhile. */
export async function answeredBy(model) {
  if (!isSame(model, await currentModel())) await lookAgain();
}

onError(({ code }) => {
  if (code === "unknown_model") lookAgain();
});

/** Whether both are the same model; null is none. */
export function isSame(one, other) {
  return one?.name === other?.name && one?.version === other?.version;
}

/** Ask anew what is loaded, once for all that ask at the same time; panels hear of it where the current model goes. */
function lookAgain() {
  looking ??= replaceListing()
    .catch(() => {}) // what is known stays, until the next answer
    .finally(() => {
      looking = null;
    });
  return looking;
}

async function replaceListing() {
  const { models } = await getJson("models");
  const before = await currentModel();
  const after = chosen === null ? 0 : models.findIndex((model) => isSame(model, chosen));
  listing = Promise.resolve(models);
  details.clear();
  choose(models, after >= 0 ? after : namedBy(new URLSearchParams({ model: chosen.name }), models));
  await showAgain();
  if (isSame(before, chosen ?? models[0])) return;
  for (const listener of listeners) listener();
}

/** The entry of `GET /models` that the page asks; the first one is the service's default. */
export async function currentModel() {
  listing ??= getJson("models").then(({ models }) => {
    choose(models, namedBy(linked, models));
    return models;
  });
  try {
    const models = await listing;
    return chosen ?? models[0];
  } catch (error) {
    listing = null; // the next one may have better luck
    throw error;
  }
}

/** The index of the model that an address names; 0, the default, where it names none that there is. */
function namedBy(state, models) {
  const version = state.get("version") || null;
  const index = models.findIndex(
    (each) =>
      each.name === state.get("model") && (version === null ? each.current : each.version === version),
  );
  return Math.max(0, index);
}

function choose(models, index) {
  chosen = index > 0 ? models[index] : null;
  keepCommon(named());
}

function named() {
  return chosen === null ? {} : { model: chosen.name, version: chosen.version };
}

/** All that `GET /models/{name}` tells of the current model. */
export async function currentDetails() {
  const path = pathOf(await currentModel());
  if (!details.has(path)) {
    details.set(
      path,
      getJson(path).catch((error) => {
        details.delete(path);
        throw error;
      }),
    );
  }
  return details.get(path);
}

/**
 * `path` for the chosen model, with `query`; the default is not named, for every request gets it by itself. Which
 * one it is, is known after `currentModel()`.
 */
export function askedOf(path, query = {}) {
  // Commas stay readable: they need no escape in a query.
  const all = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(query)), ...named() });
  return all.size > 0 ? `${path}?${all.toString().replaceAll("%2C", ",")}` : path;
}

/** `models/NAME`, or with `below` something below it; the version is named where it is not what the name means. */
export function pathOf({ name, version, current }, below = "", query = {}) {
  const all = new URLSearchParams(current ? query : { version, ...query });
  return `models/${encodeURIComponent(name)}${below}${all.size > 0 ? `?${all}` : ""}`;
}

/** Fill the header's line, and offer a choice where there is one; again whenever other models are loaded. */
export function showModels(header) {
  const [line, label] = [header.querySelector("p"), header.querySelector("label")];
  const select = label.querySelector("select");
  let offered = [];

  select.addEventListener("change", () => change(Number(select.value)));
  onAddress(({ state }) => {
    // Back and forward, and links within the page, may lead to another model.
    const index = namedBy(state, offered);
    if (offered.length === 0 || index === indexOfChosen()) return;
    select.value = String(index);
    change(index);
  });
  showAgain = show;
  show();

  async function show() {
    try {
      await currentModel();
      offer(await listing);
      await describe();
    } catch (error) {
      line.textContent = error.message;
      setTimeout(show, AGAIN_MS);
    }
  }

  function offer(models) {
    if (models === offered) return; // by an earlier try
    offered = models;
    select.replaceChildren(
      ...models.map(({ name, version }, index) => new Option(`${name}, version ${version}`, index)),
    );
    select.value = String(indexOfChosen());
    label.hidden = models.length === 1;
  }

  function indexOfChosen() {
    return Math.max(0, offered.indexOf(chosen));
  }

  function change(index) {
    choose(offered, index);
    describe().catch((error) => {
      line.textContent = error.message;
    });
    for (const listener of listeners) listener();
  }

  async function describe() {
    const model = await currentModel();
    const { metadata, metrics } = await currentDetails();
    if (model !== (await currentModel())) return; // another one was chosen meanwhile
    const images = metrics.images.toLocaleString("en");
    line.textContent = `${metadata.name}, version ${metadata.version}: ${percent(metrics.accuracy)} right on ${images} test images`;
  }
}
