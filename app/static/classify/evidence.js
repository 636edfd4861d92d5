// What the network sees of an image, and over it, when asked for, where the evidence for a class lies.

import { postFiles } from "../shared/api.js";
import { answeredBy, askedOf, currentDetails } from "../shared/models.js";
import { seenOf } from "../shared/seen.js";
import { sentence } from "../shared/words.js";
import { drawEvidence, placeOf } from "./heat.js";

let offered = true; // until the service says that it has no PyTorch, once for the whole page

/**
 * Complete an answered card. `label` is the class whose evidence to show at once, or null; `onLabel` hears of
 * every change of it, `onBreak` that the visitor wants to see the image augmented.
 */
export async function startEvidence({ element: card }, file, answer, { label, signal, onLabel, onBreak }) {
  const toggle = card.querySelector(".why");
  const choice = card.querySelector(".evidence");
  const select = choice.querySelector("select");
  const seen = card.querySelector(".seen");
  const canvas = card.querySelector("canvas");
  const legend = card.querySelector(".legend");
  let asked = new AbortController();

  const studio = card.querySelector(".break");
  studio.onclick = onBreak;
  toggle.onclick = () => show(toggle.ariaPressed === "true" ? null : select.value);
  select.onchange = () => show(select.value);
  try {
    const details = await currentDetails();
    if (signal.aborted) return;
    const best = answer.predictions[0].top.map((each) => each.label);
    const others = details.metadata.classes.filter((each) => !best.includes(each));
    select.replaceChildren(...[...best, ...others].map((each) => new Option(each)));
    toggle.hidden = !details.class_activation;
    card.querySelector(".actions").hidden = false;
    if (!offered) return withdraw();
    await showInput();
    if (signal.aborted) return;
    if (label !== null && best.concat(others).includes(label) && details.class_activation) await show(label);
  } catch (error) {
    if (error.code === "pytorch_not_installed") {
      offered = false;
      withdraw();
    } else if (!signal.aborted) say(sentence(error.message));
  }

  /** The prediction is complete without: where PyTorch is not installed, nothing went wrong. */
  function withdraw() {
    toggle.hidden = studio.hidden = true;
  }

  async function showInput() {
    const image = seen.querySelector("img");
    image.src = (await seenOf(file, signal)).url;
    await image.decode();
    image.alt = "The image as the network sees it";
    seen.querySelector("figcaption").textContent =
      `As the network sees it, ${image.naturalWidth} × ${image.naturalHeight}`;
    seen.hidden = false;
  }

  /** Lay the evidence for a class over the image, or with null take it away. */
  async function show(wanted) {
    asked.abort();
    asked = new AbortController();
    const outdated = AbortSignal.any([signal, asked.signal]);
    toggle.ariaPressed = String(wanted !== null);
    choice.hidden = wanted === null;
    onLabel(wanted);
    if (wanted === null) {
      canvas.hidden = legend.hidden = true;
      return;
    }
    select.value = wanted;
    try {
      if (seen.hidden) await showInput();
      const explained = await postFiles(askedOf("explain", { class: wanted }), [file], outdated);
      await answeredBy(explained.model);
      if (outdated.aborted) return;
      drawEvidence(canvas, explained.map);
      canvas.setAttribute("aria-label", `Evidence for ${wanted}: ${placeOf(explained.map)}`);
      canvas.hidden = false;
      say(`Orange speaks for “${wanted}”, blue against it.`);
    } catch (error) {
      if (outdated.aborted) return;
      canvas.hidden = true;
      say(sentence(error.message));
    }
  }

  function say(words) {
    legend.textContent = words;
    legend.hidden = false;
  }
}
