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
  bar.querySelector("[data-split]").hidden = chosen < 2;
}

/** Choose, or leave out, all faces between two as the first of them is. */
function upTo(box) {
  const all = boxes();
  const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
  if (from >= 0) all.slice(from, to + 1).forEach((other) => (other.checked = box.checked));
}

document.addEventListener("click", (event) => {
  const all = event.target.closest?.("[data-choose-all], [data-choose-none]");
  if (all) {
    boxes().forEach((box) => (box.checked = "chooseAll" in all.dataset));
    count();
    boxes()[0]?.focus();
    return;
  }
  const box = event.target.closest?.(".pick input");
  if (!box) return;
  if (event.shiftKey && last && last !== box) upTo(box);
  last = box;
  count();
});

// ---- faces by keys ----

/** Return the face above or below another one, in rows as they are shown. */
function inRow(from, step) {
  const row = Math.round(from.parentElement.offsetTop);
  const column = from.parentElement.offsetLeft;
  const others = boxes().filter((box) => step * (Math.round(box.parentElement.offsetTop) - row) > 0);
  const near = Math.min(...others.map((box) => Math.abs(box.parentElement.offsetTop - row)));
  const line = others.filter((box) => Math.abs(box.parentElement.offsetTop - row) === near);
  const far = (box) => Math.abs(box.parentElement.offsetLeft - column);
  return line.sort((one, other) => far(one) - far(other))[0];
}

document.addEventListener("keydown", (event) => {
  const box = event.target.closest?.(".pick input");
  if (!box || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.shiftKey) {
    event.preventDefault();
    box.checked = true;
    if (last) upTo(box);
    last = box;
    return count();
  }
  if (event.key === "Escape" && boxes().some((each) => each.checked)) {
    event.preventDefault();
    boxes().forEach((each) => (each.checked = false));
    return count();
  }
  const at = boxes().indexOf(box);
  const to = {
    ArrowRight: () => boxes()[at + 1],
    ArrowLeft: () => boxes()[at - 1],
    ArrowDown: () => inRow(box, 1),
    ArrowUp: () => inRow(box, -1),
    Home: () => boxes()[0],
    End: () => boxes().at(-1),
  }[event.key]?.();
  if (to === undefined) return;
  event.preventDefault();
  to.focus();
  to.parentElement.scrollIntoView({ block: "nearest" });
});

// Enter in the field for another name is "Name", not the first button.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.defaultPrevented || !event.target.matches?.(".choice [name=name]")) return;
  event.preventDefault();
  form().querySelector("[value=assign]").click();
});
document.addEventListener("htmx:load", count);

// A form has no more than a thousand fields: of many faces one is made.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const faces = detail.formData?.getAll("face") ?? [];
  if (faces.length < 2) return;
  detail.formData.delete("face");
  detail.formData.append("face", faces.join(" "));
});
