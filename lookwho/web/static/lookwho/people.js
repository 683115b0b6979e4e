// The People page: naming one after the other, and saying that two are the same person, by
// dragging, or by "Same person as…" and then a click or Enter on another face. Several are chosen
// by X, or from the menu, and then said to be one person or hidden.

import "./names.js";

const tiles = () => [...document.querySelectorAll(".face[data-person]")];
const path = (tile) => tile.dataset.person;
const key = (tile) => path(tile).split("/").at(-1);

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

// ---- whom groups probably are ----

const LIKELY = "/people/likely";
const AT_ONCE = 12;
const asked = new Set();
let asking = false;

function offer(form, { name: who, percent }) {
  if (form.querySelector(".probably")) return;
  const yes = document.createElement("button");
  yes.type = "button";
  yes.className = "probably";
  yes.textContent = `${who}?`;
  yes.title = `${percent} % sure`;
  yes.setAttribute("aria-label", `Yes, this is ${who}: ${percent} percent sure`);
  yes.addEventListener("click", () => {
    form.elements.name.value = who;
    form.requestSubmit();
  });
  form.append(yes);
}

async function askWho() {
  if (asking) return;
  const forms = [...document.querySelectorAll(".naming")].filter(
    ({ elements: { face } }) => face.value && !asked.has(face.value),
  );
  if (!forms.length) return;
  asking = true;
  const some = forms.slice(0, AT_ONCE);
  const query = new URLSearchParams(some.map((form) => ["face", form.elements.face.value]));
  some.forEach((form) => asked.add(form.elements.face.value));
  try {
    const answer = await fetch(`${LIKELY}?${query}`);
    const { faces } = answer.ok ? await answer.json() : { faces: {} };
    for (const form of some) {
      const found = faces[form.elements.face?.value];
      if (found && form.isConnected) offer(form, found);
    }
  } catch {
    return; // not reachable just now: it is no more than an offer
  } finally {
    asking = false;
  }
  askWho();
}
document.addEventListener("htmx:load", askWho);
askWho();

// ---- merging ----

function merge(one, into) {
  if (one === into) return;
  const values = { into: key(into), was: one.dataset.name, into_was: into.dataset.name };
  send(`${path(one)}/merge`, values, into);
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
  chooseNone();
  picked = tile;
  tile.classList.add("picked");
  document.body.classList.add("picking");
  bar.hidden = false;
  for (const button of several()) button.hidden = true;
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

bar?.querySelector("[data-cancel]").addEventListener("click", () => {
  if (chosen.size) chooseNone(true);
  else put();
});
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

// ---- choosing several ----

// By their uuid: a page that is brought up to date has other elements for the same people.
const chosen = new Map();
const several = () => bar.querySelectorAll("[data-together], [data-away]");

function mark() {
  if (!bar) return;
  document.body.classList.toggle("choosing", chosen.size > 0);
  for (const tile of tiles()) {
    const link = tile.querySelector(".to");
    tile.classList.toggle("chosen", chosen.has(key(tile)));
    if (chosen.size) {
      link.setAttribute("role", "checkbox");
      link.setAttribute("aria-checked", String(chosen.has(key(tile))));
    } else {
      link.removeAttribute("role");
      link.removeAttribute("aria-checked");
    }
  }
  if (picked) return;
  bar.hidden = !chosen.size;
  for (const button of several()) button.hidden = false;
  bar.querySelector("[data-together]").disabled = chosen.size < 2;
  bar.querySelector("span").textContent =
    chosen.size < 2 ? "1 chosen. Choose whoever is the same person." : `${chosen.size} chosen`;
}

function toggle(tile) {
  put(false);
  if (!chosen.delete(key(tile))) chosen.set(key(tile), tile);
  mark();
}

function chooseNone(back = false) {
  const [first] = chosen.values();
  chosen.clear();
  mark();
  if (back) tiles().find((tile) => first && key(tile) === key(first))?.querySelector(".to").focus();
}

bar?.querySelector("[data-together]").addEventListener("click", () => {
  // In the order in which they stand: of several with a name that of the most photos stays.
  const all = tiles().filter((tile) => chosen.has(key(tile)));
  const person = all.map((tile) => `${key(tile)}/${tile.dataset.name}`);
  const [first] = all;
  chooseNone();
  first.querySelector(".to").focus();
  send("/people/merge", { person }, first);
});
bar?.querySelector("[data-away]").addEventListener("click", () => {
  const all = tiles().filter((tile) => chosen.has(key(tile)));
  chooseNone();
  for (const tile of all) send(`${path(tile)}/hide`, { hidden: tile.closest("#hidden") ? "0" : "1" }, tile);
});
document.addEventListener("click", (event) => {
  const tile = chosen.size && event.target.closest(".face[data-person]");
  if (!tile || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  toggle(tile);
}, true);
document.addEventListener("keydown", (event) => {
  if (!bar || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const tile = event.target.closest?.(".to, .more")?.closest(".face[data-person]");
  const chooses = event.key.toLowerCase() === "x" || (event.key === " " && chosen.size > 0);
  if (!tile || !chooses || picked) return;
  event.preventDefault();
  toggle(tile);
});
document.addEventListener("htmx:load", mark);

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
    ...(bar ? [["Same person as…", () => pick(tile)], ["Choose several…", () => toggle(tile)]] : []),
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
  if (event.key === "Escape" && chosen.size) return chooseNone(true);
  if (!menu?.contains(document.activeElement)) return;
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items.at(to % items.length).focus();
  } else if (event.key === "Tab") closeMenu(false);
});
