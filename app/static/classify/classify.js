// The panel that says what is in an image: from files to cards.

import { goTo, keepState } from "../shared/address.js";
import { postFiles } from "../shared/api.js";
import { answeredBy, askedOf, currentDetails, currentModel, isSame, onModel } from "../shared/models.js";
import { choosePicture, ownFile, sample, SAMPLES } from "../shared/picture.js";
import { fillStrip } from "../shared/strip.js";
import { listed, percent } from "../shared/words.js";
import { startCamera } from "./camera.js";
import { createCard, showAnswer, showFailure, showWaiting } from "./cards.js";
import { offerCorrection } from "./correction.js";
import { startEvidence } from "./evidence.js";

const PARALLEL = 4; // requests at a time, when many files are dropped

export async function start(section) {
  const cards = section.querySelector("#cards");
  const status = section.querySelector("#status");
  const known = section.querySelector("#known");
  const strip = fillStrip(section.querySelector(".samples"), (picture) => choose([picture]));
  let shown = []; // the cards

  const picker = section.querySelector("#files");
  const takePicked = () => {
    const files = [...picker.files];
    // Without this, picking the same file twice would not count as a change.
    picker.value = "";
    if (files.length > 0) takeFiles(files);
  };
  picker.addEventListener("change", takePicked);
  startCamera({
    button: section.querySelector("#camera-open"),
    dialog: document.querySelector("#camera"),
    onPicture: (file) => takeFiles([file]),
  });
  onModel(async () => {
    sayWhatIsKnown();
    const current = await currentModel();
    const outdated = shown.filter(({ model }) => !isSame(model, current));
    if (outdated.length > 0) classify(outdated.map(renew));
  });
  sayWhatIsKnown();
  takePicked(); // the field is there before this file has come

  return {
    show(state) {
      const name = state.get("sample");
      const label = state.get("why");
      const same = shown.length === 1 && shown[0].picture.name === name && shown[0].why === label;
      if (SAMPLES.includes(name) && !same) choose([sample(name)], label);
      else remember();
    },
    hide() {},
    takeFiles,
    showNotice,
  };

  function takeFiles(files) {
    choose(files.map(ownFile));
  }

  function choose(chosen, label = null) {
    for (const { asked } of shown) asked.abort();
    shown = chosen.map((picture) => createCard(picture, label));
    cards.replaceChildren(...shown.map((card) => card.element));
    cards.scrollIntoView({ block: "nearest" });
    strip.press(chosen.length === 1 ? chosen[0] : null);
    choosePicture(chosen[0]);
    remember();
    classify(shown);
  }

  /** A new card in the place of one whose answer is by an earlier model, or is still to come. */
  function renew(card) {
    card.asked.abort();
    const renewed = createCard(card.picture, card.why, card.model ?? card.earlier);
    card.element.replaceWith(renewed.element);
    shown = shown.with(shown.indexOf(card), renewed);
    return renewed;
  }

  function remember() {
    const state = new URLSearchParams();
    if (shown.length === 1) {
      const [{ picture, why }] = shown;
      if (picture.name !== null) state.set("sample", picture.name);
      if (why !== null) state.set("why", why);
    }
    keepState("classify", state);
  }

  /** One request per image, so that a broken file fails alone and each image has its own time. */
  async function classify(some) {
    status.textContent = some.length === 1 ? "Classifying" : `Classifying ${some.length} images`;
    const waiting = some.values();
    const work = async () => {
      for (const card of waiting) await classifyOne(card);
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    const outcomes = shown.map(({ outcome }) => outcome);
    // A card that was given up has another in its place, which is not through yet.
    if (!outcomes.includes(null)) status.textContent = summary(outcomes);
  }

  /** Gives the card its outcome, and that in words, unless it is given up meanwhile. */
  async function classifyOne(card) {
    const { signal } = card.asked;
    showWaiting(card);
    try {
      const file = await card.picture.file();
      if (signal.aborted) return;
      card.showFile(file);
      await currentModel();
      const [answer, requestId] = await postFiles(askedOf("predict"), [file], signal, async (response) => [
        await response.json(),
        response.headers.get("X-Request-ID"),
      ]);
      if (signal.aborted) return;
      showAnswer(card, answer);
      card.model = answer.model;
      const [best] = answer.predictions[0].top;
      card.outcome = { failed: false, words: `${best.label}, ${percent(best.probability)}` };
      // Replicas may differ for a while: the answer that the card had before must not start all over.
      if (!isSame(answer.model, card.earlier)) await answeredBy(answer.model);
      if (signal.aborted) return;
      offerCorrection(card, file, requestId, signal);
      startEvidence(card, file, answer, {
        label: card.why,
        signal,
        onLabel: (label) => {
          card.why = label;
          remember();
        },
        onBreak: () => {
          choosePicture(card.picture);
          goTo("augment");
        },
      });
    } catch (error) {
      if (signal.aborted) return;
      showFailure(card, error, async () => {
        card.element.focus(); // the button goes
        await classifyOne(card);
        if (!signal.aborted) status.textContent = card.outcome.words;
      });
      card.outcome = { failed: true, words: error.message };
    }
  }

  /** Above the cards, which stay: the next images take both away. */
  function showNotice(message) {
    cards.querySelector(":scope > .failure")?.remove();
    const notice = document.createElement("p");
    notice.className = "failure";
    notice.textContent = message;
    cards.prepend(notice);
    status.textContent = message;
  }

  async function sayWhatIsKnown() {
    try {
      const model = await currentModel();
      const { metadata } = await currentDetails();
      if (model !== (await currentModel())) return; // another one was chosen meanwhile
      known.textContent = `The model knows ${listed(metadata.classes)}, and assigns every image to one of them.`;
      known.hidden = false;
    } catch {
      // The header says already that the service does not answer.
    }
  }
}

function summary(outcomes) {
  if (outcomes.length === 1) return outcomes[0].words;
  const failed = outcomes.filter((outcome) => outcome.failed).length;
  return `${outcomes.length - failed} of ${outcomes.length} images classified`;
}
