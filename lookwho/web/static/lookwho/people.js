// The People page: naming one after the other, and saying that two are the same person, by
// dragging, or by "Same person as…" and then a click or Enter on another face.

import "./names.js";

const tiles = () => [...document.querySelectorAll(".face[data-person]")];
const path = (tile) => tile.dataset.person;

function send(address, values, source) {
  htmx.ajax("POST", address, { source, swap: "none", values: { next: "/people", ...values } });
}

// ---- naming ----

document.addEventListener("htmx:confirm", (event) => {
  const form = event.target;
  if (!form.matches?.(".naming")) return;
  const field = form.elements.name;
  if (!field.value.trim()) event.preventDefault();
  // The next one at once: nobody waits for an answer.
  const all = [...document.querySelectorAll(".naming .who")];
  const next = all.slice(all.indexOf(field) + 1).find((other) => !other.value.trim());
  next?.focus();
});

// ---- merging ----

function merge(one, into) {
  if (one === into) return;
  const uuid = path(into).split("/").at(-1);
  send(`${path(one)}/merge`, { into: uuid }, into);
}

let dragged;

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".face[data-person]");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "link";
  event.dataTransfer.setData("text/plain", path(dragged));
  const crop = dragged.querySelector(".crop");
  event.dataTransfer.setDragImage(crop, crop.offsetWidth / 2, crop.offsetHeight / 2);
  requestAnimationFrame(() => dragged?.classList.add("dragged"));
});
document.addEventListener("dragover", (event) => {
  if (!dragged) return;
  const over = event.target.closest?.(".face[data-person]");
  document.querySelector(".face.over")?.classList.remove("over");
  if (!over || over === dragged) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "link";
  over.classList.add("over");
});
document.addEventListener("drop", (event) => {
  const over = event.target.closest?.(".face[data-person]");
  if (!dragged || !over) return;
  event.preventDefault();
  merge(dragged, over);
});
document.addEventListener("dragend", () => {
  document.querySelector(".face.over")?.classList.remove("over");
  dragged?.classList.remove("dragged");
  dragged = undefined;
});

// ---- choosing whom somebody is the same as ----

const bar = document.getElementById("pickbar");
let picked;

function name(tile) {
  return tile.querySelector(".name")?.textContent ?? "this group";
}

function pick(tile) {
  picked = tile;
  tile.classList.add("picked");
  document.body.classList.add("picking");
  bar.hidden = false;
  bar.querySelector("span").textContent = `Who is the same person as ${name(tile)}? Choose a face.`;
  tile.querySelector(".to").focus();
}

function put(back = true) {
  if (!picked) return;
  document.body.classList.remove("picking");
  picked.classList.remove("picked");
  if (back) picked.querySelector(".to").focus();
  picked = undefined;
  bar.hidden = true;
}

bar?.querySelector("button").addEventListener("click", () => put());
document.addEventListener(
  "click",
  (event) => {
    if (!picked) return;
    const tile = event.target.closest(".face[data-person]");
    if (!tile || tile === picked) return;
    event.preventDefault();
    event.stopPropagation();
    const one = picked;
    put(false);
    merge(one, tile);
  },
  true,
);

function pickFromAddress() {
  const uuid = /^#same-as=([0-9a-f-]{36})$/.exec(location.hash)?.[1];
  const tile = uuid && tiles().find((each) => path(each).endsWith(uuid));
  if (tile) {
    history.replaceState(null, "", location.pathname);
    pick(tile);
  }
}
if (bar) pickFromAddress();

// ---- more about a face ----

let menu;

function closeMenu(focus = true) {
  if (!menu) return;
  const opener = menu.parentElement.querySelector(".more");
  menu.remove();
  menu = undefined;
  opener?.setAttribute("aria-expanded", "false");
  if (focus) opener?.focus();
}

function openMenu(tile, opener) {
  menu = document.createElement("div");
  menu.className = "menu";
  menu.setAttribute("role", "menu");
  const hiding = !tile.closest("#hidden");
  const items = [
    ["Open", () => (location.href = path(tile))],
    ...(bar ? [["Same person as…", () => pick(tile)]] : []),
    [hiding ? "Hide" : "Show again", () => send(`${path(tile)}/hide`, { hidden: hiding ? "1" : "0" }, tile)],
  ];
  for (const [words, act] of items) {
    const item = document.createElement("button");
    item.type = "button";
    item.setAttribute("role", "menuitem");
    item.tabIndex = -1;
    item.textContent = words;
    item.addEventListener("click", () => {
      closeMenu();
      act();
    });
    menu.append(item);
  }
  tile.append(menu);
  opener.setAttribute("aria-expanded", "true");
  const beyond = menu.getBoundingClientRect().left < 8;
  menu.classList.toggle("from-left", beyond);
  menu.firstChild.focus();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest(".face .more");
  const wasOpen = menu && opener && menu.parentElement.contains(opener);
  if (menu && !menu.contains(event.target)) closeMenu(false);
  if (opener && !wasOpen) openMenu(opener.closest(".face"), opener);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu) return closeMenu();
  if (event.key === "Escape" && picked) return put();
  if (!menu?.contains(document.activeElement)) return;
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items.at(to % items.length).focus();
  } else if (event.key === "Tab") closeMenu(false);
});
