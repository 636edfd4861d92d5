// Numbers and names as the page says them.

/** A share of 0..1 with one decimal; never rounded to a certainty or an impossibility that it is not. */
export function percent(share) {
  if (share > 0.9995 && share < 1) return ">99.9%";
  if (share > 0 && share < 0.0005) return "<0.1%";
  return `${(share * 100).toFixed(1)}%`;
}

/** A share that thousands of images were counted for, with two decimals. */
export function counted(share) {
  return `${(share * 100).toFixed(2)}%`;
}

export function milliseconds(value) {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A label that a number follows: written from right to left, it would have the number stand before it. */
export function isolated(label) {
  return RIGHT_TO_LEFT.test(label) ? `\u2068${label}\u2069` : label;
}

const LISTED = 20;

/** Names with commas between them; of very many the first ones, and how many more there are. */
export function listed(names) {
  const more = names.length - LISTED;
  if (more <= 0) return names.join(", ");
  return `${names.slice(0, LISTED).join(", ")} and ${more.toLocaleString("en")} more`;
}

/** `random_resized_crop` as "Random resized crop". */
export function readable(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

/** What API messages lack, which begin in lower case and end without a full stop. */
export function sentence(message) {
  const text = message[0].toUpperCase() + message.slice(1);
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

/** 11173962 as "11.2 M". */
export function short(count) {
  for (const [unit, name] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (count >= unit) return `${(count / unit).toPrecision(3)} ${name}`;
  }
  return String(count);
}
