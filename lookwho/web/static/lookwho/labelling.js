// Labelling: keys, the box that is put right by hand, and the next face in place of the last.
//
// What a form of the page sends leads to the page with the next face; only what is asked is taken
// from it, so that nothing jumps. Without this script the same forms do the same, a page at a time.

import { say } from "./lookwho.js";
import "./names.js";

const FINE = 0.002; // of the photo's side; with Shift
const COARSE = 0.01;
const LEAST = 0.008; // how small a box may become while it is dragged
const GRIPS = { nw: "Top left corner", ne: "Top right corner", sw: "Bottom left corner", se: "Bottom right corner" };

const asked = () => document.getElementById("asked");
const form = () => asked().querySelector("[data-answer]");
const field = () => asked().querySelector("[data-name]");
const frame = () => asked().querySelector("[data-frame]");
const teller = document.querySelector("[data-tell]");

let shownAt = 0;
let busy = false;
let box = []; // x1, y1, x2, y2 as fractions of the photo
let given = [];

// ---- the box ----

function draw() {
  const [x1, y1, x2, y2] = box;
  Object.assign(frame().style, {
    left: `${x1 * 100}%`, top: `${y1 * 100}%`, width: `${(x2 - x1) * 100}%`, height: `${(y2 - y1) * 100}%`,
  });
  const moved = box.some((edge, at) => Math.abs(edge - given[at]) > 1e-6);
  form().elements.box.value = moved ? box.map((edge) => edge.toFixed(6)).join(",") : "";
  asked().querySelector("[data-unfix]").hidden = !moved;
}

const within = (value, low, high) => Math.min(Math.max(value, low), high);

/** Move one corner, or all of the box, by parts of the photo. */
function move(grip, dx, dy, from = box) {
  let [x1, y1, x2, y2] = from;
  if (grip === "all") {
    dx = within(dx, -x1, 1 - x2);
    dy = within(dy, -y1, 1 - y2);
    box = [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  } else {
    if (grip.includes("w")) x1 = within(x1 + dx, 0, x2 - LEAST);
    else x2 = within(x2 + dx, x1 + LEAST, 1);
    if (grip.includes("n")) y1 = within(y1 + dy, 0, y2 - LEAST);
    else y2 = within(y2 + dy, y1 + LEAST, 1);
    box = [x1, y1, x2, y2];
  }
  draw();
}

function fix(on) {
  const button = asked().querySelector("[data-fix]");
  if (!button) return;
  asked().classList.toggle("fixing", on);
  button.setAttribute("aria-pressed", String(on));
  asked().querySelector("[data-hint]").hidden = !on;
  frame().replaceChildren();
  if (!on) return;
  for (const [grip, words] of Object.entries(GRIPS)) {
    const corner = document.createElement("button");
    corner.type = "button";
    corner.className = "grip";
    corner.dataset.grip = grip;
    corner.setAttribute("aria-label", `${words}: arrows move it`);
    frame().append(corner);
  }
  frame().querySelector(".grip").focus({ preventScroll: true });
}

document.addEventListener("pointerdown", (event) => {
  const at = event.target.closest?.("[data-frame]");
  if (!at || !asked().classList.contains("fixing")) return;
  event.preventDefault();
  const grip = event.target.closest("[data-grip]");
  grip?.focus({ preventScroll: true });
  const side = asked().querySelector("[data-shown]").getBoundingClientRect();
  const from = [...box];
  const start = [event.clientX, event.clientY];
  at.setPointerCapture(event.pointerId);
  const drag = (moved) => move(
    grip?.dataset.grip ?? "all",
    (moved.clientX - start[0]) / side.width,
    (moved.clientY - start[1]) / side.height,
    from,
  );
  const end = () => {
    at.removeEventListener("pointermove", drag);
    at.removeEventListener("pointerup", end);
    at.removeEventListener("pointercancel", end);
  };
  at.addEventListener("pointermove", drag);
  at.addEventListener("pointerup", end);
  at.addEventListener("pointercancel", end);
});

// ---- one face after the other ----

function begin() {
  busy = false;
  shownAt = performance.now();
  if (!form()) {
    asked().querySelector("[data-asks]")?.focus({ preventScroll: true });
    return;
  }
  const image = asked().querySelector("[data-shown] img");
  const side = (which) => Number(image.getAttribute(which));
  image.parentElement.style.setProperty("--ratio", side("width") / side("height"));
  box = given = frame().dataset.box.split(",").map(Number);
  draw();
  if (matchMedia("(hover: hover)").matches) field().focus({ preventScroll: true });
  else asked().querySelector("[data-asks]").focus({ preventScroll: true });
}

async function send(sent, body) {
  if (busy) return;
  busy = true;
  asked().classList.add("wait");
  try {
    const answer = await fetch(sent.action, { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("asked");
    if (!answer.ok || !next) {
      if (answer.ok || answer.status === 401) return location.reload(); // one has to sign in again
      throw new Error(page.querySelector("main h1 + p, main p")?.textContent);
    }
    asked().replaceWith(next);
    // What the site has to say of it.
    const told = [...page.querySelectorAll("#toasts [data-toast] p")].map((each) => each.textContent);
    for (const words of told) say(words);
    teller.textContent = told.length ? "" : `Saved. ${next.dataset.given} labelled.`;
    window.scrollTo({ top: 0 });
    begin();
  } catch (error) {
    asked().classList.remove("wait");
    busy = false;
    say(error instanceof TypeError || !error.message ? "Lookwho cannot be reached. Is it still running?" : error.message);
  }
}

document.addEventListener("submit", (event) => {
  const sent = event.target;
  if (!sent.matches("[data-answer], [data-undo]")) return;
  event.preventDefault();
  const button = event.submitter;
  const body = new FormData(sent);
  if (sent.matches("[data-answer]")) {
    const verdict = button?.name === "verdict" ? button.value : "person";
    if (verdict === "person" && !field().value.trim()) return field().focus();
    body.set("verdict", verdict);
    body.set("seconds", ((performance.now() - shownAt) / 1000).toFixed(2));
  }
  send(sent, body);
});

function name(words) {
  field().value = words;
  form().requestSubmit(form().querySelector("[value=person]"));
}

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-fix]")) fix(!asked().classList.contains("fixing"));
  else if (target.closest("[data-unfix]")) {
    box = given;
    draw();
  } else if (target.closest("[data-yes]")) name(target.closest("[data-yes]").dataset.yes);
});

// ---- keys ----

const ANSWERS = { n: "stranger", "?": "cannot_tell", x: "not_a_face", s: "skip" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function command(key) {
  if (key === "u") {
    const undo = asked().querySelector("[data-undo]");
    if (!undo || undo.querySelector("button").disabled) return false;
    undo.requestSubmit();
  } else if (!form()) return false;
  else if (ANSWERS[key]) form().querySelector(`[value=${ANSWERS[key]}]`).click();
  else if (key === "b") fix(!asked().classList.contains("fixing"));
  else if (key === "y" && asked().querySelector("[data-yes]")) asked().querySelector("[data-yes]").click();
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.defaultPrevented || event.altKey || document.querySelector("details.account[open]")) return;
  const undoing = (event.ctrlKey || event.metaKey) && key === "z";
  if (target.matches?.("input:not([type=checkbox]), textarea, select")) {
    if (target !== field() || target.value) return;
    // In an empty field nothing is lost by what no name begins with.
    if (undoing) command("u");
    else if (key === "?") command(key);
    else if (key === "Escape") asked().querySelector("[data-asks]").focus();
    else return;
    event.preventDefault();
    return;
  }
  if (undoing) {
    if (command("u")) event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey) return;
  if (asked().classList.contains("fixing")) {
    const step = ARROWS[key];
    if (step) {
      const far = event.shiftKey ? FINE : COARSE;
      move(target.dataset?.grip ?? "all", step[0] * far, step[1] * far);
      event.preventDefault();
      return;
    }
    if (key === "Escape" || key === "Enter") {
      fix(false);
      field().focus({ preventScroll: true });
      event.preventDefault();
      return;
    }
  }
  if (command(key.toLowerCase())) event.preventDefault();
});

begin();
