// Review: keys, and questions that are there before they are asked for.
//
// While one question is answered the next is fetched with its pictures, so that it takes the place
// of the first at once; the answer is sent meanwhile. What is sent was asked on the slip in the
// form, so nothing can be answered that was not shown. An answer that comes too late is said to.

import { main, say } from "./lookwho.js";
import "./names.js";

const page = main();
const place = page.querySelector("[data-place]");
const meter = page.querySelector("[data-meter]");
const last = page.querySelector("[data-last]");
const keys = document.getElementById("keys");
const peek = document.getElementById("peek");
const toasts = document.getElementById("toasts");
const address = page.dataset;
const STORED = "lookwho-answers";
const RENEW = 45000;
const AWAY = 300000; // who has done nothing for so long has left

const question = () => place.querySelector("[data-question]");
const field = () => place.querySelector("[data-names]");
const boxes = () => [...place.querySelectorAll(".odd input")];

let waiting = []; // questions that are shown next
const sending = new Set(); // questions whose answers are on their way
let coming = null; // the promise of one that was asked for
let shownAt = 0;
let activeAt = Date.now();
let busy = false;
// What can be undone, the latest last: the answer's uuid, or the promise of it.
let answers = JSON.parse(sessionStorage.getItem(STORED) ?? "[]");

// ---- talking to the site ----

const token = () => document.querySelector("#token input").value;

async function send(where, body) {
  body.set("csrfmiddlewaretoken", token());
  const answer = await fetch(where, { method: "POST", body, headers: { "HX-Request": "true" } });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  if (answer.status === 401) location.reload();
  toasts.insertAdjacentHTML("beforeend", await answer.text()); // the site's own words, as a toast
  throw Object.assign(new Error("refused"), { status: answer.status });
}

function unreachable(error) {
  if (!error.status) say("Lookwho cannot be reached. Is it still running?");
}

function form(pairs) {
  const body = new FormData();
  for (const [name, value] of pairs) body.append(name, value);
  return body;
}

const held = () => [question(), ...waiting].filter(Boolean).map((each) => ["held", each.dataset.question]);

// ---- the next question, with its pictures ----

function made(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.querySelector("[data-question], [data-done]");
}

function load(element) {
  for (const image of element.querySelectorAll("img")) {
    const early = new Image();
    if (image.srcset) {
      early.sizes = image.sizes;
      early.srcset = image.srcset;
    }
    early.src = image.getAttribute("src");
  }
}

async function fetchNext() {
  const answered = [...sending].map((uuid) => ["held", uuid]);
  const query = new URLSearchParams([...new URLSearchParams(address.query), ...held(), ...answered]);
  const answer = await fetch(`${address.next}?${query}`, { redirect: "manual" });
  if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status || 401 });
  const next = made(await answer.text());
  load(next);
  return next;
}

/** Ask for the next question, unless it is there or on its way. */
function prepare() {
  if (waiting.length || coming || !question()) return;
  coming = fetchNext()
    .then((next) => {
      if (next.matches("[data-question]")) waiting.push(next);
    })
    .catch(() => {}) // it is asked for again once it is needed
    .finally(() => (coming = null));
}

async function showNext() {
  const old = question();
  if (!waiting.length) {
    old?.classList.add("wait");
    if (coming) await coming;
  }
  // What is being answered may lead to the next question.
  if (!waiting.length) await Promise.allSettled(answers);
  if (old && !old.inert) return; // its answer was refused: it is asked once more
  if (waiting.length) return show(waiting.shift());
  old?.remove();
  try {
    show(await fetchNext());
  } catch (error) {
    if (error.status === 401) location.reload();
    unreachable(error);
    setTimeout(showNext, 4000);
  }
}

function show(element) {
  element.classList.remove("wait");
  element.inert = false;
  place.replaceChildren(element);
  begin();
}

function begin() {
  shownAt = performance.now();
  busy = false;
  undoable();
  mark();
  place.querySelectorAll("dialog[open]").forEach((open) => open.close());
  window.scrollTo({ top: 0 });
  const first = place.querySelector("[data-first]");
  if (first && matchMedia("(hover: hover)").matches) first.focus({ preventScroll: true });
  else place.querySelector("[data-asks]")?.focus({ preventScroll: true });
  prepare();
  const again = place.querySelector("[data-done]")?.dataset.again;
  if (again) setTimeout(() => question() || document.hidden || showNext(), Number(again));
}

// ---- answers ----

function tell(text) {
  last.textContent = text;
}

function store() {
  sessionStorage.setItem(STORED, JSON.stringify(answers.filter((each) => typeof each === "string").slice(-100)));
}

function undoable() {
  for (const button of place.querySelectorAll("[data-step-back]")) {
    button.disabled = !answers.length;
    button.hidden = !answers.length && button.closest("[data-done]") !== null;
  }
}

function answer(button) {
  const asked = question();
  if (!asked || busy) return;
  const named = button.value === "name" && button.name === "verdict";
  if (named && !field()?.value.trim()) {
    field()?.focus();
    return;
  }
  busy = true;
  asked.elements.seconds.value = ((performance.now() - shownAt) / 1000).toFixed(2);
  const body = new FormData(asked);
  body.delete("csrfmiddlewaretoken");
  body.append(button.name, button.value);
  sending.add(asked.dataset.question);
  const sent = send(address.answer, body).finally(() => sending.delete(asked.dataset.question)).then(
    (told) => {
      answers[answers.indexOf(sent)] = told.answer;
      meter.innerHTML = told.meter;
      tell(told.message);
      if (told.corrected) offerUndo(told.message, told.answer);
      store();
      return told.answer;
    },
    (error) => {
      answers.splice(answers.indexOf(sent), 1);
      undoable();
      unreachable(error);
      if (error.status === 409) tell("That was decided meanwhile: nothing was changed.");
      else if (!error.status || error.status === 422) back(asked);
      return null;
    },
  );
  answers.push(sent);
  asked.inert = true; // what is typed now is no answer to a question that nobody has seen yet
  showNext();
}

/** Ask once more what could not be answered so; what is in view comes after it. */
function back(asked) {
  if (question()) waiting.unshift(question());
  show(asked);
}

async function undo() {
  if (busy || !answers.length) return;
  busy = true;
  await takeBack(await answers.pop());
}

/** Take an answer back, and ask its question again. */
async function takeBack(uuid) {
  busy = true;
  store();
  try {
    if (uuid) await askAgain(uuid);
  } catch (error) {
    unreachable(error);
  }
  busy = false;
  undoable();
}

async function askAgain(uuid) {
  const told = await send(address.undo, form([["answer", uuid], ["part", address.query]]));
  meter.innerHTML = told.meter;
  tell(told.message);
  const again = told.question && made(told.question);
  if (again?.matches("[data-question]")) {
    load(again);
    // It may have been fetched as the next one meanwhile.
    waiting = waiting.filter((each) => each.dataset.question !== again.dataset.question);
    if (question() && question().dataset.question !== again.dataset.question) waiting.unshift(question());
    show(again);
  } else if (!question()) showNext();
}

/** Say that an answer contradicts what somebody had confirmed, and let it be taken back. */
function offerUndo(text, uuid) {
  say(text, "success");
  const toast = toasts.lastElementChild;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "undo", textContent: "Undo" });
  button.addEventListener("click", () => {
    toast.remove();
    answers = answers.filter((each) => each !== uuid);
    takeBack(uuid);
  });
  toast.querySelector("p").after(button);
}

place.addEventListener("submit", (event) => {
  event.preventDefault();
  answer(event.submitter ?? event.target.querySelector("[value=name]"));
});
place.addEventListener("click", (event) => {
  if (event.target.closest("[data-step-back]")) undo();
  else if (event.target.closest("[data-help]")) keys.showModal();
  else if (event.target.closest(".stage")) look();
});

// ---- those who do not belong ----

function mark() {
  const count = boxes().filter((box) => box.checked).length;
  const told = place.querySelector("[data-marked]");
  if (told) told.textContent = count ? `${count} marked` : "";
  for (const words of place.querySelectorAll("[data-rest]")) {
    words.dataset.all ??= words.textContent;
    words.textContent = count ? words.dataset.rest : words.dataset.all;
  }
}
place.addEventListener("change", mark);

function step(key) {
  const all = boxes();
  if (!all.length) return false;
  const at = all.indexOf(document.activeElement);
  const across = all.filter((box) => Math.abs(box.getBoundingClientRect().top - all[0].getBoundingClientRect().top) < 8).length;
  const far = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[key];
  const to = at < 0 ? 0 : Math.min(Math.max(at + far, 0), all.length - 1);
  all[to].focus();
  return true;
}

function look() {
  const photo = document.activeElement?.dataset?.photo ?? place.querySelector("[data-photo]")?.dataset.photo;
  if (!photo) return;
  peek.querySelector("img").src = photo;
  peek.showModal();
}

// ---- keys ----

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

function press(selector) {
  const button = place.querySelector(selector);
  if (button && !button.disabled) answer(button);
  return Boolean(button);
}

function command(key) {
  if (key === "y") return press("[value=yes]");
  if (key === "n") return press("[value=no]") || press("[value=stranger]");
  if (key === "?") return press("[value=cannot_tell]");
  if (key === "s") return press("[value=skip]");
  if (key === "x") return press("[value=not_a_face]");
  if (key === "1" || key === "2" || key === "3") return press(`.perhaps:nth-child(${key})`);
  if (key === "u") undo();
  else if (key === "h") keys.showModal();
  else if (key === "p") look();
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  activeAt = Date.now();
  const { key, target } = event;
  if (peek.open && key === "p") return peek.close();
  if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open], details.account[open]")) return;
  const typing = target.matches?.("input:not([type=checkbox]), textarea, select");
  const undoing = (event.ctrlKey || event.metaKey) && key === "z";
  if (typing && target === field()) {
    // In an empty field nothing is lost by what no name begins with.
    if (target.value) return;
    if (undoing) undo();
    else if (["?", "1", "2", "3"].includes(key)) command(key);
    else if (ARROWS.includes(key) && step(key));
    else if (key === "Escape") place.querySelector("[data-asks]").focus();
    else return;
    event.preventDefault();
    return;
  }
  if (typing) return;
  if (undoing) undo();
  else if (event.ctrlKey || event.metaKey) return;
  else if (ARROWS.includes(key)) {
    if (!step(key)) return;
  } else if (command(key));
  else if (key === "Enter" && target.matches?.("button, a, summary")) return;
  else if (field() && (key === "Enter" || /^\p{L}$/u.test(key))) {
    field().focus();
    if (key !== "Enter") return; // the letter is then typed into it
  } else return;
  event.preventDefault();
}, true);
document.addEventListener("pointerdown", () => (activeAt = Date.now()));

// ---- who looks at what ----

setInterval(() => {
  const looking = held();
  if (!looking.length || Date.now() - activeAt > AWAY) return;
  send(address.renew, form(looking)).catch(() => {});
}, RENEW);
addEventListener("pagehide", () => {
  const leaving = held();
  if (leaving.length) navigator.sendBeacon(address.release, form([...leaving, ["csrfmiddlewaretoken", token()]]));
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

begin();
