// What the studio shows, as one value, and as the query that the address bar and the API both take.

export const MOST = 16; // rows, and columns
export const DEFAULTS = { rows: 2, cols: 4, seed: 0 };
const FIRST = ["horizontal_flip", "random_crop"];

/** Read a state from `query` (URLSearchParams). `operations` are those of `GET /augmentations`; what is unknown is left out. */
export function parseState(query, operations) {
  const known = new Map(operations.map((operation) => [operation.name, operation]));
  const named = query.has("ops") ? query.get("ops").split(",") : FIRST;
  return {
    ops: [...new Set(named)]
      .filter((name) => known.has(name))
      .map((name) => parseOperation(known.get(name), query)),
    rows: whole(query.get("rows"), 1, MOST) ?? DEFAULTS.rows,
    cols: whole(query.get("cols"), 1, MOST) ?? DEFAULTS.cols,
    seed: whole(query.get("seed"), 0, Number.MAX_SAFE_INTEGER) ?? DEFAULTS.seed,
    predict: query.get("predict") !== "false",
  };
}

function parseOperation({ name, parameters }, query) {
  const values = parameters.map((parameter) => {
    const text = query.get(`${name}.${parameter.name}`);
    return [parameter.name, (text === null ? null : parseValue(text, parameter)) ?? parameter.default];
  });
  return { name, values: Object.fromEntries(values) };
}

function parseValue(text, { kind, choices }) {
  if (kind === "choice") return choices.includes(text) ? text : null;
  const numbers = text.split(",").map(Number);
  if (text.trim() === "" || numbers.some(Number.isNaN)) return null;
  if (kind === "range") return numbers.length === 2 ? numbers : null;
  return numbers.length === 1 ? numbers[0] : null;
}

function whole(text, least, most) {
  const number = text === null || text === "" ? NaN : Number(text);
  return Number.isInteger(number) && number >= least && number <= most ? number : null;
}

/** A new operation with its defaults, or with the values of an entry of a recipe. */
export function createOperation({ name, parameters }, given = {}) {
  return {
    name,
    values: Object.fromEntries(parameters.map((each) => [each.name, given[each.name] ?? each.default])),
  };
}

/** The state as the API's query: what to do to an image, and for how many tiles. */
export function queryOf({ ops, rows, cols, seed }) {
  const query = new URLSearchParams({ ops: ops.map(({ name }) => name).join(","), rows, cols, seed });
  for (const { name, values } of ops) {
    for (const [parameter, value] of Object.entries(values)) query.set(`${name}.${parameter}`, String(value));
  }
  return query;
}
