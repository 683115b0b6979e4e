// A person's page: renaming in place, yes and no by key, choosing faces.

import "./names.js";

const form = () => document.getElementById("selection");
const boxes = () => [...form().querySelectorAll(".pick input")];
let last;

// A name can be saved once it is another one.
document.addEventListener("input", ({ target }) => {
  const button = target.closest?.(".rename")?.querySelector("[data-when-changed]");
  if (!button) return;
  const value = target.value.trim();
  button.classList.toggle("shown", Boolean(value) && value !== target.defaultValue);
});
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (key === "Escape" && target.matches?.(".rename input")) {
    target.value = target.defaultValue;
    target.dispatchEvent(new Event("input", { bubbles: true }));
    target.blur();
  }
  const doubt = target.closest?.("[data-doubt]");
  if (!doubt || event.ctrlKey || event.metaKey || event.altKey) return;
  const verb = { y: "confirm", n: "reject" }[key.toLowerCase()];
  const button = verb && doubt.querySelector(`[value=${verb}]`);
  if (button) {
    event.preventDefault();
    button.click();
    (doubt.nextElementSibling ?? doubt.previousElementSibling)?.querySelector("a, button").focus();
  }
});

function count() {
  const bar = form()?.querySelector("[data-choice]");
  if (!bar) return;
  const chosen = boxes().filter((box) => box.checked).length;
  bar.classList.toggle("shown", chosen > 0);
  form().classList.toggle("choosing", chosen > 0);
  bar.querySelector("[data-chosen]").textContent = `${chosen} chosen`;
  bar.querySelector("[data-one]").hidden = chosen !== 1;
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.(".pick input");
  if (!box) return;
  if (event.shiftKey && last && last !== box) {
    const all = boxes();
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    if (from >= 0) all.slice(from, to + 1).forEach((other) => (other.checked = box.checked));
  }
  last = box;
  count();
});

// Enter in the field for another name is "Name", not the first button.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.defaultPrevented || !event.target.matches?.(".choice [name=name]")) return;
  event.preventDefault();
  form().querySelector("[value=assign]").click();
});
document.addEventListener("htmx:load", count);
