// One card per image: waiting, then its classes or what went wrong.

const cardTemplate = document.querySelector("#card");
const barTemplate = document.querySelector("#bar");
const PIXEL_ART = 160; // below this width, in pixels, a thumbnail is shown with its pixels sharp

/** A new waiting card for `file`, a File or Blob, under the heading `title`. */
export function createCard(file, title) {
  const element = cardTemplate.content.firstElementChild.cloneNode(true);
  element.querySelector("h3").textContent = title;
  const image = element.querySelector("img");
  image.addEventListener("load", () => {
    image.classList.toggle("sharp", image.naturalWidth < PIXEL_ART);
    URL.revokeObjectURL(image.src);
  });
  image.addEventListener("error", () => {
    const tile = document.createElement("div");
    tile.className = "thumbnail broken";
    image.replaceWith(tile);
    URL.revokeObjectURL(image.src);
  });
  image.src = URL.createObjectURL(file);
  return { element, file };
}

export function showWaiting({ element }) {
  element.setAttribute("aria-busy", "true");
  element.querySelector(".pending").hidden = false;
  element.querySelector(".failure").hidden = true;
}

/** Fill the card from an answer of `POST /predict` for one image. */
export function showAnswer({ element }, { model, predictions, timings_ms: timings }) {
  const [{ width, height, top }] = predictions;
  endWaiting(element);
  element.querySelector(".facts").textContent = `${width} × ${height} pixels · ${model.name}, version ${model.version}`;
  element.querySelector(".bars").replaceChildren(...top.map(createBar));
  element.querySelector(".timings").replaceChildren(...Object.entries(timings).map(createTiming));
}

export function showFailure({ element }, error, retry) {
  endWaiting(element);
  const failure = element.querySelector(".failure");
  const [message, facts] = failure.querySelectorAll("p");
  message.textContent = error.message;
  facts.textContent = error.field === null ? error.code : `${error.code} · field ${error.field}`;
  const button = failure.querySelector("button");
  button.hidden = !error.retriable;
  button.onclick = retry;
  failure.hidden = false;
}

function endWaiting(element) {
  element.setAttribute("aria-busy", "false");
  element.querySelector(".pending").hidden = true;
}

function createBar({ label, probability }) {
  const bar = barTemplate.content.firstElementChild.cloneNode(true);
  bar.querySelector(".label").textContent = label;
  bar.querySelector(".value").textContent = percent(probability);
  bar.querySelector(".fill").style.setProperty("--share", probability);
  return bar;
}

function createTiming([stage, milliseconds]) {
  const group = document.createElement("div");
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  term.textContent = stage.replaceAll("_", " ");
  value.textContent = `${milliseconds.toFixed(milliseconds < 10 ? 2 : 1)} ms`;
  group.append(term, value);
  return group;
}

/** A share of 0..1 with one decimal; never rounded to a certainty or an impossibility that it is not. */
export function percent(share) {
  if (share > 0.9995 && share < 1) return ">99.9%";
  if (share > 0 && share < 0.0005) return "<0.1%";
  return `${(share * 100).toFixed(1)}%`;
}
