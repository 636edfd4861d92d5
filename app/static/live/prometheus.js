// The text format of Prometheus, as far as the service writes it.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** Read `text` into samples, `{ name, labels, value }`, in their order. */
export function parseMetrics(text) {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => LINE.exec(line))
    .filter((match) => match !== null)
    .map(([, name, labels = "", value]) => ({ name, labels: parseLabels(labels), value: parseValue(value) }));
}

function parseLabels(text) {
  const pairs = [...text.matchAll(LABEL)];
  return Object.fromEntries(
    pairs.map(([, name, value]) => [name, value.replace(/\\[n"\\]/g, (each) => ESCAPES[each])]),
  );
}

function parseValue(text) {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

/** The sum of all samples of `name` whose labels `matches` accepts. */
export function sumOf(samples, name, matches = () => true) {
  return samples
    .filter((each) => each.name === name && matches(each.labels))
    .reduce((sum, { value }) => sum + value, 0);
}

/** The counts of a histogram up to each upper bound, added up over its labels: `[[bound, count]]`, rising. */
export function bucketsOf(samples, name, matches = () => true) {
  const buckets = new Map();
  for (const { name: own, labels, value } of samples) {
    if (own !== `${name}_bucket` || !matches(labels)) continue;
    const bound = parseValue(labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return [...buckets].sort(([one], [other]) => one - other);
}

/** What lies between two readings of a histogram. A service that was started anew counts from 0 again. */
export function difference(now, before) {
  const earlier = new Map(before);
  return now.map(([bound, count]) => [bound, Math.max(0, count - (earlier.get(bound) ?? 0))]);
}

/** The value below which `share` of the counted lie, by even spread inside a bucket; null where nothing was counted. */
export function quantile(buckets, share) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const rank = share * total;
  const at = buckets.findIndex(([, count]) => count >= rank);
  const [bound, count] = buckets[at];
  const [low, below] = at === 0 ? [0, 0] : buckets[at - 1];
  // Beyond the last bound there is nothing to measure by.
  if (bound === Infinity) return low;
  return low + (bound - low) * ((rank - below) / (count - below || 1));
}
