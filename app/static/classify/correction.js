// "That is wrong" under a prediction, where the service keeps corrections: the right class, and perhaps the image.

import { BROKEN_OFF, getJson, postJson, remove, requireReadable } from "../shared/api.js";
import { currentDetails } from "../shared/models.js";
import { sentence } from "../shared/words.js";

// In Base64 an image is a third larger: one that could be classified may be more than a correction can carry.
const TOO_LARGE = { body_too_large: "is", [BROKEN_OFF]: "may be" };

let asked = null; // what the service keeps, once for the whole page

/** Complete an answered card, unless the service keeps no corrections. `requestId` is that of the answer. */
export async function offerCorrection({ element: card }, file, requestId, signal) {
  const button = card.querySelector(".wrong");
  const form = card.querySelector(".correction");
  const select = form.querySelector("select");
  const along = form.querySelector(".along");
  const [send, takeBack] = form.querySelectorAll("button");
  const status = form.querySelector("[role=status]");
  let terms;
  try {
    asked ??= getJson("feedback");
    terms = await asked;
    if (signal.aborted || !terms.enabled || requestId === null) return;
    const { metadata } = await currentDetails();
    select.replaceChildren(new Option("…", ""), ...metadata.classes.map((each) => new Option(each)));
  } catch {
    asked = null; // the next card may have better luck; this one does without
    return;
  }
  if (signal.aborted) return;
  along.hidden = !terms.images;
  status.textContent = `Kept for ${terms.days} days.`;
  button.hidden = false;

  button.onclick = () => {
    form.hidden = !form.hidden;
    button.ariaExpanded = String(!form.hidden);
    if (!form.hidden) select.focus();
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    during(send, async () => {
      const correction = { request_id: requestId, label: select.value };
      const withImage = terms.images && along.querySelector("input").checked;
      if (withImage) correction.image = await dataUrl(file);
      const { id } = await postJson("feedback", correction).catch((error) => {
        const certainty = withImage && TOO_LARGE[error.code];
        throw certainty
          ? new Error(`The image ${certainty} too large to be sent along: send the correction without it.`)
          : error;
      });
      takeBack.onclick = () =>
        during(takeBack, async () => {
          await remove(`feedback/${id}`);
          show(false);
          status.textContent = "Taken back: nothing of it is kept.";
          select.focus();
        });
      show(true);
      status.textContent = `Thank you. It is kept for ${terms.days} days.`;
      takeBack.focus();
    });
  };

  function show(isSent) {
    send.hidden = select.disabled = along.querySelector("input").disabled = isSent;
    takeBack.hidden = !isSent;
  }

  async function during(pressed, work) {
    pressed.disabled = true;
    try {
      await work();
    } catch (error) {
      status.textContent = sentence(error.message);
    } finally {
      pressed.disabled = false;
    }
  }
}

async function dataUrl(file) {
  await requireReadable([file]);
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
