// One reading of the metrics, and what happened between two.

import { bucketsOf, difference, quantile, sumOf } from "./prometheus.js";

const OWN = "/metrics"; // the page's own reading, which must not count as load
const NOTHING = { requests: null, images: null, waiting: null, median: null, slow: null };

/** What the page needs of the samples that `parseMetrics` read at `time`, in milliseconds. */
export function readMetrics(samples, time) {
  const others = ({ route }) => route !== OWN;
  return {
    time,
    requests: sumOf(samples, "resnet_serve_requests_total", others),
    images: sumOf(samples, "resnet_serve_images_total"),
    waiting: sumOf(samples, "resnet_serve_queue_depth"),
    rejected: sumOf(samples, "resnet_serve_rejections_total"),
    latency: bucketsOf(samples, "resnet_serve_request_duration_seconds", others),
    batches: batchesOf(bucketsOf(samples, "resnet_serve_batch_size")),
  };
}

/** At the time of `now`: rates per second, and latencies in milliseconds, which are null where no request ended. */
export function between(before, now) {
  const seconds = (now.time - before.time) / 1000;
  const latency = difference(now.latency, before.latency);
  const inMilliseconds = (value) => (value === null ? null : value * 1000);
  return {
    time: now.time,
    requests: Math.max(0, now.requests - before.requests) / seconds,
    images: Math.max(0, now.images - before.images) / seconds,
    waiting: now.waiting,
    median: inMilliseconds(quantile(latency, 0.5)),
    slow: inMilliseconds(quantile(latency, 0.99)),
  };
}

/**
 * `points` with one more for what happened from `before` to `now`, and without those older than `kept` milliseconds.
 * Where `before` is null, readings are missing: then the point has no values, which is a gap in every line.
 */
export function continued(points, before, now, kept) {
  const added = before === null ? { ...NOTHING, time: now.time } : between(before, now);
  return [...points, added].filter(({ time }) => time >= now.time - kept);
}

/** How many batches had a size in each range, up to the largest that there was: `[{ name, count }]`. */
function batchesOf(buckets) {
  const own = buckets.map(([bound, count], index) => {
    const below = index === 0 ? 0 : buckets[index - 1][0];
    const name =
      bound - below <= 1 ? String(bound) : bound === Infinity ? `>${below}` : `${below + 1}–${bound}`;
    return { name, count: count - (index === 0 ? 0 : buckets[index - 1][1]) };
  });
  const last = own.findLastIndex(({ count }) => count > 0);
  return own.slice(0, last + 1);
}
