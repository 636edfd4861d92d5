// The preview of what training does to an image: one grid from `GET /augment-preview`.

import { getImage } from "./api.js";

const LAYOUT = { rows: 2, cols: 4, scale: 4 };
const SEEDS = 10_000;

/** Keep the preview in `section` in step with its form. The answer's `choose` sets the sample that it shows. */
export function startAugmentation(section) {
  const form = section.querySelector("form");
  const shownSample = section.querySelector("strong");
  const figure = section.querySelector("figure");
  const image = figure.querySelector("img");
  const link = figure.querySelector("a");
  const message = section.querySelector(".failure");
  let sample = "cat";
  let seed = 0;
  let running = new AbortController();

  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    seed = Math.floor(Math.random() * SEEDS);
    show();
  });
  show();

  return {
    choose(name) {
      sample = name;
      shownSample.textContent = name;
      show();
    },
  };

  async function show() {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const operations = new FormData(form).getAll("ops");
    if (operations.length === 0) {
      fail("Choose at least one operation.");
      return;
    }
    const query = new URLSearchParams({ image: sample, ...LAYOUT, seed });
    // The commas stay readable: they need no escape in a query.
    const path = `augment-preview?ops=${operations.join(",")}&${query}`;
    try {
      const grid = await getImage(path, signal);
      URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(grid);
      image.alt = `Eight variations of the sample ${sample}`;
      image.hidden = false;
      link.href = path;
      link.textContent = `GET /${path}`;
      figure.hidden = false;
      message.hidden = true;
    } catch (error) {
      if (!signal.aborted) fail(error.message);
    }
  }

  function fail(words) {
    figure.hidden = true;
    message.textContent = words;
    message.hidden = false;
  }
}
