// What every page has: toasts that can be undone, keys, and pages that follow what happens.
//
// A page says in <main data-refresh> how it is brought up to date, every `data-every` milliseconds
// while work is under way, and whenever an answer says that something was "changed":
//   whole   the page is asked for again, and takes the place of what is shown
//   merge   only what differs changes, and never what somebody is typing in or has the focus in:
//           [data-fresh=name] is replaced as a whole; in [data-merge=name] each child with a
//           data-key is replaced when its data-version differs, new ones are added at the end

const root = document.documentElement;
root.classList.add("js");

export const main = () => document.getElementById("main");

// ---- toasts ----

const toasts = document.getElementById("toasts");
const STAYS = 9000;
const LONGER = 16000; // errors

export function say(text, level = "error") {
  const toast = document.createElement("div");
  toast.className = `toast ${level}`;
  toast.dataset.toast = "";
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.dataset.close = "";
  close.textContent = "Close";
  toast.append(words, close);
  toasts.append(toast);
}

function leave(toast) {
  if (!toast.isConnected || toast.matches(":hover, :focus-within")) {
    setTimeout(leave, 2000, toast);
    return;
  }
  toast.classList.add("leaving");
  setTimeout(() => toast.remove(), 320);
}

function begin(toast) {
  if (toast.dataset.begun) return;
  toast.dataset.begun = "1";
  setTimeout(leave, toast.classList.contains("error") ? LONGER : STAYS, toast);
  // Of what went well the latest is enough.
  if (toast.matches(".error")) return;
  for (const old of [...toasts.children]) if (old !== toast && !old.matches(".error")) old.remove();
}

new MutationObserver(() => toasts.querySelectorAll("[data-toast]").forEach(begin)).observe(toasts, {
  childList: true,
});
toasts.querySelectorAll("[data-toast]").forEach(begin);
toasts.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("[data-toast]").remove();
});
toasts.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) event.target.closest("[data-toast]")?.remove();
});

// ---- what goes wrong on the way ----

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget") !== "#toasts") {
    event.detail.shouldSwap = false;
    say("That did not work: something went wrong at Lookwho. Try again in a moment.");
  }
});
document.addEventListener("htmx:sendError", () => {
  say("Lookwho cannot be reached. Is it still running?");
});

// ---- keys ----

const typing = (element) => element?.matches?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = document.querySelector("details.account[open], details.drop[open]");
    if (open && !event.defaultPrevented) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (event.target.matches?.("[data-search]")) {
      event.target.value = "";
      event.target.blur();
    }
    return;
  }
  if (typing(event.target)) return;
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  } else if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
    const undo = [...toasts.querySelectorAll(".undo")].at(-1);
    if (undo) {
      event.preventDefault();
      undo.click();
    }
  }
});

// What is open closes when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.account[open], details.drop[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// ---- staying up to date ----

// Whether somebody types in it, or has typed something there.
function busy(element) {
  if (element.contains(document.activeElement) && typing(document.activeElement)) return true;
  return [...element.querySelectorAll("input:not([type=hidden])")].some(
    (input) => input.value !== input.defaultValue || input.checked !== input.defaultChecked,
  );
}

const stops = (element) => [...element.querySelectorAll("a[href], button, summary, input:not([type=hidden])")];

/** Do what takes elements away; whoever had the focus in them goes on at the same place. */
function keepingFocus(old, act, heir = () => old) {
  const at = old.contains(document.activeElement) ? stops(old).indexOf(document.activeElement) : -1;
  act();
  if (at >= 0) (stops(heir() ?? main()).at(at) ?? stops(heir() ?? main())[0] ?? main()).focus();
}

function replace(old, fresh) {
  keepingFocus(old, () => old.replaceWith(fresh), () => fresh);
  htmx.process(fresh);
}

function mergeChildren(here, there) {
  const known = new Map();
  for (const child of here.children) if (child.dataset.key) known.set(child.dataset.key, child);
  const end = here.querySelector(":scope > .next");
  for (const fresh of there ? [...there.children] : []) {
    const key = fresh.dataset.key;
    if (!key) continue;
    const old = known.get(key);
    known.delete(key);
    if (!old) {
      here.insertBefore(fresh, end);
      htmx.process(fresh);
    } else if (old.dataset.version !== fresh.dataset.version && !busy(old)) replace(old, fresh);
  }
  for (const gone of known.values()) {
    if ("keep" in gone.dataset || busy(gone)) continue;
    const heir = gone.nextElementSibling ?? gone.previousElementSibling;
    keepingFocus(gone, () => gone.remove(), () => heir);
  }
  const next = there?.querySelector(":scope > .next");
  if (end && next) replace(end, next);
  else if (end) end.remove();
  else if (next) {
    here.append(next);
    htmx.process(next);
  }
}

// What each part was last told to be: htmx and browsers write things of their own into it.
const shown = new WeakMap();

/** Bring what is shown up to date from a page that was asked for again. */
function merge(here, there) {
  const parts = (page) =>
    [...page.querySelectorAll("[data-merge], [data-fresh=empty]")].map((part) => part.dataset.merge ?? "empty");
  if (String(parts(here)) !== String(parts(there)) && !busy(here)) {
    keepingFocus(here, () => (here.innerHTML = there.innerHTML));
    htmx.process(here);
  }
  for (const part of here.querySelectorAll("[data-fresh]")) {
    const fresh = there.querySelector(`[data-fresh="${part.dataset.fresh}"]`);
    if (!fresh || busy(part)) continue;
    if (fresh.dataset.sentence) tell(fresh.dataset.sentence);
    if (fresh.innerHTML === shown.get(part)) continue;
    shown.set(part, fresh.innerHTML);
    keepingFocus(part, () => (part.innerHTML = fresh.innerHTML));
    htmx.process(part);
  }
  for (const part of here.querySelectorAll("[data-merge]")) {
    const fresh = there.querySelector(`[data-merge="${part.dataset.merge}"]`);
    mergeChildren(part, fresh);
  }
  if (there.dataset.every) here.dataset.every = there.dataset.every;
  else delete here.dataset.every;
  document.dispatchEvent(new CustomEvent("lookwho:merged", { detail: there }));
}

function tell(sentence) {
  const teller = document.querySelector("[data-say]");
  if (teller && teller.textContent !== sentence) teller.textContent = sentence;
}

async function again() {
  const address = new URL(location.href);
  // As many as are in view, also where more were added to the first ones.
  for (const part of main().querySelectorAll("[data-merge]")) {
    const count = part.querySelectorAll(":scope > [data-key]").length;
    if (count) address.searchParams.set(part.dataset.merge, count);
  }
  const answer = await fetch(address, { headers: { Accept: "text/html" }, redirect: "follow" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("main");
  if (fresh?.dataset.refresh === "merge") merge(main(), fresh);
  else location.reload(); // another page: one has to sign in again
}

let asking = false;
let due = false;

export async function refresh() {
  if (asking) {
    due = true;
    return;
  }
  asking = true;
  try {
    await again();
  } catch {
    // Not reachable just now: the next time may do.
  }
  asking = false;
  if (due) {
    due = false;
    refresh();
  }
}

function changed() {
  const how = main().dataset.refresh;
  if (how === "merge") refresh();
  else if (how === "whole") {
    htmx.ajax("GET", location.href, {
      source: main(), target: "#main", select: "#main", swap: "outerHTML show:none",
      selectOOB: "#account", // which says how many requests wait
    });
  }
}
document.body.addEventListener("changed", changed);

function poll() {
  const wait = Number(main().dataset.every) || 0;
  if (wait && !document.hidden) refresh();
  setTimeout(poll, wait || 3000);
}
setTimeout(poll, Number(main().dataset.every) || 3000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && main().dataset.every) refresh();
});
