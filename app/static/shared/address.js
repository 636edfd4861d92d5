// What the page shows, as the part of its address after "#": `#augment?image=cat&ops=random_crop`.
// Panels keep their own state there, so that a link shows what its sender saw.

const HOME = "classify";

const states = new Map(); // the last state of each panel, to come back to
const listeners = [];
let common = {}; // what belongs to every panel's state

/** The panel in the address, and its state as URLSearchParams. */
export function readAddress() {
  const [panel, query = ""] = location.hash.slice(1).split("?", 2);
  return { panel: panel || HOME, state: new URLSearchParams(query) };
}

/** Keep `state` as that of `panel`, in the address too if it is the one that is shown. */
export function keepState(panel, state) {
  states.set(panel, state);
  if (readAddress().panel === panel) history.replaceState(null, "", addressOf(panel, state));
}

/** Go to `panel`, with its last state, or with the one given. The way back stays open. */
export function goTo(panel, state = states.get(panel) ?? new URLSearchParams()) {
  history.pushState(null, "", addressOf(panel, state));
  tell();
}

/** Have `parameters` in the address whichever panel is shown. */
export function keepCommon(parameters) {
  const { panel, state } = readAddress();
  for (const name of Object.keys(common)) state.delete(name);
  common = parameters;
  history.replaceState(null, "", addressOf(panel, state));
}

/** Calls `listener` with `readAddress()` whenever the visitor went to another address. */
export function onAddress(listener) {
  listeners.push(listener);
}

function addressOf(panel, state) {
  // Commas and colons stay readable: they need no escape here.
  const all = new URLSearchParams({ ...Object.fromEntries(state), ...common });
  const query = all.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return `#${panel}${query && `?${query}`}`;
}

function tell() {
  for (const listener of listeners) listener(readAddress());
}

window.addEventListener("popstate", tell);
