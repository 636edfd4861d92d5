// Elements in one expression.

const SVG = "http://www.w3.org/2000/svg";

/** `element("p", { class: "note" }, "text", child)`. Properties with a dash, `class` and `role` become attributes. */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (made.namespaceURI !== SVG && key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Set the CSS variable `--name` of an element: what a style in the markup would do, which the policy forbids. */
export function setVariable(target, name, value) {
  target.style.setProperty(`--${name}`, value);
  return target;
}
