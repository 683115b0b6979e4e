// One video: the player, the faces in its picture, and keys. The lanes under it are in lanes.js.
//
// An address that ends in #t=12.5 begins there, and follows where one jumps to.

import { lanes } from "./lanes.js";

const screen = document.querySelector("[data-screen]");
const player = screen.querySelector("video");
const over = screen.querySelector("[data-over]");
const clock = document.querySelector("[data-clock]");
const told = document.querySelector("[data-told]");
const help = document.getElementById("keys");
const toggle = document.querySelector("[data-names-shown]");
const length = Number(screen.dataset.length) || 0;
// Paths of faces are fetched for so many seconds at once.
const WINDOW = 120;
const STEP = 5;
// How long before an appearance one is still taken to be at it, in seconds.
const AT = 0.4;

// Without a player one still walks through the lanes.
let still = 0;
const now = () => (player ? player.currentTime : still);

if (screen.dataset.w > 0 && screen.dataset.h > 0) {
  screen.style.setProperty("--ratio", `${screen.dataset.w} / ${screen.dataset.h}`);
}

// Further down it goes on in a corner, where there is room for that.
new IntersectionObserver(([{ isIntersecting, boundingClientRect }]) => {
  screen.classList.toggle("mini", !isIntersecting && boundingClientRect.top < 0);
}, { threshold: 0.25, rootMargin: "-62px 0px 0px" }).observe(screen.parentElement);

// ---- jumping ----

const words = (time) => {
  const whole = Math.floor(time);
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`;
};

function seek(time, { keep = false } = {}) {
  const at = Math.max(0, Math.min(time, player?.duration || length || time));
  if (player) player.currentTime = at;
  else still = at;
  if (keep) history.replaceState(null, "", `#t=${Number(at.toFixed(2))}`);
  show();
}

const fromAddress = () => {
  const found = /^#t=([\d.]+)/.exec(location.hash);
  if (found) seek(Number(found[1]));
};
addEventListener("hashchange", fromAddress);

const stretches = lanes({
  now,
  length,
  jump: (time, name) => {
    seek(time, { keep: true });
    told.textContent = name ? `${name}, ${words(time)}` : words(time);
  },
});

/** Go to the appearance before or after this moment: of whoever is open, else of anybody. */
function step(way) {
  const all = stretches.appearances();
  const at = now();
  const found = way > 0 ? all.find((each) => each.start > at + 0.05) : all.findLast((each) => each.start < at - AT);
  if (!found) return;
  seek(found.start, { keep: true });
  told.textContent = `${found.name}, ${words(found.start)}`;
}

document.querySelector("[data-previous]").addEventListener("click", () => step(-1));
document.querySelector("[data-next]").addEventListener("click", () => step(1));

// ---- faces in the picture ----

const windows = new Map(); // number of the window -> tracks, or null while they are fetched
const boxes = new Map(); // face -> element
let shown = true;

async function fetched(number) {
  if (windows.has(number)) return windows.get(number);
  windows.set(number, null);
  try {
    const answer = await fetch(`${screen.dataset.paths}?from=${number * WINDOW}&to=${(number + 1) * WINDOW}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const { tracks, cuts } = await answer.json();
    windows.set(number, tracks);
    stretches.cut(cuts);
    show();
  } catch {
    setTimeout(() => windows.delete(number), 5000); // the line: once more later
  }
  return null;
}

/** Where a face is at a time: between two places on its path; null where it is not seen. */
function place(path, time) {
  const last = path.length - 5;
  if (time < path[0] - 0.06 || time > path[last] + 0.06) return null;
  let [low, high] = [0, last / 5];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (path[middle * 5] <= time) low = middle;
    else high = middle - 1;
  }
  const here = low * 5;
  const next = Math.min(here + 5, last);
  const span = path[next] - path[here];
  const share = span > 0 ? Math.max(0, Math.min((time - path[here]) / span, 1)) : 0;
  return [1, 2, 3, 4].map((at) => path[here + at] + (path[next + at] - path[here + at]) * share);
}

function fit() {
  const frame = { w: screen.clientWidth, h: screen.clientHeight };
  const size = { w: player.videoWidth || +screen.dataset.w || 16, h: player.videoHeight || +screen.dataset.h || 9 };
  const scale = Math.min(frame.w / size.w, frame.h / size.h);
  const [w, h] = [size.w * scale, size.h * scale];
  Object.assign(over.style, { width: `${w}px`, height: `${h}px`, left: `${(frame.w - w) / 2}px`, top: `${(frame.h - h) / 2}px` });
}

function box(face) {
  let element = boxes.get(face);
  if (!element) {
    element = document.createElement("div");
    element.className = "box";
    element.dataset.boxed = face;
    element.append(document.createElement("span"));
    over.append(element);
    boxes.set(face, element);
  }
  const name = stretches.nameOf(face);
  const label = element.firstElementChild;
  if (label.textContent !== name) label.textContent = name;
  label.hidden = !name;
  element.classList.toggle("unknown", !name);
  element.classList.toggle("lit", stretches.isOpen(face));
  return element;
}

function draw(time) {
  const tracks = shown ? windows.get(Math.floor(time / WINDOW)) : [];
  if (tracks === undefined) fetched(Math.floor(time / WINDOW));
  const seen = new Set();
  for (const { face, path } of tracks ?? []) {
    const found = place(path, time);
    if (!found) continue;
    const [x1, y1, x2, y2] = found;
    const element = box(face);
    element.style.left = `${100 * x1}%`;
    element.style.top = `${100 * y1}%`;
    element.style.width = `${100 * (x2 - x1)}%`;
    element.style.height = `${100 * (y2 - y1)}%`;
    element.classList.toggle("low", y2 > 0.86);
    element.hidden = false;
    seen.add(face);
  }
  for (const [face, element] of boxes) if (!seen.has(face)) element.hidden = true;
}

function show() {
  const time = now();
  clock.textContent = words(time);
  stretches.at(time);
  if (over) draw(time);
}

function follow() {
  show();
  if (player && !player.paused && !player.ended) requestAnimationFrame(follow);
}

if (player) {
  for (const name of ["play", "seeked", "timeupdate", "loadeddata"]) player.addEventListener(name, follow);
  player.addEventListener("loadedmetadata", fit);
  new ResizeObserver(fit).observe(screen);
  fit();
  player.addEventListener("error", () => {
    // It was said to play, and this browser does not: the copy is offered.
    const offer = document.getElementById("copying");
    offer.hidden = false;
    over.hidden = true;
  });
  if (player.error || player.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) player.dispatchEvent(new Event("error"));
  over.addEventListener("click", (event) => {
    const face = event.target.closest("[data-boxed]")?.dataset.boxed;
    if (!face) return;
    player.pause();
    stretches.open(face);
  });
}

function names() {
  shown = !shown;
  toggle?.setAttribute("aria-pressed", String(shown));
  show();
}
toggle?.addEventListener("click", names);
// Who somebody is may be known better, and whose a stretch is, too.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "lanes") return;
  windows.clear();
  const count = stretches.count();
  for (const each of document.querySelectorAll("[data-previous], [data-next], [data-names-shown], .zooming")) each.hidden = !count;
  document.querySelector("[data-for-two]").hidden = count < 2;
  show();
});

// Somebody whose face does not show is said, and then there is room for the next.
const absent = document.getElementById("absent");
absent?.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.successful) return;
  absent.querySelector("form").reset();
  absent.open = false;
  absent.querySelector("summary").focus();
});

// ---- keys ----

const opened = () => document.querySelector("dialog[open], details.account[open], .options");

function leave() {
  const back = document.querySelector("[data-back]");
  const came = document.referrer ? new URL(document.referrer) : null;
  if (came?.origin === location.origin && came.pathname !== location.pathname && history.length > 1) history.back();
  else location.assign(back.href);
}

const keys = {
  " ": () => player && (player.paused ? player.play() : player.pause()),
  ArrowLeft: (event) => seek(now() - (event.shiftKey ? 1 : STEP)),
  ArrowRight: (event) => seek(now() + (event.shiftKey ? 1 : STEP)),
  "[": () => step(-1),
  "]": () => step(1),
  n: names,
  m: () => player && (player.muted = !player.muted),
  "+": () => stretches.zoom(1),
  "-": () => stretches.zoom(-1),
  "?": () => help.showModal(),
  Escape: () => {
    if (absent?.open) absent.open = false;
    else if (!stretches.close()) leave();
  },
};

// Before the player hears of them, which has keys of its own.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || opened()) return;
  const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select");
  if (typing && event.key !== "Escape") return;
  if (typing) return void typing.blur();
  const pressable = event.target.closest?.("button, a, summary, label, input");
  if (event.key === " " && pressable) return; // it presses what has the focus
  if (stretches.key(event)) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act(event);
}, true);

document.querySelector("[data-help]").addEventListener("click", () => help.showModal());
document.querySelector("[data-back]").addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  leave();
});

fromAddress();
if (location.hash.startsWith("#face-")) stretches.open(location.hash.slice(6));
show();

// ---- while it is looked at, and while a copy is made ----

// Once that is over the whole page is another one.
const state = document.querySelector("[data-fresh=state]");
const asked = document.getElementById("copying");
const before = { state: state.dataset.state, copying: Boolean(asked.querySelector("progress")) };
document.addEventListener("lookwho:merged", (event) => {
  const page = event.detail;
  const then = page.querySelector("[data-fresh=state]")?.dataset.state;
  const copying = Boolean(page.querySelector("#copying progress"));
  if (before.copying && !copying) location.reload();
  else if (then && then !== before.state) {
    before.state = then;
    document.body.dispatchEvent(new Event("changed"));
  }
});
