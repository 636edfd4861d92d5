// The API key, where the service asks for one. It is kept for this tab alone, until the tab is closed.

const STORED_AS = "resnet-serve-key";

const form = document.querySelector("#key");
const input = form.querySelector("input");
const status = form.querySelector("[role=status]");
let waiting = [];
let focused = document.body; // before it was asked for

export function currentKey() {
  return sessionStorage.getItem(STORED_AS);
}

/** Ask the visitor for another key than `refused`, which is null where none was sent. Returns once there is one. */
export function keyInsteadOf(refused) {
  // Another request may have asked meanwhile, and got its answer.
  if (currentKey() !== refused) return Promise.resolve();
  status.textContent =
    refused === null
      ? "This service asks for a key. It stays in this tab only."
      : "The service does not know this key. Enter another one.";
  if (form.hidden) {
    form.hidden = false;
    focused = document.activeElement;
    input.focus();
  }
  return new Promise((resolve) => waiting.push(resolve));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const key = input.value.trim();
  // Headers carry no other characters.
  if (!/^[!-~]+$/.test(key)) {
    status.textContent = "A key consists of visible ASCII characters only, without spaces.";
    return;
  }
  sessionStorage.setItem(STORED_AS, key);
  input.value = "";
  form.hidden = true;
  // The button goes; the body takes no focus.
  (focused === document.body ? document.querySelector("[role=tab][tabindex='0']") : focused).focus();
  const continued = waiting;
  waiting = [];
  for (const resolve of continued) resolve();
});
