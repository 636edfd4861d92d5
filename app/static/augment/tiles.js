// The grid: a button per tile, which shows what was drawn for it, and what the model says of it.

import { element, setVariable } from "../shared/dom.js";
import { isolated, percent, readable } from "../shared/words.js";

/** Draw answers of `/augment-preview` into `grid`, a list; `description` says what the chosen tile is made of. */
export function createTiles(grid, description) {
  let tiles = [];
  let chosen = null;
  let answer = null;

  return {
    show(given) {
      answer = given;
      setVariable(grid, "cols", answer.cols);
      // Their elements stay, so that nothing flickers while a range is dragged, and the focus stays too.
      while (tiles.length > answer.tiles.length) tiles.pop().root.remove();
      while (tiles.length < answer.tiles.length) {
        const tile = createTile(tiles.length);
        tiles.push(tile);
        grid.append(tile.root);
      }
      tiles.forEach((tile, index) => tile.show(answer.tiles[index], answer.original?.label));
      if (chosen >= tiles.length) chosen = null;
      describe();
    },
  };

  function createTile(index) {
    const image = element("img", { alt: "" });
    const words = element("span", { class: "says" });
    const button = element("button", { type: "button", ariaPressed: "false" }, image, words);
    button.addEventListener("click", () => {
      chosen = chosen === index ? null : index;
      describe();
    });
    return {
      root: element("li", {}, button),
      button,
      show(tile, label) {
        const { prediction } = tile;
        image.src = tile.image;
        words.textContent =
          prediction === null ? "" : `${isolated(prediction.label)} ${percent(prediction.probability)}`;
        const broken = prediction !== null && prediction.label !== label;
        button.classList.toggle("broken", broken);
        const says =
          prediction === null ? "" : `: ${words.textContent}${broken ? ", no longer the same" : ""}`;
        button.setAttribute("aria-label", `Tile ${index + 1}${says}`);
      },
    };
  }

  function describe() {
    tiles.forEach(({ button }, index) => {
      button.ariaPressed = String(index === chosen);
    });
    if (chosen === null) {
      description.textContent = "Choose a tile to see what was drawn for it.";
      return;
    }
    const drawn = Object.entries(answer.tiles[chosen].parameters).map(([key, value]) => {
      const [operation, parameter] = key.split(".");
      return `${readable(operation)}: ${parameter.replaceAll("_", " ")} ${format(value)}`;
    });
    description.textContent = `Tile ${chosen + 1}. ${drawn.join("; ") || "Nothing was changed"}.`;
  }
}

function format(value) {
  if (Array.isArray(value)) return value.map(format).join(", ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(typeof value === "number" ? Number(value.toFixed(3)) : value);
}
