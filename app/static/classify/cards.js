// One card per image: waiting, then its classes or what went wrong.

import { element, setVariable } from "../shared/dom.js";
import { milliseconds, percent, sentence } from "../shared/words.js";

const cardTemplate = document.querySelector("#card");
const barTemplate = document.querySelector("#bar");
const PIXEL_ART = 160; // below this width, in pixels, a thumbnail is shown with its pixels sharp

const SURENESS = [
  [0.95, "very sure"],
  [0.8, "fairly sure"],
  [0.5, "not very sure"],
  [0, "a guess"],
];

/**
 * A new waiting card for a picture. `why` is the class whose evidence to show, or null; `earlier` the model of the
 * answer in a card whose place it takes. `model` and `outcome` come with its own; `asked` ends with the card.
 */
export function createCard(picture, why, earlier = null) {
  const card = cardTemplate.content.firstElementChild.cloneNode(true);
  card.querySelector("h3").textContent = picture.title;
  const image = card.querySelector("img.thumbnail");
  image.addEventListener("load", () => {
    image.classList.toggle("sharp", image.naturalWidth < PIXEL_ART);
    URL.revokeObjectURL(image.src);
  });
  image.addEventListener("error", () => {
    URL.revokeObjectURL(image.src);
    image.replaceWith(element("div", { class: "thumbnail broken" }));
  });
  return {
    element: card,
    picture,
    why,
    earlier,
    model: null,
    outcome: null,
    asked: new AbortController(),
    showFile(file) {
      image.src = URL.createObjectURL(file);
    },
  };
}

export function showWaiting({ element: card }) {
  card.setAttribute("aria-busy", "true");
  card.querySelector(".pending").hidden = false;
  card.querySelector(".failure").hidden = true;
}

/** Fill the card from an answer of `POST /predict` for one image. */
export function showAnswer({ element: card }, { model, predictions, timings_ms: timings }) {
  const [{ width, height, top, familiar }] = predictions;
  endWaiting(card);
  const [best] = top;
  const sureness = SURENESS.find(([least]) => best.probability >= least)[1];
  card.querySelector(".verdict").replaceChildren(element("strong", {}, best.label), ` ${sureness}`);
  card.querySelector(".facts").textContent = `${width} × ${height} pixels`;
  card.querySelector(".unfamiliar").hidden = familiar !== false;
  card.querySelector(".bars").replaceChildren(...top.map(createBar));
  card.querySelector("summary").textContent =
    `${milliseconds(timings.total)} by ${model.name}, version ${model.version}`;
  card.querySelector(".timings").replaceChildren(...Object.entries(timings).map(createTiming));
  card.querySelector(".more").hidden = false;
}

export function showFailure({ element: card }, error, retry) {
  endWaiting(card);
  const failure = card.querySelector(".failure");
  const [message, facts] = failure.querySelectorAll("p");
  message.textContent = sentence(error.message);
  facts.textContent = error.field === null ? error.code : `${error.code} · field ${error.field}`;
  const button = failure.querySelector("button");
  button.hidden = !error.retriable;
  button.onclick = retry;
  failure.hidden = false;
}

function endWaiting(card) {
  card.setAttribute("aria-busy", "false");
  card.querySelector(".pending").hidden = true;
}

/** A class, a bar as long as its probability, and the probability. */
export function createBar({ label, probability }) {
  const bar = barTemplate.content.firstElementChild.cloneNode(true);
  bar.querySelector(".label").textContent = label;
  bar.querySelector(".value").textContent = percent(probability);
  setVariable(bar.querySelector(".fill"), "share", probability);
  return bar;
}

function createTiming([stage, time]) {
  return element(
    "div",
    {},
    element("dt", {}, stage.replaceAll("_", " ")),
    element("dd", {}, milliseconds(time)),
  );
}
