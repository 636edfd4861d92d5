// The panel that says what is in an image: from files to cards.

import { goTo, keepState } from "../shared/address.js";
import { postFiles } from "../shared/api.js";
import { answeredBy, askedOf, currentDetails, currentModel, onModel } from "../shared/models.js";
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
  let pictures = [];
  let why = null; // the class whose evidence the first card shows
  let running = new AbortController();

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
  onModel((isAnswered) => {
    sayWhatIsKnown();
    if (!isAnswered && pictures.length > 0) classifyAll();
  });
  sayWhatIsKnown();
  takePicked(); // the field is there before this file has come

  return {
    show(state) {
      const name = state.get("sample");
      const label = state.get("why");
      const same = pictures.length === 1 && pictures[0].name === name && why === label;
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
    pictures = chosen;
    why = label;
    strip.press(chosen.length === 1 ? chosen[0] : null);
    choosePicture(chosen[0]);
    remember();
    classifyAll();
  }

  function remember() {
    const state = new URLSearchParams();
    if (pictures.length === 1 && pictures[0].name !== null) state.set("sample", pictures[0].name);
    if (why !== null && pictures.length === 1) state.set("why", why);
    keepState("classify", state);
  }

  /** One request per image, so that a broken file fails alone and each image has its own time. */
  async function classifyAll() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const many = pictures.length;
    status.textContent = many === 1 ? "Classifying" : `Classifying ${many} images`;
    const created = pictures.map(createCard);
    cards.replaceChildren(...created.map((card) => card.element));
    cards.scrollIntoView({ block: "nearest" });

    const waiting = created.values();
    const outcomes = [];
    const work = async () => {
      for (const card of waiting) outcomes.push(await classifyOne(card, signal));
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    if (!signal.aborted) status.textContent = summary(outcomes);
  }

  /** The outcome in words; the card shows it in full. */
  async function classifyOne(card, signal) {
    showWaiting(card);
    try {
      const file = await card.picture.file();
      if (signal.aborted) return null;
      card.showFile(file);
      await currentModel();
      const [answer, requestId] = await postFiles(askedOf("predict"), [file], signal, async (response) => [
        await response.json(),
        response.headers.get("X-Request-ID"),
      ]);
      if (signal.aborted) return null;
      showAnswer(card, answer);
      await answeredBy(answer.model, { isPrediction: true });
      if (signal.aborted) return null;
      offerCorrection(card, file, requestId, signal);
      startEvidence(card, file, answer, {
        label: pictures.length === 1 ? why : null,
        signal,
        onLabel: (label) => {
          why = label;
          remember();
        },
        onBreak: () => {
          choosePicture(card.picture);
          goTo("augment");
        },
      });
      const [best] = answer.predictions[0].top;
      return { failed: false, words: `${best.label}, ${percent(best.probability)}` };
    } catch (error) {
      if (signal.aborted) return null;
      showFailure(card, error, async () => {
        card.element.focus(); // the button goes
        const outcome = await classifyOne(card, signal);
        if (!signal.aborted) status.textContent = outcome.words;
      });
      return { failed: true, words: error.message };
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
