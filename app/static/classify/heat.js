// A small map of numbers as smooth colours, and in words.

const FOR = [255, 106, 0];
const AGAINST = [20, 90, 255];
const OPACITY = 0.72; // of the strongest value; the image stays visible below

/** Fill the canvas with `map`, rows of numbers: one colour above 0, another below, none at 0. */
export function drawEvidence(canvas, map) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const strongest = Math.max(...map.flat().map(Math.abs)) || 1;
  const columns = enlarge(map[0].length, canvas.width);
  const rows = enlarge(map.length, canvas.height);
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      let value = 0;
      for (const [row, share] of rows[y]) {
        for (const [column, part] of columns[x]) value += share * part * map[row][column];
      }
      const strength = Math.min(1, Math.abs(value) / strongest);
      const colour = value > 0 ? FOR : AGAINST;
      pixels.data.set([...colour, 255 * OPACITY * strength], 4 * (y * canvas.width + x));
    }
  }
  context.putImageData(pixels, 0, 0);
}

/** For each of `to` places along an axis, the cells of `from` that it is made of, as [index, weight]: cubic. */
function enlarge(from, to) {
  return Array.from({ length: to }, (_, place) => {
    const at = ((place + 0.5) * from) / to - 0.5;
    const first = Math.floor(at);
    const t = at - first;
    const weights = [
      ((2 - t) * t - 1) * t,
      (3 * t - 5) * t * t + 2,
      ((4 - 3 * t) * t + 1) * t,
      (t - 1) * t * t,
    ];
    return weights.map((weight, index) => [Math.min(from - 1, Math.max(0, first - 1 + index)), weight / 2]);
  });
}

/** Where in the image the greatest value lies, as "strongest in the upper left". */
export function placeOf(map) {
  const values = map.flat();
  const strongest = Math.max(...values);
  if (strongest <= 0) return "there is none";
  const at = values.indexOf(strongest);
  const third = (index, count) => Math.floor((3 * (index + 0.5)) / count);
  const down = ["upper", "", "lower"][third(Math.floor(at / map[0].length), map.length)];
  const across = ["left", "", "right"][third(at % map[0].length, map[0].length)];
  return `strongest in the ${`${down} ${across}`.trim() || "middle"}`;
}
