// My photos: events and days laid out as they come into view, "not me", and what is found meanwhile.
//
// The page has the first pieces; the others are asked for as one scrolls near to them. Without this
// script it is a paged list.

import { laidOut, ratio, spaces, wished } from "./layout.js";

// Screens around the view in which pieces are fetched.
const AHEAD = 1.5;
// The height of the name of a year, and the usual ratio of a photo that is not here yet.
const YEAR = 56;
const USUAL = 1.4;

const pieces = () => [...document.querySelectorAll("[data-piece]")];

// ---- laying out ----

const ratioOf = (tile) => ratio(+tile.dataset.w, +tile.dataset.h);

/** Put the tiles and headings of a piece where they stand; return how high it is. */
function lay(piece, width) {
  const space = spaces(width);
  let y = 0;
  let run = [];
  const close = () => {
    const days = run.map((event) => ({
      ratios: [...event.querySelectorAll(".tile")].map(ratioOf),
      begins: "begins" in event.dataset,
      ends: "ends" in event.dataset,
    }));
    const laid = laidOut(days, width, wished(width), space);
    const tiles = run.flatMap((event) => [...event.querySelectorAll(".tile")]);
    laid.tiles.forEach((box, at) => {
      Object.assign(tiles[at].style, { left: `${box.x}px`, top: `${box.y + y}px`, width: `${box.w}px`, height: `${box.h}px` });
    });
    for (const head of laid.heads) {
      const heading = run[head.day].querySelector(".day");
      if (!heading) continue;
      Object.assign(heading.style, { left: `${head.x}px`, top: `${head.y + y}px`, width: `${head.w}px` });
      heading.title = heading.textContent.trim();
    }
    y += laid.height;
    run = [];
  };
  for (const child of [...piece.children]) {
    if (child.matches(".year")) {
      close();
      child.style.top = `${y + 6}px`;
      y += YEAR;
    } else if (child.matches("[data-event]")) {
      if (child.querySelector(".tile")) run.push(child);
      else child.remove(); // its last photo was taken out
    }
  }
  close();
  piece.classList.add("laid");
  return y;
}

/** How high a piece will be that is not here yet. */
function guessed(piece, width) {
  const { count, heads } = piece.dataset;
  const high = wished(width);
  const rows = Math.ceil((+count * USUAL * high) / width);
  return rows * high + Math.ceil(+heads / Math.max(1, Math.floor(width / (USUAL * high)))) * spaces(width).head;
}

function arrange(only) {
  const root = document.querySelector("[data-pieces]");
  if (!root) return;
  const width = Math.floor(root.getBoundingClientRect().width);
  if (!width) return;
  for (const piece of only ?? pieces()) {
    const high = piece.matches(".later") ? guessed(piece, width) : lay(piece, width);
    piece.style.height = `${high}px`;
  }
  root.dataset.width = width;
}

// ---- fetching what comes into view ----

const asked = new WeakSet();

async function fetchPiece(piece) {
  if (asked.has(piece)) return;
  asked.add(piece);
  piece.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(piece.dataset.later, { headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok || answer.redirected) throw new Error(`answer ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const above = piece.getBoundingClientRect().top < 0;
    const before = piece.getBoundingClientRect().height;
    piece.replaceChildren(...[...page.body.children].map((node) => document.adoptNode(node)));
    piece.classList.remove("later");
    piece.removeAttribute("aria-busy");
    arrange([piece]);
    // What lies above the view must not move what is in it.
    const moved = piece.getBoundingClientRect().height - before;
    if (above && moved) window.scrollBy({ top: moved, behavior: "instant" });
  } catch {
    // The server may be away for a moment.
    setTimeout(() => {
      asked.delete(piece);
      if (piece.isConnected) near.observe(piece);
    }, 3000);
  }
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      fetchPiece(target);
    }
  },
  { rootMargin: `${AHEAD * 100}% 0px` },
);

const wide = new ResizeObserver(([{ target }]) => {
  const width = Math.floor(target.getBoundingClientRect().width);
  if (width && width !== +target.dataset.width) arrange();
});

// ---- coming back: where one was, and the photo that was open ----

history.scrollRestoration = "manual";

function remember() {
  const heights = pieces().map((piece) => Math.round(piece.getBoundingClientRect().height));
  history.replaceState({ ...history.state, mine: { y: window.scrollY, heights } }, "");
}
addEventListener("pagehide", remember);

async function show(id) {
  for (const piece of pieces()) {
    if (document.getElementById(id)) break;
    if (piece.matches(".later")) await fetchPiece(piece);
  }
  const tile = document.getElementById(id);
  tile?.scrollIntoView({ block: "center", behavior: "instant" });
  tile?.focus({ preventScroll: true });
}

function comeBack() {
  const state = history.state?.mine;
  if (location.hash.startsWith("#photo-")) {
    const id = location.hash.slice(1);
    history.replaceState(history.state, "", location.pathname + location.search);
    show(id);
  } else if (state) {
    const all = pieces();
    if (all.length === state.heights.length) {
      all.forEach((piece, at) => {
        if (piece.matches(".later")) piece.style.height = `${state.heights[at]}px`;
      });
    }
    window.scrollTo({ top: state.y, behavior: "instant" });
  }
}

function begin() {
  const root = document.querySelector("[data-pieces]");
  if (!root) return;
  arrange();
  wide.observe(root);
  for (const piece of root.querySelectorAll(".later")) near.observe(piece);
}

// ---- this is me, this is not me ----

const button = document.createElement("button");
button.type = "button";
button.className = "notme";
button.tabIndex = -1;

/** Show "Not me" on the tile that is pointed at. */
function point(tile) {
  button.remove();
  const form = document.querySelector("[data-say]");
  if (!tile || !form || tile.matches(".asked")) return;
  button.textContent = document.querySelector("[data-mine]").dataset.notme;
  button.dataset.of = tile.dataset.face;
  const box = tile.getBoundingClientRect();
  const piece = tile.closest(".piece");
  const all = piece.getBoundingClientRect();
  button.style.left = `${box.left - all.left + 6}px`;
  button.style.top = `${box.bottom - all.top - 40}px`;
  piece.append(button);
}
document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "mouse" || event.target === button) return;
  const tile = event.target.closest?.(".piece .tile[data-face]");
  if (tile || button.isConnected) point(tile);
});
button.addEventListener("click", () => {
  const tile = document.querySelector(`.piece .tile[data-face="${button.dataset.of}"]`);
  if (tile) answer(tile, "no");
});

function answer(tile, word) {
  const form = document.querySelector("[data-say]");
  if (!form || tile.matches(".going")) return;
  tile.classList.add("going");
  button.remove();
  const all = [...document.querySelectorAll(tile.matches(".asked") ? ".asked" : ".piece .tile")];
  const next = all[all.indexOf(tile) + 1] ?? all[all.indexOf(tile) - 1];
  const focused = tile.contains(document.activeElement);
  htmx
    .ajax("POST", form.action, { source: form, swap: "none", values: { [word]: tile.dataset.face } })
    .then(() => {
      if (tile.dataset.refused) return;
      const piece = tile.closest(".piece");
      tile.remove();
      if (piece) arrange([piece]);
      if (focused) (next?.querySelector("a") ?? next)?.focus();
    });
}
// A refusal is told in a toast, and the photo stays.
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful || !event.detail.elt?.matches?.("[data-say]")) return;
  for (const tile of document.querySelectorAll(".tile.going")) {
    tile.dataset.refused = "1";
    tile.classList.remove("going");
    setTimeout(() => delete tile.dataset.refused, 500);
  }
});

document.addEventListener("submit", (event) => {
  const { submitter } = event;
  const tile = submitter?.closest?.(".tile[data-face]");
  if (!event.target.matches("[data-say]") || !tile) return;
  event.preventDefault();
  answer(tile, submitter.name);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !/^[yn]$/i.test(event.key)) return;
  const tile = event.target.closest?.(".tile[data-face]");
  if (!tile) return;
  const word = event.key.toLowerCase() === "y" ? "yes" : "no";
  if (word === "yes" && !tile.matches(".asked")) return;
  event.preventDefault();
  answer(tile, word);
});
document.addEventListener("mine-changed", () => {
  remember();
  location.reload();
});

// ---- what is found meanwhile ----

document.addEventListener("htmx:load", (event) => {
  const told = event.target;
  if (told.id !== "waiting") return;
  // At the top the page shows by itself what was found; further down nothing is moved.
  const busy = document.querySelector("dialog[open], .busy") || window.scrollY > 200;
  if ((told.dataset.more || "over" in told.dataset) && !busy) location.reload();
});
for (const select of document.querySelectorAll("[data-choose] select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// "Maybe you" is folded away until it is asked for.
function unfold() {
  if (location.hash === "#maybe") document.getElementById("maybe")?.setAttribute("open", "");
}
addEventListener("hashchange", unfold);
unfold();
begin();
comeBack();
