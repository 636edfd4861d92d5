// The panel that shows what the service is doing, by its own metrics.

import { keepState } from "../shared/address.js";
import { getText, postFiles } from "../shared/api.js";
import { columnChart } from "../shared/charts/columns.js";
import { lineChart } from "../shared/charts/lines.js";
import { element } from "../shared/dom.js";
import { askedOf, currentModel } from "../shared/models.js";
import { sample, SAMPLES } from "../shared/picture.js";
import { milliseconds, sentence } from "../shared/words.js";
import { parseMetrics } from "./prometheus.js";
import { continued, readMetrics } from "./readings.js";

const EVERY_MS = 1000;
const KEPT_MS = 60_000;
const TRIAL = { requests: 48, parallel: 8 };

export async function start(section) {
  const now = element("dl", { class: "now" });
  const charts = element("div", { class: "charts pairs" });
  const failure = element("p", { class: "failure", role: "alert", hidden: true });
  const refused = element("p", { class: "failure", role: "alert", hidden: true });
  const trial = element(
    "button",
    { type: "button", class: "button", onclick: sendRequests },
    `Send ${TRIAL.requests} requests`,
  );
  section.replaceChildren(
    element("h2", {}, "What the service is doing"),
    element(
      "p",
      { class: "note" },
      "Once a second, from its own /metrics, over all its processes. Reading them is not counted.",
    ),
    failure,
    now,
    charts,
    element("div", { class: "part row" }, trial),
    refused,
  );
  let last = null;
  let points = [];
  let timer = null;
  let running = new AbortController();

  return {
    show() {
      keepState("live", new URLSearchParams());
      clearTimeout(timer);
      running = new AbortController();
      last = null; // a mean over the time away would be no reading
      read(running.signal);
    },
    hide() {
      running.abort();
      clearTimeout(timer);
    },
  };

  async function read(signal) {
    // Nobody looks at a page in the background.
    if (!document.hidden) {
      try {
        const reading = readMetrics(parseMetrics(await getText("metrics", signal)), performance.now());
        points = continued(points, last, reading, KEPT_MS);
        const isFirst = last === null;
        last = reading;
        failure.hidden = true;
        if (!isFirst) draw();
      } catch (error) {
        if (signal.aborted) return;
        last = null;
        say(failure, error);
      }
    } else {
      last = null;
    }
    if (!signal.aborted) timer = setTimeout(() => read(signal), EVERY_MS);
  }

  function draw() {
    const latest = points.at(-1);
    now.replaceChildren(
      figure("Requests per second", number(latest.requests)),
      figure("Images per second", number(latest.images)),
      figure("Latency, median", latest.median === null ? "–" : milliseconds(latest.median)),
      figure("Latency, 99th percentile", latest.slow === null ? "–" : milliseconds(latest.slow)),
      figure("Images waiting", number(latest.waiting)),
      figure("Rejected", number(last.rejected)),
    );
    const x = points.map(({ time }) => (time - latest.time) / 1000); // seconds
    const of = (key) => points.map((point) => point[key]);
    const common = { x, ends: [`${Math.round(-x[0])} s ago`, "now"], format: number, least: 0 };
    const sizes = last.batches;
    charts.replaceChildren(
      lineChart({
        ...common,
        title: "Requests per second",
        series: [{ name: "requests", values: of("requests") }],
      }),
      lineChart({
        ...common,
        title: "Latency, milliseconds",
        series: [
          { name: "99th percentile", values: of("slow") },
          { name: "median", values: of("median") },
        ],
      }),
      lineChart({
        ...common,
        title: "Images waiting for a batch",
        series: [{ name: "waiting", values: of("waiting") }],
      }),
      columnChart({
        title: "Batches by size, since the start",
        words: sizes.map(({ name, count }) => `${count} of ${name}`).join(", ") || "none yet",
        edges: Array.from({ length: Math.max(1, sizes.length) + 1 }, (_, index) => index),
        series: [{ name: "batches", values: sizes.map(({ count }) => count) }],
        labels: sizes.map(({ name }) => name),
      }),
    );
  }

  async function sendRequests() {
    trial.disabled = true;
    refused.hidden = true;
    const sending = new AbortController();
    try {
      await currentModel();
      const files = await Promise.all(SAMPLES.map((name) => sample(name).file()));
      const waiting = Array.from(
        { length: TRIAL.requests },
        (_, index) => files[index % files.length],
      ).values();
      const work = async () => {
        for (const file of waiting) await postFiles(askedOf("predict"), [file], sending.signal);
      };
      await Promise.all(Array.from({ length: TRIAL.parallel }, work));
    } catch (error) {
      sending.abort(); // the others would be refused too
      say(refused, error);
    }
    trial.disabled = false;
  }

  function say(place, error) {
    const words = sentence(error.message);
    // Written anew, it would be read out anew.
    if (place.textContent !== words) place.textContent = words;
    place.hidden = false;
  }
}

function figure(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

function number(value) {
  return String(Number(value.toFixed(value < 10 ? 1 : 0)));
}
