// The test images that the model was most sure about, and wrong.

import { element } from "../shared/dom.js";
import { isolated, percent } from "../shared/words.js";

const SHOWN = 12;

export function mistakeList(mistakes) {
  return element(
    "ul",
    { class: "mistakes" },
    ...mistakes.slice(0, SHOWN).map(({ true_class: truth, answer, probability, picture, number }) =>
      element(
        "li",
        {},
        element("img", {
          src: `data:image/png;base64,${picture}`,
          alt: `Test image ${number}`,
          width: 32,
          height: 32,
        }),
        element(
          "span",
          {},
          element("strong", {}, truth),
          ` taken for ${isolated(answer)}, ${percent(probability)}`,
        ),
      ),
    ),
  );
}
