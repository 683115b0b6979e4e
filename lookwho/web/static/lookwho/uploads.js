// Sending photos, videos and archives to an album, in pieces that survive a line that breaks and a page that
// is loaded again (tus 1.0, see /docs). Without this script a form sends the files as a whole.
//
// Under a name that tells the file, this browser keeps where it is being sent to. Chosen again, it
// goes on where it stopped, and what was sent completely is not sent twice.

import { IS_VIDEO, whenDropped } from "./dropping.js";

const zone = document.querySelector("[data-uploads]");
const PIECE = 4 << 20;
const AT_ONCE = 3;
const WAITS = [1, 2, 4, 8, 15, 30];
const LATELY = 10_000; // ms, over which the rate is taken
const KEPT_FOR = 24 * 3600 * 1000;
const PHOTO = /\.(jpe?g|jfif|png|webp|gif|tiff?|bmp|heic|heif|avif|mpo)$/i;
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz)$/i;

const part = (name) => zone.querySelector(`[data-${name}]`);
const form = part("send");
const input = form.querySelector("input[type=file]");
const [wrong, sending, bar, said, live, pause, stop, again, rows] = [
  "wrong", "sending", "bar", "said", "live", "pause", "stop", "again", "rows",
].map(part);
const words = (name, values = {}) =>
  Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), zone.dataset[name]);
const token = () => form.elements.csrfmiddlewaretoken.value;

// ---- what this browser remembers ----

const PREFIX = "lookwho-upload:";
const keyOf = (file) => [PREFIX + zone.dataset.album, file.name, file.size, file.lastModified].join(":");

function recalled(key) {
  try {
    const found = JSON.parse(localStorage.getItem(key));
    return found && Date.now() - found.at < KEPT_FOR ? found.url : null;
  } catch {
    return null;
  }
}

function remember(key, url) {
  try {
    if (url) localStorage.setItem(key, JSON.stringify({ url, at: Date.now() }));
    else localStorage.removeItem(key);
  } catch {
    // A browser that keeps nothing: then the line must hold until the page is left.
  }
}

try {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX) && !recalled(key)) remember(key, null);
} catch {
  // likewise
}

// ---- one request ----

class Lost extends Error {} // the line, or the server for a moment: it is tried again
class Refused extends Error {} // by Lookwho, with a reason
class Stopped extends Error {} // by whoever sits here

const open = new Set();

function ask(method, url, { headers = {}, body = null, progressed = () => {} } = {}) {
  // Not fetch: it does not tell how much was sent.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.setRequestHeader("X-CSRFToken", token());
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => progressed(event.loaded));
    request.addEventListener("loadend", () => open.delete(request));
    request.addEventListener("load", () => {
      if (request.status >= 500 && request.status !== 507) reject(new Lost());
      else if (request.status === 429) reject(new Lost());
      else resolve(request);
    });
    request.addEventListener("error", () => reject(new Lost()));
    request.addEventListener("abort", () => reject(new Stopped()));
    open.add(request);
    request.send(body);
  });
}

function reasonOf(request) {
  try {
    return JSON.parse(request.responseText).message;
  } catch {
    return `${request.status}`;
  }
}

// Not crypto.randomUUID, which is only there over HTTPS.
function madeUp() {
  const digits = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0"));
  return digits.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const STREAM = { "Content-Type": "application/offset+octet-stream" };

// ---- one file ----

let paused = false;
let cancelled = false;
let items = [];

async function begin(item) {
  const { file } = item;
  const first = file.slice(0, Math.min(PIECE, file.size));
  const headers = {
    ...STREAM,
    "Upload-Length": file.size,
    "Upload-Metadata": Object.entries({ filename: file.name, album: zone.dataset.album, uuid: item.uuid })
      .map(([key, value]) => `${key} ${base64(value)}`)
      .join(","),
  };
  // Before it is asked for: an answer that is lost must not begin a second file.
  item.url = `${zone.dataset.api}/${item.uuid}`;
  remember(item.key, item.url);
  // Of a large file the first piece comes by itself, so that where it is sent to is known before.
  const small = file.size <= PIECE;
  if (!small) delete headers["Content-Type"];
  const answer = await ask("POST", zone.dataset.api, {
    headers,
    body: small ? first : null,
    progressed: (sent) => (item.sent = small ? Math.min(sent, file.size) : 0),
  });
  if (answer.status !== 201) throw new Refused(reasonOf(answer));
  return Number(answer.getResponseHeader("Upload-Offset")) || 0;
}

/** How much of a file is there; null where nobody knows of it any more. */
async function there(item) {
  const answer = await ask("HEAD", item.url);
  if (answer.status === 200) return Number(answer.getResponseHeader("Upload-Offset"));
  remember(item.key, null);
  item.url = null;
  item.uuid = madeUp();
  return null;
}

async function sendOnce(item) {
  let offset = item.url ? await there(item) : null;
  if (offset === null) offset = await begin(item);
  while (offset < item.file.size) {
    const from = offset;
    item.sent = from;
    const answer = await ask("PATCH", item.url, {
      headers: { ...STREAM, "Upload-Offset": from },
      body: item.file.slice(from, from + PIECE),
      progressed: (sent) => (item.sent = Math.min(from + sent, item.file.size)),
    });
    if (answer.status === 204) offset = Number(answer.getResponseHeader("Upload-Offset"));
    else if (answer.status === 409) throw new Lost(); // another writer, or another place: it is asked
    else throw new Refused(reasonOf(answer));
  }
  item.sent = item.file.size;
}

async function send(item) {
  for (let tries = 0; ; tries += 1) {
    const before = item.sent;
    try {
      await sendOnce(item);
      return;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      if (item.sent > before) tries = 0;
      if (!navigator.onLine || tries > 1) say(words("sayOffline"));
      await rest(WAITS[Math.min(tries, WAITS.length - 1)] * 1000);
    }
  }
}

/** Wait, but no longer than until the line is back; and not on if it is to stop. */
async function rest(time) {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    window.addEventListener("online", () => (clearTimeout(timer), resolve()), { once: true });
  });
  if (paused || cancelled) throw new Stopped();
}

// ---- all of them ----

let working = false;

async function worker() {
  for (;;) {
    const item = items.find((each) => each.state === "waiting");
    if (!item || paused || cancelled) return;
    item.state = "sending";
    try {
      await send(item);
      item.state = "done";
    } catch (error) {
      if (error instanceof Stopped) {
        item.state = "waiting";
        return;
      }
      item.state = "failed";
      remember(item.key, null);
      if (error instanceof Refused) complain(`${item.file.name}: ${error.message}`);
      else throw error;
    }
  }
}

async function work() {
  if (working) return;
  working = true;
  paused = cancelled = false;
  tellPause();
  ending = "";
  sending.hidden = false;
  began = [];
  const timer = setInterval(show, 500);
  follow();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  clearInterval(timer);
  working = false;
  if (!paused) {
    sending.hidden = true;
    items = [];
    ending = words(cancelled ? "sayCancelled" : "sayDone");
    tell(ending);
  }
  show();
  follow();
}

function add(files) {
  const known = new Set(items.map((item) => item.key));
  for (const file of files) {
    const key = keyOf(file);
    if (known.has(key)) continue;
    items.push({ file, key, url: recalled(key), uuid: madeUp(), sent: 0, state: "waiting" });
  }
  if (!items.length) return;
  wrong.textContent = "";
  if (working) return;
  work();
}

pause.addEventListener("click", () => {
  if (working && !paused) {
    paused = true;
    for (const request of open) request.abort();
    say(words("sayPaused"));
    tell(words("sayPaused"));
    tellPause();
  } else if (!working) work();
});

function tellPause() {
  pause.textContent = paused ? pause.dataset.other : pause.dataset.words;
}

stop.addEventListener("click", async () => {
  cancelled = true;
  for (const request of open) request.abort();
  const left = items.filter((item) => item.url && item.state !== "done");
  items = [];
  sending.hidden = true;
  for (const item of left) {
    remember(item.key, null);
    await ask("DELETE", item.url).catch(() => {});
  }
  tell(words("sayCancelled"));
  follow();
});

// ---- what is said ----

let began = [];
let told = 0;

function show() {
  const all = items.reduce((sum, item) => sum + item.file.size, 0);
  const sent = items.reduce((sum, item) => sum + (item.state === "failed" ? item.file.size : item.sent), 0);
  if (!all) return;
  bar.value = sent / all;
  const now = performance.now();
  began.push([now, sent]);
  while (began.length > 2 && now - began[0][0] > LATELY) began.shift();
  const [since, then] = began[0];
  const rate = (sent - then) / Math.max(now - since, 1) / 1000; // MB a second
  const done = items.filter((item) => item.state === "done").length;
  let text = words("saySent", { done, all: items.length });
  if (paused) text = `${text}. ${words("sayPaused")}`;
  else if (rate > 0.01) {
    text += `. ${words("sayLeft", { rate: rate.toFixed(rate < 10 ? 1 : 0), left: time((all - sent) / 1e6 / rate) })}`;
  }
  say(text);
  const quarter = Math.floor((4 * sent) / all);
  if (quarter !== told) {
    told = quarter;
    tell(text);
  }
}

function time(seconds) {
  if (seconds < 90) return words("saySeconds", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return words("sayMinutes", { n: Math.round(seconds / 60) });
  return words("sayHours", { n: (seconds / 3600).toFixed(1) });
}

const say = (text) => (said.textContent = text);
const tell = (text) => (live.textContent = text);

function complain(text) {
  const line = document.createElement("span");
  line.textContent = `${text} `;
  wrong.append(line);
  while (wrong.children.length > 5) wrong.firstChild.remove();
}

// ---- what became of it ----

let following = 0;
let ending = ""; // how the sending ended

function put(html) {
  const opened = new Set([...rows.querySelectorAll("details[open]")].map(nameOf));
  const focused = rows.contains(document.activeElement) ? document.activeElement : null;
  if (focused?.matches("input")) return; // somebody is typing
  const at = focused ? [...rows.querySelectorAll("button, summary")].indexOf(focused) : -1;
  rows.innerHTML = html;
  for (const each of rows.querySelectorAll("details")) if (opened.has(nameOf(each))) each.open = true;
  if (at >= 0) [...rows.querySelectorAll("button, summary")][at]?.focus();
}

const nameOf = (details) => details.dataset.key ?? details.closest("[data-key]")?.dataset.key;

async function follow() {
  clearTimeout(following);
  try {
    const answer = await fetch(zone.dataset.rowsAt, { headers: { "X-Requested-With": "lookwho" } });
    if (answer.ok) put(await answer.text());
  } catch {
    // Not reachable just now.
  }
  const running = rows.querySelector("[data-running]");
  if (working || running) {
    wasRunning = true;
    following = setTimeout(follow, 2000);
  } else if (wasRunning) {
    wasRunning = false;
    again.hidden = !rows.querySelector(".sent .good");
    document.body.dispatchEvent(new CustomEvent("changed")); // another part may show them by itself
    const became = [...rows.querySelectorAll(".sent li > p:first-child")].map((each) => each.innerText);
    tell([ending, ...became].join(" "));
  }
}

let wasRunning = false;
if (rows.querySelector("[data-running]")) follow();

rows.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-act]")) return;
  event.preventDefault();
  const answer = await fetch(event.target.action, {
    method: "POST",
    headers: { "X-Requested-With": "lookwho", "X-CSRFToken": token() },
  });
  if (answer.ok) put(await answer.text());
});

// ---- choosing and dropping ----

input.addEventListener("change", () => {
  add([...input.files]);
  input.value = "";
});
form.addEventListener("submit", (event) => event.preventDefault());

whenDropped({
  looksRight: (name) => PHOTO.test(name) || IS_VIDEO.test(name) || ARCHIVE.test(name),
  take: add,
  none: () => (wrong.textContent = words("sayNone")),
  unreadable: () => (wrong.textContent = words("sayUnreadable")),
});
window.addEventListener("beforeunload", (event) => {
  if (working && !paused) event.preventDefault();
});
