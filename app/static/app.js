import { classify, getImage } from "./api.js";
import { startAugmentation } from "./augment.js";
import { createCard, percent, showAnswer, showFailure, showWaiting } from "./cards.js";
import { listenForFiles } from "./intake.js";
import { showModel } from "./model.js";

const PARALLEL = 4; // requests at a time, when many files are dropped

const cards = document.querySelector("#cards");
const status = document.querySelector("#status");
const samples = document.querySelectorAll("[data-sample]");
const augmentation = startAugmentation(document.querySelector("#augment"));
let running = new AbortController();

listenForFiles({
  input: document.querySelector("#files"),
  zone: document.querySelector("#drop"),
  onFiles: (files) => {
    pressSample(null);
    classifyAll(files.map((file) => createCard(file, file.name)));
  },
  onNothing: showNotice,
});

for (const button of samples) {
  button.addEventListener("click", () => classifySample(button));
}

showModel(document.querySelector("#model"));

async function classifySample(button) {
  const name = button.dataset.sample;
  pressSample(button);
  augmentation.choose(name);
  try {
    const image = await getImage(`static/samples/${name}.png`);
    // Of two quick clicks, the later one counts.
    if (button.ariaPressed !== "true") return;
    classifyAll([createCard(new File([image], `${name}.png`, { type: image.type }), `Sample: ${name}`)]);
  } catch (error) {
    showNotice(error.message);
  }
}

function pressSample(pressed) {
  for (const button of samples) button.ariaPressed = String(button === pressed);
}

/** One request per image, so that a broken file fails alone and each image has its own time. */
async function classifyAll(newCards) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  status.textContent = newCards.length === 1 ? "Classifying" : `Classifying ${newCards.length} images`;
  cards.replaceChildren(...newCards.map((card) => card.element));
  cards.scrollIntoView({ block: "nearest" });

  const waiting = newCards.values();
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
    const answer = await classify(card.file, signal);
    if (signal.aborted) return null;
    showAnswer(card, answer);
    const [best] = answer.predictions[0].top;
    return { failed: false, words: `${best.label}, ${percent(best.probability)}` };
  } catch (error) {
    if (signal.aborted) return null;
    showFailure(card, error, async () => {
      const outcome = await classifyOne(card, signal);
      if (!signal.aborted) status.textContent = outcome.words;
    });
    return { failed: true, words: error.message };
  }
}

function summary(outcomes) {
  if (outcomes.length === 1) return outcomes[0].words;
  const failed = outcomes.filter((outcome) => outcome.failed).length;
  return `${outcomes.length - failed} of ${outcomes.length} images classified`;
}

function showNotice(message) {
  running.abort();
  const notice = document.createElement("p");
  notice.className = "failure";
  notice.textContent = message;
  cards.replaceChildren(notice);
  status.textContent = message;
}
